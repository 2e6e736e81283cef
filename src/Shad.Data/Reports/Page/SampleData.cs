using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using Shad.Core.Samples;

namespace Shad.Data.Reports.Page;

/// <summary>
/// The samples as the JSON the report's script reads. Its encoder escapes what could end the script element or an attribute
/// (<c>&lt; &gt; &amp; ' "</c>), so corpus text cannot leave it.
/// </summary>
internal static class SampleData
{
    /// <summary>Longer names of samples are cut.</summary>
    public const int LongestId = 120;

    /// <summary>Longer texts of tokens are cut.</summary>
    public const int LongestToken = 400;

    private static readonly JsonWriterOptions Json = new() { Encoder = JavaScriptEncoder.Create(UnicodeRanges.All) };

    /// <summary>
    /// As many of the samples as fit: more than <paramref name="mostSamples"/> are thinned at even distances, longer ones cut to
    /// <paramref name="mostTokens"/>, and then the largest are left out until the whole takes at most <paramref name="mostBytes"/>.
    /// </summary>
    /// <returns>The samples shown and their JSON.</returns>
    public static (IReadOnlyList<ReportSample> Shown, string Json) Fit(
        IReadOnlyList<ReportSample> samples, int mostSamples, int mostTokens, int mostBytes)
    {
        IEnumerable<ReportSample> chosen = samples.Count <= mostSamples
            ? samples
            : Enumerable.Range(0, mostSamples)
                .Select(i => samples[mostSamples == 1 ? 0 : (int)((long)i * (samples.Count - 1) / (mostSamples - 1))]);
        var shown = new List<(ReportSample Sample, byte[] Json)>();
        foreach (ReportSample sample in chosen)
        {
            ReportSample cut = sample.Cut(mostTokens);
            byte[] json = Write(cut);
            if (json.Length < mostBytes) shown.Add((cut, json));
        }

        long bytes = shown.Sum(static one => one.Json.Length + 1L) + 2;
        while (bytes > mostBytes)
        {
            int largest = 0;
            for (int i = 1; i < shown.Count; i++)
            {
                if (shown[i].Json.Length > shown[largest].Json.Length) largest = i;
            }

            bytes -= shown[largest].Json.Length + 1;
            shown.RemoveAt(largest);
        }

        return ([.. shown.Select(static one => one.Sample)], $"[{string.Join(',', shown.Select(static one => Encoding.UTF8.GetString(one.Json)))}]");
    }

    private static byte[] Write(ReportSample sample)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, Json))
        {
            json.WriteStartObject();
            json.WriteString("id", VisibleText.Of(ReportText.Shorten(sample.Id, LongestId)));
            json.WriteNumber("before", sample.LeftOutBefore);
            json.WriteNumber("after", sample.LeftOutAfter);
            json.WriteStartArray("text");
            foreach (ReportToken token in sample.Tokens)
                json.WriteStringValue(VisibleText.Of(ReportText.Shorten(token.Text, LongestToken)));
            json.WriteEndArray();
            // One letter a token: prompt, boilerplate, reasoning, unclassified.
            json.WriteString("role", string.Concat(sample.Tokens.Select(static token => Letter(token.IsResponse, token.Role))));
            if (sample.Tokens.Any(static token => token.KnownRole is not null))
                json.WriteString("known", string.Concat(sample.Tokens.Select(static token => Letter(token.IsResponse, token.KnownRole))));
            WriteLosses(json, "ld", sample, static token => token.LossDifference);
            WriteLosses(json, "base", sample, static token => token.BaseLoss);
            WriteLosses(json, "probe", sample, static token => token.ProbeLoss);
            WriteLosses(json, "control", sample, static token => token.ControlLoss);
            json.WriteEndObject();
        }

        return stream.ToArray();
    }

    /// <summary>A number for each response token, in order, in thousandths of a nat; left out where no token has one.</summary>
    private static void WriteLosses(Utf8JsonWriter json, string name, ReportSample sample, Func<ReportToken, float> loss)
    {
        ReportToken[] responses = [.. sample.Tokens.Where(static token => token.IsResponse)];
        if (!responses.Any(token => float.IsFinite(loss(token)))) return;
        json.WriteStartArray(name);
        foreach (ReportToken token in responses)
        {
            float value = loss(token);
            if (float.IsFinite(value)) json.WriteRawValue(Math.Round(value, 3).ToString("0.###", CultureInfo.InvariantCulture));
            else json.WriteNullValue();
        }

        json.WriteEndArray();
    }

    private static char Letter(bool isResponse, TokenRole? role) => (isResponse, role) switch
    {
        (false, _) => 'p',
        (_, TokenRole.Boilerplate) => 'b',
        (_, TokenRole.Reasoning) => 'r',
        _ => 'u',
    };
}
