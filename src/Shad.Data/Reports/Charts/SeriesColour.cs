namespace Shad.Data.Reports.Charts;

/// <summary>
/// The colour of a series by its name. What SHAD made (probe, rft) has one colour, what it is compared with (control, sft) the other,
/// and the base model a neutral one; lines of the compared are dashed besides, so that colour is never the only difference.
/// </summary>
internal static class SeriesColour
{
    /// <summary>The CSS classes of a series.</summary>
    public static string ClassOf(string name) => name switch
    {
        "probe" or "rft" => "c-shad",
        "control" or "sft" => "c-compared",
        "base" => "c-base",
        _ => "c-other",
    };

    /// <summary>True where lines are dashed; these are drawn over the solid ones, which show between the dashes.</summary>
    public static bool IsDashed(string name) => ClassOf(name) == "c-compared";
}
