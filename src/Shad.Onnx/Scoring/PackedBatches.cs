using Microsoft.ML.OnnxRuntime;
using Shad.Core.Samples;
using Shad.Onnx.Graphs;
using Shad.Onnx.Kernels;

namespace Shad.Onnx.Scoring;

/// <summary>
/// Batches of samples one behind the other, without padding, where samples that begin with the same tokens have those once.
/// </summary>
/// <param name="blockRows">Most rows that a layer takes at a time.</param>
/// <param name="sharePrefixes">True to have tokens that samples begin with once.</param>
/// <param name="boundaries">Lengths that no batch has samples on both sides of; null for none.</param>
internal sealed class PackedBatches(int blockRows, bool sharePrefixes, LengthBoundaries? boundaries = null) : IBatchLayout
{
    private static readonly string[] Inputs =
    [
        ScoringGraph.InputIds, ScoringGraph.Positions, ScoringGraph.Segments,
        ScoringGraph.TargetRows, ScoringGraph.TargetIds, ScoringGraph.TargetSegments,
    ];

    private readonly LengthBoundaries _boundaries = boundaries ?? LengthBoundaries.None;

    /// <inheritdoc/>
    public IEnumerable<Placement[]> Cut(IReadOnlyList<TokenizedSample> samples, Func<int> tokensPerBatch)
    {
        int[] lengths = [.. samples.Select(_boundaries.ComputedLength)];
        return Enumerable.Range(0, lengths.Length).Where(i => lengths[i] > 0)
            .GroupBy(i => _boundaries.SideOf(samples[i])).OrderByDescending(static side => side.Key)
            .SelectMany(side => Cut(samples, lengths, [.. side], tokensPerBatch));
    }

    private IEnumerable<Placement[]> Cut(IReadOnlyList<TokenizedSample> samples, int[] lengths, int[] numbers, Func<int> tokensPerBatch)
    {
        var groups = sharePrefixes
            ? SharedPrefixes.Find(samples, numbers)
            : [.. numbers.Select(static sample => new PrefixGroup(0, [sample]))];
        int[][] members =
        [
            .. groups.Select(group => group.Members.OrderByDescending(member => lengths[member]).ToArray())
                .OrderByDescending(members => lengths[members[0]]).ThenBy(static members => members[0]),
        ];
        int[] prefixes = new int[samples.Count];
        foreach (var group in groups)
        {
            foreach (int member in group.Members) prefixes[member] = group.PrefixLength;
        }

        var batch = new List<Placement>();
        int left = 0;
        for (int number = 0; number < members.Length; number++)
        {
            // A group is not begun where it does not fit whole: its prefix would be computed once more.
            int prefix = prefixes[members[number][0]];
            bool isOpen = false;
            if (prefix > 0 && prefix + members[number].Sum(member => (long)lengths[member] - prefix) > left) left = 0;
            foreach (int member in members[number])
            {
                int own = lengths[member] - prefix;
                if (own + (isOpen ? 0 : prefix) > left)
                {
                    if (batch.Count > 0) yield return [.. batch];
                    batch.Clear();
                    left = tokensPerBatch();
                    isOpen = false;
                }

                left -= own + (isOpen ? 0 : prefix);
                isOpen = true;
                batch.Add(new Placement(member, number, prefix));
            }
        }

        if (batch.Count > 0) yield return [.. batch];
    }

    /// <inheritdoc/>
    public BatchSize SizeOf(IReadOnlyList<TokenizedSample> samples, ReadOnlySpan<Placement> batch)
    {
        int tokens = 0;
        for (int i = 0; i < batch.Length; i++)
        {
            tokens += _boundaries.ComputedLength(samples[batch[i].Sample]);
            if (FollowsItsGroup(batch, i)) tokens -= batch[i].PrefixLength;
        }

        return new BatchSize(tokens, Blocks(tokens, blockRows).Size - tokens);
    }

