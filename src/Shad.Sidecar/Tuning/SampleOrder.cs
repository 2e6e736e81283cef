using Shad.Core.Randomness;

namespace Shad.Sidecar.Tuning;

/// <summary>
/// Which samples each optimizer step sees: epochs one after another, each in an order of its own. A step's samples depend on the
/// seed and the number of the step only, so a resumed tune needs no state but that number.
/// </summary>
public sealed class SampleOrder
{
    private readonly int _count;
    private readonly int _perStep;
    private readonly long _total;
    private readonly SeededRandom? _random;
    private int[] _epoch = [];
    private long _epochNumber = -1;

    /// <summary>Creates the order of a tune.</summary>
    /// <param name="count">Samples, at least 1.</param>
    /// <param name="perStep">Samples of one optimizer step.</param>
    /// <param name="steps">Optimizer steps; null takes <paramref name="epochs"/>.</param>
    /// <param name="epochs">Passes over the samples; the last step is short where they do not come out even.</param>
    /// <param name="seed">Seed of the shuffling; null keeps the samples in their order.</param>
    public SampleOrder(int count, int perStep, int? steps, double epochs, ulong? seed)
    {
        _count = count;
        _perStep = perStep;
        _total = steps is { } given ? (long)given * perStep : Math.Max(1, (long)Math.Round(epochs * count));
        Steps = checked((int)((_total + perStep - 1) / perStep));
        _random = seed is { } value ? new SeededRandom(value) : null;
    }

    /// <summary>Optimizer steps of the tune.</summary>
    public int Steps { get; }

    /// <summary>The indices of a step's samples, the step counted from 0.</summary>
    public int[] Of(int step)
    {
        long start = (long)step * _perStep;
        var indices = new int[(int)Math.Min(_perStep, _total - start)];
        for (int i = 0; i < indices.Length; i++)
        {
            long position = start + i;
            Enter(position / _count);
            indices[i] = _epoch[(int)(position % _count)];
        }

        return indices;
    }

    private void Enter(long epoch)
    {
        if (epoch == _epochNumber) return;
        if (_random is null && _epochNumber >= 0) return;
        _epoch = [.. Enumerable.Range(0, _count)];
        _random?.Fork((ulong)epoch).Shuffle<int>(_epoch);
        _epochNumber = epoch;
    }
}
