using System.Text.Json;

namespace Shad.Tests.Architectures;

/// <summary>
/// A second implementation of every supported architecture, in double precision, one token after another. It is given a model as anyone
/// has it — <c>config.json</c> and tensors by name — and shares no line with the graphs, the module or the reader of configs: each
/// architecture is written out from its paper and from the fields as transformers documents them.
/// </summary>
internal sealed class ArchitectureReference
{
    private readonly JsonElement _config;
    private readonly Func<string, double[]> _load;
    private readonly Dictionary<string, double[]?> _tensors = [];
    private readonly HashSet<string> _names;

    /// <param name="config">The content of <c>config.json</c>.</param>
    /// <param name="names">The tensors that the model has.</param>
    /// <param name="load">A tensor's values, row-major.</param>
    public ArchitectureReference(string config, IEnumerable<string> names, Func<string, double[]> load)
    {
        using var document = JsonDocument.Parse(config);
        _config = document.RootElement.Clone();
        _names = [.. names];
        _load = load;
    }

    /// <summary>True to take GELU as llama.cpp does on the CPU: from a table of 16-bit floats by a 16-bit float.</summary>
    public bool TabulatedGelu { get; init; }

    private delegate double[] Map(int position, double[] x);

    /// <summary>The values of a tensor, which may be changed.</summary>
    public double[] this[string name] => Tensor(name);

    /// <summary>The loss of each token given those before it, in nats; NaN for the first.</summary>
    public double[] Losses(IReadOnlyList<int> ids)
    {
        double[][] logits = Logits(ids);
        var losses = new double[ids.Count];
        losses[0] = double.NaN;
        for (int i = 1; i < ids.Count; i++)
        {
            double largest = logits[i - 1].Max();
            losses[i] = largest + Math.Log(logits[i - 1].Sum(logit => Math.Exp(logit - largest))) - logits[i - 1][ids[i]];
        }

        return losses;
    }

    /// <summary>The logits behind each token, <c>[S][V]</c>.</summary>
    public double[][] Logits(IReadOnlyList<int> ids) => Text("model_type", "") switch
    {
        "granite" => Granite(ids),
        "smollm3" => SmolLm3(ids),
        "olmo2" => Olmo2(ids),
        "phi3" => Phi3(ids),
        "gemma2" => Gemma2(ids),
        "gemma3_text" => Gemma3(ids),
        "gpt2" => Gpt2(ids),
        "llama" or "mistral" or "qwen2" or "qwen3" => Llama(ids),
        var other => throw new NotSupportedException(other),
    };

    // Llama (arXiv:2307.09288), Mistral (arXiv:2310.06825), Qwen2 (arXiv:2407.10671), Qwen3 (arXiv:2505.09388): pre-norm, SwiGLU.
    private double[][] Llama(IReadOnlyList<int> ids)
    {
        bool norms = Text("model_type", "") == "qwen3";
        double[] frequencies = Frequencies(ids.Count, out double amplitude);
        double[][] x = Embed(ids, "model.embed_tokens.weight", 1);
        for (int layer = 0; layer < Layers; layer++)
        {
            string at = $"model.layers.{layer}.";
            var normed = Each(x, (_, row) => Rms(row, at + "input_layernorm"));
            Add(x, SeparateAttention(at, normed, layer, (t, heads) => Rope(heads, t, frequencies, amplitude), norms, HeadScale, null), 1);
            Add(x, SwiGlu(at, Each(x, (_, row) => Rms(row, at + "post_attention_layernorm"))), 1);
        }

        return Head(Each(x, (_, row) => Rms(row, "model.norm")));
    }

    // Granite: embedding, attention and residual multipliers, and logits divided.
    private double[][] Granite(IReadOnlyList<int> ids)
    {
        double residual = Number("residual_multiplier", 1);
        double[] frequencies = Frequencies(ids.Count, out double amplitude);
        double[][] x = Embed(ids, "model.embed_tokens.weight", Number("embedding_multiplier", 1));
        for (int layer = 0; layer < Layers; layer++)
        {
            string at = $"model.layers.{layer}.";
            var normed = Each(x, (_, row) => Rms(row, at + "input_layernorm"));
            Add(x, SeparateAttention(at, normed, layer, (t, heads) => Rope(heads, t, frequencies, amplitude), false, Number("attention_multiplier", 1), null), residual);
            Add(x, SwiGlu(at, Each(x, (_, row) => Rms(row, at + "post_attention_layernorm"))), residual);
        }

        double[][] logits = Head(Each(x, (_, row) => Rms(row, "model.norm")));
        foreach (double[] row in logits) Scale(row, 1 / Number("logits_scaling", 1));
        return logits;
    }