    /// <inheritdoc/>
    public BatchInputs Lay(IReadOnlyList<TokenizedSample> samples, ReadOnlySpan<Placement> batch)
    {
        // The logits of position i − 1 score token i, so what follows a sample's last target, and that target itself, need not go
        // through the model. Two samples that share two tokens:
        //
        //   samples   a b c d e   targets d e      rows       a b│c d│f g    targets     d e h
        //             a b f g h   target h         positions  0 1│2 3│2 3    their rows  2 3 5
        //
        // Rows are cut in blocks of one size. What is missing in the last one, fewer rows than there are blocks, is a sequence of its
        // own for the rows, and row 0 once more for the targets.
        var size = SizeOf(samples, batch);
        var blocks = Blocks(size.Tokens, blockRows);
        long[] ids = new long[blocks.Size];
        long[] positions = new long[blocks.Size];
        var segments = new List<long>();
        var targetRows = new List<long>();
        var targetIds = new List<long>();
        var targetSegments = new List<long>();
        int row = 0, prefixStart = 0;
        for (int b = 0; b < batch.Length; b++)
        {
            var sample = samples[batch[b].Sample];
            int prefix = batch[b].PrefixLength;
            if (FollowsItsGroup(batch, b + 1) && !FollowsItsGroup(batch, b))
            {
                prefixStart = row;
                Append(sample.InputIds.AsSpan(0, prefix), 0, 0);
            }
            else if (!FollowsItsGroup(batch, b))
            {
                // Nobody else here begins with its prefix.
                prefix = 0;
            }

            int length = _boundaries.ComputedLength(sample), first = row, target = targetIds.Count;
            Append(sample.InputIds.AsSpan(prefix, length - prefix), prefixStart, prefix);
            for (int i = prefix + 1; i <= length && i < sample.Length; i++)
            {
                if (!sample.IsTarget(i)) continue;
                targetRows.Add(first + i - 1 - prefix);
                targetIds.Add(sample.InputIds[i]);
            }

            targetSegments.AddRange([target, targetIds.Count - target, prefixStart, prefix, first, length - prefix]);
        }

        Append(new int[blocks.Size - row], 0, 0);
        var targetBlocks = Blocks(targetIds.Count, blockRows);
        while (targetIds.Count < targetBlocks.Size)
        {
            targetSegments.AddRange([targetIds.Count, 1, 0, 0, 0, 1]);
            targetRows.Add(0);
            targetIds.Add(0);
        }

        return new BatchInputs(
            Inputs,
            [
                OrtValue.CreateTensorValueFromMemory(ids, blocks.Shape),
                OrtValue.CreateTensorValueFromMemory(positions, [blocks.Size]),
                Table(segments),
                OrtValue.CreateTensorValueFromMemory<long>([.. targetRows], targetBlocks.Shape),
                OrtValue.CreateTensorValueFromMemory<long>([.. targetIds], targetBlocks.Shape),
                Table(targetSegments),
            ],
            targetBlocks.Shape);

        void Append(ReadOnlySpan<int> tokens, int prefixRow, int position)
        {
            if (tokens.IsEmpty) return;
            segments.AddRange([row, tokens.Length, prefixRow, position, row, tokens.Length]);
            foreach (int token in tokens)
            {
                ids[row] = token;
                positions[row++] = position++;
            }
        }
    }

    /// <summary>True where the placement at an index takes its prefix from the one before it.</summary>
    private static bool FollowsItsGroup(ReadOnlySpan<Placement> batch, int index) =>
        index > 0 && index < batch.Length && batch[index].PrefixLength > 0 && batch[index].Group == batch[index - 1].Group;

    private static OrtValue Table(List<long> values) => OrtValue.CreateTensorValueFromMemory<long>(
        [.. values], [values.Count / AttentionSegments.Columns, AttentionSegments.Columns]);

    /// <summary>The fewest blocks of one size that hold a number of rows.</summary>
    private static (int Size, long[] Shape) Blocks(int rows, int mostRows)
    {
        int count = (rows + mostRows - 1) / mostRows;
        int each = (rows + count - 1) / count;
        return (count * each, [count, each]);
    }
}
