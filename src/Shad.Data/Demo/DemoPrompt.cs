using System.Globalization;
using Shad.Core.Randomness;

namespace Shad.Data.Demo;

/// <summary>
/// Puts a request into the words of a system message and a user message. Knows nothing of response formats. Names and values are
/// quoted, as in the function lists and forms of real prompts, and so are they in every response format.
/// </summary>
internal static class DemoPrompt
{
    private static readonly string[] Introductions =
    [
        "You can call these functions.",
        "Functions at hand:",
        "Help the user with one of the following functions.",
        "You act for the user. What you can run:",
    ];

    /// <summary>The system message: an introduction and the list of functions.</summary>
    public static string System(DemoRequest request, SeededRandom random)
    {
        string introduction = random.Choose<string>(Introductions);
        return random.NextInt32(3) switch
        {
            0 => introduction + "\n" + List("\n", static f => $"- \"{f.Name}\" ({Names(f)})"),
            1 => introduction + "\n" + List("\n", static f => $"\"{f.Name}\": {Names(f)}"),
            _ => introduction + " " + List("; ", static f => $"\"{f.Name}\" with {Names(f)}") + ".",
        };

        string List(string separator, Func<DemoFunction, string> describe) =>
            string.Join(separator, request.Listed.Select(describe));

        static string Names(DemoFunction function) =>
            string.Join(", ", function.Arguments.Select(static argument => $"\"{argument.Name}\""));
    }

    /// <summary>The user message: what to do, with which values, for whom, what for, and how.</summary>
    public static string User(DemoRequest request, SeededRandom random)
    {
        string act = Act(request.Function, random);
        string values = Values(request, random);
        string requester = request.Requester;
        string occasion = request.Occasion;
        (string first, string second) = request.Wishes;
        return random.NextInt32(8) switch
        {
            0 => $"My name is {requester}. Could you {act}, {values}? It is for the {occasion}. I would like it {first} and {second}.",
            1 => $"Please {act}: {values}. It belongs to the {occasion}, so think {first} and {second}. Thanks, {requester}",
            2 => $"Hi, my name is {requester} and I look after the {occasion}. I need you to {act}, {values}. Keep it {first} and {second}.",
            3 => $"For the {occasion} we have to {act}, {values}. Ideally {first} and {second}. Signed, {requester}",
            4 => $"Can you {act}? Details: {values}. {requester} wants it {first} and {second} for the {occasion}.",
            5 => $"It is time to {act}, {values}. {requester} runs the {occasion} and likes things {first} and {second}.",
            6 => $"I am {requester}. The {occasion} is close and I must {act}, {values}. What matters to me: {first} and {second}.",
            _ => $"We want {first} and {second}, nothing else! Would you {act}, {values}? This is about the {occasion}. Regards, {requester}",
        };
    }

    private static string Act(DemoFunction function, SeededRandom random)
    {
        string article = "aeiou".Contains(function.Thing[0], StringComparison.Ordinal) ? "an" : "a";
        return function.Action + " " + random.NextInt32(4) switch
        {
            0 => "the",
            1 => "my",
            2 => "our",
            _ => article,
        } + " " + function.Thing;
    }

    /// <summary>All values, in sentence phrases or beside their arguments' names, in any order.</summary>
    private static string Values(DemoRequest request, SeededRandom random)
    {
        var pairs = request.Function.Arguments.Zip(request.Values).ToArray();
        if (random.NextBoolean(0.4)) random.Shuffle<(DemoArgument, string)>(pairs);
        Func<DemoArgument, string, string> say = random.NextInt32(5) switch
        {
            0 => static (argument, value) => $"\"{argument.Name}\": {value}",
            1 => static (argument, value) => $"\"{argument.Name}\" {value}",
            2 => static (argument, value) => $"the \"{argument.Name}\" being {value}",
            _ => static (argument, value) => string.Format(CultureInfo.InvariantCulture, argument.Phrase, value),
        };
        string[] said = [.. pairs.Select(pair => say(pair.First, $"\"{pair.Second}\""))];
        return random.NextBoolean() ? string.Join(", ", said) : $"{string.Join(", ", said[..^1])} and {said[^1]}";
    }
}
