using Shad.Models.Weights;
using Shad.Onnx.Graphs;
using Shad.Onnx.Sessions;
using static Shad.Onnx.Protobuf.TensorProto.Types;

namespace Shad.Onnx.Scoring;

/// <summary>What of a device's memory a forward pass may take: what is free, less the weights, less what the libraries take.</summary>
internal static class DeviceMemory
{
    /// <summary>Workspaces of cuBLAS and of the attention kernel, code of the kernels: 512 MiB.</summary>
    public const long LibraryMemory = 512L << 20;

    /// <summary>Memory of a pass where the driver does not tell what is free: 4 GiB.</summary>
    public const long UntoldMemory = 4L << 30;

    /// <summary>Options bound to the memory of the device: as they are on the CPU and where the memory is stated.</summary>
    /// <param name="options">The options.</param>
    /// <param name="trunk">The models.</param>
    /// <param name="device">The device chosen.</param>
    /// <param name="type">Number format of the activations.</param>
    /// <param name="freeMemory">Free bytes of a CUDA device; null asks the driver.</param>
    /// <exception cref="Core.Errors.ShadException">The weights leave no room for a pass.</exception>
    public static ScoringOptions Bound(
        ScoringOptions options, SharedTrunk trunk, ChosenDevice device, DataType type, Func<int, long?>? freeMemory = null)
    {
        if (device.Device == ComputeDevice.Cpu) return options;
        options = options with { TokensPerBatch = options.TokensPerBatchOnCuda };
        if (options.Memory is not null) return options;
        if ((freeMemory ?? CudaDriver.FreeMemory)(device.Index) is not { } free) return options with { Memory = UntoldMemory };
        long weights = WeightBytes(trunk, type);
        long left = OfPass(free, weights);
        return left >= ScoringOptions.LeastMemory
            ? options with { Memory = left }
            : throw OnnxErrors.NoDeviceMemory(device.Name, weights, free);
    }

    /// <summary>Bytes for a pass: a twentieth of the free memory stays free, for what others take meanwhile.</summary>
    public static long OfPass(long free, long weights) => free - free / 20 - LibraryMemory - weights;

    /// <summary>Bytes of the weights on the device: what the models share once, and float32 copies of the heads beside 16-bit weights.</summary>
    public static long WeightBytes(SharedTrunk trunk, DataType type)
    {
        long values = 0, headValues = 0;
        for (int model = 0; model < trunk.ModelCount; model++)
        {
            string head = DecoderBody.HeadTensor(trunk.ConfigOf(model));
            foreach (TensorSpec tensor in TensorLayout.Expected(trunk.ConfigOf(model)))
            {
                if (trunk.OwnerOf(model, tensor.Name) != model) continue;
                long count = tensor.Shape.Aggregate(1L, static (product, dimension) => product * dimension);
                values += count;
                if (tensor.Name == head) headValues += count;
            }
        }

        int size = ComputeTypes.SizeOf(type);
        return values * size + (size < sizeof(float) ? headValues * sizeof(float) : 0);
    }
}
