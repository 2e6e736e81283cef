using Shad.Core.Samples;
using Shad.Models;
using Shad.Models.Configuration;
using Shad.Models.Weights;

namespace Shad.Onnx.Tests.Support;

/// <summary>
/// The forward pass of a Llama-family decoder in double precision, one token after another, written from the papers and
/// sharing nothing with the graphs: RMS norm (Zhang and Sennrich, arXiv:1910.07467), rotary embedding (Su et al.,
/// arXiv:2104.09864), grouped-query attention (Ainslie et al., arXiv:2305.13245), SwiGLU (Shazeer, arXiv:2002.05202),
/// sliding window (Jiang et al., arXiv:2310.06825), query and key norm (Yang et al., arXiv:2505.09388).
/// </summary>
internal sealed class ReferenceDecoder
{
    private readonly DecoderConfig _config;
    private readonly Dictionary<string, double[]> _weights;

    public ReferenceDecoder(ModelFolder model)
    {
        _config = model.Config;
        _weights = model.Weights.Tensors.Keys.ToDictionary(
            static name => name, name => Array.ConvertAll(model.Weights.ReadFloat32(name), static x => (double)x));
    }

    /// <summary>The loss of each target, in nats; NaN elsewhere.</summary>
    public double[] Losses(TokenizedSample sample)
    {
        double[][] logits = Logits(sample.InputIds);
        double[] losses = new double[sample.Length];
        Array.Fill(losses, double.NaN);
        for (int i = 1; i < sample.Length; i++)
        {
            if (sample.IsTarget(i)) losses[i] = LogSumExp(logits[i - 1]) - logits[i - 1][sample.InputIds[i]];
        }

        return losses;
    }

    /// <summary>The logits at each position, <c>[S][V]</c>.</summary>
    public double[][] Logits(int[] ids)
    {
        int hiddenSize = _config.HiddenSize;
        var embedding = _weights[TensorNames.Embedding];
        double[][] stream = [.. ids.Select(id => embedding[(id * hiddenSize)..((id + 1) * hiddenSize)])];
        for (int layer = 0; layer < _config.LayerCount; layer++)
        {
            var names = TensorNames.Layer(layer);
            double[][] attended = Attend(layer, [.. stream.Select(x => RmsNorm(x, names.InputNorm))]);
            for (int t = 0; t < ids.Length; t++) AddTo(stream[t], Apply(names.Output, attended[t], _config.OutputBias));
            foreach (double[] x in stream)
            {
                double[] normed = RmsNorm(x, names.PostAttentionNorm);
                double[] gate = Apply(names.Gate, normed, _config.MlpBias);
                double[] up = Apply(names.Up, normed, _config.MlpBias);
                for (int i = 0; i < gate.Length; i++) up[i] *= gate[i] / (1 + Math.Exp(-gate[i]));
                AddTo(x, Apply(names.Down, up, _config.MlpBias));
            }
        }

        double[] head = _weights[_config.TiedHead ? TensorNames.Embedding : TensorNames.Head];
        return [.. stream.Select(x => Multiply(head, RmsNorm(x, TensorNames.FinalNorm)))];
    }

    public static double LogSumExp(double[] values)
    {
        double maximum = values.Max();
        return maximum + Math.Log(values.Sum(value => Math.Exp(value - maximum)));
    }

