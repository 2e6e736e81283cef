using Shad.Data.Demo;

namespace MakeShadMini.Texts;

/// <summary>
/// Words by kind. What values are made of are the words of the demo corpus (never its formats): a model of four thousand tokens can
/// know only so many words, and a model in use knows those of the texts it meets.
/// </summary>
internal static class WordLists
{
    public static readonly string[] FirstNames = DemoWords.FirstNames;

    public static readonly string[] LastNames = DemoWords.LastNames;

    public static readonly string[] Cities = DemoWords.Cities;

    public static readonly string[] Things = [.. DemoWords.Objects, .. DemoWords.Foods, .. DemoWords.Plants, .. DemoWords.Animals, .. DemoWords.Instruments];

    public static readonly string[] Qualities = [.. DemoWords.Qualities, .. DemoWords.Colours, .. DemoWords.Materials];

    public static readonly string[] Verbs = With(DemoWords.Actions, """
        find search list show open close create delete update move copy send receive book cancel order buy sell rent hire pay
        transfer convert translate summarize count measure compare sort filter merge split check verify approve reject schedule
        plan track monitor record play pause start stop reset backup restore upload download print scan paint repair clean wash
        cook bake deliver collect assign invite remind notify report predict estimate calculate compute plot draw render compile
        test deploy install remove rename archive share publish subscribe rate review register enroll export import fetch load save
        """);

    public static readonly string[] Objects = With(DemoWords.Things, """
        account invoice ticket flight hotel room table train taxi parcel message email letter note file folder image video song
        playlist photo report document contract task project meeting event calendar reminder alarm contact customer order product
        price stock budget payment loan salary tax recipe meal diet workout route map weather forecast news article comment score
        match team player league course lesson exam grade student teacher patient doctor appointment prescription device sensor
        camera light thermostat lock server database table backup log error user group role password token branch issue release
        """);

    public static readonly string[] Keys = With([.. DemoArguments.All.Select(static argument => argument.Name)], """
        name city date time place owner color size weight price amount count total start end from to title subject author editor
        topic category status level priority score rating language currency country region street email phone code id number unit
        width height depth length speed duration format mode type kind label tag note reason source target origin destination guest
        driver pilot doctor teacher student customer manager sender receiver item product brand model material flavor season year
        month day hour room floor seat gate platform table folder file path host port user group team league player coach venue
        """);

    public static readonly string[] Domains = With([.. DemoWords.Companies.Select(static name => name.ToLowerInvariant())], "mail post web hub net cloud labs works store desk home office garden studio");

    public static readonly string[] Occasions = DemoWords.Themes;

    public static readonly string[] Events = DemoWords.Events;

    public static readonly string[] StreetNames = DemoWords.StreetNames;

    public static readonly string[] StreetKinds = DemoWords.StreetKinds;

    public static readonly string[] Months = Split(
        "January February March April May June July August September October November December");

    /// <summary>All words that values of the demo corpus are made of.</summary>
    public static readonly string[] DemoValues =
    [
        .. DemoWords.Companies, .. DemoWords.Themes, .. DemoWords.Events, .. DemoWords.Qualities, .. DemoWords.Colours,
        .. DemoWords.Foods, .. DemoWords.Materials, .. DemoWords.Objects, .. DemoWords.Animals, .. DemoWords.Plants,
        .. DemoWords.Languages, .. DemoWords.Instruments, .. DemoWords.Sports, .. DemoWords.Professions, .. DemoWords.StreetNames,
        .. DemoWords.StreetKinds, .. DemoWords.Weekdays,
    ];

    public static readonly string[] Connectives = Split(
        "because although while before after when since until unless where whether so and but then also later finally however");

    private static string[] With(string[] others, string text) => [.. Split(text).Union(others)];

    private static string[] Split(string text) =>
        text.Split((char[])[' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries).Distinct().ToArray();
}
