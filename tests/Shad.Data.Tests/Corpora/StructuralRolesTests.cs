using CsCheck;
using Shad.Core.Samples;
using Shad.Data.Corpora;

namespace Shad.Data.Tests.Corpora;

public sealed class StructuralRolesTests
{
    private const string Call = """[{"name": "math.gcd", "arguments": {"a": 12, "unit": "km", "deep": {"x": [true, null, ""]}}}]""";

    [Test]
    public void Values_are_the_contents_of_strings_numbers_and_literals() =>
        Assert.That(Texts(Call, StructuralPart.Value), Is.EqualTo(new[] { "math.gcd", "12", "km", "true", "null" }));

    [Test]
    public void Argument_names_are_neither_scaffold_nor_value() =>
        Assert.That(Texts(Call, StructuralPart.ArgumentName), Is.EqualTo(new[] { "a", "unit", "deep", "x" }));

    [Test]
    public void Everything_else_is_scaffold()
    {
        string[] scaffold = Texts(Call, StructuralPart.Scaffold);
        Assert.Multiple(() =>
        {
            Assert.That(scaffold[0], Is.EqualTo("[{\"name\": \""));
            Assert.That(scaffold[1], Is.EqualTo("\", \"arguments\": {\""));
            Assert.That(scaffold[^1], Is.EqualTo(", \"\"]}}}]"));
        });
    }

    [Test]
    public void After_the_arguments_property_names_are_scaffold_again() =>
        Assert.That(
            Texts("""[{"arguments": {"a": 1}, "name": "f"}, {"parameters": [{"b": 2}], "id": 3}]""", StructuralPart.ArgumentName),
            Is.EqualTo(new[] { "a", "b" }));

    [Test]
    public void Arguments_that_are_no_object_do_not_mark_what_follows() =>
        Assert.That(Texts("""{"arguments": 5, "next": {"c": 1}}""", StructuralPart.ArgumentName), Is.Empty);

    [TestCase("The answer is 5.")]
    [TestCase("""{"a": 1} and more""")]
    [TestCase("""{"a": """)]
    [TestCase("5")]
    [TestCase("")]
    [TestCase("[broken]")]
    [TestCase("""{"a": 1}{"b": 2}""")]
    public void What_is_not_one_JSON_array_or_object_has_no_spans(string response) =>
        Assert.That(StructuralRoles.SpansOf(response), Is.Null);

    [TestCase("<|im_end|>")]
    [TestCase("\n</s>\n")]
    [TestCase("\n")]
    public void An_end_of_turn_mark_after_the_JSON_is_scaffold(string mark)
    {
        var spans = StructuralRoles.SpansOf("[1]" + mark)!;
        Assert.That(spans[^1], Is.EqualTo(new StructuralSpan(2, 3 + mark.Length, StructuralPart.Scaffold)));
    }

    [Test]
    public void Spans_are_counted_in_UTF16_units_whatever_the_characters() =>
        Assert.That(Texts("""{"größe": "Ω𝄞é", "n": 1}""", StructuralPart.Value), Is.EqualTo(new[] { "Ω𝄞é", "1" }));

    [Test]
    public void Spans_cover_every_response_without_gaps_and_value_texts_are_kept() =>
        Gen.String.Array[0, 6].Sample(values =>
        {
            string json = System.Text.Json.JsonSerializer.Serialize(new { name = "f", arguments = values });
            IReadOnlyList<StructuralSpan> spans = StructuralRoles.SpansOf(json)!;
            int end = 0;
            foreach (StructuralSpan span in spans)
            {
                Assert.That(span.Start, Is.EqualTo(end));
                Assert.That(span.End, Is.GreaterThan(span.Start));
                end = span.End;
            }

            Assert.That(end, Is.EqualTo(json.Length));
            int nonEmpty = values.Count(value => value.Length > 0) + 1;
            Assert.That(spans.Count(span => span.Part == StructuralPart.Value), Is.EqualTo(nonEmpty));
        });

    [Test]
    public void A_token_is_reasoning_where_it_touches_a_value_and_undecided_where_it_touches_an_argument_name()
    {
        // P [{"name": "f", "arguments": {"a": 1}}]
        const string text = "P[{\"name\": \"f\", \"arguments\": {\"a\": 1}}]";
        int[] starts = [0, 1, 10, 13, 31, 35, 36];
        int[] ends = [1, 10, 13, 31, 35, 36, text.Length];
        var tokens = new TokenizedSample(
            "s", [7, 1, 2, 3, 4, 5, 6], [TokenizedSample.IgnoredLabel, 1, 2, 3, 4, 5, 6]);
        Assert.That(text[10..13], Is.EqualTo(" \"f"));
        Assert.That(text[31..35], Is.EqualTo("a\": "));

        TokenRole?[] roles = StructuralRoles.Of(new EncodedSample(tokens, text, starts, ends))!;

        Assert.That(roles, Is.EqualTo(new TokenRole?[]
        {
            null, TokenRole.Boilerplate, TokenRole.Reasoning, TokenRole.Boilerplate, null, TokenRole.Reasoning, TokenRole.Boilerplate,
        }));
    }

    [Test]
    public void A_sample_whose_responses_are_no_JSON_has_no_structural_roles()
    {
        var tokens = new TokenizedSample("s", [7, 1], [TokenizedSample.IgnoredLabel, 1]);
        Assert.That(StructuralRoles.Of(new EncodedSample(tokens, "P5", [0, 1], [1, 2])), Is.Null);
    }

    private static string[] Texts(string response, StructuralPart part) =>
        [.. StructuralRoles.SpansOf(response)!.Where(span => span.Part == part).Select(span => response[span.Start..span.End])];
}
