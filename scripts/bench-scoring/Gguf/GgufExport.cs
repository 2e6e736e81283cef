using Shad.Models;
using Shad.Models.Configuration;
using Shad.Models.Weights;

namespace BenchScoring.Gguf;

/// <summary>Writes a model folder as GGUF, for llama.cpp.</summary>
internal static class GgufExport
{
    private const int FirstByteToken = 3;
    private const int LastByteToken = FirstByteToken + 255;

    // llama.cpp's name of each family, and whether it rotates neighbouring coordinates there, not halves as Hugging Face does.
    private static readonly Dictionary<string, (string Name, bool Interleaved)> Architectures = new()
    {
        ["llama"] = ("llama", true), ["mistral"] = ("llama", true), ["qwen2"] = ("qwen2", false), ["qwen3"] = ("qwen3", false),
        ["granite"] = ("granite", true), ["smollm3"] = ("smollm3", true), ["olmo2"] = ("olmo2", false), ["phi3"] = ("phi3", false),
        ["gemma2"] = ("gemma2", false), ["gemma3_text"] = ("gemma3", false), ["gpt2"] = ("gpt2", false),
    };

    /// <summary>Writes a model.</summary>
    /// <param name="path">The file.</param>
    /// <param name="model">The model folder.</param>
    /// <param name="dtype">dtype of the matrices; norms and biases are float32 always, as llama.cpp expects them.</param>
    /// <exception cref="NotSupportedException">llama.cpp does not compute what the model is; the message says why.</exception>
    public static void Write(string path, ModelFolder model, TensorDtype dtype)
    {
        var config = model.Config;
        if (!Architectures.TryGetValue(config.ModelType, out var known)) throw new NotSupportedException($"no GGUF of {config.ModelType}");
        RequireSupported(config);
        string architecture = known.Name;
        var gguf = new GgufWriter();
        gguf.Add("general.architecture", architecture);
        gguf.Add("general.name", Path.GetFileName(path));
        gguf.Add("general.file_type", dtype == TensorDtype.BFloat16 ? 32u : 0u);
        gguf.Add($"{architecture}.vocab_size", (uint)config.VocabularySize);
        gguf.Add($"{architecture}.context_length", (uint)config.ContextLength);
        gguf.Add($"{architecture}.embedding_length", (uint)config.HiddenSize);
        gguf.Add($"{architecture}.block_count", (uint)config.LayerCount);
        gguf.Add($"{architecture}.feed_forward_length", (uint)config.IntermediateSize);
        gguf.Add($"{architecture}.attention.head_count", (uint)config.AttentionHeads);
        gguf.Add($"{architecture}.attention.head_count_kv", (uint)config.KeyValueHeads);
        gguf.Add($"{architecture}.attention.key_length", (uint)config.HeadSize);
        gguf.Add($"{architecture}.attention.value_length", (uint)config.HeadSize);
        gguf.Add(
            $"{architecture}.attention.layer_norm_{(config.Norm == NormKind.LayerNorm ? "" : "rms_")}epsilon", config.NormEpsilon);
        if (config.SlidingWindow is { } window) gguf.Add($"{architecture}.attention.sliding_window", (uint)window);
        if (config.ScoreCap is { } scoreCap) gguf.Add($"{architecture}.attn_logit_softcapping", (float)scoreCap);
        if (config.LogitCap is { } logitCap) gguf.Add($"{architecture}.final_logit_softcapping", (float)logitCap);
        if (architecture == "granite")
        {
            gguf.Add("granite.attention.scale", (float)config.AttentionScale);
            gguf.Add("granite.embedding_scale", (float)config.EmbeddingScale);
            gguf.Add("granite.residual_scale", (float)config.ResidualScale);
            gguf.Add("granite.logit_scale", (float)config.LogitDivisor);
        }

        AddRotary(gguf, architecture, config);
        AddVocabulary(gguf, config.VocabularySize);
        foreach (var (name, theirs, heads, transposed) in Names(config, known.Interleaved))
        {
            var tensor = model.Weights.Tensors[name];
            var stored = tensor.Shape.Length == 1 ? TensorDtype.Float32 : dtype;
            bool isNorm = theirs.EndsWith("norm.weight", StringComparison.Ordinal);
            gguf.Add(theirs, transposed ? [tensor.Shape[1], tensor.Shape[0]] : tensor.Shape, stored, stream =>
            {
                float[] values = model.Weights.ReadFloat32(name);
                if (heads is { } count) values = Interleaved(values, count, config.HeadSize);
                if (transposed) values = Transposed(values, (int)tensor.Shape[1]);
                if (isNorm && config.Norm == NormKind.RootMeanSquareOfOnePlus) values = Array.ConvertAll(values, static value => value + 1);
                byte[] bytes = new byte[values.Length * stored.ByteSize()];
                Float32Conversion.FromFloat32(values, stored, bytes, name);
                stream.Write(bytes);
            });
        }

        gguf.Write(path);
    }