    // SmolLM3: the layers whose entry of no_rope_layers is 0 do not rotate; by default every fourth.
    private double[][] SmolLm3(IReadOnlyList<int> ids)
    {
        double[] frequencies = Frequencies(ids.Count, out double amplitude);
        int[] rotates = _config.TryGetProperty("no_rope_layers", out var list)
            ? [.. list.EnumerateArray().Select(static item => item.GetInt32())]
            : [.. Enumerable.Range(1, Layers).Select(number => number % (int)Number("no_rope_layer_interval", 4) == 0 ? 0 : 1)];
        double[][] x = Embed(ids, "model.embed_tokens.weight", 1);
        for (int layer = 0; layer < Layers; layer++)
        {
            string at = $"model.layers.{layer}.";
            bool turns = rotates[layer] == 1;
            var normed = Each(x, (_, row) => Rms(row, at + "input_layernorm"));
            Add(x, SeparateAttention(at, normed, layer, (t, heads) => turns ? Rope(heads, t, frequencies, amplitude) : heads, false, HeadScale, null), 1);
            Add(x, SwiGlu(at, Each(x, (_, row) => Rms(row, at + "post_attention_layernorm"))), 1);
        }

        return Head(Each(x, (_, row) => Rms(row, "model.norm")));
    }

    // OLMo 2 (arXiv:2501.00656): x + norm(attention(x)), x + norm(mlp(x)); RMS norm over all of q, and all of k, before rotation.
    private double[][] Olmo2(IReadOnlyList<int> ids)
    {
        double[] frequencies = Frequencies(ids.Count, out double amplitude);
        double[][] x = Embed(ids, "model.embed_tokens.weight", 1);
        for (int layer = 0; layer < Layers; layer++)
        {
            string at = $"model.layers.{layer}.";
            double[][] q = Each(x, (t, row) => Rope(Rms(Linear(row, at + "self_attn.q_proj"), at + "self_attn.q_norm"), t, frequencies, amplitude));
            double[][] k = Each(x, (t, row) => Rope(Rms(Linear(row, at + "self_attn.k_proj"), at + "self_attn.k_norm"), t, frequencies, amplitude));
            double[][] v = Each(x, (_, row) => Linear(row, at + "self_attn.v_proj"));
            var mixed = Each(Mix(q, k, v, HeadScale, null, int.MaxValue), (_, row) => Linear(row, at + "self_attn.o_proj"));
            Add(x, Each(mixed, (_, row) => Rms(row, at + "post_attention_layernorm")), 1);
            Add(x, Each(SwiGlu(at, x), (_, row) => Rms(row, at + "post_feedforward_layernorm")), 1);
        }

        return Head(Each(x, (_, row) => Rms(row, "model.norm")));
    }

    // Phi-3 (arXiv:2404.14219): q, k and v are the rows of one product, gate and up of another; some coordinates may stay unrotated.
    private double[][] Phi3(IReadOnlyList<int> ids)
    {
        double[] frequencies = Frequencies(ids.Count, out double amplitude);
        int queries = Heads * HeadSize, keys = KeyValueHeads * HeadSize, inner = (int)Number("intermediate_size", 0);
        int window = (int)Number("sliding_window", int.MaxValue);
        double[][] x = Embed(ids, "model.embed_tokens.weight", 1);
        for (int layer = 0; layer < Layers; layer++)
        {
            string at = $"model.layers.{layer}.";
            double[][] all = Each(x, (_, row) => Linear(Rms(row, at + "input_layernorm"), at + "self_attn.qkv_proj"));
            double[][] q = Each(all, (t, row) => Rope(row[..queries], t, frequencies, amplitude));
            double[][] k = Each(all, (t, row) => Rope(row[queries..(queries + keys)], t, frequencies, amplitude));
            double[][] v = Each(all, (_, row) => row[(queries + keys)..]);
            Add(x, Each(Mix(q, k, v, HeadScale, null, window), (_, row) => Linear(row, at + "self_attn.o_proj")), 1);
            Add(x, Each(x, (_, row) =>
            {
                double[] both = Linear(Rms(row, at + "post_attention_layernorm"), at + "mlp.gate_up_proj");
                return Linear([.. Enumerable.Range(0, inner).Select(i => both[inner + i] * Silu(both[i]))], at + "mlp.down_proj");
            }), 1);
        }

        return Head(Each(x, (_, row) => Rms(row, "model.norm")));
    }

