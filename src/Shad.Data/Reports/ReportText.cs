namespace Shad.Data.Reports;

/// <summary>Cutting text for the report without breaking characters.</summary>
internal static class ReportText
{
    /// <summary>The text, or as much of its beginning as leaves room for an ellipsis within <paramref name="length"/> characters.</summary>
    public static string Shorten(string text, int length)
    {
        if (text.Length <= length) return text;
        int end = length - 1;
        if (char.IsLowSurrogate(text[end]) && char.IsHighSurrogate(text[end - 1])) end--;
        return string.Concat(text.AsSpan(0, end), "…");
    }

    /// <summary>As <see cref="Shorten"/>, keeping the end.</summary>
    public static string ShortenLeft(string text, int length)
    {
        if (text.Length <= length) return text;
        int start = text.Length - length + 1;
        if (char.IsLowSurrogate(text[start]) && char.IsHighSurrogate(text[start - 1])) start++;
        return string.Concat("…", text.AsSpan(start));
    }
}
