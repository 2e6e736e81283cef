using System.Text;

namespace Shad.Data.Tokenization;

/// <summary>
/// The printable characters that stand for bytes in the token strings of byte-level BPE (Radford et al. 2019): the printable bytes
/// of Latin-1 stand for themselves, the 68 others for U+0100 and the characters after it, in order.
/// </summary>
internal static class ByteAlphabet
{
    private static readonly char[] ToCharacter = CreateToCharacter();
    private static readonly short[] ToByte = CreateToByte();

    /// <summary>The character of a byte.</summary>
    public static char CharacterOf(byte value) => ToCharacter[value];

    /// <summary>The token string that stands for bytes.</summary>
    public static string Spell(ReadOnlySpan<byte> bytes)
    {
        var characters = new char[bytes.Length];
        for (var i = 0; i < characters.Length; i++) characters[i] = ToCharacter[bytes[i]];
        return new string(characters);
    }

    /// <summary>The bytes a token string stands for; its UTF-8 bytes where it holds a character outside the alphabet, as an added
    /// token may.</summary>
    public static byte[] BytesOf(string token)
    {
        var bytes = new byte[token.Length];
        for (var i = 0; i < token.Length; i++)
        {
            if (token[i] >= ToByte.Length || ToByte[token[i]] < 0) return Encoding.UTF8.GetBytes(token);
            bytes[i] = (byte)ToByte[token[i]];
        }

        return bytes;
    }

    /// <summary>True for the bytes that occur in UTF-8 text: all but C0, C1 and F5 to FF.</summary>
    public static bool OccursInText(byte value) => value is not (0xC0 or 0xC1 or >= 0xF5);

    private static char[] CreateToCharacter()
    {
        var characters = new char[256];
        var next = '\u0100';
        for (var value = 0; value < 256; value++)
        {
            var standsForItself = value is (>= 0x21 and <= 0x7E) or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            characters[value] = standsForItself ? (char)value : next++;
        }

        return characters;
    }

    private static short[] CreateToByte()
    {
        var bytes = new short[ToCharacter.Max() + 1];
        Array.Fill(bytes, (short)-1);
        for (var value = 0; value < 256; value++) bytes[ToCharacter[value]] = (short)value;
        return bytes;
    }
}
