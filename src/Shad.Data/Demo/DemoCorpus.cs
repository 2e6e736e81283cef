using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Shad.Core.Errors;
using Shad.Core.Randomness;
using Shad.Data.Files;

namespace Shad.Data.Demo;

/// <summary>
/// A generated corpus of tool calls that knows the role of every character of its responses: a yardstick for rules that find
/// roles from losses.
/// </summary>
/// <remarks>
/// <para>Specific to a sample, and hence reasoning, are the function chosen among those the prompt lists, the names of its
/// arguments, their values, and the words of the thought that restate the request. Each is in the prompt letter by letter and is
/// mentioned once in the response. Everything else is template: phrasings that recur from sample to sample, drawn without
/// looking at the request.</para>
/// <para>Nothing in a prompt hints at the format of its response, and the course of a format (a thought, a function, three
/// arguments, an outlook) is always the same, so that no template character can be told from the prompt.</para>
/// </remarks>
public static class DemoCorpus
{
    private const int FlushBytes = 1 << 18;

    /// <summary>Generates samples one by one. The same options give the same samples.</summary>
    /// <exception cref="ShadException">An option is out of its range.</exception>
    public static IEnumerable<DemoSample> Generate(DemoOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Samples < 1) throw DemoErrors.BadCount(options.Samples);
        if (options.First < 0 || options.First > int.MaxValue - options.Samples)
            throw DemoErrors.BadFirst(options.First, options.Samples);
        DemoFormat[] formats = [.. options.Formats.Distinct().Order()];
        if (formats.Length == 0) throw DemoErrors.NoFormats();
        foreach (DemoFormat format in formats)
        {
            if (!Enum.IsDefined(format)) throw DemoErrors.UnknownFormat(format);
        }

        return Enumerable.Range(options.First, options.Samples).Select(number => Create(options.Seed, number, formats));
    }

    /// <summary>
    /// Writes samples as JSON Lines in the <c>messages</c> format, with the further fields <c>format</c> and <c>reasoning_spans</c>:
    /// <c>[[start, end], …]</c>, UTF-16 units of the last message's content.
    /// </summary>
    /// <param name="path">The file; it appears when it is whole and replaces one that was there.</param>
    /// <param name="options">What to generate.</param>
    /// <exception cref="ShadException">An option is out of its range, or the file cannot be written.</exception>
    public static void WriteJsonLines(string path, DemoOptions options) => WriteJsonLines(path, Generate(options));

    /// <inheritdoc cref="WriteJsonLines(string, DemoOptions)"/>
    /// <param name="path">The file; it appears when it is whole and replaces one that was there.</param>
    /// <param name="samples">The samples to write.</param>
    /// <exception cref="ShadException">The file cannot be written.</exception>
    public static void WriteJsonLines(string path, IEnumerable<DemoSample> samples)
    {
        ArgumentNullException.ThrowIfNull(samples);
        using var file = AtomicFile.Create(path);
        var rows = new ArrayBufferWriter<byte>(2 * FlushBytes);
        using var json = new Utf8JsonWriter(rows, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        foreach (DemoSample sample in samples)
        {
            WriteRow(json, sample);
            json.Flush();
            json.Reset();
            rows.Write("\n"u8);
            if (rows.WrittenCount >= FlushBytes) Flush();
        }

        Flush();
        file.Complete();

        void Flush()
        {
            try
            {
                file.Stream.Write(rows.WrittenSpan);
                rows.ResetWrittenCount();
            }
            catch (IOException e)
            {
                throw file.CannotWrite(e);
            }
        }
    }

    private static DemoSample Create(ulong seed, int number, DemoFormat[] formats)
    {
        // The content and the layout come from separate streams: what is said cannot depend on how, nor how on what.
        var root = new SeededRandom(seed);
        SeededRandom content = root.Fork(2 * (ulong)number);
        SeededRandom layout = root.Fork(2 * (ulong)number + 1);

        DemoRequest request = DemoRequest.Draw(content);
        string system = DemoPrompt.System(request, content);
        string user = DemoPrompt.User(request, content);
        DemoFormat format = layout.Choose<DemoFormat>(formats);
        AnnotatedText response = DemoResponse.Write(format, request, layout);
        string id = string.Create(CultureInfo.InvariantCulture, $"demo-{seed}-{number:D6}");
        return new DemoSample(id, format, system, user, response.Text, response.Specific);
    }

    private static void WriteRow(Utf8JsonWriter json, DemoSample sample)
    {
        json.WriteStartObject();
        json.WriteString("id"u8, sample.Id);
        json.WriteString("format"u8, DemoFormats.NameOf(sample.Format));
        json.WriteStartArray("messages"u8);
        WriteMessage("system", sample.System);
        WriteMessage("user", sample.User);
        WriteMessage("assistant", sample.Response);
        json.WriteEndArray();
        json.WriteStartArray("reasoning_spans"u8);
        foreach ((int start, int end) in sample.ReasoningSpans)
        {
            json.WriteStartArray();
            json.WriteNumberValue(start);
            json.WriteNumberValue(end);
            json.WriteEndArray();
        }

        json.WriteEndArray();
        json.WriteEndObject();

        void WriteMessage(string role, string content)
        {
            json.WriteStartObject();
            json.WriteString("role"u8, role);
            json.WriteString("content"u8, content);
            json.WriteEndObject();
        }
    }
}