    // Gemma 2 (arXiv:2408.00118): norms of 1 + w before and behind, embeddings times √H, GeGLU, scores and logits bounded by tanh, a
    // window in every other layer, the first included.
    private double[][] Gemma2(IReadOnlyList<int> ids)
    {
        double[] frequencies = Frequencies(ids.Count, out double amplitude);
        double[][] logits = Gemma(
            ids, layer => LayerIs(layer, "sliding_attention", layer % 2 == 0), Optional("attn_logit_softcapping", 50), norms: false,
            (_, t, heads) => Rope(heads, t, frequencies, amplitude));
        if (Optional("final_logit_softcapping", 30) is { } cap)
        {
            foreach (double[] row in logits)
            {
                for (int i = 0; i < row.Length; i++) row[i] = cap * Math.Tanh(row[i] / cap);
            }
        }

        return logits;
    }

    // Gemma 3 (arXiv:2503.19786): five layers with a window and a rotary base of their own, then one without and with the scaled one; norms
    // of each query and key head; no bounds.
    private double[][] Gemma3(IReadOnlyList<int> ids)
    {
        double[] full = Frequencies(ids.Count, out double amplitude);
        double[] local = [.. Enumerable.Range(0, HeadSize / 2).Select(i => Math.Pow(Number("rope_local_base_freq", 10_000), -2.0 * i / HeadSize))];
        int pattern = (int)Number("sliding_window_pattern", 6);
        bool IsLocal(int layer) => LayerIs(layer, "sliding_attention", (layer + 1) % pattern != 0);
        return Gemma(
            ids, IsLocal, null, norms: true, (layer, t, heads) => IsLocal(layer) ? Rope(heads, t, local, 1) : Rope(heads, t, full, amplitude));
    }

    private double[][] Gemma(
        IReadOnlyList<int> ids, Func<int, bool> isLocal, double? cap, bool norms, Func<int, int, double[], double[]> rope)
    {
        double scale = 1 / Math.Sqrt(Number("query_pre_attn_scalar", 256));
        double[][] x = Embed(ids, "model.embed_tokens.weight", Math.Sqrt(Number("hidden_size", 0)));
        for (int layer = 0; layer < Layers; layer++)
        {
            string at = $"model.layers.{layer}.";
            int index = layer, window = isLocal(layer) ? (int)Number("sliding_window", 4096) : int.MaxValue;
            double[][] normed = Each(x, (_, row) => Rms(row, at + "input_layernorm", 1));
            double[][] q = Each(normed, (t, row) => rope(index, t, Heads1(Linear(row, at + "self_attn.q_proj"), at + "self_attn.q_norm")));
            double[][] k = Each(normed, (t, row) => rope(index, t, Heads1(Linear(row, at + "self_attn.k_proj"), at + "self_attn.k_norm")));
            double[][] v = Each(normed, (_, row) => Linear(row, at + "self_attn.v_proj"));
            double[][] mixed = Each(Mix(q, k, v, scale, cap, window), (_, row) => Linear(row, at + "self_attn.o_proj"));
            Add(x, Each(mixed, (_, row) => Rms(row, at + "post_attention_layernorm", 1)), 1);
            double[][] mlp = Each(x, (_, row) =>
            {
                double[] n = Rms(row, at + "pre_feedforward_layernorm", 1);
                double[] gate = Linear(n, at + "mlp.gate_proj"), up = Linear(n, at + "mlp.up_proj");
                return Linear([.. gate.Select((g, i) => GeluTanh(g) * up[i])], at + "mlp.down_proj");
            });
            Add(x, Each(mlp, (_, row) => Rms(row, at + "post_feedforward_layernorm", 1)), 1);
        }

        return Head(Each(x, (_, row) => Rms(row, "model.norm", 1)));

        double[] Heads1(double[] row, string norm) => norms
            ? [.. Enumerable.Range(0, row.Length / HeadSize).SelectMany(head => Rms(row[(head * HeadSize)..((head + 1) * HeadSize)], norm, 1))]
            : row;
    }

