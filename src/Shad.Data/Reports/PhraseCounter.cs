using System.Runtime.InteropServices;
using System.Text;
using Shad.Core.Samples;

namespace Shad.Data.Reports;

/// <summary>
/// Counts boilerplate phrases (maximal runs of boilerplate tokens) while samples stream by, in bounded memory, and tells which cover
/// the most tokens.
/// </summary>
/// <remarks>
/// A Misra–Gries summary with weights: when more than twice <c>capacity</c> phrases are held, the weight of the
/// <c>capacity</c>-th heaviest is subtracted from all and those left with none are dropped, so each update costs constant time on
/// average. A phrase that covers more than <c>total / capacity</c> tokens is never lost. As long as nothing was dropped, all
/// counts are exact.
/// </remarks>
public sealed class PhraseCounter
{
    /// <summary>Longer phrases are counted by this many characters of their beginning.</summary>
    public const int MaximumLength = 240;

    private readonly int _capacity;
    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private readonly StringBuilder _run = new();
    private bool _exact = true;

    /// <summary>Creates a counter.</summary>
    /// <param name="capacity">Phrases surely kept; at most twice as many are held at once.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="capacity"/> is less than 1.</exception>
    public PhraseCounter(int capacity = 20_000)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        _capacity = capacity;
    }

    /// <summary>Phrases held now.</summary>
    internal int Held => _entries.Count;

    /// <summary>True where the phrase is held now.</summary>
    internal bool Holds(string phrase) => _entries.ContainsKey(phrase);

    /// <summary>Counts the boilerplate phrases of a sample.</summary>
    public void Add(ReportSample sample)
    {
        ArgumentNullException.ThrowIfNull(sample);
        int tokens = 0;
        foreach (ReportToken token in sample.Tokens)
        {
            if (token.Role == TokenRole.Boilerplate)
            {
                // White space before the phrase is no part of it; what exceeds the limit is cut off at the end anyway.
                if (_run.Length <= 2 * MaximumLength) _run.Append(_run.Length == 0 ? token.Text.TrimStart() : token.Text);
                tokens++;
            }
            else if (tokens > 0)
            {
                End(tokens);
                tokens = 0;
            }
        }

        if (tokens > 0) End(tokens);
    }

    /// <summary>The phrases that cover the most tokens, heaviest first; ties by count, then by text.</summary>
    /// <param name="count">Most phrases to return.</param>
    public IReadOnlyList<RepeatedPhrase> Top(int count) =>
        [.. _entries
            .Where(static entry => entry.Value.Count > 1)
            .OrderByDescending(static entry => entry.Value.Tokens)
            .ThenByDescending(static entry => entry.Value.Count)
            .ThenBy(static entry => entry.Key, StringComparer.Ordinal)
            .Take(count)
            .Select(entry => new RepeatedPhrase(entry.Key, entry.Value.Count, entry.Value.Tokens, _exact))];

    private void End(int tokens)
    {
        string phrase = ReportText.Shorten(_run.ToString().Trim(), MaximumLength);
        _run.Clear();
        if (phrase.Length == 0) return;
        ref Entry entry = ref CollectionsMarshal.GetValueRefOrAddDefault(_entries, phrase, out _);
        entry.Count++;
        entry.Tokens += tokens;
        entry.Weight += tokens;
        if (_entries.Count > 2 * _capacity) DropLightest();
    }

    private void DropLightest()
    {
        long[] weights = [.. _entries.Values.Select(static entry => entry.Weight)];
        Array.Sort(weights);
        long cut = weights[^_capacity];
        _exact = false;
        foreach (string phrase in _entries.Keys.ToArray())
        {
            ref Entry entry = ref CollectionsMarshal.GetValueRefOrNullRef(_entries, phrase);
            entry.Weight -= cut;
            if (entry.Weight <= 0) _entries.Remove(phrase);
        }
    }

    /// <summary>Count and tokens since the phrase was (last) taken up; the weight is the tokens less what was subtracted.</summary>
    private struct Entry
    {
        public long Count;
        public long Tokens;
        public long Weight;
    }
}
