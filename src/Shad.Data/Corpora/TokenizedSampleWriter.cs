using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Shad.Core.Errors;
using Shad.Core.Samples;
using Shad.Data.Files;

namespace Shad.Data.Corpora;

/// <summary>
/// Writes tokenized samples as JSON Lines, in the fields <see cref="TokenizedSampleReader"/> reads. The file appears under its name
/// on <see cref="Complete"/>; disposed before that, nothing of it remains.
/// </summary>
public sealed class TokenizedSampleWriter : IDisposable
{
    private const int FlushBytes = 1 << 18;
    private static readonly JsonWriterOptions Options = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true,
    };

    private readonly AtomicFile _file;
    private readonly ArrayBufferWriter<byte> _buffer = new(FlushBytes + (1 << 16));
    private readonly Utf8JsonWriter _json;

    private TokenizedSampleWriter(AtomicFile file)
    {
        _file = file;
        _json = new Utf8JsonWriter(_buffer, Options);
    }

    /// <summary>Samples written so far.</summary>
    public long Count { get; private set; }

    /// <summary>Opens a writer; the path must end in <c>.jsonl</c>.</summary>
    /// <exception cref="ShadException">The ending is another, or the file cannot be created.</exception>
    public static TokenizedSampleWriter Create(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!path.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase)) throw FileErrors.UnknownEnding(path, ".jsonl");
        return new TokenizedSampleWriter(AtomicFile.Create(path));
    }

    /// <summary>Writes all samples and completes the file.</summary>
    /// <exception cref="ShadException">The file cannot be written; nothing of it remains.</exception>
    public static void WriteAll(string path, IEnumerable<TokenizedSample> samples)
    {
        ArgumentNullException.ThrowIfNull(samples);
        using var writer = Create(path);
        foreach (var sample in samples) writer.Write(sample);
        writer.Complete();
    }

    /// <summary>Writes one sample.</summary>
    /// <exception cref="ShadException">The file cannot be written, as on a full disk; nothing of it remains.</exception>
    public void Write(TokenizedSample sample)
    {
        ArgumentNullException.ThrowIfNull(sample);
        _json.WriteStartObject();
        _json.WriteString("id"u8, sample.Id);
        WriteIntegers("input_ids"u8, sample.InputIds);
        WriteIntegers("labels"u8, sample.Labels);
        if (sample.Weights is { } weights)
        {
            _json.WriteStartArray("weight"u8);
            for (int i = 0; i < weights.Length; i++)
            {
                if (sample.IsTarget(i)) _json.WriteNumberValue(weights[i]);
                else _json.WriteNullValue();
            }

            _json.WriteEndArray();
        }

        if (sample.Roles is { } roles)
        {
            _json.WriteStartArray("role"u8);
            foreach (var role in roles)
            {
                if (role is { } known) _json.WriteNumberValue((int)known);
                else _json.WriteNullValue();
            }

            _json.WriteEndArray();
        }

        _json.WriteEndObject();
        _json.Flush();
        _json.Reset();
        _buffer.Write("\n"u8);
        Count++;
        if (_buffer.WrittenCount >= FlushBytes) FlushBuffer();
    }

    /// <summary>Finishes the file and gives it its name.</summary>
    /// <exception cref="ShadException">That failed, as on a full disk; nothing of it remains.</exception>
    public void Complete()
    {
        FlushBuffer();
        _file.Complete();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _json.Dispose();
        _file.Dispose();
    }

    private void WriteIntegers(ReadOnlySpan<byte> name, int[] values)
    {
        _json.WriteStartArray(name);
        foreach (int value in values) _json.WriteNumberValue(value);
        _json.WriteEndArray();
    }

    private void FlushBuffer()
    {
        try
        {
            _file.Stream.Write(_buffer.WrittenSpan);
            _buffer.ResetWrittenCount();
        }
        catch (IOException e)
        {
            throw _file.CannotWrite(e);
        }
    }
}
