namespace Shad.Onnx.Export;

/// <summary>Number format of the weights of an exported variant.</summary>
public enum WeightFormat
{
    /// <summary>float32, activations too.</summary>
    Float32,

    /// <summary>float16, activations too.</summary>
    Float16,

    /// <summary>The matrices of linear layers and of the LM head in 8 bits with a scale for every block; activations float32.</summary>
    Int8,

    /// <summary>The same in 4 bits.</summary>
    Int4,
}

/// <summary>How a variant of a model is exported.</summary>
public sealed record VariantOptions
{
    /// <summary>Number format of the weights.</summary>
    public WeightFormat Format { get; init; } = WeightFormat.Float32;

    /// <summary>Weights that share a scale, for the whole-number formats: 16, 32, 64, 128 or 256.</summary>
    public int BlockSize { get; init; } = Quantization.BlockQuantizedMatrix.DefaultBlockSize;

    /// <summary>Round the activations of quantized products to 8 bits too, block by block, as onnxruntime-genai's own models do: several times as
    /// fast. False multiplies them as they are.</summary>
    public bool RoundActivations { get; init; } = true;

    /// <summary>Bits of a quantized weight; null where the format is a floating one.</summary>
    internal int? Bits => Format switch { WeightFormat.Int8 => 8, WeightFormat.Int4 => 4, _ => null };

    /// <exception cref="Core.Errors.ShadException">A value is out of range.</exception>
    internal void Validate()
    {
        if (BlockSize is not (16 or 32 or 64 or 128 or 256)) throw OnnxErrors.BadOption("block size", BlockSize, "16, 32, 64, 128 or 256");
    }
}
