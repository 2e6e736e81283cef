using Shad.Models;
using Shad.Models.Weights;
using static Shad.Onnx.Protobuf.TensorProto.Types;

namespace Shad.Onnx.Sessions;

/// <summary>The number format that a precision comes to on a device.</summary>
internal static class ComputeTypes
{
    // The first devices with bfloat16 products.
    private const int Bfloat16Capability = 80;

    /// <summary>The format of the activations.</summary>
    /// <param name="settings">The precision asked for.</param>
    /// <param name="device">The device chosen.</param>
    /// <param name="model">The model whose stored format decides where the precision is <see cref="ScoringPrecision.Auto"/>.</param>
    /// <exception cref="Core.Errors.ShadException">The device cannot compute in the precision asked for.</exception>
    public static DataType Of(SessionSettings settings, ChosenDevice device, ModelFolder model)
    {
        bool cpu = device.Device == ComputeDevice.Cpu;
        switch (settings.Precision)
        {
            case ScoringPrecision.Float16: return DataType.Float16;
            case ScoringPrecision.Float32:
                return cpu ? DataType.Float : throw OnnxErrors.NoPrecision("float32", device.Name, "float16 or bfloat16, which CUDA's attention kernel takes");
            case ScoringPrecision.Int8:
                return cpu ? DataType.Float : throw OnnxErrors.NoPrecision("int8", device.Name, "float16 or bfloat16");
            case ScoringPrecision.BFloat16:
                return cpu ? throw OnnxErrors.NoPrecision("bfloat16", "cpu", "float32 or float16, for which the CPU has kernels") : DataType.Bfloat16;
            default:
                if (cpu) return DataType.Float;
                bool stored16 = model.Weights.Tensors[model.Config.Naming.Embedding].Dtype == TensorDtype.BFloat16;
                int? capability = ExecutionProvider.Situation(settings.ProviderLibrary).Devices is { Count: > 0 } devices && device.Index < devices.Count
                    ? devices[device.Index].Capability
                    : null;
                return Automatic(stored16, capability);
        }
    }

    /// <summary>The format on CUDA where none is asked for.</summary>
    /// <param name="storedBfloat16">True for a model stored in bfloat16.</param>
    /// <param name="capability">The device's compute capability, 90 for sm_90; null where not known.</param>
    public static DataType Automatic(bool storedBfloat16, int? capability) =>
        storedBfloat16 && capability is null or >= Bfloat16Capability ? DataType.Bfloat16 : DataType.Float16;

    /// <summary>Bytes of a value.</summary>
    public static int SizeOf(DataType type) => type == DataType.Float ? sizeof(float) : sizeof(ushort);

    /// <summary>The format as it is written for <c>--precision</c>.</summary>
    public static string NameOf(DataType type) => type switch
    {
        DataType.Float => "float32",
        DataType.Float16 => "float16",
        _ => "bfloat16",
    };
}
