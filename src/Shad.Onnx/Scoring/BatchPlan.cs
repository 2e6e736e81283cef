namespace Shad.Onnx.Scoring;

/// <summary>Cuts sequences into batches of like lengths.</summary>
internal static class BatchPlan
{
    /// <summary>Batches of indices, longest first, so that what does not fit in memory shows at once.</summary>
    /// <param name="lengths">Tokens of each sequence; those of 0 are left out.</param>
    /// <param name="tokensPerBatch">Most tokens of a batch, padding included; a longer sequence goes alone. Asked before each batch.</param>
    public static IEnumerable<int[]> Cut(IReadOnlyList<int> lengths, Func<int> tokensPerBatch)
    {
        // Equal lengths keep their order, so that a plan is a function of its input.
        int[] order = [.. Enumerable.Range(0, lengths.Count).Where(i => lengths[i] > 0).OrderByDescending(i => lengths[i])];
        for (int start = 0; start < order.Length;)
        {
            int rows = Math.Max(1, tokensPerBatch() / lengths[order[start]]);
            int end = Math.Min(order.Length, start + rows);
            yield return order[start..end];
            start = end;
        }
    }
}