    // What llama.cpp has fixed for an architecture, whatever a config says.
    private static void RequireSupported(DecoderConfig config)
    {
        double plain = 1 / Math.Sqrt(config.HeadSize);
        Require(config.ModelType is not ("phi3" or "mistral" or "qwen2" or "qwen3" or "llama" or "smollm3") || config.SlidingWindow is null, "computes no window here");
        Require(config.ModelType != "gemma2" || (config.ScoreCap is not null && config.LogitCap is not null), "bounds always");
        Require(!config.ModelType.StartsWith("gemma", StringComparison.Ordinal) || Math.Abs(config.AttentionScale - plain) < 1e-9, "scales by the head size only");
        Require(config.Rotary.Scaling is not LongRotaryScaling { OriginalContextLength: < 256 }, "takes the long factors from a context of 256 tokens on");
        for (int layer = 0; layer < config.LayerCount; layer++)
        {
            bool isWindowed = config.ModelType == "gemma2" ? layer % 2 == 0 : layer % 6 != 5;
            Require(!config.ModelType.StartsWith("gemma", StringComparison.Ordinal) || config.WindowOf(layer) is not null == isWindowed, "has fixed layers with windows");
            Require(config.ModelType != "smollm3" || config.RotaryOf(layer) != RotaryEmbedding.None == ((layer + 1) % 4 != 0), "leaves every fourth layer unrotated");
        }

        static void Require(bool holds, string why)
        {
            if (!holds) throw new NotSupportedException(why);
        }
    }

