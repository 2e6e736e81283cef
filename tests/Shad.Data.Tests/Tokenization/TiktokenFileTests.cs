using System.Text;
using CsCheck;
using Shad.Core.Errors;
using Shad.Data.Tokenization;

namespace Shad.Data.Tests.Tokenization;

public sealed class TiktokenFileTests
{
    // All bytes by rank, then tokens learned from nothing: some of them cannot be reached by merging, as whole words they can.
    private static readonly string[] Further = [" t", "he", " the", "in", "ing", "ab", "bc", "abc", " lazy", "日", "本", "日本", "\r\n", "  ", "    "];

    private static List<byte[]> Tokens() =>
        [.. Enumerable.Range(0, 256).Select(value => (byte[])[(byte)value]), .. Further.Select(Encoding.UTF8.GetBytes)];

    private static string Lines(IEnumerable<byte[]> tokens) => string.Concat(tokens.Select((token, rank) => $"{Convert.ToBase64String(token)} {rank}\n"));

    private static ITextTokenizer Load(string name = "r50k_base.tiktoken", string? lines = null, params (string Name, string Content)[] others) =>
        TokenizerLoader.Load(TokenizerFixture.Folder(null, [(name, lines ?? Lines(Tokens())), .. others]));

    /// <summary>tiktoken's algorithm as its paper description goes: the neighbours whose bytes together have the lowest rank, again and again.</summary>
    private static List<int> ReferenceIds(string text, Func<List<CodePoint>, int, int> cut)
    {
        var ranks = Tokens().Select((token, rank) => (Key: Convert.ToHexString(token), rank)).ToDictionary(pair => pair.Key, pair => pair.rank);
        var points = CodePoint.Of(text);
        var ids = new List<int>();
        for (var at = 0; at < points.Count;)
        {
            var end = cut(points, at);
            var word = points[at..end].SelectMany(point => point.Utf8).ToArray();
            at = end;
            if (ranks.TryGetValue(Convert.ToHexString(word), out var whole))
            {
                ids.Add(whole);
                continue;
            }

            var parts = word.Select(value => Convert.ToHexString([value])).ToList();
            while (true)
            {
                var best = Enumerable.Range(0, parts.Count - 1).Where(i => ranks.ContainsKey(parts[i] + parts[i + 1]))
                    .OrderBy(i => ranks[parts[i] + parts[i + 1]]).ThenBy(i => i).Select(i => (int?)i).FirstOrDefault();
                if (best is not { } i) break;
                parts[i] += parts[i + 1];
                parts.RemoveAt(i + 1);
            }

            ids.AddRange(parts.Select(part => ranks[part]));
        }

        return ids;
    }

    [Test]
    public void Ids_are_those_of_the_algorithm()
    {
        var tokenizer = Load();
        foreach (var text in TokenizerFixture.Samples.Append("the lazy abc  the    inging abcabc bcabc\r\n"))
            Assert.That(tokenizer.Encode(text).Ids, Is.EqualTo(ReferenceIds(text, ReferenceWords.Gpt2)), text);
        TextGenerator.AnyUnits.Sample(text => tokenizer.Encode(text).Ids.SequenceEqual(ReferenceIds(text, ReferenceWords.Gpt2)), iter: 2000, threads: 1);
    }

    [Test]
    public void Words_are_cut_as_the_name_says()
    {
        var tokenizer = Load("cl100k_base.tiktoken");
        TextGenerator.AnyUnits.Sample(text => tokenizer.Encode(text).Ids.SequenceEqual(ReferenceIds(text, ReferenceWords.Llama3(3))), iter: 2000, threads: 1);
    }

    [Test]
    public void Decoding_gives_the_text_back()
    {
        var tokenizer = Load("o200k_base.tiktoken");
        TextGenerator.WellFormed.Sample(text => tokenizer.Decode(tokenizer.Encode(text).Ids) == text, iter: 2000, threads: 1);
    }

