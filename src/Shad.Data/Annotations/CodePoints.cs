namespace Shad.Data.Annotations;

/// <summary>Positions in a text, counted in UTF-16 units (.NET) and in Unicode code points (Python).</summary>
internal static class CodePoints
{
    /// <summary>Number of code points; half a surrogate pair counts as one.</summary>
    internal static int Count(string text)
    {
        int count = text.Length;
        for (int i = 1; i < text.Length; i++)
        {
            if (char.IsLowSurrogate(text[i]) && char.IsHighSurrogate(text[i - 1])) count--;
        }

        return count;
    }

    /// <summary>Converts UTF-16 positions. One between the halves of a pair counts as before it, or as behind it where it ends a token.</summary>
    internal static int[] FromUtf16(string text, int[] positions, bool areEnds)
    {
        if (!HasSurrogates(text)) return positions;
        int[] map = new int[text.Length + 1];
        for (int i = 0, point = 0; i <= text.Length; i++)
        {
            bool isInside = i > 0 && i < text.Length && char.IsLowSurrogate(text[i]) && char.IsHighSurrogate(text[i - 1]);
            map[i] = isInside && !areEnds ? point - 1 : point;
            if (!isInside) point++;
        }

        return Array.ConvertAll(positions, position => map[position]);
    }

    /// <summary>Converts code-point positions, which must lie in the text.</summary>
    internal static int[] ToUtf16(string text, int[] positions)
    {
        if (!HasSurrogates(text)) return positions;
        var map = new List<int>(text.Length + 1);
        for (int i = 0; i <= text.Length; i++)
        {
            bool isInside = i > 0 && i < text.Length && char.IsLowSurrogate(text[i]) && char.IsHighSurrogate(text[i - 1]);
            if (!isInside) map.Add(i);
        }

        return Array.ConvertAll(positions, position => map[position]);
    }

    private static bool HasSurrogates(string text) => text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF');
}
