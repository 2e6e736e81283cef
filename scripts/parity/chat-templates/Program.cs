using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Shad.Core.Errors;
using Shad.Data.Chat;
using Shad.Data.Chat.Templates;
using Shad.Data.Corpora;

// Renders jobs with Shad's own template engine: one JSON object a line in, one out.
//   RenderTemplates JOBS.jsonl OUT.jsonl               the text, or the error
//   RenderTemplates --responses JOBS.jsonl OUT.jsonl   the segments of the conversations that end with an assistant's turn
bool findsResponses = args[0] == "--responses";
string jobs = args[^2];
var parsed = new Dictionary<string, JinjaTemplate>();
var traits = new Dictionary<string, TemplateTraits>();
var row = new CorpusRowParser(null);
using var output = new StreamWriter(args[^1], append: false, new UTF8Encoding(false));
int line = 0;
foreach (string text in File.ReadLines(jobs))
{
    line++;
    using JsonDocument job = JsonDocument.Parse(text);
    string file = job.RootElement.GetProperty("template").GetString()!;
    DateTime now = job.RootElement.GetProperty("now").GetDateTime();
    JsonElement variables = job.RootElement.GetProperty("variables");
    try
    {
        if (!parsed.TryGetValue(file, out JinjaTemplate? template))
            parsed[file] = template = JinjaTemplate.Parse(File.ReadAllText(file), Path.GetFileName(file));
        if (findsResponses) output.WriteLine(JsonSerializer.Serialize(Responses(file, template, variables, now)));
        else output.WriteLine(JsonSerializer.Serialize(new { text = template.Render(variables.EnumerateObject().ToDictionary(m => m.Name, m => TemplateValue.Of(m.Value)), now).Value }));
    }
    catch (ShadException e)
    {
        output.WriteLine(JsonSerializer.Serialize(new { error = e.Message, code = e.Code }));
    }
}

object Responses(string file, JinjaTemplate template, JsonElement variables, DateTime now)
{
    // The special tokens of a template that stands alone are not known; what looks like one in its source is taken for one.
    string[] special = [.. SpecialToken().Matches(File.ReadAllText(file)).Select(match => match.Value).Append("<EOS>").Append("<BOS>").Distinct()];
    var tokens = new Dictionary<string, string> { ["bos_token"] = "<BOS>", ["eos_token"] = "<EOS>" };
    if (!traits.TryGetValue(file, out TemplateTraits? form)) traits[file] = form = TemplateTraits.Of(template, tokens, now);
    var conversation = (ConversationRow)row.Parse(Encoding.UTF8.GetBytes(variables.GetRawText()), new RowSource("jobs", line));
    if (conversation.Messages[^1].Role != ChatRole.Assistant) return new { skipped = true };
    TextSample sample = new ResponseFinder(new TemplateChat(template, form, tokens, conversation, now), special).ToSample();
    return new { traits = form.ToString(), segments = sample.Segments.Select(segment => new { segment.IsResponse, segment.Text }) };
}

internal partial class Program
{
    [GeneratedRegex(@"<[|｜][^|｜>\s']*[|｜]>|</?[a-z]+_[a-z_]+>|\[/?[A-Z][A-Z_]+\]|</s>|\]~b\]|\[e~\[")]
    private static partial Regex SpecialToken();
}