    [TestCase("cl100k_base.tiktoken", "<|endofprompt|>", 100276)]
    [TestCase("o200k_base.tiktoken", "<|endoftext|>", 199999)]
    [TestCase("p50k_base.tiktoken", "<|endoftext|>", 50256)]
    [TestCase("qwen.tiktoken", "<|im_end|>", 151645)]
    [TestCase("qwen.tiktoken", "<|extra_204|>", 151850)]
    [TestCase("tokenizer.model", "<|begin_of_text|>", 128000)]
    [TestCase("tokenizer.model", "<|reserved_special_token_4|>", 128008)]
    [TestCase("tokenizer.model", "<|eot_id|>", 128009)]
    [TestCase("tokenizer.model", "<|reserved_special_token_250|>", 128255)]
    public void Published_special_tokens_are_known(string name, string content, int id) =>
        Assert.That(Load(name).Encode($"a{content}b").Ids, Is.EqualTo((int[])['a', id, 'b']));

    [Test]
    public void The_configuration_names_special_tokens_and_markers()
    {
        var tokenizer = Load("tokenizer.model", null, ("tokenizer_config.json", """
            {"added_tokens_decoder": {"300": {"content": "<|begin|>", "special": true}, "301": {"content": "<|end|>", "lstrip": true}},
             "add_bos_token": true, "bos_token": "<|begin|>", "eos_token": "<|end|>"}
            """));
        Assert.That(tokenizer.Encode("a <|end|>").Ids, Is.EqualTo((int[])['a', 301]));
        Assert.That((tokenizer.BeginningOfSequenceId, tokenizer.EndOfSequenceId), Is.EqualTo((300, 301)));
        Assert.That(tokenizer.VocabularySize, Is.EqualTo(302));
    }

    [Test]
    public void Llama_3_begins_sequences_with_its_token_and_others_with_none()
    {
        Assert.That(Load("tokenizer.model").BeginningOfSequenceId, Is.EqualTo(128000));
        Assert.That(Load("tokenizer.model", null, ("tokenizer_config.json", """{"add_bos_token": false}""")).BeginningOfSequenceId, Is.Null);
        Assert.That(Load("qwen.tiktoken").BeginningOfSequenceId, Is.Null);
    }

    [Test]
    public void Tokenizer_json_goes_before() => Assert.That(
        TokenizerLoader.Load(TokenizerFixture.Folder(TokenizerFixture.ByteLevel(merges: 0), ("qwen.tiktoken", "nonsense"))).VocabularySize, Is.EqualTo(259));

    [TestCase("nonsense\n", "line 1")]
    [TestCase("IQ== 0\nIg== x\n", "line 2")]
    [TestCase("IQ== 0\n\nIg== -1\n", "line 3")]
    [TestCase("IQ== 0\nIQ== 1\n", "token is there twice")]
    [TestCase("IQ== 0\nIg== 0\n", "rank 0 is there twice")]
    [TestCase("= 0\n", "line 1")]
    public void Damaged_lines_are_named(string lines, string mention) => Refused("tokenizer.bad_tiktoken", mention, lines: lines);

    [Test]
    public void A_file_of_another_name_is_refused() => Refused("tokenizer.unknown_tiktoken", "cl100k_base.tiktoken", "mine.tiktoken");

    [Test]
    public void A_file_that_would_lose_text_is_refused() => Refused("tokenizer.loses_text", "byte tokens", lines: Lines(Tokens().Skip(65)));

    [Test]
    public void A_file_with_most_ranks_missing_is_refused() => Refused("tokenizer.vocabulary_holes", "5000", lines: Lines(Tokens()) + "enp6enp6 5000\n");

    [TestCase("""{"added_tokens_decoder": {"x": {"content": "a"}}}""", "tokenizer.bad_field")]
    [TestCase("""{"added_tokens_decoder": {"300": {"content": ""}}}""", "tokenizer.bad_field")]
    [TestCase("""{"added_tokens_decoder": {"300": {"content": "a"}, "301": {"content": "a"}}}""", "tokenizer.bad_field")]
    [TestCase("""{"added_tokens_decoder": {"97": {"content": "b"}}}""", "tokenizer.duplicate_id")]
    public void Wrong_special_tokens_are_refused(string config, string code) =>
        Assert.That(Assert.Throws<ShadException>(() => Load("tokenizer.model", null, ("tokenizer_config.json", config)))!.Code, Is.EqualTo(code));

    private static void Refused(string code, string mention, string name = "r50k_base.tiktoken", string? lines = null)
    {
        var error = Assert.Throws<ShadException>(() => Load(name, lines))!;
        Assert.That(error.Code, Is.EqualTo(code), error.Message);
        Assert.That(error.Message, Does.Contain(mention).And.Contain(name));
    }
}