    // GPT-2 (Radford et al., 2019): learned positions, layer norm before each part, no gate; its Conv1D computes x·W + b with W [in, out].
    private double[][] Gpt2(IReadOnlyList<int> ids)
    {
        int width = (int)Number("n_embd", 0), heads = (int)Number("n_head", 0), size = width / heads;
        double epsilon = Number("layer_norm_epsilon", 1e-5);
        double[] positions = Tensor("transformer.wpe.weight");
        double[][] x = Embed(ids, "transformer.wte.weight", 1);
        for (int t = 0; t < x.Length; t++)
        {
            for (int i = 0; i < width; i++) x[t][i] += positions[t * width + i];
        }

        for (int layer = 0; layer < (int)Number("n_layer", 0); layer++)
        {
            string at = $"transformer.h.{layer}.";
            double[][] all = Each(x, (_, row) => Conv1D(LayerNorm(row, at + "ln_1"), at + "attn.c_attn"));
            double[][] Part(int which) => Each(all, (_, row) => row[(which * width)..((which + 1) * width)]);
            Add(x, Each(Mix(Part(0), Part(1), Part(2), 1 / Math.Sqrt(size), null, int.MaxValue, heads, heads, size), (_, row) => Conv1D(row, at + "attn.c_proj")), 1);
            Add(x, Each(x, (_, row) => Conv1D([.. Conv1D(LayerNorm(row, at + "ln_2"), at + "mlp.c_fc").Select(GeluTanh)], at + "mlp.c_proj")), 1);
        }

        double[] table = Tensor(_names.Contains("lm_head.weight") ? "lm_head.weight" : "transformer.wte.weight");
        return Each(x, (_, row) => Multiply(table, LayerNorm(row, "transformer.ln_f")));

        double[] LayerNorm(double[] row, string norm)
        {
            double mean = row.Average(), variance = row.Average(value => (value - mean) * (value - mean));
            double[] scale = Tensor(norm + ".weight"), bias = Tensor(norm + ".bias");
            return [.. row.Select((value, i) => (value - mean) / Math.Sqrt(variance + epsilon) * scale[i] + bias[i])];
        }

        double[] Conv1D(double[] row, string module)
        {
            double[] result = [.. Tensor(module + ".bias")], weight = Tensor(module + ".weight");
            for (int i = 0; i < row.Length; i++)
            {
                for (int o = 0; o < result.Length; o++) result[o] += row[i] * weight[i * result.Length + o];
            }

            return result;
        }
    }

    private double[][] SeparateAttention(
        string at, double[][] normed, int layer, Map rope, bool norms, double scale, double? cap)
    {
        // A window where one is set and, in the families with such a switch, switched on; layer_types, or max_window_layers, say where.
        bool windowed = Text("model_type", "") switch
        {
            "mistral" => true,
            "smollm3" or "qwen2" or "qwen3" => Flag("use_sliding_window") && LayerIs(layer, "sliding_attention", layer >= (int)Number("max_window_layers", 28)),
            _ => false,
        };
        int window = windowed ? (int)Number("sliding_window", int.MaxValue) : int.MaxValue;
        double[][] q = Each(normed, (t, row) => rope(t, Normed(Linear(row, at + "self_attn.q_proj"), at + "self_attn.q_norm")));
        double[][] k = Each(normed, (t, row) => rope(t, Normed(Linear(row, at + "self_attn.k_proj"), at + "self_attn.k_norm")));
        double[][] v = Each(normed, (_, row) => Linear(row, at + "self_attn.v_proj"));
        return Each(Mix(q, k, v, scale, cap, window), (_, row) => Linear(row, at + "self_attn.o_proj"));

        double[] Normed(double[] row, string norm) => norms
            ? [.. Enumerable.Range(0, row.Length / HeadSize).SelectMany(head => Rms(row[(head * HeadSize)..((head + 1) * HeadSize)], norm))]
            : row;
    }

    private double[][] SwiGlu(string at, double[][] x) => Each(x, (_, row) =>
    {
        double[] gate = Linear(row, at + "mlp.gate_proj"), up = Linear(row, at + "mlp.up_proj");
        return Linear([.. gate.Select((g, i) => Silu(g) * up[i])], at + "mlp.down_proj");
    });

