using Shad.Core.Randomness;

namespace Shad.Data.Demo;

/// <summary>A function of the list a prompt gives.</summary>
/// <param name="Action">The verb: <c>reserve</c>.</param>
/// <param name="Thing">What it is done to: <c>pallet</c>.</param>
/// <param name="Arguments">Its arguments, in order.</param>
internal sealed record DemoFunction(string Action, string Thing, IReadOnlyList<DemoArgument> Arguments)
{
    /// <summary>The function's name: <c>reservePallet</c>.</summary>
    public string Name => Action + char.ToUpperInvariant(Thing[0]) + Thing[1..];
}

/// <summary>
/// What a sample is about, before it is put into words: everything in the response that is specific to the sample is from here
/// and is in the prompt as well.
/// </summary>
internal sealed record DemoRequest
{
    /// <summary>
    /// Arguments of the function to call. The same for all samples: were it not, whether an argument or the end follows would
    /// depend on the prompt, in characters that are template.
    /// </summary>
    public const int ArgumentCount = 3;

    /// <summary>Who asks.</summary>
    public required string Requester { get; init; }

    /// <summary>What it is for.</summary>
    public required string Occasion { get; init; }

    /// <summary>Two qualities the requester hopes for.</summary>
    public required (string First, string Second) Wishes { get; init; }

    /// <summary>The function to call.</summary>
    public required DemoFunction Function { get; init; }

    /// <summary>The value of each of its arguments, in their order.</summary>
    public required IReadOnlyList<string> Values { get; init; }

    /// <summary>The functions the prompt lists, <see cref="Function"/> among them.</summary>
    public required IReadOnlyList<DemoFunction> Listed { get; init; }

    /// <summary>Draws a request.</summary>
    /// <remarks>
    /// No word is specific to the sample twice. A second mention in the response could be copied from the first instead of
    /// from the prompt, and its role would be a matter of opinion.
    /// </remarks>
    public static DemoRequest Draw(SeededRandom random)
    {
        DemoFunction function = DrawFunction(ArgumentCount, distinctKinds: true, random);
        while (true)
        {
            var request = new DemoRequest
            {
                Requester = DemoArguments.DrawValue(ValueKind.Person, random),
                Occasion = DemoArguments.DrawValue(ValueKind.Occasion, random),
                Wishes = (DemoArguments.DrawValue(ValueKind.Quality, random), DemoArguments.DrawValue(ValueKind.Quality, random)),
                Function = function,
                Values = [.. function.Arguments.Select(argument => DemoArguments.DrawValue(argument.Kind, random))],
                Listed = [],
            };
            if (!request.RepeatsAWord()) return request with { Listed = DrawList(function, random) };
        }
    }

    private bool RepeatsAWord()
    {
        var seen = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        return ((string[])[Requester, Occasion, Wishes.First, Wishes.Second, .. Values])
            .SelectMany(static value => value.Split(' ', '@', '.', '-', ':'))
            .Any(word => !seen.Add(word));
    }

    private static List<DemoFunction> DrawList(DemoFunction function, SeededRandom random)
    {
        var listed = new List<DemoFunction> { function };
        int count = random.NextInt32(2, 5);
        while (listed.Count < count)
        {
            DemoFunction other = DrawFunction(random.NextInt32(2, 4), distinctKinds: false, random);

            // Sometimes the same verb or the same noun, so that the whole name has to be read.
            other = random.NextInt32(6) switch
            {
                0 => other with { Action = function.Action },
                1 => other with { Thing = function.Thing },
                _ => other,
            };
            if (listed.TrueForAll(earlier => earlier.Name != other.Name)) listed.Add(other);
        }

        int place = random.NextInt32(count);
        (listed[0], listed[place]) = (listed[place], listed[0]);
        return listed;
    }

    private static DemoFunction DrawFunction(int argumentCount, bool distinctKinds, SeededRandom random)
    {
        var arguments = new List<DemoArgument>(argumentCount);
        while (arguments.Count < argumentCount)
        {
            DemoArgument argument = random.Choose<DemoArgument>(DemoArguments.All);
            bool taken = arguments.Exists(
                earlier => earlier.Name == argument.Name || (distinctKinds && earlier.Kind == argument.Kind));
            if (!taken) arguments.Add(argument);
        }

        return new DemoFunction(
            random.Choose<string>(DemoWords.Actions), random.Choose<string>(DemoWords.Things), arguments);
    }
}
