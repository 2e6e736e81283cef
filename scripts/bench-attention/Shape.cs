namespace BenchAttention;

/// <summary>Sequences of one length and the heads that attend.</summary>
internal sealed record Shape(int Batch, int Length, int Heads, int KeyValueHeads, int HeadSize)
{
    public float Scale => 1 / MathF.Sqrt(HeadSize);

    /// <summary>Causal work: a score and a weighted value, 2·D operations each, of every pair of a query and a key it sees.</summary>
    public double Operations => 4.0 * HeadSize * Heads * Batch * Length * (Length + 1) / 2;

    public override string ToString() => $"{Batch} × {Length}, {Heads}/{KeyValueHeads} heads of {HeadSize}";
}

/// <summary>Random inputs of a shape.</summary>
internal sealed class Tensors
{
    public Tensors(Shape shape)
    {
        var random = new Random(1);
        float[] Numbers(long count) => [.. Enumerable.Range(0, (int)count).Select(_ => (float)(random.NextDouble() * 4 - 2))];
        long rows = shape.Batch * shape.Length;
        Query = Numbers(rows * shape.Heads * shape.HeadSize);
        Key = Numbers(rows * shape.KeyValueHeads * shape.HeadSize);
        Value = Numbers(rows * shape.KeyValueHeads * shape.HeadSize);
        int half = shape.HeadSize / 2;
        Cosine = new float[shape.Length * half];
        Sine = new float[shape.Length * half];
        for (int i = 0; i < Cosine.Length; i++)
        {
            double angle = i / half * Math.Pow(10_000, -(double)(i % half) / half);
            (Sine[i], Cosine[i]) = ((float)Math.Sin(angle), (float)Math.Cos(angle));
        }
    }

    public float[] Query { get; }

    public float[] Key { get; }

    public float[] Value { get; }

    public float[] Cosine { get; }

    public float[] Sine { get; }
}
