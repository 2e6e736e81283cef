using Shad.Models.Errors;

namespace Shad.Models.Weights;

/// <summary>Number format of a stored tensor.</summary>
public enum TensorDtype
{
    /// <summary>IEEE 754 binary32.</summary>
    Float32,

    /// <summary>IEEE 754 binary16.</summary>
    Float16,

    /// <summary>bfloat16: the upper half of a binary32.</summary>
    BFloat16,
}

/// <summary>Sizes and names of the dtypes.</summary>
public static class TensorDtypes
{
    /// <summary>Bytes of one element.</summary>
    public static int ByteSize(this TensorDtype dtype) => dtype == TensorDtype.Float32 ? 4 : 2;

    /// <summary>Name in a safetensors header: <c>F32</c>, <c>F16</c>, <c>BF16</c>.</summary>
    public static string SafetensorsName(this TensorDtype dtype) => dtype switch
    {
        TensorDtype.Float32 => "F32",
        TensorDtype.Float16 => "F16",
        TensorDtype.BFloat16 => "BF16",
        _ => throw new ArgumentOutOfRangeException(nameof(dtype)),
    };

    /// <summary>Name in <c>config.json</c> and in jobs: <c>float32</c>, <c>float16</c>, <c>bfloat16</c>.</summary>
    public static string HuggingFaceName(this TensorDtype dtype) => dtype switch
    {
        TensorDtype.Float32 => "float32",
        TensorDtype.Float16 => "float16",
        TensorDtype.BFloat16 => "bfloat16",
        _ => throw new ArgumentOutOfRangeException(nameof(dtype)),
    };

    /// <summary>The dtype of a <see cref="HuggingFaceName"/>.</summary>
    /// <exception cref="Shad.Core.Errors.ShadException">The name is none of the three.</exception>
    public static TensorDtype Parse(string huggingFaceName) => huggingFaceName switch
    {
        "float32" => TensorDtype.Float32,
        "float16" => TensorDtype.Float16,
        "bfloat16" => TensorDtype.BFloat16,
        _ => throw ModelErrors.DtypeNameUnknown(huggingFaceName),
    };

    internal static TensorDtype? FromSafetensorsName(string name) => name switch
    {
        "F32" => TensorDtype.Float32,
        "F16" => TensorDtype.Float16,
        "BF16" => TensorDtype.BFloat16,
        _ => null,
    };
}
