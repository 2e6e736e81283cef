using System.Globalization;
using CsCheck;
using Shad.Data.Tokenization;

namespace Shad.Data.Tests.Tokenization;

public sealed class WordNumbersTests
{
    [TestCase("Os|kar", "0 0")]
    [TestCase("Oskar| Hart|mann", "0 1 1", Description = "a space ends a word, whichever token holds it")]
    [TestCase("Oskar |Hartmann", "0 1")]
    [TestCase("get|_|wea|ther", "0 1 2 2")]
    [TestCase("4|2|.|5", "0 0 1 2")]
    [TestCase("\"|na|me|\":| \"|x|1|\"", "0 1 1 2 3 4 4 5")]
    [TestCase("na|ï|ve|e\u0301|t", "0 0 0 0 0", Description = "marks belong to their letters")]
    [TestCase("東|京|タ|ワ|ー", "0 1 2 3 4", Description = "no spaces between words, hence no words")]
    [TestCase("กร|ุง", "0 1")]
    [TestCase("안녕|하세요", "0 0", Description = "Hangul has spaces")]
    [TestCase("мо|сква|!", "0 0 1")]
    [TestCase("𝒜|𝒷", "0 0", Description = "letters outside the basic plane")]
    [TestCase("a|🙂|b", "0 1 2")]
    public void Runs_of_letters_marks_and_digits_are_words(string pieces, string expected)
    {
        string[] tokens = pieces.Split('|');
        var starts = new int[tokens.Length];
        var ends = new int[tokens.Length];
        int at = 0;
        for (int i = 0; i < tokens.Length; i++) (starts[i], ends[i]) = (at, at += tokens[i].Length);

        Assert.That(
            string.Join(' ', WordNumbers.Of(string.Concat(tokens), starts, ends).Select(number => number.ToString(CultureInfo.InvariantCulture))),
            Is.EqualTo(expected));
    }

    [Test]
    public void Tokens_that_share_a_character_share_a_number() =>
        Assert.That(WordNumbers.Of("🙂!", [0, 0, 0, 2], [2, 2, 2, 3]), Is.EqualTo(new[] { 0, 0, 0, 1 }));

    [Test]
    public void Tokens_without_text_stand_alone() =>
        Assert.That(WordNumbers.Of("ab", [0, 0, 1, 2], [0, 1, 2, 2]), Is.EqualTo(new[] { 0, 1, 1, 2 }));

    [Test]
    public void Starts_and_ends_must_be_as_many() =>
        Assert.That(() => WordNumbers.Of("ab", [0, 1], [1]), Throws.ArgumentException);

    [Test]
    public void However_a_text_is_cut_its_words_are_the_same() =>
        Gen.Select(Gen.OneOf(Gen.Char['a', 'f'], Gen.Const(' '), Gen.Char['0', '9'], Gen.Char["-_.,"]).Array[1, 40], Gen.Bool.Array[40]).Sample((characters, cuts) =>
        {
            string text = new(characters);
            int[] starts = [.. Enumerable.Range(0, text.Length).Where(i => i == 0 || cuts[i])];
            int[] ends = [.. starts.Skip(1), text.Length];
            int[] numbers = WordNumbers.Of(text, starts, ends);
            for (int i = 1; i < numbers.Length; i++)
            {
                bool joins = char.IsAsciiLetterOrDigit(text[starts[i] - 1]) && char.IsAsciiLetterOrDigit(text[starts[i]]);
                if (numbers[i] - numbers[i - 1] != (joins ? 0 : 1)) return false;
            }

            return numbers[0] == 0;
        });
}
