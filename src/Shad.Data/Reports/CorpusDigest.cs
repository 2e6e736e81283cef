using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Shad.Core.Evaluation;
using Shad.Core.Samples;

namespace Shad.Data.Reports;

/// <summary>How much a <see cref="CorpusDigest"/> keeps.</summary>
public readonly record struct CorpusDigestOptions()
{
    /// <summary>Most samples to show.</summary>
    public int Samples { get; init; } = 60;

    /// <summary>Samples to choose them from, drawn from the corpus by a hash of their names.</summary>
    public int SamplePool { get; init; } = 240;

    /// <summary>Longest sample shown, tokens; see <see cref="ReportSample.Cut"/>.</summary>
    public int TokensPerSample { get; init; } = 1_200;

    /// <summary>Phrases to return.</summary>
    public int Phrases { get; init; } = 24;

    /// <summary>Spans to return.</summary>
    public int Spans { get; init; } = 24;

    /// <summary>Edge of the histograms, nats: they reach from minus this to this.</summary>
    public double HistogramRange { get; init; } = 6;

    /// <summary>Bins of the histograms; an even number puts an edge at 0. Charts join bins to the width they need.</summary>
    public int HistogramBins { get; init; } = 480;
}

/// <summary>
/// Gathers what a report shows of an annotated corpus in one pass and bounded memory: counts, histograms of LD, phrases, spans and
/// the samples to show. Not safe for use from several threads.
/// </summary>
/// <remarks>
/// The samples shown are chosen in two steps. Of the whole corpus, those <see cref="CorpusDigestOptions.SamplePool"/> samples are
/// kept whose names have the smallest hashes: a uniform draw that depends neither on the order of the corpus nor on chance. Of
/// them, ordered by their share of boilerplate, <see cref="CorpusDigestOptions.Samples"/> are taken at even distances, the lowest and
/// the highest among them.
/// </remarks>
public sealed class CorpusDigest
{
    /// <summary>How the samples shown were chosen, to follow "60 of 1,150 samples are shown, ".</summary>
    public const string SampleRule =
        "drawn from the corpus by a hash of their names and spread evenly from the highest to the lowest share of boilerplate";

    private readonly CorpusDigestOptions _options;
    private readonly PhraseCounter _phrases = new();
    private readonly SpanRanker _spans;
    private readonly PriorityQueue<ReportSample, (ulong Hash, string Id)> _pool;
    private readonly Bins _paper, _control;
    private long _samples, _tokens, _responseTokens, _boilerplate, _reasoning, _known, _knownReasoning;

    /// <summary>Creates a digest with the default options.</summary>
    public CorpusDigest()
        : this(new CorpusDigestOptions())
    {
    }

    /// <summary>Creates a digest.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An option is less than 1.</exception>
    public CorpusDigest(CorpusDigestOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Samples, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.SamplePool, options.Samples);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.TokensPerSample, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.HistogramBins, 1);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.HistogramRange);
        _options = options;
        _spans = new SpanRanker(options.Spans);
        // The first to be dequeued is the one to be dropped: the largest hash.
        _pool = new(Comparer<(ulong Hash, string Id)>.Create(static (a, b) =>
            b.Hash != a.Hash ? b.Hash.CompareTo(a.Hash) : string.CompareOrdinal(b.Id, a.Id)));
        _paper = new Bins(options);
        _control = new Bins(options);
    }

    /// <summary>Counts so far.</summary>
    public TokenStatistics Statistics => new()
    {
        Samples = _samples,
        Tokens = _tokens,
        ResponseTokens = _responseTokens,
        BoilerplateTokens = _boilerplate,
        ReasoningTokens = _reasoning,
        KnownTokens = _known,
        KnownReasoningTokens = _knownReasoning,
    };

    /// <summary>Distribution of <c>probe loss − base loss</c>.</summary>
    public LossDifferenceHistogram PaperHistogram => _paper.ToHistogram();

    /// <summary>Distribution of <see cref="ReportToken.ControlEvidence"/>; null where no token has any.</summary>
    public LossDifferenceHistogram? ControlHistogram => _control.IsEmpty ? null : _control.ToHistogram();

    /// <summary>The most repeated boilerplate phrases so far.</summary>
    public IReadOnlyList<RepeatedPhrase> Phrases => _phrases.Top(_options.Phrases);

    /// <summary>The most confident reasoning spans so far.</summary>
    public IReadOnlyList<ReasoningSpan> Spans => _spans.Spans;

    /// <summary>The samples to show, by descending share of boilerplate.</summary>
    public IReadOnlyList<ReportSample> Samples
    {
        get
        {
            ReportSample[] pool = [.. _pool.UnorderedItems
                .OrderByDescending(static item => item.Element.BoilerplateShare)
                .ThenBy(static item => item.Priority.Hash)
                .ThenBy(static item => item.Priority.Id, StringComparer.Ordinal)
                .Select(static item => item.Element)];
            int count = _options.Samples;
            if (pool.Length <= count) return pool;
            return [.. Enumerable.Range(0, count).Select(i => pool[count == 1 ? 0 : (int)((long)i * (pool.Length - 1) / (count - 1))])];
        }
    }

    /// <summary>Takes in a sample.</summary>
    public void Add(ReportSample sample)
    {
        ArgumentNullException.ThrowIfNull(sample);
        _samples++;
        foreach (ReportToken token in sample.Tokens)
        {
            _tokens++;
            if (!token.IsResponse) continue;
            _responseTokens++;
            if (token.Role == TokenRole.Boilerplate) _boilerplate++;
            if (token.Role == TokenRole.Reasoning) _reasoning++;
            if (token.KnownRole is not null) _known++;
            if (token.KnownRole == TokenRole.Reasoning) _knownReasoning++;
            _paper.Add(token.ProbeLoss - token.BaseLoss, token.KnownRole);
            _control.Add(token.ControlEvidence, token.KnownRole);
        }

        _phrases.Add(sample);
        _spans.Add(sample);

        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(sample.Id), hash);
        var priority = (BinaryPrimitives.ReadUInt64LittleEndian(hash), sample.Id);
        if (_pool.Count < _options.SamplePool) _pool.Enqueue(sample.Cut(_options.TokensPerSample), priority);
        else if (_pool.TryPeek(out _, out var largest) && _pool.Comparer.Compare(priority, largest) > 0)
            _pool.DequeueEnqueue(sample.Cut(_options.TokensPerSample), priority);
    }

    /// <summary>Counts of LD by known role.</summary>
    private sealed class Bins(CorpusDigestOptions options)
    {
        private readonly Histogram _boilerplate = Create(options);
        private readonly Histogram _reasoning = Create(options);
        private readonly Histogram _unknown = Create(options);

        public bool IsEmpty => _boilerplate.Total + _reasoning.Total + _unknown.Total == 0;

        public void Add(float difference, TokenRole? role)
        {
            if (float.IsNaN(difference)) return;
            Histogram histogram = role switch
            {
                TokenRole.Boilerplate => _boilerplate,
                TokenRole.Reasoning => _reasoning,
                _ => _unknown,
            };
            histogram.Add(difference);
        }

        public LossDifferenceHistogram ToHistogram() => new(_boilerplate, _reasoning, _unknown);

        private static Histogram Create(CorpusDigestOptions options) =>
            new(-options.HistogramRange, options.HistogramRange, options.HistogramBins);
    }
}
