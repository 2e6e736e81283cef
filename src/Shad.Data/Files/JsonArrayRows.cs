using System.Runtime.InteropServices;
using System.Text.Json;
using Shad.Core.Errors;

namespace Shad.Data.Files;

/// <summary>The elements of a file that is one JSON array, read one at a time.</summary>
internal sealed class JsonArrayRows : JsonRowReader
{
    private static readonly JsonSerializerOptions Options = new() { MaxDepth = 256 };

    private readonly Stream _stream;
    private readonly CancellationTokenSource _cancellation = new();
    private IAsyncEnumerator<JsonElement>? _elements;
    private byte[] _row = new byte[1 << 12];

    /// <exception cref="ShadException">The file is missing or cannot be opened.</exception>
    internal JsonArrayRows(string path)
        : base(path) => _stream = InputFile.OpenDecompressed(path);

    /// <summary>True where the file's first character that is not blank is <c>[</c>.</summary>
    /// <exception cref="ShadException">The file is missing, cannot be opened or is damaged.</exception>
    internal static bool IsArray(string path)
    {
        using var stream = InputFile.OpenDecompressed(path);
        try
        {
            int value;
            do
            {
                value = stream.ReadByte();
            }
            while (value is ' ' or '\t' or '\r' or '\n' or 0xEF or 0xBB or 0xBF);

            return value == '[';
        }
        catch (Exception e) when (InputFile.ErrorOf(e, path, $"{path}:1") is { } error)
        {
            throw error;
        }
    }

    internal override async ValueTask<bool> ReadAsync(CancellationToken cancellationToken)
    {
        await using var registration = cancellationToken.Register(_cancellation.Cancel).ConfigureAwait(false);
        _elements ??= JsonSerializer.DeserializeAsyncEnumerable<JsonElement>(_stream, Options, _cancellation.Token)
            .GetAsyncEnumerator(_cancellation.Token);
        try
        {
            if (!await _elements.MoveNextAsync().ConfigureAwait(false)) return false;
        }
        catch (JsonException e)
        {
            throw FileErrors.NotJsonArray(Path, Number + 1, e);
        }
        catch (Exception e) when (InputFile.ErrorOf(e, Path, $"{Path}:{Number + 1}") is { } error)
        {
            throw error;
        }

        var bytes = JsonMarshal.GetRawUtf8Value(_elements.Current);
        if (bytes.Length > _row.Length) _row = new byte[Math.Max(bytes.Length, (int)Math.Min(2L * _row.Length, Array.MaxLength))];
        bytes.CopyTo(_row);
        Row = _row.AsMemory(0, bytes.Length);
        Number++;
        return true;
    }

    public override void Dispose()
    {
        // The enumerator holds nothing but the stream; it is never left in the middle of a MoveNextAsync.
        _cancellation.Dispose();
        _stream.Dispose();
    }
}
