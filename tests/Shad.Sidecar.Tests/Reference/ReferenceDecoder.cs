using Shad.Core.Samples;
using Shad.Models;
using Shad.Models.Configuration;
using Shad.Models.Weights;

namespace Shad.Sidecar.Tests.Reference;

/// <summary>
/// The decoder written out in double precision, one token and one head at a time, as the papers define it. It shares nothing with
/// the module under test but the config.
/// </summary>
internal sealed class ReferenceDecoder
{
    private readonly DecoderConfig _config;
    private readonly Dictionary<string, double[]> _weights = [];

    public ReferenceDecoder(ModelFolder model)
    {
        _config = model.Config;
        foreach (string name in model.Weights.Tensors.Keys)
            _weights[name] = Array.ConvertAll(model.Weights.ReadFloat32(name), static value => (double)value);
    }

    public IReadOnlyDictionary<string, double[]> Weights => _weights;

    /// <summary>What is added to a projection's output: from its path, the token and its input; null for nothing.</summary>
    public Func<string, int, double[], double[]?>? Addition { get; set; }

    /// <summary>Losses of a sample, NaN where no target.</summary>
    public double[] Losses(TokenizedSample sample)
    {
        int hidden = _config.HiddenSize;
        double[] embedding = _weights["model.embed_tokens.weight"];
        double[] head = _config.TiedHead ? embedding : _weights["lm_head.weight"];
        var x = new double[sample.Length][];
        for (int t = 0; t < x.Length; t++) x[t] = embedding[(sample.InputIds[t] * hidden)..((sample.InputIds[t] + 1) * hidden)];
        for (int layer = 0; layer < _config.LayerCount; layer++) Layer(layer, x);

        var losses = new double[sample.Length];
        Array.Fill(losses, double.NaN);
        for (int t = 1; t < sample.Length; t++)
        {
            if (!sample.IsTarget(t)) continue;
            double[] state = Norm(x[t - 1], _weights["model.norm.weight"]);
            double[] logits = Multiply(head, state);
            double largest = logits.Max();
            double sum = logits.Sum(logit => Math.Exp(logit - largest));
            losses[t] = largest + Math.Log(sum) - logits[sample.InputIds[t]];
        }

        return losses;
    }

    private void Layer(int layer, double[][] x)
    {
        string prefix = $"model.layers.{layer}.";
        int size = _config.HeadSize, group = _config.AttentionHeads / _config.KeyValueHeads;
        var queries = new double[x.Length][];
        var keys = new double[x.Length][];
        var values = new double[x.Length][];
        for (int t = 0; t < x.Length; t++)
        {
            double[] normed = Norm(x[t], _weights[prefix + "input_layernorm.weight"]);
            queries[t] = Linear(prefix + "self_attn.q_proj", t, normed);
            keys[t] = Linear(prefix + "self_attn.k_proj", t, normed);
            values[t] = Linear(prefix + "self_attn.v_proj", t, normed);
            Turn(queries[t], prefix + "self_attn.q_norm.weight", t);
            Turn(keys[t], prefix + "self_attn.k_norm.weight", t);
        }

        int window = _config.WindowOf(layer) ?? int.MaxValue;
        for (int t = 0; t < x.Length; t++)
        {
            var mixed = new double[_config.AttentionHeads * size];
            for (int h = 0; h < _config.AttentionHeads; h++)
            {
                int first = Math.Max(0, t - (window - 1) < 0 ? 0 : t - (window - 1));
                int kv = h / group;
                var scores = new double[t - first + 1];
                for (int s = first; s <= t; s++)
                {
                    double dot = 0;
                    for (int i = 0; i < size; i++) dot += queries[t][h * size + i] * keys[s][kv * size + i];
                    scores[s - first] = dot / Math.Sqrt(size);
                }

                double largest = scores.Max();
                double sum = scores.Sum(score => Math.Exp(score - largest));
                for (int s = first; s <= t; s++)
                {
                    double share = Math.Exp(scores[s - first] - largest) / sum;
                    for (int i = 0; i < size; i++) mixed[h * size + i] += share * values[s][kv * size + i];
                }
            }

            Add(x[t], Linear(prefix + "self_attn.o_proj", t, mixed));
            double[] normed = Norm(x[t], _weights[prefix + "post_attention_layernorm.weight"]);
            double[] gate = Linear(prefix + "mlp.gate_proj", t, normed);
            double[] up = Linear(prefix + "mlp.up_proj", t, normed);
            for (int i = 0; i < gate.Length; i++) gate[i] = gate[i] / (1 + Math.Exp(-gate[i])) * up[i];
            Add(x[t], Linear(prefix + "mlp.down_proj", t, gate));
        }
    }

    private void Turn(double[] heads, string normName, int position)
    {
        int size = _config.HeadSize;
        double[] frequencies = _config.Rotary.InverseFrequencies(size);
        for (int start = 0; start < heads.Length; start += size)
        {
            if (_config.QueryKeyNorm == QueryKeyNorm.EachHead)
                Norm(heads[start..(start + size)], _weights[normName]).CopyTo(heads, start);
            for (int i = 0; i < size / 2; i++)
            {
                double angle = position * frequencies[i];
                double a = heads[start + i], b = heads[start + size / 2 + i];
                heads[start + i] = a * Math.Cos(angle) - b * Math.Sin(angle);
                heads[start + size / 2 + i] = b * Math.Cos(angle) + a * Math.Sin(angle);
            }
        }
    }

    private double[] Norm(double[] x, double[] scale)
    {
        double square = x.Sum(static value => value * value) / x.Length;
        return [.. x.Select((value, i) => value / Math.Sqrt(square + _config.NormEpsilon) * scale[i])];
    }

    private double[] Linear(string path, int token, double[] x)
    {
        double[] y = Multiply(_weights[path + ".weight"], x);
        if (_weights.TryGetValue(path + ".bias", out double[]? bias)) Add(y, bias);
        if (Addition?.Invoke(path, token, x) is { } addition) Add(y, addition);
        return y;
    }

    private static double[] Multiply(double[] matrix, double[] x)
    {
        var y = new double[matrix.Length / x.Length];
        for (int row = 0; row < y.Length; row++)
        {
            double sum = 0;
            for (int i = 0; i < x.Length; i++) sum += matrix[row * x.Length + i] * x[i];
            y[row] = sum;
        }

        return y;
    }

    private static void Add(double[] x, double[] y)
    {
        for (int i = 0; i < x.Length; i++) x[i] += y[i];
    }
}