    /// <summary>Causal attention; each key and value head serves as many query heads as there are to one.</summary>
    private double[][] Mix(double[][] q, double[][] k, double[][] v, double scale, double? cap, int window) =>
        Mix(q, k, v, scale, cap, window, Heads, KeyValueHeads, HeadSize);

    private static double[][] Mix(
        double[][] q, double[][] k, double[][] v, double scale, double? cap, int window, int heads, int keyHeads, int size)
    {
        var result = new double[q.Length][];
        for (int t = 0; t < q.Length; t++)
        {
            result[t] = new double[heads * size];
            for (int head = 0; head < heads; head++)
            {
                int shared = head / (heads / keyHeads);
                var scores = new Dictionary<int, double>();
                for (int s = 0; s <= t; s++)
                {
                    if (t - s >= window) continue;
                    double score = 0;
                    for (int i = 0; i < size; i++) score += q[t][head * size + i] * k[s][shared * size + i];
                    score *= scale;
                    scores[s] = cap is { } bound ? bound * Math.Tanh(score / bound) : score;
                }

                double largest = scores.Values.Max(), total = scores.Values.Sum(score => Math.Exp(score - largest));
                foreach (var (s, score) in scores)
                {
                    for (int i = 0; i < size; i++) result[t][head * size + i] += Math.Exp(score - largest) / total * v[s][shared * size + i];
                }
            }
        }

        return result;
    }

    // Coordinates i and i + R/2 of each head's first R turn by position · frequency i; as in transformers, both are multiplied by the
    // amplitude.
    private double[] Rope(double[] heads, int position, double[] frequencies, double amplitude)
    {
        double[] result = [.. heads];
        int half = frequencies.Length;
        for (int head = 0; head < heads.Length; head += HeadSize)
        {
            for (int i = 0; i < half; i++)
            {
                double cosine = amplitude * Math.Cos(position * frequencies[i]), sine = amplitude * Math.Sin(position * frequencies[i]);
                result[head + i] = heads[head + i] * cosine - heads[head + half + i] * sine;
                result[head + half + i] = heads[head + half + i] * cosine + heads[head + i] * sine;
            }
        }

        return result;
    }

    private double[] Frequencies(int length, out double amplitude)
    {
        amplitude = 1;
        double theta = Number("rope_theta", Text("model_type", "") switch { "smollm3" => 2e6, "gemma3_text" => 1e6, _ => 1e4 });
        int size = (int)(HeadSize * Number("partial_rotary_factor", 1));
        var plain = new double[size / 2];
        for (int i = 0; i < plain.Length; i++) plain[i] = 1 / Math.Pow(theta, 2.0 * i / size);
        if (!_config.TryGetProperty("rope_scaling", out var scaling) || scaling.ValueKind != JsonValueKind.Object) return plain;
        double Of(string name, double absent) => scaling.TryGetProperty(name, out var value) ? value.GetDouble() : absent;
        double context = Number("max_position_embeddings", 0);
        switch ((scaling.TryGetProperty("rope_type", out var type) ? type : scaling.GetProperty("type")).GetString())
        {
            case "linear":
                return [.. plain.Select(frequency => frequency / Of("factor", 1))];
            case "dynamic":
                // θ' = θ·(f·n/m − (f − 1))^(R/(R − 2)) with n = max(length, m): θ as long as the sequence fits the context m.
                return plain;
            case "llama3":
                double original = Of("original_max_position_embeddings", 0), low = Of("low_freq_factor", 0), high = Of("high_freq_factor", 0);
                return [.. plain.Select(frequency =>
                {
                    double turns = original * frequency / (2 * Math.PI);
                    if (turns > high) return frequency;
                    if (turns < low) return frequency / Of("factor", 1);
                    double share = (turns - low) / (high - low);
                    return frequency * (share + (1 - share) / Of("factor", 1));
                })];
            case "yarn":
                // Section 3.2 and 3.4 of arXiv:2309.00071, with the ramp over coordinates, between whole ones, of its implementation.
                double factor = Of("factor", 1), trained = Of("original_max_position_embeddings", context);
                double At(double turns) => size * Math.Log(trained / (2 * Math.PI * turns)) / (2 * Math.Log(theta));
                double from = Math.Max(0, Math.Floor(At(Of("beta_fast", 32)))), to = Math.Min(size - 1, Math.Ceiling(At(Of("beta_slow", 1))));
                amplitude = Of("attention_factor", 0.1 * Math.Log(factor) + 1);
                return [.. plain.Select((frequency, i) =>
                {
                    double interpolated = Math.Min(1, Math.Max(0, (i - from) / (from == to ? 0.001 : to - from)));
                    return interpolated * frequency / factor + (1 - interpolated) * frequency;
                })];
            case "longrope" or "su":
                double first = Number("original_max_position_embeddings", context);
                double[] factors = [.. scaling.GetProperty(length > first ? "long_factor" : "short_factor").EnumerateArray().Select(static item => item.GetDouble())];
                amplitude = Of("attention_factor", context > first ? Math.Sqrt(1 + Math.Log(context / first) / Math.Log(first)) : 1);
                return [.. plain.Select((frequency, i) => frequency / factors[i])];
            case var other:
                throw new NotSupportedException(other);
        }
    }

