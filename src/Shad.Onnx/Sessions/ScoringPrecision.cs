namespace Shad.Onnx.Sessions;

/// <summary>Number format of the activations and of the weights as they are multiplied. The LM head's logits, the softmax and the losses
/// are float32 whatever it is.</summary>
public enum ScoringPrecision
{
    /// <summary>float32 on the CPU. On CUDA bfloat16 for a model stored in bfloat16, whose activations may leave float16's range, and
    /// float16, which rounds eight times finer, for others; float16 also where the device is older than bfloat16 (before sm_80).</summary>
    Auto,

    /// <summary>float32; on the CPU only, since CUDA's attention kernel takes 16-bit floats.</summary>
    Float32,

    /// <summary>float16.</summary>
    Float16,

    /// <summary>bfloat16; on CUDA only, since the CPU has no kernels for it.</summary>
    BFloat16,

    /// <summary>The projections of the layers multiply 8-bit integers, of weights with a scale an output and of activations with one
    /// a token; all else is float32. On the CPU only. Losses differ by a tenth of a nat and hang a little on the batch; what the models
    /// have in common cancels out of loss differences, so that roles hardly change.</summary>
    Int8,
}
