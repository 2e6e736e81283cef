namespace Shad.Onnx.Tests.Kernels;

/// <summary>
/// Causal grouped-query attention of a <see cref="PackedBatch"/> in double precision, each query and head by itself, written
/// from the definition: softmax(scale · R(q)·R(k)) · v over the keys that the query sees.
/// </summary>
internal sealed class ReferenceAttention
{
    private readonly PackedBatch _batch;
    private readonly float[] _cosine;
    private readonly float[] _sine;

    public ReferenceAttention(PackedBatch batch)
    {
        _batch = batch;
        _cosine = batch.Cosine;
        _sine = batch.Sine;
        Output = new double[batch.Query.Length];
        for (int segment = 0; segment < batch.Segments.Length; segment += 6) Attend(batch.Segments.AsSpan(segment, 6));
    }

    /// <summary><c>[Nq, heads·D]</c>.</summary>
    public double[] Output { get; }

    /// <summary>
    /// The largest error that float32 explains. With u = 2⁻²⁴, the unit of rounding, and M the largest Σ|qᵢkᵢ|·scale of any
    /// query and key: a score is the sum of D rounded products of numbers that were rotated, so that it errs by about √D·u·M
    /// (roundings are independent), and its weight by as much in proportion; in numerator and denominator that is twice. The
    /// weighted sum of n values adds √n·u, a bound c by a tanh that is off by some 2u adds 2·2·2u·c, and the exponential, the scale,
    /// the rotation and the division some u more.
    /// </summary>
    public double Tolerance =>
        Math.Pow(2, -24) * LargestValue * (2 * Magnitude * Math.Sqrt(_batch.HeadSize) + 2 * Math.Sqrt(MostKeys) + 16 + 8 * _batch.Cap);

    private double Magnitude { get; set; }

    private double LargestValue { get; set; }

    private int MostKeys { get; set; }

    private void Attend(ReadOnlySpan<long> segment)
    {
        int size = _batch.HeadSize, group = _batch.Heads / _batch.KeyValueHeads;
        for (int row = (int)segment[0]; row < segment[0] + segment[1]; row++)
        {
            int position = (int)_batch.Positions[row];
            int first = _batch.Window < 0 ? 0 : Math.Max(0, position - _batch.Window + 1);
            MostKeys = Math.Max(MostKeys, position - first + 1);
            for (int head = 0; head < _batch.Heads; head++)
            {
                double[] query = Rotated(_batch.Query, (row * _batch.Heads + head) * size, position);
                double[] scores = new double[position - first + 1];
                for (int other = first; other <= position; other++)
                {
                    double[] key = Rotated(_batch.Key, Source(segment, other, head / group), other);
                    double magnitude = 0;
                    for (int i = 0; i < size; i++)
                    {
                        scores[other - first] += query[i] * key[i] * _batch.Scale;
                        magnitude += Math.Abs(query[i] * key[i]) * _batch.Scale;
                    }

                    Magnitude = Math.Max(Magnitude, magnitude);
                    if (_batch.Cap > 0) scores[other - first] = _batch.Cap * Math.Tanh(scores[other - first] / _batch.Cap);
                }

                double largest = scores.Max(), total = scores.Sum(score => Math.Exp(score - largest));
                for (int other = first; other <= position; other++)
                {
                    double weight = Math.Exp(scores[other - first] - largest) / total;
                    int source = Source(segment, other, head / group);
                    for (int i = 0; i < size; i++)
                    {
                        Output[(row * _batch.Heads + head) * size + i] += weight * _batch.Value[source + i];
                        LargestValue = Math.Max(LargestValue, Math.Abs(_batch.Value[source + i]));
                    }
                }
            }
        }
    }

    // Where the key at a position begins.
    private int Source(ReadOnlySpan<long> segment, int position, int head)
    {
        long row = position < segment[3] ? segment[2] + position : segment[4] + position - segment[3];
        return ((int)row * _batch.KeyValueHeads + head) * _batch.HeadSize;
    }

    private double[] Rotated(float[] numbers, int start, int position)
    {
        int half = _batch.RotatedPairs;
        double[] result = new double[_batch.HeadSize];
        for (int i = 0; i < half; i++)
        {
            double cosine = _cosine[position * half + i], sine = _sine[position * half + i];
            result[i] = numbers[start + i] * cosine - numbers[start + half + i] * sine;
            result[half + i] = numbers[start + half + i] * cosine + numbers[start + i] * sine;
        }

        for (int i = 2 * half; i < result.Length; i++) result[i] = numbers[start + i];

        return result;
    }
}
