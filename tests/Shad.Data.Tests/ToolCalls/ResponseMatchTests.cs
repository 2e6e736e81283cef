using Shad.Data.ToolCalls;

namespace Shad.Data.Tests.ToolCalls;

public sealed class ResponseMatchTests
{
    private const string Two = """[{"name": "a", "arguments": {"x": 1, "y": [2, {"p": "q", "r": null}]}}, {"name": "b", "arguments": {"x": "1"}}]""";

    [TestCase(Two, true, true, true, true, true)]
    [TestCase("""[{"name": "b", "arguments": {"x": "1"}}, {"name": "a", "arguments": {"y": [2.0, {"r": null, "p": "q"}], "x": 1}}]""", true, true, true, true, true)]
    [TestCase("""[{"name": "a", "arguments": {"x": 1, "y": [2, {"p": "q", "r": null}]}}, {"name": "b", "arguments": {"x": 1}}]""", true, true, true, false, false)]
    [TestCase("""[{"name": "a", "arguments": {"x": 1, "y": [2, {"p": "q", "r": null}], "z": 0}}, {"name": "b", "arguments": {"x": "1"}}]""", true, true, false, true, false)]
    [TestCase("""[{"name": "a", "arguments": {"x": 1, "y": [2, {"p": "q", "r": null}]}}, {"name": "c", "arguments": {"x": "1"}}]""", true, false, false, true, false)]
    [TestCase("""[{"name": "a", "arguments": {"x": 1, "y": [2, {"p": "q", "r": null}]}}]""", true, false, false, false, false)]
    [TestCase("""[{"name": "a", "arguments": {}}, {"name": "b", "arguments": {"x": "1"}}, {"name": "b", "arguments": {"x": "1"}}]""", true, false, false, false, false)]
    [TestCase("no call", false, false, false, false, false)]
    public void Calls_are_compared_by_name_argument_names_and_values(
        string generated, bool readable, bool name, bool argumentNames, bool values, bool call)
    {
        var match = ResponseMatch.Of(Two, generated);
        Assert.Multiple(() =>
        {
            Assert.That(match.Readable, Is.EqualTo(readable));
            Assert.That(match.Json, Is.EqualTo(readable));
            Assert.That(match.Name, Is.EqualTo(name));
            Assert.That(match.ArgumentNames, Is.EqualTo(argumentNames));
            Assert.That(match.Values, Is.EqualTo(values));
            Assert.That(match.Call, Is.EqualTo(call));
            Assert.That(match.Response, Is.EqualTo(generated == Two));
        });
    }

    [Test]
    public void A_call_in_another_format_is_the_same_call_but_another_response()
    {
        var match = ResponseMatch.Of(
            """{"selected_function": "a", "filled_slots": {"x": 7}}""", "Next step: \"a\"\nGiven values: \"x\" = \"7\"");
        Assert.Multiple(() =>
        {
            Assert.That(match.Call, Is.True);
            Assert.That(match.Response, Is.False);
            Assert.That(match.Json, Is.False);
        });
    }

    [Test]
    public void Other_text_is_compared_as_text_only()
    {
        var match = ResponseMatch.Of("Paris.\n", " Paris.");
        Assert.Multiple(() =>
        {
            Assert.That(match.Response, Is.True);
            Assert.That(match.Json, Is.Null);
            Assert.That(match.Readable, Is.Null);
            Assert.That(match.Call, Is.Null);
        });
        Assert.That(ResponseMatch.Of("Paris", "paris").Response, Is.False);
        Assert.That(ResponseMatch.Of("[1, 2]", "[1, 2").Json, Is.False);
        Assert.That(ResponseMatch.Of("[1, 2]", "[3]").Call, Is.Null, "a list of numbers is no call");
    }
}
