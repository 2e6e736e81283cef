using System.Text.Json;
using System.Text.Unicode;
using Shad.Models.Errors;

namespace Shad.Models.Configuration;

/// <summary>Reads a small JSON file whose root must be an object.</summary>
internal static class JsonFile
{
    private static readonly JsonDocumentOptions Options = new() { AllowDuplicateProperties = false };

    /// <exception cref="Core.Errors.ShadException">The file is missing, unreadable or not a JSON object.</exception>
    public static JsonDocument ReadObject(string path)
    {
        if (!File.Exists(path)) throw ModelErrors.FileMissing(path, foundInstead: null);
        try
        {
            return ParseObject(File.ReadAllBytes(path), path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw ModelErrors.CannotRead(path, error);
        }
    }

    /// <param name="utf8">The content.</param>
    /// <param name="path">File it came from, for errors.</param>
    public static JsonDocument ParseObject(ReadOnlyMemory<byte> utf8, string path)
    {
        if (utf8.Span.StartsWith("\uFEFF"u8)) utf8 = utf8[3..];
        if (!Utf8.IsValid(utf8.Span)) throw ModelErrors.NotJsonText(path, new FormatException("it is not UTF-8 text"));
        JsonDocument? document = null;
        try
        {
            document = JsonDocument.Parse(utf8, Options);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw ModelErrors.NotAnObject(path, document.RootElement.ValueKind);
            DecodeStrings(document.RootElement);
            return document;
        }
        catch (JsonException error)
        {
            document?.Dispose();
            throw ModelErrors.NotJson(path, error);
        }
        catch (InvalidOperationException error)
        {
            document?.Dispose();
            throw ModelErrors.NotJsonText(path, error);
        }
        catch
        {
            document?.Dispose();
            throw;
        }
    }

    // A string with an unpaired surrogate escape is found when it is decoded: here, rather than wherever it is first used.
    private static void DecodeStrings(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.String:
                _ = element.GetString();
                break;
            case JsonValueKind.Array:
                foreach (JsonElement item in element.EnumerateArray()) DecodeStrings(item);
                break;
            case JsonValueKind.Object:
                foreach (JsonProperty member in element.EnumerateObject())
                {
                    _ = member.Name;
                    DecodeStrings(member.Value);
                }

                break;
        }
    }
}
