using Shad.Core.Errors;

namespace Shad.Data.Corpora;

/// <summary>A row or sample that was left out, and why.</summary>
/// <param name="Source">File and line: <c>corpus.jsonl:17</c>.</param>
/// <param name="Code">Stable, dotted code of the reason.</param>
/// <param name="Message">Text for a person; starts with the source.</param>
public sealed record CorpusIssue(string Source, string Code, string Message);

/// <summary>
/// What became of every row of a corpus in one pass: counts of all, and the first <see cref="ListedIssues"/> of each kind in full. Filled by
/// <see cref="CorpusReader"/> and <see cref="SampleEncoder"/>; take a new one for each pass. Safe for use from several threads.
/// </summary>
/// <remarks>Every row is in exactly one of <see cref="BadRows"/>, <see cref="Skipped"/> or <see cref="Encoded"/> once both have run.</remarks>
public sealed class CorpusReport
{
    /// <summary>Most issues kept in full for each of <see cref="BadRowList"/> and <see cref="SkippedList"/>.</summary>
    public const int ListedIssues = 100;

    private readonly Lock _lock = new();
    private readonly List<CorpusIssue> _badRows = [];
    private readonly List<CorpusIssue> _skipped = [];
    private readonly SortedDictionary<string, long> _byCode = new(StringComparer.Ordinal);
    private long _rows, _badCount, _skippedCount, _duplicates, _encoded, _truncated, _tokens, _targets;

    /// <summary>Good rows read.</summary>
    public long Rows => Get(ref _rows);

    /// <summary>Rows that could not be used.</summary>
    public long BadRows => Get(ref _badCount);

    /// <summary>Rows whose id another row had before; they got a suffix.</summary>
    public long DuplicateIds => Get(ref _duplicates);

    /// <summary>Samples encoded, truncated ones included.</summary>
    public long Encoded => Get(ref _encoded);

    /// <summary>Samples whose prompt was cut from the left to fit the context.</summary>
    public long Truncated => Get(ref _truncated);

    /// <summary>Samples left out because they do not fit the context.</summary>
    public long Skipped => Get(ref _skippedCount);

    /// <summary>Tokens of the encoded samples.</summary>
    public long Tokens => Get(ref _tokens);

    /// <summary>Response tokens of the encoded samples.</summary>
    public long Targets => Get(ref _targets);

    /// <summary>The first bad rows, in the order read.</summary>
    public IReadOnlyList<CorpusIssue> BadRowList => Copy(_badRows);

    /// <summary>The first skipped samples.</summary>
    public IReadOnlyList<CorpusIssue> SkippedList => Copy(_skipped);

    /// <summary>Bad rows and skipped samples by the code of their reason.</summary>
    public IReadOnlyDictionary<string, long> CountsByCode
    {
        get
        {
            lock (_lock) return new SortedDictionary<string, long>(_byCode, StringComparer.Ordinal);
        }
    }

    /// <summary>One line for a person: <c>1,148 samples (3 truncated), 2 bad rows, 1 skipped</c>.</summary>
    public override string ToString()
    {
        lock (_lock)
        {
            string text = $"{(_encoded + _skippedCount > 0 ? _encoded : _rows):N0} samples";
            if (_truncated > 0) text += $" ({_truncated:N0} truncated)";
            if (_badCount > 0) text += $", {_badCount:N0} bad rows";
            if (_skippedCount > 0) text += $", {_skippedCount:N0} skipped";
            if (_duplicates > 0) text += $", {_duplicates:N0} duplicate ids renamed";
            return text;
        }
    }

    internal void AddRow(bool renamed)
    {
        lock (_lock)
        {
            _rows++;
            if (renamed) _duplicates++;
        }
    }

    internal void AddBadRow(RowSource source, ShadException error)
    {
        lock (_lock)
        {
            _badCount++;
            Add(_badRows, source.ToString(), error);
        }
    }

    internal void AddSkipped(string source, ShadException reason)
    {
        lock (_lock)
        {
            _skippedCount++;
            Add(_skipped, source, reason);
        }
    }

    internal void AddEncoded(EncodedSample sample)
    {
        int targets = sample.Tokens.TargetCount;
        lock (_lock)
        {
            _encoded++;
            if (sample.Truncated) _truncated++;
            _tokens += sample.Tokens.Length;
            _targets += targets;
        }
    }

    private void Add(List<CorpusIssue> list, string source, ShadException error)
    {
        if (list.Count < ListedIssues) list.Add(new CorpusIssue(source, error.Code, error.Message));
        _byCode[error.Code] = _byCode.GetValueOrDefault(error.Code) + 1;
    }

    private long Get(ref long count)
    {
        lock (_lock) return count;
    }

    private List<CorpusIssue> Copy(List<CorpusIssue> list)
    {
        lock (_lock) return [.. list];
    }
}