    private double[][] Attend(int layer, double[][] normed)
    {
        var names = TensorNames.Layer(layer);
        int size = _config.HeadSize;
        int group = _config.AttentionHeads / _config.KeyValueHeads;
        int reach = _config.WindowOf(layer) ?? int.MaxValue;
        var queries = new double[normed.Length][];
        var keys = new double[normed.Length][];
        var values = new double[normed.Length][];
        var output = new double[normed.Length][];
        for (int t = 0; t < normed.Length; t++)
        {
            queries[t] = Apply(names.Query, normed[t], _config.QueryKeyValueBias);
            keys[t] = Apply(names.Key, normed[t], _config.QueryKeyValueBias);
            values[t] = Apply(names.Value, normed[t], _config.QueryKeyValueBias);
            if (_config.QueryKeyNorm == QueryKeyNorm.EachHead)
            {
                NormHeads(queries[t], names.QueryNorm);
                NormHeads(keys[t], names.KeyNorm);
            }

            Rotate(queries[t], t);
            Rotate(keys[t], t);

            output[t] = new double[_config.AttentionHeads * size];
            int first = Math.Max(0, t - (reach - 1));
            for (int head = 0; head < _config.AttentionHeads; head++)
            {
                int query = head * size, source = head / group * size;
                double[] scores = new double[t - first + 1];
                for (int s = first; s <= t; s++)
                {
                    for (int i = 0; i < size; i++) scores[s - first] += queries[t][query + i] * keys[s][source + i];
                    scores[s - first] /= Math.Sqrt(size);
                }

                double normalizer = LogSumExp(scores);
                for (int s = first; s <= t; s++)
                {
                    double weight = Math.Exp(scores[s - first] - normalizer);
                    for (int i = 0; i < size; i++) output[t][query + i] += weight * values[s][source + i];
                }
            }
        }

        return output;
    }

    // The half-split layout of Hugging Face: coordinate i is paired with i + size/2.
    private void Rotate(double[] heads, int position)
    {
        int size = _config.HeadSize, half = size / 2;
        for (int i = 0; i < half; i++)
        {
            double angle = position * Frequency(i);
            double cosine = Math.Cos(angle), sine = Math.Sin(angle);
            for (int head = 0; head < heads.Length; head += size)
            {
                double x = heads[head + i], y = heads[head + i + half];
                heads[head + i] = x * cosine - y * sine;
                heads[head + i + half] = y * cosine + x * sine;
            }
        }
    }

    private double Frequency(int i)
    {
        double frequency = Math.Pow(_config.Rotary.Theta, -2.0 * i / _config.HeadSize);
        switch (_config.Rotary.Scaling)
        {
            case null:
                return frequency;
            case LinearRotaryScaling linear:
                return frequency / linear.Factor;
            case Llama3RotaryScaling llama:
                // Llama 3.1: by turns of the coordinate within the original context.
                double turns = llama.OriginalContextLength * frequency / (2 * Math.PI);
                if (turns > llama.HighFrequencyFactor) return frequency;
                if (turns < llama.LowFrequencyFactor) return frequency / llama.Factor;
                double share = (turns - llama.LowFrequencyFactor) / (llama.HighFrequencyFactor - llama.LowFrequencyFactor);
                return frequency * (share + (1 - share) / llama.Factor);
            default:
                throw new NotSupportedException(_config.Rotary.Scaling.GetType().Name);
        }
    }

    private double[] RmsNorm(double[] x, string weight)
    {
        double[] gain = _weights[weight];
        double scale = 1 / Math.Sqrt(x.Sum(static value => value * value) / x.Length + _config.NormEpsilon);
        return [.. x.Select((value, i) => value * scale * gain[i])];
    }

    private void NormHeads(double[] heads, string weight)
    {
        for (int head = 0; head < heads.Length; head += _config.HeadSize)
            RmsNorm(heads[head..(head + _config.HeadSize)], weight).CopyTo(heads, head);
    }

    private double[] Apply(LinearTensorNames names, double[] x, bool bias)
    {
        double[] result = Multiply(_weights[names.Weight], x);
        if (bias) AddTo(result, _weights[names.Bias]);
        return result;
    }

    private static double[] Multiply(double[] matrix, double[] x)
    {
        double[] result = new double[matrix.Length / x.Length];
        for (int row = 0; row < result.Length; row++)
        {
            double sum = 0;
            int offset = row * x.Length;
            for (int column = 0; column < x.Length; column++) sum += matrix[offset + column] * x[column];
            result[row] = sum;
        }

        return result;
    }

    private static void AddTo(double[] x, double[] y)
    {
        for (int i = 0; i < x.Length; i++) x[i] += y[i];
    }
}
