using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Unicode;

namespace Shad.Data.Files;

/// <summary>
/// Escapes in JSON only what must be (RFC 8259, section 7): quotation mark, backslash and the control characters below U+0020. The
/// framework's most relaxed encoder still escapes emoji and some others, which a model would then be taught to write.
/// </summary>
internal sealed unsafe class MinimalJsonEncoder : JavaScriptEncoder
{
    private const string Specials =
        "\"\\\0\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000B\f\r\u000E\u000F\u0010\u0011\u0012\u0013\u0014\u0015\u0016\u0017"
        + "\u0018\u0019\u001A\u001B\u001C\u001D\u001E\u001F";

    private static readonly SearchValues<char> SpecialUnits = SearchValues.Create(Specials);
    private static readonly SearchValues<byte> SpecialBytes = SearchValues.Create(Encoding.ASCII.GetBytes(Specials));

    private MinimalJsonEncoder()
    {
    }

    internal static MinimalJsonEncoder Instance { get; } = new();

    /// <summary>As of <c>\u0001</c>.</summary>
    public override int MaxOutputCharactersPerInputCharacter => 6;

    public override bool WillEncode(int unicodeScalar) => unicodeScalar < 0x20 || unicodeScalar is '"' or '\\';

    public override int FindFirstCharacterToEncode(char* text, int textLength)
    {
        var span = new ReadOnlySpan<char>(text, textLength);
        int special = span.IndexOfAny(SpecialUnits);
        var clean = special < 0 ? span : span[..special];

        // Halves of surrogate pairs are no characters: the base class replaces them.
        for (int i = clean.IndexOfAnyInRange('\uD800', '\uDFFF'); i >= 0 && i < clean.Length; i++)
        {
            if (!char.IsSurrogate(clean[i])) continue;
            if (!char.IsHighSurrogate(clean[i]) || i + 1 == clean.Length || !char.IsLowSurrogate(clean[i + 1])) return i;
            i++;
        }

        return special;
    }

    public override int FindFirstCharacterToEncodeUtf8(ReadOnlySpan<byte> utf8Text)
    {
        int special = utf8Text.IndexOfAny(SpecialBytes);
        return Utf8.IsValid(special < 0 ? utf8Text : utf8Text[..special]) ? special : base.FindFirstCharacterToEncodeUtf8(utf8Text);
    }

    public override bool TryEncodeUnicodeScalar(int unicodeScalar, char* buffer, int bufferLength, out int numberOfCharactersWritten)
    {
        string escape = unicodeScalar switch
        {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\b' => "\\b",
            '\f' => "\\f",
            < 0x20 => $"\\u{unicodeScalar:x4}",
            _ => new Rune(unicodeScalar).ToString(),
        };
        bool fits = escape.TryCopyTo(new Span<char>(buffer, bufferLength));
        numberOfCharactersWritten = fits ? escape.Length : 0;
        return fits;
    }
}
