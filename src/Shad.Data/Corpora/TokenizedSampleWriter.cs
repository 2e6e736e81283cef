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
    private readonly JsonLineWriter _lines;

    private TokenizedSampleWriter(JsonLineWriter lines) => _lines = lines;

    /// <summary>Samples written so far.</summary>
    public long Count { get; private set; }

    /// <summary>Opens a writer; the path must end in <c>.jsonl</c>.</summary>
    /// <exception cref="ShadException">The ending is another, or the file cannot be created.</exception>
    public static TokenizedSampleWriter Create(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!path.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase)) throw FileErrors.UnknownEnding(path, ".jsonl");
        return new TokenizedSampleWriter(new JsonLineWriter(path));
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
    /// <exception cref="ArgumentException">A weight of a response token is not finite or negative.</exception>
    /// <exception cref="ShadException">The file cannot be written, as on a full disk; nothing of it remains.</exception>
    public void Write(TokenizedSample sample)
    {
        ArgumentNullException.ThrowIfNull(sample);
        var json = _lines.Json;
        json.WriteStartObject();
        json.WriteString("id"u8, sample.Id);
        _lines.WriteIntegers("input_ids"u8, sample.InputIds);
        _lines.WriteIntegers("labels"u8, sample.Labels);
        if (sample.Weights is { } weights)
        {
            json.WriteStartArray("weight"u8);
            for (int i = 0; i < weights.Length; i++)
            {
                if (!sample.IsTarget(i)) json.WriteNullValue();
                else if (float.IsFinite(weights[i]) && weights[i] >= 0) json.WriteNumberValue(weights[i]);
                else throw new ArgumentException($"Sample '{sample.Id}': weight[{i}] is {weights[i]}.", nameof(sample));
            }

            json.WriteEndArray();
        }

        if (sample.Roles is { } roles) _lines.WriteRoles("role"u8, roles);
        json.WriteEndObject();
        _lines.EndRow();
        Count++;
    }

    /// <summary>Finishes the file and gives it its name.</summary>
    /// <exception cref="ShadException">That failed, as on a full disk; nothing of it remains.</exception>
    public void Complete() => _lines.Complete();

    /// <inheritdoc/>
    public void Dispose() => _lines.Dispose();
}