    private static void AddRotary(GgufWriter gguf, string architecture, DecoderConfig config)
    {
        if (config.LearnedPositions) return;
        int rotated = config.Rotary.RotatedSize(config.HeadSize);
        gguf.Add($"{architecture}.rope.dimension_count", (uint)rotated);
        gguf.Add($"{architecture}.rope.freq_base", (float)config.Rotary.Theta);
        double[] plain = new RotaryEmbedding(config.Rotary.Theta) { Share = config.Rotary.Share }.InverseFrequencies(config.HeadSize);
        switch (config.Rotary.Scaling)
        {
            case LinearRotaryScaling linear:
                gguf.Add($"{architecture}.rope.scaling.type", "linear");
                gguf.Add($"{architecture}.rope.scaling.factor", (float)linear.Factor);
                break;
            case YarnRotaryScaling yarn:
                if (yarn is not { FastTurns: 32, SlowTurns: 1, AttentionFactor: null, Scale: null }) throw new NotSupportedException("takes the paper's constants of YaRN only");
                gguf.Add($"{architecture}.rope.scaling.type", "yarn");
                gguf.Add($"{architecture}.rope.scaling.factor", (float)yarn.Factor);
                gguf.Add($"{architecture}.rope.scaling.original_context_length", (uint)yarn.OriginalContextLength);
                break;
            case Llama3RotaryScaling:
                double[] scaled = config.Rotary.InverseFrequencies(config.HeadSize);
                Factors("rope_freqs.weight", plain.Select((frequency, i) => frequency / scaled[i]));
                break;
            case LongRotaryScaling longer:
                gguf.Add($"{architecture}.rope.scaling.original_context_length", (uint)longer.OriginalContextLength);
                gguf.Add($"{architecture}.rope.scaling.attn_factor", (float)longer.Amplitude);
                Factors("rope_factors_short.weight", longer.ShortFactors);
                Factors("rope_factors_long.weight", longer.LongFactors);
                break;
        }

        void Factors(string name, IEnumerable<double> factors)
        {
            float[] values = [.. factors.Select(static factor => (float)factor)];
            gguf.Add(name, [values.Length], TensorDtype.Float32, stream => stream.Write(System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan())));
        }
    }

    /// <summary>Tensors: our name, theirs, the heads whose rows are put in another order, null for none, and whether it is transposed.</summary>
    private static IEnumerable<(string Name, string Theirs, int? Heads, bool Transposed)> Names(DecoderConfig config, bool interleaved)
    {
        int? queryHeads = interleaved ? config.AttentionHeads : null, keyHeads = interleaved ? config.KeyValueHeads : null;
        yield return (config.Naming.Embedding, "token_embd.weight", null, false);
        if (config.LearnedPositions) yield return (config.Naming.Positions, "position_embd.weight", null, false);
        for (int i = 0; i < config.LayerCount; i++)
        {
            var layer = LayerModules.Of(config, i);
            (NormModule? Norm, string Theirs)[] norms =
            [
                (layer.AttentionNorm, "attn_norm"), (layer.AfterAttentionNorm, "post_attention_norm"), (layer.MlpNorm, "ffn_norm"),
                (layer.AfterMlpNorm, "post_ffw_norm"), (layer.QueryNorm, "attn_q_norm"), (layer.KeyNorm, "attn_k_norm"),
            ];
            foreach (var (norm, theirs) in norms)
            {
                if (norm is null) continue;
                yield return (norm.Weight, $"blk.{i}.{theirs}.weight", null, false);
                if (norm.Bias is { } bias) yield return (bias, $"blk.{i}.{theirs}.bias", null, false);
            }

            List<(LinearModule Module, string Theirs, int? Heads)> linears = [(layer.OutputModule, "attn_output", null), (layer.DownModule, "ffn_down", null)];
            if (layer.Attention.Count == 1) linears.Add((layer.Attention[0], "attn_qkv", null));
            else linears.AddRange([(layer.Attention[0], "attn_q", queryHeads), (layer.Attention[1], "attn_k", keyHeads), (layer.Attention[2], "attn_v", null)]);
            if (layer.Mlp.Count > 1) linears.Add((layer.Mlp[0], "ffn_gate", null));
            linears.Add((layer.Mlp[^1], "ffn_up", null));
            foreach (var (module, theirs, heads) in linears)
            {
                yield return (module.Weight, $"blk.{i}.{theirs}.weight", heads, module.InputsFirst);
                if (module.Bias is { } bias) yield return (bias, $"blk.{i}.{theirs}.bias", heads, false);
            }
        }

        var final = NormModule.Final(config);
        yield return (final.Weight, "output_norm.weight", null, false);
        if (final.Bias is { } finalBias) yield return (finalBias, "output_norm.bias", null, false);
        if (!config.TiedHead) yield return (config.Naming.Head, "output.weight", null, false);
    }

    // Row i of the first half of a head and row i of its second half become rows 2i and 2i + 1.
    private static float[] Interleaved(float[] values, int heads, int headSize)
    {
        int width = values.Length / (heads * headSize), half = headSize / 2;
        float[] result = new float[values.Length];
        for (int head = 0; head < heads; head++)
        {
            for (int i = 0; i < headSize; i++)
            {
                int to = i < half ? 2 * i : 2 * (i - half) + 1;
                values.AsSpan((head * headSize + i) * width, width).CopyTo(result.AsSpan((head * headSize + to) * width, width));
            }
        }

        return result;
    }

    private static float[] Transposed(float[] values, int columns)
    {
        int rows = values.Length / columns;
        float[] result = new float[values.Length];
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++) result[column * rows + row] = values[row * columns + column];
        }

        return result;
    }

    // Ids are given as numbers, so any vocabulary of the right size will do: the least that llama.cpp takes for a
    // SentencePiece one, with the bytes it looks for.
    private static void AddVocabulary(GgufWriter gguf, int size)
    {
        const int Normal = 1, Unknown = 2, Control = 3, Byte = 6;
        gguf.Add("tokenizer.ggml.model", "llama");
        gguf.Add("tokenizer.ggml.tokens", [.. Enumerable.Range(0, size).Select(static id => id switch
        {
            0 => "<unk>",
            1 => "<s>",
            2 => "</s>",
            <= LastByteToken => $"<0x{id - FirstByteToken:X2}>",
            _ => $"t{id}",
        })]);
        gguf.Add("tokenizer.ggml.scores", Enumerable.Range(0, size).Select(static id => -(float)id).ToArray());
        gguf.Add("tokenizer.ggml.token_type", Enumerable.Range(0, size).Select(static id => id switch
        {
            0 => Unknown,
            1 or 2 => Control,
            <= LastByteToken => Byte,
            _ => Normal,
        }).ToArray());
        gguf.Add("tokenizer.ggml.bos_token_id", 1u);
        gguf.Add("tokenizer.ggml.eos_token_id", 2u);
        gguf.Add("tokenizer.ggml.unknown_token_id", 0u);
        gguf.Add("tokenizer.ggml.add_bos_token", false);
    }
}
