using System.Globalization;
using Shad.Core.Randomness;

namespace Shad.Data.Demo;

/// <summary>What values an argument takes.</summary>
internal enum ValueKind
{
    Person,
    City,
    Colour,
    Food,
    Material,
    Product,
    Occasion,
    Quality,
    Company,
    Animal,
    Plant,
    Language,
    Instrument,
    Sport,
    Profession,
    Street,
    Number,
    Code,
    Date,
    Time,
    Email,
    Weekday,
}

/// <summary>An argument functions can have.</summary>
/// <param name="Name">One word.</param>
/// <param name="Kind">What values it takes.</param>
/// <param name="Phrase">How a person says it in a sentence, with {0} for the value.</param>
internal sealed record DemoArgument(string Name, ValueKind Kind, string Phrase);

/// <summary>The arguments of all functions, and their values.</summary>
internal static class DemoArguments
{
    public static readonly DemoArgument[] All =
    [
        new("recipient", ValueKind.Person, "addressed to {0}"),
        new("owner", ValueKind.Person, "on behalf of {0}"),
        new("reviewer", ValueKind.Person, "double-checked by {0}"),
        new("guest", ValueKind.Person, "with {0} invited"),
        new("driver", ValueKind.Person, "driven by {0}"),
        new("substitute", ValueKind.Person, "with {0} standing in"),
        new("city", ValueKind.City, "in {0}"),
        new("origin", ValueKind.City, "coming from {0}"),
        new("destination", ValueKind.City, "going to {0}"),
        new("branch", ValueKind.City, "through the office in {0}"),
        new("colour", ValueKind.Colour, "in {0}"),
        new("paint", ValueKind.Colour, "painted {0}"),
        new("trim", ValueKind.Colour, "with {0} edges"),
        new("dish", ValueKind.Food, "with {0} served"),
        new("snack", ValueKind.Food, "with {0} on the side"),
        new("ingredient", ValueKind.Food, "made from {0}"),
        new("cargo", ValueKind.Food, "loaded with {0}"),
        new("material", ValueKind.Material, "built of {0}"),
        new("coating", ValueKind.Material, "covered in {0}"),
        new("item", ValueKind.Product, "including the {0}"),
        new("gift", ValueKind.Product, "together with the {0}"),
        new("prize", ValueKind.Product, "with the {0} as a reward"),
        new("subject", ValueKind.Occasion, "regarding the {0}"),
        new("tone", ValueKind.Quality, "in a {0} voice"),
        new("style", ValueKind.Quality, "with a {0} look"),
        new("vendor", ValueKind.Company, "bought from {0}"),
        new("carrier", ValueKind.Company, "sent through {0}"),
        new("sponsor", ValueKind.Company, "paid for by {0}"),
        new("insurer", ValueKind.Company, "insured with {0}"),
        new("mascot", ValueKind.Animal, "showing the {0}"),
        new("pet", ValueKind.Animal, "bringing my {0}"),
        new("tree", ValueKind.Plant, "under the {0}"),
        new("flower", ValueKind.Plant, "decorated with a {0}"),
        new("language", ValueKind.Language, "in {0}"),
        new("subtitles", ValueKind.Language, "subtitled in {0}"),
        new("instrument", ValueKind.Instrument, "with {0} music"),
        new("sport", ValueKind.Sport, "for people who play {0}"),
        new("profession", ValueKind.Profession, "meant for the {0}"),
        new("expert", ValueKind.Profession, "signed off by the {0}"),
        new("address", ValueKind.Street, "at {0}"),
        new("entrance", ValueKind.Street, "entered from {0}"),
        new("quantity", ValueKind.Number, "{0} pieces of it"),
        new("weight", ValueKind.Number, "weighing {0} kilos"),
        new("budget", ValueKind.Number, "for at most {0} euros"),
        new("seats", ValueKind.Number, "with room for {0} people"),
        new("pages", ValueKind.Number, "on {0} sheets"),
        new("mileage", ValueKind.Number, "after {0} miles"),
        new("capacity", ValueKind.Number, "holding {0} litres"),
        new("height", ValueKind.Number, "{0} centimetres high"),
        new("reference", ValueKind.Code, "filed under {0}"),
        new("batch", ValueKind.Code, "from lot {0}"),
        new("locker", ValueKind.Code, "kept in {0}"),
        new("permit", ValueKind.Code, "allowed by {0}"),
        new("deadline", ValueKind.Date, "by {0}"),
        new("arrival", ValueKind.Date, "arriving on {0}"),
        new("departure", ValueKind.Date, "leaving on {0}"),
        new("expiry", ValueKind.Date, "valid until {0}"),
        new("start", ValueKind.Time, "beginning at {0}"),
        new("pickup", ValueKind.Time, "fetched at {0}"),
        new("alarm", ValueKind.Time, "with a reminder at {0}"),
        new("contact", ValueKind.Email, "with replies to {0}"),
        new("inbox", ValueKind.Email, "copied to {0}"),
        new("weekday", ValueKind.Weekday, "every {0}"),
    ];

    /// <summary>A value of a kind. Values of one kind have the same number of words.</summary>
    public static string DrawValue(ValueKind kind, SeededRandom random)
    {
        return kind switch
        {
            ValueKind.Person => $"{Draw(DemoWords.FirstNames)} {Draw(DemoWords.LastNames)}",
            ValueKind.City => Draw(DemoWords.Cities),
            ValueKind.Colour => Draw(DemoWords.Colours),
            ValueKind.Food => Draw(DemoWords.Foods),
            ValueKind.Material => Draw(DemoWords.Materials),
            ValueKind.Product => $"{Draw(DemoWords.Materials)} {Draw(DemoWords.Objects)}",
            ValueKind.Occasion => $"{Draw(DemoWords.Themes)} {Draw(DemoWords.Events)}",
            ValueKind.Quality => Draw(DemoWords.Qualities),
            ValueKind.Company => Draw(DemoWords.Companies),
            ValueKind.Animal => Draw(DemoWords.Animals),
            ValueKind.Plant => Draw(DemoWords.Plants),
            ValueKind.Language => Draw(DemoWords.Languages),
            ValueKind.Instrument => Draw(DemoWords.Instruments),
            ValueKind.Sport => Draw(DemoWords.Sports),
            ValueKind.Profession => Draw(DemoWords.Professions),
            ValueKind.Street => $"{Draw(DemoWords.StreetNames)} {Draw(DemoWords.StreetKinds)}",
            ValueKind.Number => Text(random.NextInt32(100, 1000)),
            ValueKind.Code => $"{Consonant()}{Consonant()}-{Text(random.NextInt32(1000, 10_000))}",
            ValueKind.Date => $"{Text(random.NextInt32(1, 29))} {Draw(DemoWords.Months)}",
            ValueKind.Time => $"{random.NextInt32(7, 22):D2}:{5 * random.NextInt32(12):D2}",
            ValueKind.Email =>
                $"{Draw(DemoWords.FirstNames)}@{Draw(DemoWords.Companies)}.{Draw(DemoWords.Domains)}".ToLowerInvariant(),
            ValueKind.Weekday => Draw(DemoWords.Weekdays),
            _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "There is no such kind of value."),
        };

        string Draw(string[] words) => random.Choose<string>(words);
        char Consonant() => random.Choose<char>("BCDFGHJKLMNPQRSTVWXZ");
        static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
    }
}
