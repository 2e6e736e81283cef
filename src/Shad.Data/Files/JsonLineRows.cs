using System.Buffers;
using Shad.Core.Errors;

namespace Shad.Data.Files;

/// <summary>
/// Reads the lines of a UTF-8 file (decompressed by its ending) as bytes, one at a time, in a buffer that only grows to the
/// longest line. A byte-order mark is skipped, <c>\r\n</c> ends a line as <c>\n</c> does, blank lines are passed over.
/// </summary>
internal sealed class JsonLineRows : JsonRowReader
{
    /// <summary>Longest line accepted, bytes. Above it the file is taken not to be text.</summary>
    internal const int DefaultMaximumLine = 1 << 29;

    private readonly Stream _stream;
    private readonly int _maximumLine;
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(1 << 16);
    private int _start;
    private int _filled;
    private bool _atEnd;

    /// <exception cref="ShadException">The file is missing or cannot be opened.</exception>
    internal JsonLineRows(string path, int maximumLine = DefaultMaximumLine)
        : base(path)
    {
        _maximumLine = maximumLine;
        _stream = InputFile.OpenDecompressed(path);
    }

    /// <summary>Moves to the next line that is not blank.</summary>
    /// <returns>False at the end of the file.</returns>
    /// <exception cref="ShadException">The file cannot be read, is damaged, or a line is too long.</exception>
    internal override async ValueTask<bool> ReadAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            int searched = _start;
            int end;
            while ((end = _buffer.AsSpan(searched, _filled - searched).IndexOf((byte)'\n')) < 0)
            {
                searched = _filled;
                if (_atEnd) break;
                int moved = await FillAsync(cancellationToken).ConfigureAwait(false);
                searched -= moved;
            }

            int stop = end < 0 ? _filled : searched + end;
            if (end < 0 && stop == _start) return false;
            var line = _buffer.AsMemory(_start, stop - _start);
            _start = end < 0 ? _filled : stop + 1;
            Number++;
            if (Number == 1 && line.Span.StartsWith("\uFEFF"u8)) line = line[3..];
            if (line.Span.IndexOfAnyExcept(" \t\r"u8) < 0) continue;
            Row = line.Span[^1] == (byte)'\r' ? line[..^1] : line;
            return true;
        }
    }

    public override void Dispose()
    {
        _stream.Dispose();
        if (_buffer.Length > 0) ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
        _start = _filled = 0;
        _atEnd = true;
        Row = default;
    }

    /// <summary>Reads more bytes behind the unread ones, moving these to the front of the buffer.</summary>
    /// <returns>By how many bytes they were moved.</returns>
    private async ValueTask<int> FillAsync(CancellationToken cancellationToken)
    {
        int moved = _start;
        int kept = _filled - _start;
        if (kept > _maximumLine) throw FileErrors.LineTooLong(Path, Number + 1, _maximumLine);
        if (kept > _buffer.Length / 2)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(_buffer.Length * 2);
            _buffer.AsSpan(_start, kept).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = larger;
        }
        else
        {
            _buffer.AsSpan(_start, kept).CopyTo(_buffer);
        }

        _start = 0;
        _filled = kept;
        try
        {
            int read = await _stream.ReadAsync(_buffer.AsMemory(_filled), cancellationToken).ConfigureAwait(false);
            _filled += read;
            _atEnd = read == 0;
        }
        catch (Exception e) when (InputFile.ErrorOf(e, Path, $"{Path}:{Number + 1}") is { } error)
        {
            throw error;
        }

        return moved;
    }
}
