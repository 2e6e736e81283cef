using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Shad.Data.Tokenization;

/// <summary>
/// Translates the regular expressions of <c>tokenizer.json</c>, written for Oniguruma in its Ruby syntax, to .NET's syntax.
/// </summary>
/// <remarks>
/// What differs: possessive quantifiers (<c>?+ *+ ++</c>) become atomic groups; an interval followed by <c>+</c> is repeated, as
/// in Ruby; <c>^</c> and <c>$</c> stand at every line; <c>\w</c> is Oniguruma's; <c>[</c> inside a class opens a nested class,
/// whose characters are added to it. Refused are negated nested classes, scripts (<c>\p{Han}</c>), word boundaries, <c>[[:alpha:]]</c>, class intersections, back references and code points beyond U+FFFF.
/// </remarks>
internal sealed class OnigurumaSyntax
{
    private static readonly HashSet<string> Categories =
    [
        "L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po",
        "S", "Sm", "Sc", "Sk", "So", "Z", "Zs", "Zl", "Zp", "C", "Cc", "Cf", "Co", "Cn",
    ];

    private static readonly Dictionary<string, string> LongCategories = new()
    {
        ["Letter"] = "L", ["Mark"] = "M", ["Number"] = "N", ["Punctuation"] = "P", ["Symbol"] = "S", ["Separator"] = "Z", ["Other"] = "C",
    };

    private static readonly Dictionary<string, string> PosixClasses = new()
    {
        ["digit"] = @"\p{Nd}", ["space"] = @"\s", ["punct"] = @"\p{P}\p{S}", ["blank"] = @"\t\p{Zs}", ["cntrl"] = @"\p{Cc}",
    };

    // What Oniguruma takes for a part of a word: letters, marks, decimal and letter numbers, connectors, and by way of their
    // properties the fractions and powers of Latin-1 and the circled letters (those beyond U+FFFF are left out).
    private const string WordCharacters = @"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}²³¹¼-¾\u24B6-\u24E9";

    private readonly string _pattern;
    private readonly StringBuilder _output = new();
    private int _at;

    private OnigurumaSyntax(string pattern) => _pattern = pattern;

    /// <summary>Compiles a pattern.</summary>
    /// <exception cref="FormatException">The pattern is wrong, or uses what cannot be translated; the message says what.</exception>
    public static UnicodePattern Compile(string pattern)
    {
        var translated = Translate(pattern);
        try
        {
            return new UnicodePattern(new Regex(translated, RegexOptions.Compiled | RegexOptions.CultureInvariant));
        }
        catch (ArgumentException error)
        {
            throw new FormatException(error.Message, error);
        }
    }

    /// <summary>The pattern in .NET's syntax.</summary>
    /// <exception cref="FormatException">The pattern is wrong, or uses what cannot be translated; the message says what.</exception>
    public static string Translate(string pattern) => new OnigurumaSyntax(pattern).Run();

    private string Run()
    {
        var groups = new Stack<int>();
        var atom = -1; // where the last thing a quantifier can follow begins in the output
        var quantified = false;
        while (_at < _pattern.Length)
        {
            var start = _output.Length;
            var character = _pattern[_at];
            if (TryReadQuantifier(out var quantifier, out var isInterval))
            {
                if (atom < 0) throw new FormatException($"nothing to repeat before position {_at}");
                if (quantified) Wrap(atom, "(?:");
                ApplyQuantifier(atom, quantifier, isInterval);
                quantified = true;
                continue;
            }

            quantified = false;
            switch (character)
            {
                case '(':
                    OpenGroup(groups, ref atom);
                    continue;
                case ')':
                    if (groups.Count == 0) throw new FormatException("a closing parenthesis has no opening one");
                    _at++;
                    _output.Append(')');
                    atom = groups.Pop();
                    continue;
                case '|':
                    _at++;
                    _output.Append('|');
                    atom = -1;
                    continue;
                case '^':
                    _at++;
                    _output.Append("(?m:^)");
                    break;
                case '$':
                    _at++;
                    _output.Append("(?m:$)");
                    break;
                case '[':
                    ReadClass();
                    break;
                case '\\':
                    _output.Append(ReadEscape(inClass: false));
                    break;
                default:
                    _output.Append(character == '.' ? "." : Literal(character));
                    _at++;
                    break;
            }

            atom = start;
        }

        if (groups.Count > 0) throw new FormatException("a parenthesis is not closed");
        return _output.ToString();
    }

