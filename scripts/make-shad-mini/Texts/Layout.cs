using Shad.Core.Randomness;

namespace MakeShadMini.Texts;

/// <summary>
/// A randomly drawn way to write a record: brackets, separators, quotes, a head and a tail. There are some millions of them, so
/// that a model learns to copy values into whatever layout it meets and not one layout by heart.
/// </summary>
internal sealed record Layout(
    string Head, string Open, string KeyQuote, string KeyValueSeparator, string ValueOpen, string ValueClose, string PairSeparator,
    string Close, string Tail)
{
    private static readonly string[] Heads =
        ["", "", "Here it is: ", "Result\n", "ok ", "Record: ", "-> ", "Sure, this is what you asked for.\n", "Summary\n-------\n", "The values are ",
         "I have noted: ", "# data\n", "<< ", "Fine. ", "Entry ", "As you said, ", "note\t", "So we have ", "Done, with ", "All right:\n"];

    private static readonly string[] Tails =
        ["", "", "", ".", " end", "\nThat is all.", " >>", ";", "\n---", " (checked)", "\nok", "\nAnything else?", " !", "\n."];

    private static readonly (string Open, string Close)[] Brackets =
        [("", ""), ("{", "}"), ("(", ")"), ("[", "]"), ("{ ", " }"), ("[\n", "\n]"), ("<", ">"), ("|", "|"), ("{{", "}}"), ("\n", "\n"), ("(( ", " ))")];

    private static readonly string[] KeyQuotes = ["", "", "\"", "'", "*", "`", "**", "_"];
    private static readonly string[] KeyValueSeparators = [": ", ":", "=", " = ", " is ", " -> ", " => ", "\t", " - ", ": \n  ", " := ", " ~ ", " was ", "/"];
    private static readonly (string Open, string Close)[] ValueQuotes =
        [("", ""), ("", ""), ("\"", "\""), ("\"", "\""), ("'", "'"), ("<", ">"), ("(", ")"), ("[", "]"), ("`", "`"), ("*", "*"), ("\u00ab", "\u00bb")];
    private static readonly string[] PairSeparators = [", ", ",", "; ", "\n", "\n", " | ", " and ", ",\n", "\n- ", " / ", ";\n", "\n* ", " & ", "\t"];

    public static Layout Draw(SeededRandom random)
    {
        string Pick(string[] from) => from[random.NextInt32(from.Length)];
        var brackets = Brackets[random.NextInt32(Brackets.Length)];
        var quotes = ValueQuotes[random.NextInt32(ValueQuotes.Length)];
        return new Layout(
            Pick(Heads), brackets.Open, Pick(KeyQuotes), Pick(KeyValueSeparators), quotes.Open, quotes.Close, Pick(PairSeparators),
            brackets.Close, Pick(Tails));
    }

    /// <summary>Writes the pairs; <paramref name="copyKeys"/> says whether the keys are copied from the prompt too.</summary>
    public void Write(ResponseWriter writer, IReadOnlyList<(string Key, string Value)> pairs, bool copyKeys)
    {
        writer.Template(Head).Template(Open);
        for (int i = 0; i < pairs.Count; i++)
        {
            if (i > 0) writer.Template(PairSeparator);
            writer.Template(KeyQuote);
            if (copyKeys) writer.Copy(pairs[i].Key);
            else writer.Template(pairs[i].Key);
            writer.Template(KeyQuote).Template(KeyValueSeparator).Template(ValueOpen).Copy(pairs[i].Value).Template(ValueClose);
        }

        writer.Template(Close).Template(Tail);
    }

    public string Render(IReadOnlyList<(string Key, string Value)> pairs)
    {
        var writer = new ResponseWriter();
        Write(writer, pairs, copyKeys: false);
        return writer.After("").Response;
    }
}
