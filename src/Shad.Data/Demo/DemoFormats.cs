using System.Text.Json.Serialization;

namespace Shad.Data.Demo;

/// <summary>How a demo response is laid out.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<DemoFormat>))]
public enum DemoFormat
{
    /// <summary>Lines of a thought, an action and its input, with this corpus's own headings.</summary>
    [JsonStringEnumMemberName("react")] React,

    /// <summary>One JSON object.</summary>
    [JsonStringEnumMemberName("json")] Json,

    /// <summary>One XML element.</summary>
    [JsonStringEnumMemberName("xml")] Xml,

    /// <summary>Plain sentences.</summary>
    [JsonStringEnumMemberName("prose")] Prose,
}

/// <summary>The formats of the demo corpus, and how to recognise them.</summary>
public static class DemoFormats
{
    private static readonly string[] ReactMarkers = ["Considering: ", "\nNext step: ", "\nGiven values: ", "\nAfterwards: "];

    private static readonly string[] JsonMarkers =
        ["{\"rationale\": \"", "\"selected_function\": \"", "\"filled_slots\": {\"", "\"follow_up\": \""];

    private static readonly string[] XmlMarkers = ["<decision>", "<why>", "<use function=\"", "<slot label=\"", "<after>"];

    private static readonly string[] ProseMarkers = ["The function that suits this is ", ", which I will run with ", " set to "];

    /// <summary>All formats.</summary>
    public static IReadOnlyList<DemoFormat> All { get; } =
        [DemoFormat.React, DemoFormat.Json, DemoFormat.Xml, DemoFormat.Prose];

    /// <summary>
    /// Strings of the scaffolding of all formats. Text a base model is trained on must hold none of them, or the formats would
    /// not be new to it; a script that makes such text can check it against this list.
    /// </summary>
    public static IReadOnlyList<string> Markers { get; } = [.. All.SelectMany(MarkersOf)];

    /// <summary>Strings every response of a format holds, and no response of another.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such format.</exception>
    public static IReadOnlyList<string> MarkersOf(DemoFormat format) => format switch
    {
        DemoFormat.React => ReactMarkers,
        DemoFormat.Json => JsonMarkers,
        DemoFormat.Xml => XmlMarkers,
        DemoFormat.Prose => ProseMarkers,
        _ => throw new ArgumentOutOfRangeException(nameof(format), format, "There is no such demo format."),
    };

    /// <summary>The format's name in files and recipes: <c>react</c>, <c>json</c>, <c>xml</c>, <c>prose</c>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such format.</exception>
    public static string NameOf(DemoFormat format) => format switch
    {
        DemoFormat.React => "react",
        DemoFormat.Json => "json",
        DemoFormat.Xml => "xml",
        DemoFormat.Prose => "prose",
        _ => throw new ArgumentOutOfRangeException(nameof(format), format, "There is no such demo format."),
    };
}
