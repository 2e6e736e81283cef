using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.ML.Tokenizers;
using Shad.Data.Tokenization;

namespace Shad.Data.Tests.Tokenization;

/// <summary>
/// Comparison with Microsoft.ML.Tokenizers on real text. Ids only: its offsets are wrong beyond U+FFFF and with byte fallback.
/// </summary>
public sealed class SecondTokenizerTests
{
    private static List<string> RealTexts(string shared)
    {
        var texts = new List<string>(TokenizerFixture.Samples);
        foreach (var name in (string[])["gsm8k.jsonl", "bfcl.jsonl"])
        {
            var file = Path.Combine(shared, "data", name);
            if (!File.Exists(file)) Assert.Ignore($"the shared data {name} are not beside the project");
            foreach (var line in File.ReadLines(file).Where((_, i) => i % 10 == 0))
            {
                using var document = JsonDocument.Parse(line);
                texts.Add(line);
                texts.AddRange(document.RootElement.GetProperty("messages").EnumerateArray()
                    .Select(m => m.GetProperty("content")).Where(c => c.ValueKind == JsonValueKind.String).Select(c => c.GetString()!));
            }
        }

        return texts;
    }

    [Test]
    public void Byte_level_ids_equal_those_of_the_second_tokenizer()
    {
        var texts = RealTexts(Path.Combine(TokenizerFixture.StoriesFolder(), "..", ".."));
        var json = TokenizerFixture.ByteLevel();
        json["added_tokens"] = new JsonArray();
        var tokenizer = TokenizerFixture.Load(json);
        var second = BpeTokenizer.Create(new BpeOptions(
            json["model"]!["vocab"]!.AsObject().Select(p => KeyValuePair.Create(p.Key, p.Value!.GetValue<int>())))
        {
            ByteLevel = true,
            Merges = json["model"]!["merges"]!.AsArray().Select(m => m!.GetValue<string>()),
            PreTokenizer = new RegexPreTokenizer(
                new Regex(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"), null),
        });
        // Its pre-tokenizer cuts by UTF-16 units, so letters beyond U+FFFF are left out.
        foreach (var text in texts.Where(t => !t.Any(char.IsSurrogate)))
        {
            Assert.That(tokenizer.Encode(text).Ids, Is.EqualTo(second.EncodeToIds(text)), text);
        }
    }

    [Test]
    public void SentencePiece_style_ids_equal_those_of_the_second_tokenizer()
    {
        var folder = TokenizerFixture.StoriesFolder();
        var texts = RealTexts(Path.Combine(folder, "..", ".."));
        var model = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "tokenizer.json")))!["model"]!;
        var second = SentencePieceTokenizer.Create(new MemoryStream(SentencePieceModel(model)), false);
        var tokenizer = TokenizerLoader.Load(folder);
        var fromModel = TokenizerLoader.Load(TokenizerFixture.Folder(null, ("tokenizer.model", SentencePieceModel(model))));
        foreach (var text in texts)
        {
            Assert.That(tokenizer.Encode(text).Ids, Is.EqualTo(second.EncodeToIds(text)), text);
            Assert.That(fromModel.Encode(text), Is.EqualTo(tokenizer.Encode(text)).UsingPropertiesComparer(), text);
        }
    }

    // A SentencePiece model (protocol buffers, sentencepiece_model.proto) of the vocabulary; a piece's score falls with its merge's rank.
    internal static byte[] SentencePieceModel(JsonNode model)
    {
        var ranks = new Dictionary<string, int>();
        foreach (var merge in model["merges"]!.AsArray()) ranks.TryAdd(merge![0]!.GetValue<string>() + merge[1]!.GetValue<string>(), ranks.Count);
        var whole = new MemoryStream();
        foreach (var (token, id) in model["vocab"]!.AsObject().Select(p => (p.Key, p.Value!.GetValue<int>())).OrderBy(p => p.Item2))
        {
            var type = id == 0 ? 2 : id < 3 ? 3 : token.StartsWith("<0x", StringComparison.Ordinal) ? 6 : 1; // unknown, control, byte, normal
            var piece = new MemoryStream();
            Bytes(piece, 1, Encoding.UTF8.GetBytes(token));
            piece.WriteByte((2 << 3) | 5);
            piece.Write(BitConverter.GetBytes(ranks.TryGetValue(token, out var rank) ? -(float)rank : -10_000f - id));
            Integer(piece, 3, type);
            Bytes(whole, 1, piece.ToArray());
        }

        var trainer = new MemoryStream();
        Integer(trainer, 3, 2); // model_type: BPE
        Integer(trainer, 35, 1); // byte_fallback
        Bytes(whole, 2, trainer.ToArray());
        var normalizer = new MemoryStream();
        Bytes(normalizer, 1, "identity"u8.ToArray());
        Integer(normalizer, 3, 1); // add_dummy_prefix
        Integer(normalizer, 4, 0); // remove_extra_whitespaces
        Integer(normalizer, 5, 1); // escape_whitespaces
        Bytes(whole, 3, normalizer.ToArray());
        return whole.ToArray();

        static void Integer(Stream stream, int field, int value)
        {
            Variable(stream, field << 3);
            Variable(stream, value);
        }

        static void Bytes(Stream stream, int field, byte[] value)
        {
            Variable(stream, (field << 3) | 2);
            Variable(stream, value.Length);
            stream.Write(value);
        }

        static void Variable(Stream stream, int value)
        {
            for (; value >= 0x80; value >>= 7) stream.WriteByte((byte)(value | 0x80));
            stream.WriteByte((byte)value);
        }
    }
}
