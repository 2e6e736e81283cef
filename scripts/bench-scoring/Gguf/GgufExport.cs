using Shad.Models;
using Shad.Models.Configuration;
using Shad.Models.Weights;

namespace BenchScoring.Gguf;

/// <summary>Writes a model folder as GGUF, for llama.cpp.</summary>
internal static class GgufExport
{
    private const int FirstByteToken = 3;
    private const int LastByteToken = FirstByteToken + 255;

    /// <summary>Writes a model of the Llama or Qwen2 family.</summary>
    /// <param name="path">The file.</param>
    /// <param name="model">The model folder.</param>
    /// <param name="dtype">dtype of the matrices; norms and biases are float32 always, as llama.cpp expects them.</param>
    public static void Write(string path, ModelFolder model, TensorDtype dtype)
    {
        var config = model.Config;
        string architecture = config.ModelType;
        if (architecture is not ("llama" or "qwen2")) throw new NotSupportedException($"GGUF of the family {architecture}.");
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
        gguf.Add($"{architecture}.attention.layer_norm_rms_epsilon", config.NormEpsilon);
        gguf.Add($"{architecture}.rope.dimension_count", (uint)config.HeadSize);
        gguf.Add($"{architecture}.rope.freq_base", (float)config.Rotary.Theta);
        AddVocabulary(gguf, config.VocabularySize);
        foreach (var (name, theirs, heads) in Names(config))
        {
            var tensor = model.Weights.Tensors[name];
            var stored = tensor.Shape.Length == 1 ? TensorDtype.Float32 : dtype;
            gguf.Add(theirs, tensor.Shape, stored, stream =>
            {
                float[] values = model.Weights.ReadFloat32(name);
                if (heads is { } count) values = Interleaved(values, count, config.HeadSize);
                byte[] bytes = new byte[values.Length * stored.ByteSize()];
                Float32Conversion.FromFloat32(values, stored, bytes, name);
                stream.Write(bytes);
            });
        }

        gguf.Write(path);
    }

    /// <summary>Tensors: our name, theirs, and the heads whose rows are put in another order; null for none.</summary>
    private static IEnumerable<(string Name, string Theirs, int? Heads)> Names(DecoderConfig config)
    {
        // llama.cpp rotates neighbouring coordinates in the family llama, and halves, as Hugging Face does, in qwen2.
        bool interleaved = config.ModelType == "llama";
        int? queryHeads = interleaved ? config.AttentionHeads : null, keyHeads = interleaved ? config.KeyValueHeads : null;
        yield return (TensorNames.Embedding, "token_embd.weight", null);
        for (int i = 0; i < config.LayerCount; i++)
        {
            var layer = TensorNames.Layer(i);
            yield return (layer.InputNorm, $"blk.{i}.attn_norm.weight", null);
            yield return (layer.Query.Weight, $"blk.{i}.attn_q.weight", queryHeads);
            yield return (layer.Key.Weight, $"blk.{i}.attn_k.weight", keyHeads);
            yield return (layer.Value.Weight, $"blk.{i}.attn_v.weight", null);
            if (config.QueryKeyValueBias)
            {
                yield return (layer.Query.Bias, $"blk.{i}.attn_q.bias", queryHeads);
                yield return (layer.Key.Bias, $"blk.{i}.attn_k.bias", keyHeads);
                yield return (layer.Value.Bias, $"blk.{i}.attn_v.bias", null);
            }

            yield return (layer.Output.Weight, $"blk.{i}.attn_output.weight", null);
            yield return (layer.PostAttentionNorm, $"blk.{i}.ffn_norm.weight", null);
            yield return (layer.Gate.Weight, $"blk.{i}.ffn_gate.weight", null);
            yield return (layer.Up.Weight, $"blk.{i}.ffn_up.weight", null);
            yield return (layer.Down.Weight, $"blk.{i}.ffn_down.weight", null);
        }

        yield return (TensorNames.FinalNorm, "output_norm.weight", null);
        if (!config.TiedHead) yield return (TensorNames.Head, "output.weight", null);
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
