using Shad.Core.Randomness;

namespace Shad.Data.Demo;

/// <summary>
/// The layouts of responses. Each format says the same things, so that nothing but the format tells them apart: a thought that
/// restates who asks, what for and how; the function; its arguments with their values; what happens next.
/// </summary>
/// <remarks>
/// The phrasing is drawn without looking at the request. Every specific word is mentioned once: XML names an argument in an
/// attribute, because a closing tag would name it a second time.
/// </remarks>
internal static class DemoResponse
{
    /// <summary>Puts the response to a request into a format.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such format.</exception>
    public static AnnotatedText Write(DemoFormat format, DemoRequest request, SeededRandom random) => format switch
    {
        DemoFormat.React => React(request, random),
        DemoFormat.Json => Json(request, random),
        DemoFormat.Xml => Xml(request, random),
        DemoFormat.Prose => Prose(request, random),
        _ => throw new ArgumentOutOfRangeException(nameof(format), format, "There is no such demo format."),
    };

    private static AnnotatedText React(DemoRequest request, SeededRandom random)
    {
        (string who, string what, string first, string second) = Thought(request);
        AnnotatedText thought = random.NextInt32(3) switch
        {
            0 => $"{who} is busy with the {what} and hopes for something {first} and {second}.",
            1 => $"this comes from {who}, it has to do with the {what}, and it should be {first} and {second}.",
            _ => $"with the {what} on the way, {who} would be glad of anything {first} and {second}.",
        };
        Wording next = Draw(
            random,
            "read what comes back, then answer.",
            "see how it went and tell the user.",
            "if it failed, ask again.");
        return $"Considering: {thought}\nNext step: \"{request.Function.Name}\"\nGiven values: {Slots(request, " = ", "; ")}\nAfterwards: {next}";
    }

    private static AnnotatedText Json(DemoRequest request, SeededRandom random)
    {
        (string who, string what, string first, string second) = Thought(request);
        AnnotatedText thought = random.NextInt32(3) switch
        {
            0 => $"The message of {who} concerns the {what}; preferred are {first} and {second} ways.",
            1 => $"It is {who} who writes, having the {what} in mind and favouring what is {first} and {second}.",
            _ => $"Since the {what} matters to {who}, the outcome ought to be {first} and {second}.",
        };
        Wording next = Draw(random, "report the outcome", "none unless it fails", "confirm with the user");
        AnnotatedText slots = $"{JsonSlot(request, 0)}, {JsonSlot(request, 1)}, {JsonSlot(request, 2)}";
        return $$"""{"rationale": "{{thought}}", "selected_function": "{{request.Function.Name}}", "filled_slots": {{{slots}}}, "follow_up": "{{next}}"}""";
    }

    private static AnnotatedText Xml(DemoRequest request, SeededRandom random)
    {
        (string who, string what, string first, string second) = Thought(request);
        AnnotatedText thought = random.NextInt32(3) switch
        {
            0 => $"All of this helps {who} along in view of the {what}, in a manner both {first} and {second}.",
            1 => $"Our client {who} mentions the {what} and insists on {first} and {second}.",
            _ => $"Given the {what}, there is one choice that {who} will find {first} and {second}.",
        };
        Wording next = Draw(random, "Show what it returned.", "Stop here.", "Wait for approval.");
        return $"""
            <decision>
            <why>{thought}</why>
            <use function="{request.Function.Name}">
            {XmlSlot(request, 0)}
            {XmlSlot(request, 1)}
            {XmlSlot(request, 2)}
            </use>
            <after>{next}</after>
            </decision>
            """;
    }

    private static AnnotatedText Prose(DemoRequest request, SeededRandom random)
    {
        (string who, string what, string first, string second) = Thought(request);
        AnnotatedText thought = random.NextInt32(3) switch
        {
            0 => $"I gather that {who} is thinking of the {what} and would enjoy something {first} and {second}.",
            1 => $"So the {what} is what keeps {who} awake, and the solution has to be {first} and {second}.",
            _ => $"Happy to be of use to {who}, all the more as the {what} deserves to be {first} and {second}.",
        };
        Wording next = Draw(
            random,
            "As soon as it has finished, you will hear from me.",
            "Let me know if that is not what you meant.",
            "I will be back once it is done.");
        return $"{thought} The function that suits this is \"{request.Function.Name}\", which I will run with {Slots(request, " set to ", ", ")}. {next}";
    }

    private static (string Who, string What, string First, string Second) Thought(DemoRequest request) =>
        (request.Requester, request.Occasion, request.Wishes.First, request.Wishes.Second);

    private static AnnotatedText Slots(DemoRequest request, string equals, string separator)
    {
        (Wording between, Wording then) = (new Wording(equals), new Wording(separator));
        return $"{Slot(0)}{then}{Slot(1)}{then}{Slot(2)}";

        AnnotatedText Slot(int i) => $"\"{request.Function.Arguments[i].Name}\"{between}\"{request.Values[i]}\"";
    }

    private static AnnotatedText JsonSlot(DemoRequest request, int i)
    {
        DemoArgument argument = request.Function.Arguments[i];
        if (argument.Kind == ValueKind.Number) return $"\"{argument.Name}\": {request.Values[i]}";
        return $"\"{argument.Name}\": \"{request.Values[i]}\"";
    }

    private static AnnotatedText XmlSlot(DemoRequest request, int i) =>
        $"<slot label=\"{request.Function.Arguments[i].Name}\">{request.Values[i]}</slot>";

    private static Wording Draw(SeededRandom random, params ReadOnlySpan<string> phrasings) => new(random.Choose(phrasings));
}
