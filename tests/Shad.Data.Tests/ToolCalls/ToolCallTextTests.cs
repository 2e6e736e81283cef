using CsCheck;
using Shad.Data.Demo;
using Shad.Data.ToolCalls;

namespace Shad.Data.Tests.ToolCalls;

public sealed class ToolCallTextTests
{
    private const string Weather = """{"name": "weather", "arguments": {"city": "Bonn", "days": 3}}""";

    [TestCase(Weather)]
    [TestCase("[" + Weather + "]")]
    [TestCase("```json\n" + Weather + "\n```")]
    [TestCase("Let me see.\n<tool_call>\n" + Weather + "\n</tool_call>")]
    [TestCase("[TOOL_CALLS] [" + Weather + "]")]
    [TestCase("""{"arguments": {"days": 3.0, "city": "Bonn"}, "name": "weather"}""")]
    [TestCase("""{"id": "1", "function": {"name": "weather", "arguments": "{\"city\": \"Bonn\", \"days\": 3}"}}""")]
    [TestCase("""{"tool": "weather", "parameters": {"city": "\u0042onn", "days": 3e0}}""")]
    [TestCase("Thought: rain?\nAction: weather\nAction Input: {\"city\": \"Bonn\", \"days\": 3}\n")]
    [TestCase("Considering: rain\nNext step: \"weather\"\nGiven values: \"days\" = \"3\"; \"city\" = \"Bonn\"\nAfterwards: read.")]
    [TestCase("<decision>\n<use function=\"weather\">\n<slot label=\"city\">Bonn</slot>\n<slot label=\"days\">3</slot>\n</use>\n</decision>")]
    [TestCase("Well. The function that suits this is \"weather\", which I will run with \"city\" set to \"Bonn\", \"days\" set to \"3\". Bye.")]
    public void A_call_is_read_from_each_format(string response)
    {
        var call = ToolCallText.Read(response)!.Single();
        Assert.That(call.IsSameAs(ToolCallText.Read(Weather)!.Single()), $"{call.Name} {string.Join(", ", call.Arguments)}");
    }

    [TestCase("")]
    [TestCase("It will rain.")]
    [TestCase("""{"name": "weather", "arguments": {"city": "Bonn" """)]
    [TestCase("""{"name": "weather", "arguments": 3}""")]
    [TestCase("""{"name": 3, "arguments": {}}""")]
    [TestCase("[" + Weather + ", 7]")]
    [TestCase("[]")]
    [TestCase("<tool_call>weather</tool_call>")]
    [TestCase("Next step: \"weather\"\nGiven values: \"city\" = \"Bonn\"; and some")]
    [TestCase("Next step: \"weather\"\nGiven values: \"city\" = \"Bonn\"; \"city\" = \"Ulm\"")]
    [TestCase("<use function=\"weather\"><slot label=\"city\">Bonn</slot> and more</use>")]
    [TestCase("<use function=\"weather\"><slot label=\"city\">Bonn</slot>")]
    public void What_cannot_be_read_is_no_call(string response) => Assert.That(ToolCallText.Read(response), Is.Null);

    [Test]
    public void Several_calls_are_read_in_their_order([Values("[{0}, {1}]", "{0}\n{1}", "<tool_call>{0}</tool_call>\n<tool_call>{1}</tool_call>")] string pattern)
    {
        string response = pattern.Replace("{0}", Weather, StringComparison.Ordinal)
            .Replace("{1}", """{"name": "stop"}""", StringComparison.Ordinal);
        Assert.That(ToolCallText.Read(response)!.Select(static call => call.Name), Is.EqualTo(new[] { "weather", "stop" }));
    }

    /// <summary>The generator knows which words are specific: the last seven are the function and three arguments with their values.</summary>
    [Test]
    public void Every_demo_response_is_read_as_the_call_it_was_made_from([Values] DemoFormat format)
    {
        foreach (var sample in DemoCorpus.Generate(new DemoOptions { Samples = 400, Seed = 6, Formats = [format] }))
        {
            string[] words = [.. sample.ReasoningSpans.TakeLast(7).Select(span => sample.Response[span.Start..span.End])];
            var call = ToolCallText.Read(sample.Response)!.Single();
            Assert.That(call.Name, Is.EqualTo(words[0]));
            Assert.That(call.Arguments, Has.Count.EqualTo(3));
            for (int i = 1; i < 7; i += 2)
                Assert.That(call.Arguments[words[i]].IsSameAs(CalledValue.OfText(words[i + 1])), sample.Response);
        }
    }

    [Test]
    public void A_cut_or_changed_demo_response_is_never_read_as_the_same_call([Values] DemoFormat format)
    {
        var samples = DemoCorpus.Generate(new DemoOptions { Samples = 50, Seed = 7, Formats = [format] }).ToArray();
        Gen.Select(Gen.Int[0, samples.Length - 1], Gen.Int[0, 6]).Sample((s, word) =>
        {
            var sample = samples[s];
            var (start, end) = sample.ReasoningSpans[^(word + 1)];
            string changed = string.Concat(sample.Response.AsSpan(0, end), "0", sample.Response.AsSpan(end));
            Assert.That(ResponseMatch.Of(sample.Response, changed).Call, Is.False, changed);
            Assert.That(ResponseMatch.Of(sample.Response, sample.Response[..start]).Call, Is.False);
            Assert.That(ResponseMatch.Of(sample.Response, sample.Response).Call, Is.True);
        });
    }
}
