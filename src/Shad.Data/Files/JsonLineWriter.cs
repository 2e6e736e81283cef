using System.Buffers;
using System.Text.Json;
using Shad.Core.Errors;
using Shad.Core.Samples;

namespace Shad.Data.Files;

/// <summary>Writes JSON Lines into an <see cref="AtomicFile"/>.</summary>
internal sealed class JsonLineWriter : IDisposable
{
    private const int FlushBytes = 1 << 18;

    private readonly AtomicFile _file;
    private readonly ArrayBufferWriter<byte> _buffer = new(FlushBytes + (1 << 16));

    /// <exception cref="ShadException">The file cannot be created.</exception>
    internal JsonLineWriter(string path)
    {
        _file = AtomicFile.Create(path);
        Json = new Utf8JsonWriter(
            _buffer,
            new JsonWriterOptions { Encoder = MinimalJsonEncoder.Instance, SkipValidation = true });
    }

    /// <summary>Takes the current row: one object.</summary>
    internal Utf8JsonWriter Json { get; }

    /// <summary>Ends the current row.</summary>
    /// <exception cref="ShadException">The file cannot be written; nothing of it remains.</exception>
    internal void EndRow()
    {
        Json.Flush();
        Json.Reset();
        _buffer.Write("\n"u8);
        if (_buffer.WrittenCount >= FlushBytes) FlushBuffer();
    }

    /// <summary>Finishes the file and gives it its name.</summary>
    /// <exception cref="ShadException">The file cannot be written; nothing of it remains.</exception>
    internal void Complete()
    {
        FlushBuffer();
        _file.Complete();
    }

    public void Dispose()
    {
        Json.Dispose();
        _file.Dispose();
    }

    internal void WriteIntegers(ReadOnlySpan<byte> name, ReadOnlySpan<int> values)
    {
        Json.WriteStartArray(name);
        foreach (int value in values) Json.WriteNumberValue(value);
        Json.WriteEndArray();
    }

    /// <summary>Writes numbers; NaN and infinities, which JSON cannot write, as null.</summary>
    internal void WriteNumbers(ReadOnlySpan<byte> name, ReadOnlySpan<float> values)
    {
        Json.WriteStartArray(name);
        foreach (float value in values)
        {
            if (float.IsFinite(value)) Json.WriteNumberValue(value);
            else Json.WriteNullValue();
        }

        Json.WriteEndArray();
    }

    /// <summary>Writes roles as their numbers, null where there is none.</summary>
    internal void WriteRoles(ReadOnlySpan<byte> name, ReadOnlySpan<TokenRole?> values)
    {
        Json.WriteStartArray(name);
        foreach (var value in values)
        {
            if (value is { } known) Json.WriteNumberValue((int)known);
            else Json.WriteNullValue();
        }

        Json.WriteEndArray();
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
