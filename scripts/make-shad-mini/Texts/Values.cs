using Shad.Core.Randomness;

namespace MakeShadMini.Texts;

/// <summary>Values that cannot be guessed: real words, names, codes, numbers, dates.</summary>
internal sealed class Values(SeededRandom random, IReadOnlyList<string> harvestedWords)
{
    public string Pick(IReadOnlyList<string> list) => list[random.NextInt32(list.Count)];

    public string AnyWord() => random.NextInt32(8) switch
    {
        0 => Pick(WordLists.Things),
        1 => Pick(WordLists.Qualities),
        < 6 => Pick(WordLists.DemoValues),
        _ => Pick(harvestedWords),
    };

    public string Person() => random.NextInt32(3) == 0
        ? Pick(WordLists.FirstNames)
        : $"{Pick(WordLists.FirstNames)} {Pick(WordLists.LastNames)}";

    public string City() => Pick(WordLists.Cities);

    /// <summary>Two words that make a name for something: an occasion, a product, an address.</summary>
    public string Pair() => random.NextInt32(3) switch
    {
        0 => $"{Pick(WordLists.Occasions)} {Pick(WordLists.Events)}",
        1 => $"{Pick(WordLists.Qualities)} {Pick(WordLists.Things)}",
        _ => $"{Pick(WordLists.StreetNames)} {Pick(WordLists.StreetKinds)}",
    };

    public string Phrase()
    {
        int words = 1 + random.NextInt32(4);
        return string.Join(' ', Enumerable.Range(0, words).Select(_ => AnyWord()));
    }

    public string Thing() => random.NextInt32(2) == 0
        ? Pick(WordLists.Things)
        : $"{Pick(WordLists.Qualities)} {Pick(WordLists.Things)}";

    public string Number() => random.NextInt32(5) switch
    {
        0 => random.NextInt32(10).ToString(),
        1 => random.NextInt32(100).ToString(),
        2 => random.NextInt32(10_000).ToString(),
        3 => $"{random.NextInt32(1000)}.{random.NextInt32(100):00}",
        _ => random.NextInt32(1_000_000).ToString(),
    };

    public string Date() => random.NextInt32(3) switch
    {
        0 => $"{1990 + random.NextInt32(45)}-{1 + random.NextInt32(12):00}-{1 + random.NextInt32(28):00}",
        1 => $"{1 + random.NextInt32(28)} {Pick(WordLists.Months)}",
        _ => $"{Pick(WordLists.Months)} {1 + random.NextInt32(28)}, {1990 + random.NextInt32(45)}",
    };

    public string Time() => $"{random.NextInt32(24):00}:{random.NextInt32(60):00}";

    public string Code()
    {
        var letters = string.Concat(Enumerable.Range(0, 1 + random.NextInt32(3)).Select(_ => (char)('A' + random.NextInt32(26))));
        var digits = string.Concat(Enumerable.Range(0, 2 + random.NextInt32(4)).Select(_ => (char)('0' + random.NextInt32(10))));
        return random.NextInt32(3) switch { 0 => letters + digits, 1 => $"{letters}-{digits}", _ => $"{digits}{letters}" };
    }

    public string Email() =>
        $"{Pick(WordLists.FirstNames).ToLowerInvariant()}{(random.NextInt32(2) == 0 ? "." : "_")}{Pick(WordLists.LastNames).ToLowerInvariant()}@{Pick(WordLists.Domains)}.{(random.NextInt32(2) == 0 ? "com" : "org")}";

    public string Any() => random.NextInt32(12) switch
    {
        0 or 1 => Person(),
        2 => City(),
        3 or 4 => Phrase(),
        5 => random.NextInt32(2) == 0 ? Thing() : Pair(),
        6 => Number(),
        7 => Date(),
        8 => Code(),
        9 => random.NextInt32(2) == 0 ? Time() : Email(),
        _ => AnyWord(),
    };

    /// <summary>An identifier as tools and fields have: words joined in one of the usual ways.</summary>
    public string Identifier(int words)
    {
        var parts = new string[words];
        parts[0] = Pick(random.NextInt32(3) == 0 ? WordLists.Keys : WordLists.Verbs);
        for (int i = 1; i < words; i++) parts[i] = random.NextInt32(4) == 0 ? Pick(harvestedWords).ToLowerInvariant() : Pick(WordLists.Objects);
        return random.NextInt32(4) switch
        {
            0 => string.Concat(parts[0], string.Concat(parts[1..].Select(Capital))),
            1 => string.Join('-', parts),
            2 => string.Concat(parts.Select(Capital)),
            _ => string.Join('_', parts),
        };
    }

    public static string Capital(string word) => word.Length == 0 ? word : char.ToUpperInvariant(word[0]) + word[1..];

    public IReadOnlyList<string> DistinctKeys(int count)
    {
        var keys = new HashSet<string>();
        while (keys.Count < count)
            keys.Add(random.NextInt32(3) == 0 ? $"{Pick(WordLists.Keys)}_{Pick(WordLists.Keys)}" : Pick(WordLists.Keys));
        return keys.ToArray();
    }
}
