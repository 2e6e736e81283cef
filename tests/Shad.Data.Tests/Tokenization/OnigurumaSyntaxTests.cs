using System.Globalization;
using CsCheck;
using Shad.Data.Tokenization;

namespace Shad.Data.Tests.Tokenization;

public sealed class OnigurumaSyntaxTests
{
    private static string[] Matches(string pattern, string text)
    {
        var matches = new List<(int Start, int End)>();
        OnigurumaSyntax.Compile(pattern).FindAll(text, matches);
        return [.. matches.Select(m => text[m.Start..m.End])];
    }

    [TestCase(@"a?+", @"(?>a?)")]
    [TestCase(@"[^\r\n\p{L}\p{N}]?+\p{L}+", @"(?>[^\r\n\p{L}\p{N}]?)\p{L}+")]
    [TestCase(@"(?:ab|c)*+d", @"(?>(?:ab|c)*)d")]
    [TestCase(@"\p{L}++", @"(?>\p{L}+)")]
    [TestCase(@"x{2,3}+", @"(?:x{2,3})+")]
    [TestCase(@"x{,3}", @"x{0,3}")]
    [TestCase(@"x+?y*?", @"x+?y*?")]
    [TestCase(@"(a)(b)", @"(?:a)(?:b)")]
    [TestCase(@"^a$", @"(?m:^)a(?m:$)")]
    [TestCase(@"[[:digit:]x]", @"[\p{Nd}x]")]
    [TestCase(@"\p{^L}\P{N}\pM\p{Letter}", @"\P{L}\P{N}\p{M}\p{L}")]
    [TestCase(@"\x{41}\u{e9}\x41\u0042", @"AéAB")]
    [TestCase(@"[\x00-\x1F\-\]]", @"[\u0000-\u001F\-\]]")]
    [TestCase(@"[^(\s|[.,!?…]x)]+", @"[^(\s|.,!?…x)]+")]
    [TestCase(@"a{b}", @"a\{b}")]
    [TestCase(@"(?i:'s|'T)", @"(?i:'s|'T)")]
    [TestCase(@"\s+(?!\S)", @"\s+(?!\S)")]
    public void Patterns_are_translated(string pattern, string expected) =>
        Assert.That(OnigurumaSyntax.Translate(pattern), Is.EqualTo(expected));

