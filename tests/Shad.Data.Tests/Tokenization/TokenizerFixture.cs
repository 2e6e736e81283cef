using System.Text;
using System.Text.Json.Nodes;
using Shad.Data.Tokenization;

namespace Shad.Data.Tests.Tokenization;

/// <summary>Small tokenizers written to temporary model folders, and texts to try them on.</summary>
internal static class TokenizerFixture
{
    public const string Llama3Pattern =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    public const string QwenPattern =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>What the merges are learned from, and what the property tests draw words from: many scripts, code, numbers.</summary>
    public static readonly string[] Samples =
    [
        "The quick brown fox jumps over the lazy dog, and the dog didn't mind; they'll say it's fine.",
        "{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Zürich\", \"days\": 12345, \"units\": \"°C\"}}\n",
        "Съешь же ещё этих мягких французских булок, да выпей чаю.",
        "いろはにほへと ちりぬるを 東京都は日本の首都です。中文字符也在這裡。",
        "한국어 문장도 있습니다. 모든 국민은 법 앞에 평등하다.",
        "नमस्ते दुनिया, यह एक परीक्षण है।  مرحبا بالعالم  שלום עולם",
        "def f(x):\n    return  x**2 + 3*x - 1\r\n\r\n\t# done   \n\n",
        "👩‍👩‍👧‍👦 family 🏳️‍🌈 flag 🇨🇭 é e\u0301 ñ n\u0303 \u1E69 s\u0323\u0307 𝒜𝓑𝓒 𝟙𝟚𝟛 𐍈 𠀋",
        "<<48/2=24>>24 clips\n#### 72",
    ];

