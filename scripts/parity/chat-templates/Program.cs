using System.Text;
using System.Text.Json;
using Shad.Core.Errors;
using Shad.Data.Chat.Templates;

// Renders jobs with Shad's own template engine: one JSON object a line in, one out.
//   RenderTemplates JOBS.jsonl OUT.jsonl
var parsed = new Dictionary<string, JinjaTemplate>();
using var output = new StreamWriter(args[1], append: false, new UTF8Encoding(false));
foreach (string line in File.ReadLines(args[0]))
{
    using JsonDocument job = JsonDocument.Parse(line);
    string file = job.RootElement.GetProperty("template").GetString()!;
    DateTime now = job.RootElement.GetProperty("now").GetDateTime();
    string? text = null, error = null;
    try
    {
        if (!parsed.TryGetValue(file, out JinjaTemplate? template))
            parsed[file] = template = JinjaTemplate.Parse(File.ReadAllText(file), Path.GetFileName(file));
        var variables = job.RootElement.GetProperty("variables").EnumerateObject()
            .ToDictionary(member => member.Name, member => TemplateValue.Of(member.Value));
        text = template.Render(variables, now).Value;
    }
    catch (ShadException e)
    {
        error = e.Message;
    }

    output.WriteLine(JsonSerializer.Serialize(new { text, error }));
}
