namespace Shad.Data.ToolCalls;

/// <summary>How a generated response compares with the corpus's own.</summary>
/// <remarks>
/// Calls are compared as calls, whatever the format and order they are written in: each call of the reference is paired with one of the
/// generated calls, equal ones first. A property holds for a response where it holds for every call and none is missing or left over.
/// </remarks>
public sealed record ResponseMatch
{
    private ResponseMatch()
    {
    }

    /// <summary>The same text, but for white space around it.</summary>
    public required bool Response { get; init; }

    /// <summary>The generated response is JSON; null where the reference is not.</summary>
    public bool? Json { get; init; }

    /// <summary>Calls can be read from the generated response; null, as all below, where the reference holds no calls.</summary>
    public bool? Readable { get; init; }

    /// <summary>The tools' names are the same.</summary>
    public bool? Name { get; init; }

    /// <summary>The tools' names and the names of all arguments are the same.</summary>
    public bool? ArgumentNames { get; init; }

    /// <summary>Every argument of the reference has its value.</summary>
    public bool? Values { get; init; }

    /// <summary>The whole calls are the same.</summary>
    public bool? Call { get; init; }

    /// <summary>Compares two responses.</summary>
    /// <param name="reference">The corpus's response.</param>
    /// <param name="generated">The model's.</param>
    public static ResponseMatch Of(string reference, string generated)
    {
        ArgumentNullException.ThrowIfNull(reference);
        ArgumentNullException.ThrowIfNull(generated);
        bool? json = ToolCallText.IsJson(reference) ? ToolCallText.IsJson(generated) : null;
        var match = new ResponseMatch { Response = reference.Trim() == generated.Trim(), Json = json };
        if (ToolCallText.Read(reference) is not { } expected) return match;
        var calls = ToolCallText.Read(generated);
        bool complete = calls?.Count == expected.Count;
        var pairs = complete ? Pair(expected, calls!) : [];
        return match with
        {
            Readable = calls is not null,
            Name = complete && pairs.TrueForAll(static pair => pair.Generated.Name == pair.Expected.Name),
            ArgumentNames = complete
                && pairs.TrueForAll(static pair => pair.Generated.Name == pair.Expected.Name && pair.Generated.HasSameArgumentNames(pair.Expected)),
            Values = complete && pairs.TrueForAll(static pair => pair.Generated.HasValuesOf(pair.Expected)),
            Call = complete && pairs.TrueForAll(static pair => pair.Generated.IsSameAs(pair.Expected)),
        };
    }

    /// <summary>Pairs as many calls, those that agree most first.</summary>
    private static List<(CalledTool Expected, CalledTool Generated)> Pair(IReadOnlyList<CalledTool> expected, IReadOnlyList<CalledTool> generated)
    {
        var left = expected.ToList();
        var right = generated.ToList();
        var pairs = new List<(CalledTool, CalledTool)>();
        while (left.Count > 0)
        {
            (int l, int r) = (from i in Enumerable.Range(0, left.Count)
                              from j in Enumerable.Range(0, right.Count)
                              orderby Agreement(left[i], right[j]) descending
                              select (i, j)).First();
            pairs.Add((left[l], right[r]));
            left.RemoveAt(l);
            right.RemoveAt(r);
        }

        return pairs;
    }

    private static int Agreement(CalledTool expected, CalledTool generated) =>
        (expected.Name == generated.Name ? 4 : 0) + (generated.HasSameArgumentNames(expected) ? 2 : 0) + (generated.HasValuesOf(expected) ? 1 : 0);
}
