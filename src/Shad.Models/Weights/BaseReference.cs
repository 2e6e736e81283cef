using System.Globalization;
using System.Text.Json;
using Shad.Core.Errors;
using Shad.Models.Configuration;
using Shad.Models.Errors;

namespace Shad.Models.Weights;

/// <summary>
/// <c>shad_base.json</c>: says that a model folder holds only the tensors in which it differs from a base model
/// (<c>changed.safetensors</c>), and which base model that is.
/// </summary>
/// <param name="Folder">Full path of the base model's folder. In the file it may be relative to the folder of the file.</param>
/// <param name="Sha256">Hash of the base model's weights (<see cref="ModelWeights.ContentHash"/>), 64 hexadecimal digits.</param>
/// <param name="Bytes">Bytes of its weight files.</param>
/// <param name="Modified">Their last change. While it and <paramref name="Bytes"/> hold, the weights are not hashed again.</param>
public sealed record BaseReference(string Folder, string Sha256, long Bytes, DateTime Modified)
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "shad_base.json";

    /// <summary>Name of the weights file beside it. Not <see cref="ModelWeights.FileName"/>: other programs would read that as a whole
    /// model and make up the tensors it lacks.</summary>
    public const string ChangesFileName = "changed.safetensors";

    /// <summary>The reference of a model folder; null where the folder holds a whole model, or none.</summary>
    /// <exception cref="ShadException">The file is damaged.</exception>
    public static BaseReference? In(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        string path = Path.GetFullPath(Path.Combine(folder, FileName));
        if (!File.Exists(path)) return null;
        using JsonDocument document = JsonFile.ReadObject(path);
        string target = Text("base", "the path of the base model's folder");
        string hash = Text("sha256", "64 hexadecimal digits");
        if (hash.Length != 64 || !hash.All(char.IsAsciiHexDigit))
            throw ModelErrors.FieldInvalid(path, "sha256", $"'{hash}'", "64 hexadecimal digits");
        const string bytesExpected = "the number of bytes of the base model's weights", timeExpected = "a time in ISO 8601";
        JsonElement size = Member("bytes", bytesExpected);
        if (size.ValueKind != JsonValueKind.Number || !size.TryGetInt64(out long bytes))
            throw ModelErrors.FieldInvalid(path, "bytes", ModelErrors.Describe(size), bytesExpected);
        string modified = Text("modified", timeExpected);
        if (!DateTime.TryParseExact(modified, "O", CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out DateTime time))
            throw ModelErrors.FieldInvalid(path, "modified", $"'{modified}'", timeExpected);
        return new BaseReference(Path.GetFullPath(target, Path.GetDirectoryName(path)!), hash.ToLowerInvariant(), bytes, time);

        JsonElement Member(string field, string expected) =>
            document.RootElement.TryGetProperty(field, out JsonElement value) ? value : throw ModelErrors.FieldMissing(path, field, expected);

        string Text(string field, string expected)
        {
            JsonElement value = Member(field, expected);
            return value.ValueKind == JsonValueKind.String && value.GetString() is { Length: > 0 } text
                ? text
                : throw ModelErrors.FieldInvalid(path, field, ModelErrors.Describe(value), expected);
        }
    }

    /// <summary>A reference to a model: to its own base where it is itself stored as changes.</summary>
    /// <exception cref="ShadException">Its weights cannot be read.</exception>
    public static BaseReference To(ModelFolder model)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (model.Weights.Base is { } reference) return reference;
        (long bytes, DateTime modified) = model.Weights.Stamp();
        return new BaseReference(model.Path, model.Weights.ContentHash(), bytes, modified);
    }

    /// <summary>Refuses weights that are not those referred to.</summary>
    /// <exception cref="ShadException">They are others.</exception>
    internal void Check(ModelWeights weights, string referringFolder)
    {
        (long bytes, DateTime modified) = weights.Stamp();
        if (bytes == Bytes && (modified == Modified || weights.ContentHash() == Sha256)) return;
        throw ModelErrors.BaseChanged(Path.Combine(referringFolder, FileName), Folder);
    }

    /// <summary>The content of the file.</summary>
    internal byte[] ToJson()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteString("base", Folder);
            json.WriteString("sha256", Sha256);
            json.WriteNumber("bytes", Bytes);
            json.WriteString("modified", Modified.ToString("O", CultureInfo.InvariantCulture));
            json.WriteEndObject();
        }

        return buffer.ToArray();
    }
}