    /// <summary>A byte-level tokenizer.json with merges learned from <see cref="Samples"/>.</summary>
    public static JsonObject ByteLevel(bool mergesAsArrays = false, bool ignoreMerges = false, int merges = 300)
    {
        var vocabulary = new JsonObject();
        for (var value = 0; value < 256; value++) vocabulary[ReferenceTokenizer.ByteSymbol(value)] = value;
        var list = new JsonArray();
        foreach (var (left, right) in Learned.Value.Take(merges))
        {
            list.Add(mergesAsArrays ? new JsonArray(left, right) : JsonValue.Create($"{left} {right}"));
            vocabulary.TryAdd(left + right, vocabulary.Count);
        }

        // A word that is in the vocabulary but that no merges lead to.
        if (ignoreMerges) vocabulary.TryAdd("Ġlazy", vocabulary.Count);
        return new JsonObject
        {
            ["version"] = "1.0",
            ["added_tokens"] = new JsonArray(
                Added(vocabulary.Count, "<|begin|>"), Added(vocabulary.Count + 1, "<|end|>"), Added(vocabulary.Count + 2, "<|end|>of turn")),
            ["normalizer"] = null,
            ["pre_tokenizer"] = new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["trim_offsets"] = true, ["use_regex"] = true },
            ["post_processor"] = null,
            ["decoder"] = new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = true, ["trim_offsets"] = true, ["use_regex"] = true },
            ["model"] = new JsonObject
            {
                ["type"] = "BPE", ["dropout"] = null, ["unk_token"] = null, ["continuing_subword_prefix"] = "", ["end_of_word_suffix"] = "",
                ["fuse_unk"] = false, ["byte_fallback"] = false, ["ignore_merges"] = ignoreMerges, ["vocab"] = vocabulary, ["merges"] = list,
            },
        };
    }

    /// <summary>The pre-tokenizer of Llama 3 and Qwen: a split, then bytes.</summary>
    public static JsonObject SplitThenBytes(string pattern, string behavior = "Isolated", bool invert = false) => new()
    {
        ["type"] = "Sequence",
        ["pretokenizers"] = new JsonArray(
            new JsonObject
            {
                ["type"] = "Split", ["pattern"] = new JsonObject { ["Regex"] = pattern }, ["behavior"] = behavior, ["invert"] = invert,
            },
            new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["trim_offsets"] = true, ["use_regex"] = false }),
    };

    /// <summary>An entry of added_tokens, special by default.</summary>
    public static JsonObject Added(
        int id, string content, bool special = true, bool lstrip = false, bool rstrip = false, bool singleWord = false, bool? normalized = null) => new()
    {
        ["id"] = id, ["content"] = content, ["single_word"] = singleWord, ["lstrip"] = lstrip, ["rstrip"] = rstrip,
        ["normalized"] = normalized ?? !special, ["special"] = special,
    };

    /// <summary>Adds a token at the next free id and returns the id.</summary>
    public static int Add(JsonObject tokenizer, Func<int, JsonObject> create)
    {
        var added = tokenizer["added_tokens"]!.AsArray();
        var id = added.Select(t => t!["id"]!.GetValue<int>() + 1).Append(tokenizer["model"]!["vocab"]!.AsObject().Count).Max();
        added.Add(create(id));
        return id;
    }

    /// <summary>Writes the files of a model folder and returns it; deleted when the test run ends.</summary>
    public static string Folder(JsonObject? tokenizer, params (string Name, string Content)[] others)
    {
        var folder = Path.Combine(Temporary.Path, Path.GetRandomFileName());
        Directory.CreateDirectory(folder);
        if (tokenizer is not null) File.WriteAllText(Path.Combine(folder, "tokenizer.json"), tokenizer.ToJsonString());
        foreach (var (name, content) in others) File.WriteAllText(Path.Combine(folder, name), content);
        return folder;
    }

    /// <summary>The same with a file of bytes.</summary>
    public static string Folder(JsonObject? tokenizer, (string Name, byte[] Content) other, params (string Name, string Content)[] others)
    {
        var folder = Folder(tokenizer, others);
        File.WriteAllBytes(Path.Combine(folder, other.Name), other.Content);
        return folder;
    }

    /// <summary>Loads a tokenizer from its description.</summary>
    public static ITextTokenizer Load(JsonObject tokenizer, params (string Name, string Content)[] others) =>
        TokenizerLoader.Load(Folder(tokenizer, others));

    /// <summary>The tokenizer.json of the shared model stories260k; the test is ignored where it is not there.</summary>
    public static string StoriesFolder()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (!File.Exists(Path.Combine(folder.FullName, "Shad.Onnx.sln"))) continue;
            var model = Path.Combine(folder.FullName, "..", "shared", "models", "stories260k");
            if (File.Exists(Path.Combine(model, "tokenizer.json"))) return model;
        }

        Assert.Ignore("the shared model stories260k is not beside the project");
        return "";
    }

    // Learns merges the plain way: the most frequent pair, ties by order, over whole samples cut at spaces.
    private static readonly Lazy<List<(string Left, string Right)>> Learned = new(() => Learn(300));

    private static List<(string Left, string Right)> Learn(int count)
    {
        var words = Samples.SelectMany(s => s.Split(' ').Select((w, i) => i == 0 ? w : " " + w))
            .Select(w => Encoding.UTF8.GetBytes(w).Select(b => ReferenceTokenizer.ByteSymbol(b)).ToList()).ToList();
        var merges = new List<(string, string)>();
        while (merges.Count < count)
        {
            var best = words.SelectMany(w => w.Zip(w.Skip(1))).GroupBy(p => p).OrderByDescending(g => g.Count())
                .ThenBy(g => g.Key.First, StringComparer.Ordinal).ThenBy(g => g.Key.Second, StringComparer.Ordinal).First().Key;
            merges.Add((best.First, best.Second));
            foreach (var word in words)
            {
                for (var i = 0; i + 1 < word.Count; i++)
                {
                    if ((word[i], word[i + 1]) != best) continue;
                    word[i] += word[i + 1];
                    word.RemoveAt(i + 1);
                }
            }
        }

        return merges;
    }

    [SetUpFixture]
    internal sealed class Temporary
    {
        public static string Path { get; } = Directory.CreateTempSubdirectory("shad-tokenizers-").FullName;

        [OneTimeTearDown]
        public void Delete() => Directory.Delete(Path, recursive: true);
    }
}
