using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Shad.Core.Errors;
using Shad.Core.Samples;
using Shad.Data.Chat;
using Shad.Data.Tokenization;

namespace Shad.Data.Corpora;

/// <summary>What is done with a sample that is longer than the context.</summary>
public enum OverlengthPolicy
{
    /// <summary>Its first prompt is cut from the left, the beginning-of-sequence token kept; where that is not enough because the
    /// tokens from the first response on do not fit, it is skipped and counted.</summary>
    Truncate,

    /// <summary>It is skipped and counted.</summary>
    Skip,
}

/// <summary>How samples become token sequences.</summary>
public sealed record EncoderOptions
{
    /// <summary>Longest sequence, tokens.</summary>
    public required int ContextLength { get; init; }

    /// <summary>What is done with longer samples.</summary>
    public OverlengthPolicy Overlength { get; init; } = OverlengthPolicy.Truncate;

    /// <summary>The model's vocabulary size, which every token id must be below; null takes the tokenizer's.</summary>
    public int? VocabularySize { get; init; }

    /// <summary>Bad rows, those of the reading included, after which a row that cannot be written in the chat format ends the encoding with
    /// an error; null accepts any number, as long as one row can be.</summary>
    public int? MaximumBadRows { get; init; }
}

/// <summary>
/// Turns rows into token sequences with targets: renders conversations by a layout or a template, tokenizes every segment by itself, so that
/// no token straddles the seam between prompt and response, and fits them into the context. Safe for use from several threads.
/// </summary>
/// <remarks>
/// A truncated sample keeps its whole <see cref="EncodedSample.Text"/>; its offsets point into it. A token is known reasoning where
/// any of its characters is; what the layout adds to a response (the end-of-turn marker) is boilerplate. Text that spells a special
/// token becomes that token, in a layout's markers as in a message. The beginning-of-sequence token is put before what a layout writes, where
/// the tokenizer has one; a template writes it itself, or none, as in transformers. A row that a template refuses is counted as bad.
/// </remarks>
public sealed class SampleEncoder
{
    private readonly ITextTokenizer? _tokenizer;
    private readonly IChatFormat _format;
    private readonly EncoderOptions _options;
    private readonly CorpusReport _report;
    private readonly string? _endOfSequence;
    private readonly int? _vocabularySize;
    private ShadException? _firstRefusal;