    private void OpenGroup(Stack<int> groups, ref int atom)
    {
        if (!LookingAt("(?"))
        {
            Open("(", "(?:");
        }
        else if (LookingAt("(?:") || LookingAt("(?=") || LookingAt("(?!") || LookingAt("(?>"))
        {
            Open(_pattern.Substring(_at, 3), _pattern.Substring(_at, 3));
        }
        else if (LookingAt("(?<=") || LookingAt("(?<!"))
        {
            Open(_pattern.Substring(_at, 4), _pattern.Substring(_at, 4));
        }
        else if (LookingAt("(?i:"))
        {
            Open("(?i:", "(?i:");
        }
        else if (LookingAt("(?i)"))
        {
            _output.Append("(?i)");
            _at += 4;
            atom = -1;
            return;
        }
        else
        {
            throw new FormatException($"the group at position {_at} is of a kind that is not supported");
        }

        atom = -1;

        void Open(string read, string written)
        {
            groups.Push(_output.Length);
            _output.Append(written);
            _at += read.Length;
        }
    }

    private bool LookingAt(string text) => string.CompareOrdinal(_pattern, _at, text, 0, text.Length) == 0;

    private bool TryReadQuantifier(out string quantifier, out bool isInterval)
    {
        quantifier = "";
        isInterval = false;
        var character = _pattern[_at];
        if (character is '?' or '*' or '+')
        {
            quantifier = character.ToString();
            _at++;
            return true;
        }

        if (character != '{') return false;
        var close = _pattern.IndexOf('}', _at);
        if (close < 0) return false;
        var bounds = _pattern[(_at + 1)..close].Split(',');
        if (bounds.Length > 2 || bounds.All(b => b.Length == 0) || bounds.Any(b => b.Any(c => !char.IsAsciiDigit(c)))) return false;
        quantifier = bounds.Length == 1 ? $"{{{bounds[0]}}}" : $"{{{(bounds[0].Length == 0 ? "0" : bounds[0])},{bounds[1]}}}";
        isInterval = true;
        _at = close + 1;
        return true;
    }

    private void ApplyQuantifier(int atom, string quantifier, bool isInterval)
    {
        _output.Append(quantifier);
        var next = _at < _pattern.Length ? _pattern[_at] : '\0';
        if (next == '?')
        {
            if (isInterval && !quantifier.Contains(',')) throw new FormatException("{n}? means different things to different engines");
            _output.Append('?');
            _at++;
        }
        else if (next == '+')
        {
            Wrap(atom, isInterval ? "(?:" : "(?>");
            if (isInterval) _output.Append('+');
            _at++;
        }
    }

    private void Wrap(int start, string opening)
    {
        _output.Insert(start, opening);
        _output.Append(')');
    }

    private void ReadClass()
    {
        _output.Append('[');
        _at++;
        if (_at < _pattern.Length && _pattern[_at] == '^')
        {
            _output.Append('^');
            _at++;
        }

        ReadClassMembers();
        _output.Append(']');
    }

    private void ReadClassMembers()
    {
        for (var first = true; ; first = false)
        {
            if (_at >= _pattern.Length) throw new FormatException("a class is not closed");
            var character = _pattern[_at];
            if (character == ']' && !first)
            {
                _at++;
                return;
            }

            if (LookingAt("[:"))
            {
                _output.Append(ReadPosixClass());
            }
            else if (character == '[')
            {
                _at++;
                if (_at < _pattern.Length && _pattern[_at] == '^') throw new FormatException("negated classes inside classes are not supported");
                ReadClassMembers();
            }
            else if (LookingAt("&&"))
            {
                throw new FormatException("intersections of classes (&&) are not supported");
            }
            else if (character == '\\')
            {
                _output.Append(ReadEscape(inClass: true));
            }
            else
            {
                _output.Append(character is ']' or '^' ? "\\" + character : Literal(character, inClass: true));
                _at++;
            }
        }
    }

