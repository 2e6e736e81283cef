using System.Text.Json.Nodes;

namespace Shad.Data.Tests.Tokenization;

/// <summary>
/// Ids of Hugging Face's own tokenizers for small tokenizers of ours, one a construct: normalizers, pre-tokenizers, added tokens. Written by
/// <c>scripts/parity/tokenizers/fixture.mjs</c>, which says where the JavaScript tokenizers differ from the Rust original; the ids are
/// the latter's.
/// </summary>
public sealed class ReferenceIdsTests
{
    private static readonly JsonObject Fixture =
        JsonNode.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Tokenization", "Data", "reference-ids.json")))!.AsObject();

    private static readonly string[] Texts = [.. Fixture["texts"]!.AsArray().Select(text => text!.GetValue<string>())];

    private static IEnumerable<TestCaseData> Cases() => Fixture["cases"]!.AsArray().Select(
        item => new TestCaseData(item!["tokenizer"]!.AsObject(), item["ids"]!.AsArray()).SetName($"Ids_of_{item["name"]!.GetValue<string>()}"));

    [TestCaseSource(nameof(Cases))]
    public void Ids_are_those_of_the_original(JsonObject definition, JsonArray ids)
    {
        var tokenizer = TokenizerFixture.Load(definition);
        Assert.That(ids, Has.Count.EqualTo(Texts.Length));
        for (var i = 0; i < Texts.Length; i++)
        {
            var encoded = tokenizer.Encode(Texts[i]);
            Assert.That(encoded.Ids, Is.EqualTo(ids[i]!.AsArray().Select(id => id!.GetValue<int>())), Texts[i]);
            for (var token = 0; token < encoded.Ids.Length; token++)
            {
                Assert.That(encoded.OffsetStart[token], Is.InRange(token == 0 ? 0 : encoded.OffsetStart[token - 1], encoded.OffsetEnd[token]), Texts[i]);
                Assert.That(encoded.OffsetEnd[token], Is.LessThanOrEqualTo(Texts[i].Length), Texts[i]);
            }
        }
    }
}
