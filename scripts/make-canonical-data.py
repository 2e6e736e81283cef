#!/usr/bin/env python3
"""Writes src/Shad.Data/Tokenization/CanonicalData.cs, the tables of Unicode normalization form C, from Python's unicodedata.

Usage: scripts/make-canonical-data.py   (from any folder; the Unicode version is Python's)
"""
import pathlib
import textwrap
import unicodedata

TARGET = pathlib.Path(__file__).resolve().parent.parent / "src/Shad.Data/Tokenization/CanonicalData.cs"
HANGUL = range(0xAC00, 0xD7A4)  # composed by arithmetic


def decompositions():
    for code in range(0x110000):
        if code in HANGUL:
            continue
        mapping = unicodedata.decomposition(chr(code))
        if not mapping or mapping.startswith("<"):
            continue
        recomposed = unicodedata.normalize("NFC", chr(code)) == chr(code)
        yield ("" if recomposed else "!") + f"{code:X}=" + "+".join(f"{int(part, 16):X}" for part in mapping.split())


def combining_classes():
    start = previous = None
    for code in range(0x110001):
        now = unicodedata.combining(chr(code)) if code < 0x110000 else 0
        if now == previous:
            continue
        if previous:
            last = code - 1
            yield (f"{start:X}:{previous}" if last == start else f"{start:X}-{last:X}:{previous}")
        start, previous = code, now


def literal(entries):
    return "\n".join("        " + line for line in textwrap.wrap(" ".join(entries), 116, break_on_hyphens=False))


TARGET.write_text(f'''namespace Shad.Data.Tokenization;

/// <summary>Canonical decompositions and combining classes of Unicode {unicodedata.unidata_version}. Written by
/// <c>scripts/make-canonical-data.py</c>; do not edit.</summary>
internal static class CanonicalData
{{
    /// <summary>Entries <c>COMPOSED=FIRST+SECOND</c>; <c>!</c> in front of those that are never composed again.</summary>
    public const string Decompositions = """
{literal(decompositions())}
        """;

    /// <summary>Entries <c>FIRST-LAST:CLASS</c>.</summary>
    public const string CombiningClasses = """
{literal(combining_classes())}
        """;
}}
''', encoding="utf-8")
print(f"wrote {TARGET.name}, Unicode {unicodedata.unidata_version}")