    private string ReadPosixClass()
    {
        var close = _pattern.IndexOf(":]", _at, StringComparison.Ordinal);
        var name = close < 0 ? "" : _pattern[(_at + 2)..close];
        if (!PosixClasses.TryGetValue(name, out var translated)) throw new FormatException($"the class [:{name}:] is not supported");
        _at = close + 2;
        return translated;
    }

    private string ReadEscape(bool inClass)
    {
        if (_at + 1 >= _pattern.Length) throw new FormatException("the pattern ends in a backslash");
        var character = _pattern[_at + 1];
        _at += 2;
        switch (character)
        {
            case 'p' or 'P':
                return ReadProperty(character == 'P');
            case 's' or 'S' or 'd' or 'D' or 'n' or 'r' or 't' or 'f' or 'v' or 'a' or 'e':
                return "\\" + character;
            case 'w':
                return inClass ? WordCharacters : $"[{WordCharacters}]";
            case 'W' when !inClass:
                return $"[^{WordCharacters}]";
            case 'A' or 'z' or 'Z' when !inClass:
                return "\\" + character;
            case 'x' or 'u':
                return ReadCodePoint(character, inClass);
            default:
                if (char.IsAsciiLetterOrDigit(character)) throw new FormatException($"the escape \\{character} is not supported");
                return Literal(character, inClass, escape: true);
        }
    }

    private string ReadProperty(bool negated)
    {
        string name;
        if (_at < _pattern.Length && _pattern[_at] == '{')
        {
            var close = _pattern.IndexOf('}', _at);
            if (close < 0) throw new FormatException("a property name is not closed");
            name = _pattern[(_at + 1)..close];
            _at = close + 1;
            if (name.StartsWith('^'))
            {
                negated = !negated;
                name = name[1..];
            }
        }
        else
        {
            name = _at < _pattern.Length ? _pattern[_at..(_at + 1)] : "";
            _at++;
        }

        if (LongCategories.TryGetValue(name, out var category)) name = category;
        if (!Categories.Contains(name))
        {
            throw new FormatException($"the property \\p{{{name}}} is not a general category, and others are not supported");
        }

        return $"\\{(negated ? 'P' : 'p')}{{{name}}}";
    }

    private string ReadCodePoint(char kind, bool inClass)
    {
        string digits;
        if (_at < _pattern.Length && _pattern[_at] == '{')
        {
            var close = _pattern.IndexOf('}', _at);
            digits = close < 0 ? "" : _pattern[(_at + 1)..close];
            _at = close + 1;
        }
        else
        {
            var length = kind == 'x' ? 2 : 4;
            digits = _at + length <= _pattern.Length ? _pattern.Substring(_at, length) : "";
            _at += length;
        }

        if (!int.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var codePoint) || codePoint < 0)
        {
            throw new FormatException($"\\{kind} is not followed by a code point");
        }

        if (codePoint > 0xFFFF) throw new FormatException("code points beyond U+FFFF are not supported");
        return Literal((char)codePoint, inClass, escape: true);
    }

    private static string Literal(char character, bool inClass = false, bool escape = false)
    {
        if (char.IsSurrogate(character)) throw new FormatException("code points beyond U+FFFF are not supported");
        if (character is < ' ' or (>= '\u007F' and < '\u00A0')) return $"\\u{(int)character:X4}";
        if (!inClass) return Regex.Escape(character.ToString());
        return escape && (character is '\\' or ']' or '[' or '^' or '-') ? "\\" + character : character.ToString();
    }
}
