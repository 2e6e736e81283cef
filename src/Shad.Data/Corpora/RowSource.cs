namespace Shad.Data.Corpora;

/// <summary>Where a row comes from: written <c>FILE:NUMBER</c>.</summary>
/// <param name="Path">The file, as it was named.</param>
/// <param name="Number">1-based line (JSON Lines) or row (Parquet, JSON array).</param>
public readonly record struct RowSource(string Path, long Number)
{
    /// <summary>The id of a row that has none: the file's name without its folder, and the number.</summary>
    public string DefaultId => $"{System.IO.Path.GetFileName(Path)}:{Number}";

    /// <inheritdoc/>
    public override string ToString() => $"{Path}:{Number}";
}
