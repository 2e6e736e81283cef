using Shad.Data.Demo;

namespace Shad.Data.Tests.Demo;

public sealed class DemoWordsTests
{
    private static readonly (string Name, string[] Words)[] Lists =
    [
        .. typeof(DemoWords).GetFields().Select(field => (field.Name, (string[])field.GetValue(null)!)),
        ("argument names", [.. DemoArguments.All.Select(argument => argument.Name)]),
    ];

    [Test]
    public void No_word_is_in_two_lists_or_twice_in_one()
    {
        var repeated = Lists
            .SelectMany(list => list.Words.Select(word => (Word: word.ToLowerInvariant(), list.Name)))
            .GroupBy(entry => entry.Word)
            .Where(group => group.Count() > 1)
            .Select(group => $"{group.Key}: {string.Join(", ", group.Select(entry => entry.Name))}");
        Assert.That(repeated, Is.Empty);
    }

    [Test]
    public void Words_need_no_escaping_anywhere() =>
        Assert.That(Lists.SelectMany(list => list.Words), Is.All.Match("^[A-Za-z]+$"));

    [Test]
    public void Function_names_argument_names_and_values_are_many()
    {
        Assert.That(DemoWords.Actions.Length * DemoWords.Things.Length, Is.GreaterThan(3000));
        Assert.That(DemoArguments.All, Has.Length.GreaterThanOrEqualTo(60));
        Assert.That(Lists.Sum(list => list.Words.Length), Is.GreaterThan(1000));
    }

    [Test]
    public void Every_kind_of_value_has_an_argument_and_every_argument_a_phrase_with_its_value()
    {
        Assert.That(DemoArguments.All.Select(argument => argument.Kind).Distinct(), Is.EquivalentTo(Enum.GetValues<ValueKind>()));
        Assert.That(DemoArguments.All.Select(argument => argument.Phrase.Split("{0}").Length), Is.All.EqualTo(2));
    }
}
