using System.Text;
using Shad.Core.Samples;

namespace Shad.Data.Reports;

/// <summary>
/// Keeps the most confident reasoning spans (maximal runs of reasoning tokens) while samples stream by, each text once.
/// </summary>
/// <remarks>
/// Spans are ranked by <c>Σ LD / (n + 1)</c> over their <c>n</c> tokens: the mean LD, pulled towards 0 as by one token without
/// evidence, so that a lone token must earn its place. Keeping the best <c>count</c> texts is exact: the score of the last kept
/// only rises, and a text that was pushed out comes back if it occurs again with a better score.
/// </remarks>
public sealed class SpanRanker
{
    /// <summary>Characters of context kept on each side of a span, within its response.</summary>
    public const int ContextLength = 48;

    /// <summary>Longer spans are shown by this many characters of their beginning.</summary>
    public const int MaximumLength = 160;

    private readonly int _count;
    private readonly Dictionary<string, Ranked> _best = new(StringComparer.OrdinalIgnoreCase);
    private string? _last;

    /// <summary>Creates a ranker.</summary>
    /// <param name="count">Spans to keep.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="count"/> is less than 1.</exception>
    public SpanRanker(int count = 30)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        _count = count;
    }

    /// <summary>The spans kept, most confident first; ties by text.</summary>
    public IReadOnlyList<ReasoningSpan> Spans =>
        [.. _best.Values
            .OrderByDescending(static ranked => ranked.Score)
            .ThenBy(static ranked => ranked.Span.Text, StringComparer.Ordinal)
            .Select(static ranked => ranked.Span)];

    /// <summary>Considers the reasoning spans of a sample.</summary>
    public void Add(ReportSample sample)
    {
        ArgumentNullException.ThrowIfNull(sample);
        IReadOnlyList<ReportToken> tokens = sample.Tokens;
        for (int i = 0; i < tokens.Count; i++)
        {
            if (tokens[i].Role != TokenRole.Reasoning) continue;
            int start = i;
            double sum = 0;
            for (; i < tokens.Count && tokens[i].Role == TokenRole.Reasoning; i++) sum += tokens[i].LossDifference;
            double score = sum / (i - start + 1);
            if (double.IsFinite(score)) Consider(sample, start, i, sum / (i - start), score);
        }
    }

    private void Consider(ReportSample sample, int start, int end, double mean, double score)
    {
        if (_last is not null && _best.Count == _count && score <= _best[_last].Score) return;
        string text = ReportText.Shorten(TextOf(sample.Tokens, start, end).Trim(), MaximumLength);
        if (!text.Any(char.IsLetterOrDigit)) return;
        if (_best.TryGetValue(text, out Ranked known) && known.Score >= score) return;
        string before = ReportText.ShortenLeft(TextOf(sample.Tokens, FirstWithin(sample.Tokens, start), start), ContextLength);
        string after = ReportText.Shorten(TextOf(sample.Tokens, end, LastWithin(sample.Tokens, end)), ContextLength);
        // Removed first, so that the key is spelled as its best span is.
        _best.Remove(text);
        _best.Add(text, new Ranked(score, new ReasoningSpan(text, mean, end - start, sample.Id, before, after)));
        if (_best.Count > _count)
            _best.Remove(Lowest());
        if (_best.Count == _count) _last = Lowest();
    }

    private string Lowest()
    {
        string lowest = "";
        double score = double.PositiveInfinity;
        foreach ((string text, Ranked ranked) in _best)
        {
            // Among equals the later text goes, as Spans orders them.
            if (ranked.Score < score || (ranked.Score == score && string.CompareOrdinal(text, lowest) > 0))
                (lowest, score) = (text, ranked.Score);
        }

        return lowest;
    }

    private static int FirstWithin(IReadOnlyList<ReportToken> tokens, int start)
    {
        int length = 0;
        while (start > 0 && tokens[start - 1].IsResponse && length <= ContextLength) length += tokens[--start].Text.Length;
        return start;
    }

    private static int LastWithin(IReadOnlyList<ReportToken> tokens, int end)
    {
        int length = 0;
        while (end < tokens.Count && tokens[end].IsResponse && length <= ContextLength) length += tokens[end++].Text.Length;
        return end;
    }

    private static string TextOf(IReadOnlyList<ReportToken> tokens, int start, int end)
    {
        var text = new StringBuilder();
        for (int i = start; i < end; i++) text.Append(tokens[i].Text);
        return text.ToString();
    }

    private readonly record struct Ranked(double Score, ReasoningSpan Span);
}
