namespace Shad.Onnx.Kernels;

/// <summary>What computes a node of an operator of our own.</summary>
internal interface IKernel : IDisposable
{
    /// <summary>Computes the node.</summary>
    /// <param name="context">ONNX Runtime's access to the inputs, the output and the threads.</param>
    /// <exception cref="ArgumentException">The inputs contradict each other.</exception>
    void Compute(nint context);
}
