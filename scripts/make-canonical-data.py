#!/usr/bin/env python3
"""Writes CanonicalData.cs and CompatibilityData.cs in src/Shad.Data/Tokenization, the tables of the Unicode normalization forms,
from Python's unicodedata.

Usage: scripts/make-canonical-data.py   (from any folder; the Unicode version is Python's)
"""
import pathlib
import textwrap
import unicodedata

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "src/Shad.Data/Tokenization"
TARGET = FOLDER / "CanonicalData.cs"
COMPATIBILITY = FOLDER / "CompatibilityData.cs"
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


def compatibility():
    """Full decompositions (form KD) of what form D leaves otherwise; runs that count up together are one entry."""
    run = None  # first and last variant, first plain code point
    for code in range(0x110001):
        text = chr(code) if code < 0x110000 and code not in HANGUL and not 0xD800 <= code < 0xE000 else ""
        plain = [ord(c) for c in unicodedata.normalize("NFKD", text)]
        if text and unicodedata.normalize("NFKD", text) == unicodedata.normalize("NFD", text):
            plain = []
        if run and len(plain) == 1 and code == run[1] + 1 and plain[0] == run[2] + code - run[0]:
            run = (run[0], code, run[2])
            continue
        if run:
            first, last, start = run
            yield (f"{first:X}={start:X}" if first == last else f"{first:X}-{last:X}={start:X}")
            run = None
        if len(plain) == 1:
            run = (code, code, plain[0])
        elif plain:
            yield f"{code:X}=" + "+".join(f"{part:X}" for part in plain)


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
COMPATIBILITY.write_text(f'''namespace Shad.Data.Tokenization;

/// <summary>Compatibility decompositions of Unicode {unicodedata.unidata_version}. Written by <c>scripts/make-canonical-data.py</c>; do not
/// edit.</summary>
internal static class CompatibilityData
{{
    /// <summary>Entries <c>VARIANT=FIRST+SECOND…</c>, decomposed fully, and <c>FIRST-LAST=PLAIN</c> for runs that count up together.</summary>
    public const string Decompositions = """
{literal(compatibility())}
        """;
}}
''', encoding="utf-8")
print(f"wrote {TARGET.name} and {COMPATIBILITY.name}, Unicode {unicodedata.unidata_version}")