    [TestCase(@"\p{Han}", "Han")]
    [TestCase(@"[a&&b]", "intersections")]
    [TestCase(@"[[:alpha:]]", "[:alpha:]")]
    [TestCase(@"\bx", "\\b")]
    [TestCase(@"[a[^bc]]", "negated classes inside classes")]
    [TestCase(@"[a[b]", "not closed")]
    [TestCase(@"(a)\1", "\\1")]
    [TestCase(@"(?<name>a)", "position 0")]
    [TestCase(@"\h", "\\h")]
    [TestCase(@"(a", "not closed")]
    [TestCase(@"a)", "no opening")]
    [TestCase(@"[a", "not closed")]
    [TestCase(@"*a", "nothing to repeat")]
    [TestCase(@"a\", "backslash")]
    [TestCase(@"𝒜", "beyond U+FFFF")]
    [TestCase(@"\x{1F600}", "beyond U+FFFF")]
    [TestCase(@"\p{L", "not closed")]
    [TestCase(@"x{2}?", "different things")]
    [TestCase(@"[z-a]", "z-a")]
    [TestCase(@"x{3,2}", "")]
    [TestCase(@"\u00G0", "code point")]
    public void What_cannot_be_translated_is_refused(string pattern, string reason) =>
        Assert.That(() => OnigurumaSyntax.Compile(pattern), Throws.InstanceOf<FormatException>().With.Message.Contains(reason));

    [Test]
    public void A_possessive_quantifier_gives_nothing_back()
    {
        Assert.That(Matches(@"a*+ab", "aaab"), Is.Empty);
        Assert.That(Matches(@"a*ab", "aaab"), Is.EqualTo((string[])["aaab"]));
    }

    [Test]
    public void Words_are_made_of_what_Oniguruma_takes_for_words() =>
        Assert.That(Matches(@"\w+", "a_é9²Ⓐ㉖e\u0301-Ⅷ½ x"), Is.EqualTo((string[])["a_é9²Ⓐ", "e\u0301", "Ⅷ½", "x"]));

    [Test]
    public void Letters_and_digits_beyond_the_basic_plane_count_as_one_character()
    {
        Assert.That(Matches(@"\p{N}{1,3}", "𝟙𝟚𝟛𝟜5"), Is.EqualTo((string[])["𝟙𝟚𝟛", "𝟜5"]));
        Assert.That(Matches(@"\p{L}+", "a𝒜𐍈 𠀋!"), Is.EqualTo((string[])["a𝒜𐍈", "𠀋"]));
        Assert.That(Matches(@"[^\p{L}]?x", "🦊x 𝒜x"), Is.EqualTo((string[])["🦊x", "x"]));
    }

    [Test]
    public void Every_stand_in_is_of_the_category_it_stands_for_and_has_no_case()
    {
        foreach (var category in Enum.GetValues<UnicodeCategory>())
        {
            // No code point beyond U+FFFF is a space, a control character or half of a pair.
            if (category is UnicodeCategory.Control or UnicodeCategory.Surrogate or UnicodeCategory.SpaceSeparator
                or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator)
            {
                continue;
            }

            var standIn = UnicodePattern.StandInFor(category);
            Assert.That(CharUnicodeInfo.GetUnicodeCategory(standIn), Is.EqualTo(category));
            Assert.That(char.ToLowerInvariant(standIn) == standIn || category == UnicodeCategory.TitlecaseLetter, Is.True);
        }
    }

    // The words of HF tokenizers' documentation of each behavior.
    [TestCase("Removed", "the|final|countdown")]
    [TestCase("Isolated", "the|-|final|-|-|countdown")]
    [TestCase("MergedWithPrevious", "the-|final-|-|countdown")]
    [TestCase("MergedWithNext", "the|-final|-|-countdown")]
    [TestCase("Contiguous", "the|-|final|--|countdown")]
    public void Delimiters_go_where_the_behavior_says(string behavior, string expected)
    {
        const string Text = "the-final--countdown";
        foreach (WordSplitter splitter in (WordSplitter[])
                 [
                     new PatternSplitter(OnigurumaSyntax.Compile("-"), Enum.Parse<DelimiterBehavior>(behavior), invert: false),
                     new LiteralSplitter("-", Enum.Parse<DelimiterBehavior>(behavior), invert: false),
                 ])
        {
            var words = new List<(int Start, int End)>();
            splitter.Split(Text, words);
            Assert.That(string.Join('|', words.Select(w => Text[w.Start..w.End])), Is.EqualTo(expected));
        }

        var inverted = new List<(int Start, int End)>();
        new PatternSplitter(OnigurumaSyntax.Compile("[^-]+"), DelimiterBehavior.Removed, invert: true).Split(Text, inverted);
        Assert.That(string.Join('|', inverted.Select(w => Text[w.Start..w.End])), Is.EqualTo("the|final|countdown"));
    }

    [Test]
    public void Splitters_that_remove_nothing_cover_the_text()
    {
        var pattern = OnigurumaSyntax.Compile(@"\p{L}+| ");
        var behaviors = Enum.GetValues<DelimiterBehavior>().Where(b => b != DelimiterBehavior.Removed).ToArray();
        Gen.Select(TextGenerator.AnyUnits, Gen.Bool).Sample(
            (text, invert) =>
            {
                foreach (var behavior in behaviors)
                {
                    var words = new List<(int Start, int End)>();
                    new PatternSplitter(pattern, behavior, invert).Split(text, words);
                    if (string.Concat(words.Select(w => text[w.Start..w.End])) != text) return false;
                }

                return true;
            },
            iter: 1000, threads: 1);
    }
}