    /// <summary>Creates an encoder.</summary>
    /// <param name="tokenizer">The model's tokenizer; null where every row is already tokenized.</param>
    /// <param name="format">How conversations become text.</param>
    /// <param name="options">Context and policy.</param>
    /// <param name="report">Takes the counts.</param>
    /// <exception cref="ArgumentOutOfRangeException">The context is shorter than 2 tokens.</exception>
    public SampleEncoder(ITextTokenizer? tokenizer, IChatFormat format, EncoderOptions options, CorpusReport report)
    {
        ArgumentNullException.ThrowIfNull(format);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(report);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.ContextLength, 2);
        _tokenizer = tokenizer;
        _format = format;
        _options = options;
        _report = report;
        _vocabularySize = options.VocabularySize ?? tokenizer?.VocabularySize;
        _endOfSequence = tokenizer?.EndOfSequenceId is { } end ? tokenizer.Decode([end]) : null;
    }

    /// <summary>The token sequence of a row; null where it is skipped or cannot be written in the chat format, which is counted.</summary>
    /// <exception cref="ShadException">A text row without a tokenizer, a token outside the vocabulary, or more bad rows than accepted.</exception>
    public EncodedSample? Encode(CorpusRow row)
    {
        ArgumentNullException.ThrowIfNull(row);
        switch (row)
        {
            case TokenizedRow tokenized:
                CheckVocabulary(tokenized);
                var tokens = tokenized.Tokens;
                return Fit(new EncodedSample(tokens, null, null, null) { KnownRoles = tokens.Roles }, row.Source.ToString());
            case ConversationRow conversation:
                if (_tokenizer is null) throw CorpusErrors.TokenizerNeeded(row.Source.ToString());
                return Render(conversation) is { } sample ? Encode(sample) : null;
            default:
                throw new ArgumentException($"{row.GetType().Name} is no kind of row this encoder knows.", nameof(row));
        }
    }

    /// <summary>The token sequence of a text; null where it is skipped, which is counted.</summary>
    /// <exception cref="ShadException">There is no tokenizer, it gives a token outside the vocabulary, or a response has nothing before
    /// it or no tokens.</exception>
    public EncodedSample? Encode(TextSample sample)
    {
        ArgumentNullException.ThrowIfNull(sample);
        return Fit(Tokenize(sample), sample.Source);
    }

    /// <summary>Encodes a stream of rows on several threads, in order, running ahead of the reader by a bounded number of rows.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="threads">Rows encoded at the same time; null takes the number of cores.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async IAsyncEnumerable<EncodedSample> EncodeAsync(
        IAsyncEnumerable<CorpusRow> rows,
        int? threads = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var slots = new SemaphoreSlim(threads ?? Environment.ProcessorCount);
        var pending = Channel.CreateBounded<Task<EncodedSample?>>(
            new BoundedChannelOptions(64) { SingleReader = true, SingleWriter = true });
        var reading = Task.Run(() => ReadAheadAsync(rows, pending.Writer, slots, stop.Token), CancellationToken.None);
        try
        {
            await foreach (var task in pending.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                if (await task.ConfigureAwait(false) is { } sample) yield return sample;
            }

            if (_firstRefusal is { } refusal && _report is { Encoded: 0, Skipped: 0 }) throw refusal;
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            while (pending.Reader.TryRead(out var task))
                await ((Task)task).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task ReadAheadAsync(
        IAsyncEnumerable<CorpusRow> rows, ChannelWriter<Task<EncodedSample?>> pending, SemaphoreSlim slots, CancellationToken stop)
    {
        try
        {
            await foreach (var row in rows.WithCancellation(stop).ConfigureAwait(false))
            {
                await slots.WaitAsync(stop).ConfigureAwait(false);
                var task = Task.Run(
                    () =>
                    {
                        try
                        {
                            return Encode(row);
                        }
                        finally
                        {
                            slots.Release();
                        }
                    },
                    CancellationToken.None);
                try
                {
                    await pending.WriteAsync(task, stop).ConfigureAwait(false);
                }
                catch (OperationCanceledException)
                {
                    await ((Task)task).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    throw;
                }
            }

            pending.Complete();
        }
        catch (Exception e)
        {
            pending.Complete(e);
        }
    }

    /// <summary>The text of a conversation; null where the format refuses it, which is counted.</summary>
    private TextSample? Render(ConversationRow conversation)
    {
        try
        {
            return _format.Render(conversation, _endOfSequence);
        }
        catch (ShadException e)
        {
            _report.AddBadRow(conversation.Source, e);
            Interlocked.CompareExchange(ref _firstRefusal, e, null);
            if (_options.MaximumBadRows is not { } maximum || _report.BadRows <= maximum) return null;
            if (maximum == 0) throw;
            throw CorpusErrors.TooManyBadRows(maximum, e);
        }
    }

    private EncodedSample Tokenize(TextSample sample)
    {
        if (_tokenizer is null) throw CorpusErrors.TokenizerNeeded(sample.Source);
        int? beginning = sample.IsWholeSequence ? null : _tokenizer.BeginningOfSequenceId;
        int? last = beginning;
        int count = beginning is null ? 0 : 1;
        var segments = new EncodedText[sample.Segments.Count];
        int position = 0;
        bool anyTarget = false;
        for (int s = 0; s < segments.Length; s++)
        {
            var segment = sample.Segments[s];
            segments[s] = segment.Text.Length == 0
                ? EncodedText.Empty
                : _tokenizer.Encode(segment.Text, isContinuation: position > 0, position > 0 ? last : null);
            int[] found = segments[s].Ids;
            position += segment.Text.Length;
            if (found.Length == 0) continue;
            if (segment.IsResponse && count == 0) throw CorpusErrors.NothingBefore(sample.Source);
            foreach (int id in found)
            {
                if (id >= _vocabularySize) throw CorpusErrors.TokenizerOutsideVocabulary(sample.Source, id, _vocabularySize.Value);
            }

            anyTarget |= segment.IsResponse;
            count += found.Length;
            last = found[^1];
        }

        if (!anyTarget) throw CorpusErrors.NoResponseText(sample.Source);
        int[] ids = new int[count], labels = new int[count], offsetStart = new int[count], offsetEnd = new int[count];
        Array.Fill(labels, TokenizedSample.IgnoredLabel);
        int next = 0;
        if (beginning is { } first) ids[next++] = first;
        position = 0;
        for (int s = 0; s < segments.Length; s++)
        {
            EncodedText encoded = segments[s];
            encoded.Ids.CopyTo(ids, next);
            if (sample.Segments[s].IsResponse) encoded.Ids.CopyTo(labels, next);
            for (int i = 0; i < encoded.Ids.Length; i++, next++)
            {
                offsetStart[next] = position + encoded.OffsetStart[i];
                offsetEnd[next] = position + encoded.OffsetEnd[i];
            }

            position += sample.Segments[s].Text.Length;
        }

        var tokens = new TokenizedSample(sample.Id, ids, labels);
        return new EncodedSample(tokens, string.Concat(sample.Segments.Select(static s => s.Text)), offsetStart, offsetEnd)
        {
            KnownRoles = sample.KnownReasoning is { } spans ? KnownRoles(tokens, spans, offsetStart, offsetEnd) : null,
        };
    }

    private static TokenRole?[] KnownRoles(
        TokenizedSample tokens, IReadOnlyList<(int Start, int End)> spans, int[] offsetStart, int[] offsetEnd)
    {
        var sorted = spans.Order().ToArray();
        var roles = new TokenRole?[tokens.Length];
        int next = 0;
        int reached = 0;
        for (int i = 0; i < roles.Length; i++)
        {
            if (!tokens.IsTarget(i)) continue;

            // reached is the furthest end of all spans that begin before the token ends: it lies behind the token's start exactly
            // where one of them overlaps the token, be they nested or overlapping.
            while (next < sorted.Length && sorted[next].Start < offsetEnd[i]) reached = Math.Max(reached, sorted[next++].End);
            bool overlaps = offsetStart[i] < offsetEnd[i] && offsetStart[i] < reached;
            roles[i] = overlaps ? TokenRole.Reasoning : TokenRole.Boilerplate;
        }

        return roles;
    }

    private void CheckVocabulary(TokenizedRow row)
    {
        if (_vocabularySize is not { } size) return;
        int[] ids = row.Tokens.InputIds;
        for (int i = 0; i < ids.Length; i++)
        {
            if (ids[i] >= size) throw CorpusErrors.OutsideVocabulary(row.Source, i, ids[i], size);
        }
    }

    private EncodedSample? Fit(EncodedSample sample, string source)
    {
        var tokens = sample.Tokens;
        int excess = tokens.Length - _options.ContextLength;
        if (excess > 0)
        {
            if (_options.Overlength == OverlengthPolicy.Skip)
            {
                _report.AddSkipped(source, CorpusErrors.OverContext(source, tokens.Id, tokens.Length, _options.ContextLength));
                return null;
            }

            int firstTarget = Array.FindIndex(tokens.Labels, static label => label != TokenizedSample.IgnoredLabel);
            int kept = tokens.InputIds[0] == _tokenizer?.BeginningOfSequenceId ? 1 : 0;

            // One token must stay before the first response: the beginning-of-sequence token, or else the prompt's last one.
            if (excess > firstTarget - Math.Max(kept, 1))
            {
                _report.AddSkipped(
                    source,
                    CorpusErrors.TooLong(source, tokens.Id, tokens.Length, tokens.Length - firstTarget, _options.ContextLength));
                return null;
            }

            sample = Cut(sample, kept, excess);
        }

        _report.AddEncoded(sample);
        return sample;
    }

    /// <summary>Takes <paramref name="count"/> tokens out from <paramref name="start"/> on.</summary>
    private static EncodedSample Cut(EncodedSample sample, int start, int count)
    {
        var tokens = sample.Tokens;
        return sample with
        {
            Tokens = new TokenizedSample(tokens.Id, Without(tokens.InputIds), Without(tokens.Labels))
            {
                Weights = tokens.Weights is { } weights ? Without(weights) : null,
                Roles = tokens.Roles is { } roles ? Without(roles) : null,
            },
            OffsetStart = sample.OffsetStart is { } starts ? Without(starts) : null,
            OffsetEnd = sample.OffsetEnd is { } ends ? Without(ends) : null,
            KnownRoles = sample.KnownRoles is { } known ? Without(known) : null,
            Truncated = true,
        };

        T[] Without<T>(T[] values) => [.. values.AsSpan(0, start), .. values.AsSpan(start + count)];
    }
}
