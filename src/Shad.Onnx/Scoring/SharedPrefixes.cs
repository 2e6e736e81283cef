using Shad.Core.Samples;

namespace Shad.Onnx.Scoring;

/// <summary>Samples that share their first tokens.</summary>
/// <param name="PrefixLength">Tokens shared; 0 where it is one sample on its own.</param>
/// <param name="Members">Numbers of the samples, ascending.</param>
internal sealed record PrefixGroup(int PrefixLength, IReadOnlyList<int> Members);

/// <summary>
/// Finds samples that begin with the same tokens (a system prompt, descriptions of tools), so that those are computed once for all of
/// a batch.
/// </summary>
internal static class SharedPrefixes
{
    /// <summary>Fewest tokens worth sharing: a prefix is one more range of keys that the attention goes through.</summary>
    public const int LeastLength = 16;

    // Bounds time and depth of recursion. Prefixes nested deeper, each some tokens longer than the one before, are cut to this one's.
    private const int MostNested = 64;

    /// <summary>
    /// Tokens that a sample may share: those before the row that scores its first target. So every row whose loss is wanted belongs to
    /// one sample alone, and every sample keeps a row of its own. Little is lost by it: what samples share is a prompt's beginning.
    /// </summary>
    public static int Shareable(TokenizedSample sample)
    {
        int target = sample.Labels.AsSpan().IndexOfAnyExcept(TokenizedSample.IgnoredLabel);
        return Math.Max(0, target - 1);
    }

    /// <summary>
    /// Puts each sample in one group, so that the tokens saved, <c>Σ (members − 1) · prefix length</c>, are the most that can be saved
    /// with one prefix a sample.
    /// </summary>
    /// <param name="samples">The samples.</param>
    /// <param name="numbers">Numbers of those to group.</param>
    public static List<PrefixGroup> Find(IReadOnlyList<TokenizedSample> samples, IEnumerable<int> numbers)
    {
        int[] order = [.. numbers];
        int[] shareable = [.. samples.Select(Shareable)];
        Array.Sort(order, Compare);
        var root = Tree(order, i => Tokens(order[i]).CommonPrefixLength(Tokens(order[i + 1])));
        Save(root, []);
        var groups = new List<PrefixGroup>();
        Gather(root, depth: 0, inUse: 0, [], groups);
        return groups;

        ReadOnlySpan<int> Tokens(int sample) => samples[sample].InputIds.AsSpan(0, shareable[sample]);

        int Compare(int one, int other)
        {
            ReadOnlySpan<int> a = Tokens(one), b = Tokens(other);
            int same = a.CommonPrefixLength(b);
            int difference = same < a.Length && same < b.Length ? a[same].CompareTo(b[same]) : a.Length.CompareTo(b.Length);
            return difference != 0 ? difference : one.CompareTo(other);
        }
    }

    /// <summary>
    /// The prefixes of sorted samples as a tree. Sorted by their tokens, samples that share a prefix stand side by side, and the
    /// numbers of tokens that neighbours share nest:
    /// <code>
    /// sample       a    b    c    d    e          root ─ node of 3: a, e
    /// shared         3    9    9    3                      └ node of 9: b, c, d
    /// </code>
    /// </summary>
    private static Node Tree(int[] order, Func<int, int> sharedWithNext)
    {
        var root = new Node(0);
        var open = new Stack<Node>([root]);
        for (int i = 0; i < order.Length; i++)
        {
            int next = i + 1 < order.Length ? sharedWithNext(i) : 0;
            if (next < LeastLength) next = 0;
            if (next > open.Peek().Length && open.Count <= MostNested) open.Push(new Node(next));
            open.Peek().Samples.Add(order[i]);
            while (open.Peek().Length > next)
            {
                var closed = open.Pop();
                if (open.Peek().Length < next) open.Push(new Node(next));
                open.Peek().Children.Add(closed);
            }
        }

        return root;
    }

    /// <summary>
    /// Decides for a node, for each of the nodes above whose prefix may be the longest in use there, whether it puts its own prefix to
    /// use. With the prefix of length <c>e</c> in use, the samples below save
    /// <c>max(samples · e + Σ children(e), samples · length + Σ children(length) − length)</c>: a sample saves the prefix it takes, and
    /// the prefix itself is computed once.
    /// </summary>
    private static void Save(Node node, int[] above)
    {
        int[] inUse = [.. above, node.Length];
        foreach (var child in node.Children) Save(child, inUse);
        long[] saved = [.. inUse.Select((length, i) => (long)node.Samples.Count * length + node.Children.Sum(child => child.Saved[i]))];
        long own = saved[^1] - node.Length;
        node.Saved = [.. saved[..^1].Select(other => Math.Max(other, own))];
        node.IsUsed = [.. saved[..^1].Select(other => own > other)];
    }

    /// <param name="node">The node.</param>
    /// <param name="depth">Nodes above it.</param>
    /// <param name="inUse">Number of the node above whose prefix is in use; 0 is the root, where each is on its own.</param>
    /// <param name="members">Receives the samples that take that prefix.</param>
    /// <param name="groups">Receives the groups.</param>
    private static void Gather(Node node, int depth, int inUse, List<int> members, List<PrefixGroup> groups)
    {
        bool isUsed = depth > 0 && node.IsUsed[inUse];
        if (isUsed) (inUse, members) = (depth, []);
        foreach (var child in node.Children) Gather(child, depth + 1, inUse, members, groups);
        if (inUse > 0) members.AddRange(node.Samples);
        else groups.AddRange(node.Samples.Select(static sample => new PrefixGroup(0, [sample])));
        if (!isUsed) return;
        members.Sort();
        groups.Add(new PrefixGroup(node.Length, members));
    }

    private sealed class Node(int length)
    {
        public int Length { get; } = length;

        /// <summary>Samples that share no longer prefix with another.</summary>
        public List<int> Samples { get; } = [];

        public List<Node> Children { get; } = [];

        /// <summary>Tokens saved below, by the number of the node above whose prefix is in use, the root first.</summary>
        public long[] Saved { get; set; } = [];

        /// <summary>True where this node's prefix is used though that one's could be.</summary>
        public bool[] IsUsed { get; set; } = [];
    }
}