    private double[][] Embed(IReadOnlyList<int> ids, string name, double factor)
    {
        double[] table = Tensor(name);
        int width = (int)Number(_config.TryGetProperty("n_embd", out _) ? "n_embd" : "hidden_size", 0);
        return [.. ids.Select(id => table[(id * width)..((id + 1) * width)].Select(value => value * factor).ToArray())];
    }

    private double[][] Head(double[][] states)
    {
        double[] head = Tensor(_names.Contains("lm_head.weight") ? "lm_head.weight" : "model.embed_tokens.weight");
        return Each(states, (_, row) => Multiply(head, row));
    }

    private double[] Rms(double[] x, string norm, double plus = 0)
    {
        double[] weight = Tensor(norm + ".weight");
        double root = Math.Sqrt(x.Sum(static value => value * value) / x.Length + Number("rms_norm_eps", 1e-6));
        return [.. x.Select((value, i) => value / root * (plus + weight[i]))];
    }

    private double[] Linear(double[] x, string module)
    {
        double[] result = Multiply(Tensor(module + ".weight"), x);
        if (_names.Contains(module + ".bias"))
        {
            double[] bias = Tensor(module + ".bias");
            for (int i = 0; i < result.Length; i++) result[i] += bias[i];
        }

        return result;
    }

    private static double[] Multiply(double[] matrix, double[] x)
    {
        var result = new double[matrix.Length / x.Length];
        for (int row = 0; row < result.Length; row++)
        {
            for (int i = 0; i < x.Length; i++) result[row] += matrix[row * x.Length + i] * x[i];
        }

        return result;
    }

    private static double Silu(double x) => x / (1 + Math.Exp(-x));

    private double GeluTanh(double x)
    {
        if (!TabulatedGelu) return Exact(x);
        return x <= -10 ? 0 : x >= 10 ? x : (double)(Half)Exact((double)(Half)x);

        static double Exact(double x) => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * Math.Pow(x, 3))));
    }

    private static double[][] Each(double[][] rows, Map map) => [.. rows.Select((row, t) => map(t, row))];

    private static void Add(double[][] x, double[][] y, double factor)
    {
        for (int t = 0; t < x.Length; t++)
        {
            for (int i = 0; i < x[t].Length; i++) x[t][i] += factor * y[t][i];
        }
    }

    private static void Scale(double[] x, double factor)
    {
        for (int i = 0; i < x.Length; i++) x[i] *= factor;
    }

    private int Layers => (int)Number("num_hidden_layers", 0);

    private int Heads => (int)Number("num_attention_heads", 0);

    private int KeyValueHeads => (int)Number("num_key_value_heads", Heads);

    private int HeadSize => (int)Number("head_dim", Number("hidden_size", 0) / Heads);

    private double HeadScale => 1 / Math.Sqrt(HeadSize);

    private bool LayerIs(int layer, string type, bool otherwise) =>
        _config.TryGetProperty("layer_types", out var types) ? types[layer].GetString() == type : otherwise;

    private double? Optional(string name, double absent) =>
        !_config.TryGetProperty(name, out var value) ? absent : value.ValueKind == JsonValueKind.Null ? null : value.GetDouble();

    private double Number(string name, double absent) =>
        _config.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : absent;

    private bool Flag(string name) => _config.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.True;

    private string Text(string name, string absent) => _config.TryGetProperty(name, out var value) ? value.GetString()! : absent;

    private double[] Tensor(string name)
    {
        if (!_tensors.TryGetValue(name, out double[]? values)) _tensors[name] = values = _load(name);
        return values!;
    }
}
