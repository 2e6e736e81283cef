namespace Shad.Onnx.Kernels;

/// <summary>An operator of our own: all its inputs and its one output, of float32, are required.</summary>
/// <param name="Name">Its name in <see cref="CustomOperators.Domain"/>.</param>
/// <param name="InputTypes">Types of its inputs, as ONNX Runtime numbers them.</param>
/// <param name="Create">Makes the kernel of a node, given ONNX Runtime's description of the node; throws
/// <see cref="ArgumentException"/> where an attribute is wrong.</param>
internal sealed record OwnOperator(string Name, int[] InputTypes, Func<nint, IKernel> Create);
