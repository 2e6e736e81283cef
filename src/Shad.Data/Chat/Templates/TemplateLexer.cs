using System.Globalization;
using System.Text;
using Shad.Core.Errors;

namespace Shad.Data.Chat.Templates;

/// <summary>What a token is.</summary>
internal enum TokenKind
{
    /// <summary>Text between tags.</summary>
    Data,

    /// <summary><c>{{</c></summary>
    VariableBegin,

    /// <summary><c>}}</c></summary>
    VariableEnd,

    /// <summary><c>{%</c></summary>
    BlockBegin,

    /// <summary><c>%}</c></summary>
    BlockEnd,

    /// <summary>A name or keyword.</summary>
    Name,

    /// <summary>A string literal, its escapes resolved.</summary>
    Text,

    /// <summary>A whole number, without underscores.</summary>
    Integer,

    /// <summary>A number with a fraction or exponent.</summary>
    Float,

    /// <summary>An operator or bracket.</summary>
    Operator,

    /// <summary>The end of the template.</summary>
    End,
}

/// <summary>A token of a template.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Value">Its text.</param>
/// <param name="Line">1-based line it begins on.</param>
internal readonly record struct Token(TokenKind Kind, string Value, int Line)
{
    internal bool Is(string value) => Kind is TokenKind.Name or TokenKind.Operator && Value == value;

    public override string ToString() => Kind switch
    {
        TokenKind.End => "the end of the template",
        TokenKind.Data => "text",
        TokenKind.Text => $"the string '{Value}'",
        _ => $"'{Value}'",
    };
}

/// <summary>
/// Cuts a template into tokens by Jinja's rules with <c>trim_blocks</c> and <c>lstrip_blocks</c>, as transformers sets them: the line end right
/// after a block or comment goes, so do blanks between a line's start and a block or comment; <c>-</c> in a tag takes all white space on
/// that side, <c>+</c> keeps it. One line end at the end of the template goes, too.
/// </summary>
/// <remarks>Source: the lexer of Jinja 3.1 (<c>jinja2.lexer</c>), as its documentation describes it.</remarks>
internal sealed class TemplateLexer
{
    private static readonly string[] Operators =
    [
        "**", "//", "==", "!=", ">=", "<=", "+", "-", "*", "/", "%", "~", "(", ")", "[", "]", "{", "}", "<", ">", "=", ".", ":", "|", ",", ";",
    ];

    private readonly string _source;
    private readonly string _file;
    private readonly List<Token> _tokens = [];
    private int _position;
    private int _line = 1;
    private bool _isLineStart = true;

    private TemplateLexer(string source, string file)
    {
        _source = source.EndsWith('\n') ? source[..^1] : source;
        _file = file;
    }

    /// <summary>The tokens of a template; the last one is <see cref="TokenKind.End"/>.</summary>
    /// <exception cref="ShadException">The template is not well-formed.</exception>
    internal static List<Token> Tokenize(string source, string file)
    {
        // Jinja knows these three line ends only; ReplaceLineEndings would take form feeds and separators as well.
        var lexer = new TemplateLexer(source.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n'), file);
        lexer.Run();
        return lexer._tokens;
    }

    private void Run()
    {
        while (true)
        {
            int tag = NextTag(_position);
            if (tag < 0)
            {
                if (_position < _source.Length) Add(TokenKind.Data, _source[_position..]);
                break;
            }

            char kind = _source[tag + 1];
            char sign = SignAt(tag + 2);
            AddData(_source[_position..tag], sign, isVariable: kind == '{');
            MoveTo(tag + 2 + (sign == '\0' ? 0 : 1));
            if (kind == '#') SkipComment();
            else if (kind == '%' && TryRaw()) continue;
            else ReadTag(kind == '{');
        }

        Add(TokenKind.End, "");
    }

    private int NextTag(int from)
    {
        for (int i = _source.IndexOf('{', from); i >= 0 && i + 1 < _source.Length; i = _source.IndexOf('{', i + 1))
        {
            if (_source[i + 1] is '{' or '%' or '#') return i;
        }

        return -1;
    }

    private char SignAt(int index) => index < _source.Length && _source[index] is '-' or '+' ? _source[index] : '\0';

    /// <summary>Adds the text before a tag, stripped as the tag's sign says.</summary>
    private void AddData(string text, char sign, bool isVariable)
    {
        string kept = text;
        if (sign == '-')
        {
            kept = text[..^TrailingBlanks(text)];
        }
        else if (sign != '+' && !isVariable)
        {
            int lineStart = text.LastIndexOf('\n') + 1;
            if ((lineStart > 0 || _isLineStart) && TrailingBlanks(text) >= text.Length - lineStart) kept = text[..lineStart];
        }

        if (kept.Length > 0) Add(TokenKind.Data, kept);
        MoveTo(_position + text.Length);
        _isLineStart = false;
    }

    private static int TrailingBlanks(string text)
    {
        int end = text.Length;
        while (end > 0 && PythonText.IsWhiteSpace(text[end - 1])) end--;
        return text.Length - end;
    }

    private void SkipComment()
    {
        int end = _source.IndexOf("#}", _position, StringComparison.Ordinal);
        if (end < 0) throw Error("a comment has no end", "#}");
        char sign = end > _position ? SignAt(end - 1) : '\0';
        MoveTo(end + 2);
        AfterTag(sign, trimsLine: true);
    }

    /// <summary>Takes a <c>raw</c> block whole; false where the tag is another one.</summary>
    private bool TryRaw()
    {
        int next = SkipBlanks(_position);
        if (string.CompareOrdinal(_source, next, "raw", 0, 3) != 0) return false;
        next = SkipBlanks(next + 3);
        char sign = SignAt(next);
        if (sign == '+') return false;
        int end = sign == '\0' ? next : next + 1;
        if (string.CompareOrdinal(_source, end, "%}", 0, 2) != 0) return false;
        MoveTo(end + 2);
        if (sign == '-') MoveTo(SkipBlanks(_position));
        for (int tag = _source.IndexOf("{%", _position, StringComparison.Ordinal); tag >= 0;
             tag = _source.IndexOf("{%", tag + 2, StringComparison.Ordinal))
        {
            char before = SignAt(tag + 2);
            int name = SkipBlanks(tag + (before == '\0' ? 2 : 3));
            if (string.CompareOrdinal(_source, name, "endraw", 0, 6) != 0) continue;
            int close = SkipBlanks(name + 6);
            char after = SignAt(close);
            if (after != '\0') close++;
            if (string.CompareOrdinal(_source, close, "%}", 0, 2) != 0) continue;
            AddData(_source[_position..tag], before, isVariable: false);
            MoveTo(close + 2);
            AfterTag(after, trimsLine: true);
            return true;
        }

        throw Error("a raw block has no end", "{% endraw %}");
    }

    private void ReadTag(bool isVariable)
    {
        string end = isVariable ? "}}" : "%}";
        Add(isVariable ? TokenKind.VariableBegin : TokenKind.BlockBegin, isVariable ? "{{" : "{%");
        var open = new Stack<char>();
        while (true)
        {
            MoveTo(SkipBlanks(_position));
            if (_position >= _source.Length) throw Error("a tag has no end", end);
            if (open.Count == 0)
            {
                char sign = SignAt(_position);
                if (isVariable && sign == '+') sign = '\0';
                int close = _position + (sign == '\0' ? 0 : 1);
                if (string.CompareOrdinal(_source, close, end, 0, 2) == 0)
                {
                    Add(isVariable ? TokenKind.VariableEnd : TokenKind.BlockEnd, end);
                    MoveTo(close + 2);
                    AfterTag(sign, trimsLine: !isVariable);
                    return;
                }
            }

            ReadToken(open);
        }
    }

    private void AfterTag(char sign, bool trimsLine)
    {
        if (sign == '-') MoveTo(SkipBlanks(_position));
        else if (sign != '+' && trimsLine && _position < _source.Length && _source[_position] == '\n') MoveTo(_position + 1);
        _isLineStart = _source[_position - 1] == '\n';
    }

    private void ReadToken(Stack<char> open)
    {
        char c = _source[_position];
        if (c is '\'' or '"')
        {
            ReadText(c);
            return;
        }

        if (char.IsAsciiDigit(c))
        {
            ReadNumber();
            return;
        }

        if (char.IsLetter(c) || c == '_')
        {
            int end = _position + 1;
            while (end < _source.Length && (char.IsLetterOrDigit(_source[end]) || _source[end] == '_')) end++;
            AddUntil(TokenKind.Name, end);
            return;
        }

        string? op = Array.Find(Operators, op => string.CompareOrdinal(_source, _position, op, 0, op.Length) == 0);
        if (op is null) throw Error($"'{c}' has no meaning in a tag");
        if (op is "(" or "[" or "{")
        {
            open.Push(op[0] == '(' ? ')' : op[0] == '[' ? ']' : '}');
        }
        else if (op is ")" or "]" or "}")
        {
            if (!open.TryPop(out char expected)) throw Error($"'{op}' closes nothing");
            if (expected != op[0]) throw Error($"'{op}' closes another bracket", $"'{expected}'");
        }

        AddUntil(TokenKind.Operator, _position + op.Length);
    }

    private void ReadNumber()
    {
        int end = Digits(_position);
        bool isFloat = false;
        if (end + 1 < _source.Length && _source[end] == '.' && char.IsAsciiDigit(_source[end + 1]) && !IsAfterDot())
        {
            isFloat = true;
            end = Digits(end + 1);
        }

        int exponent = end;
        if (exponent < _source.Length && _source[exponent] is 'e' or 'E' && !IsAfterDot())
        {
            exponent++;
            if (exponent < _source.Length && _source[exponent] is '+' or '-') exponent++;
            if (exponent < _source.Length && char.IsAsciiDigit(_source[exponent]))
            {
                isFloat = true;
                end = Digits(exponent);
            }
        }

        Add(isFloat ? TokenKind.Float : TokenKind.Integer, _source[_position..end].Replace("_", "", StringComparison.Ordinal));
        MoveTo(end);
    }

    private bool IsAfterDot() => _position > 0 && _source[_position - 1] == '.';

    private int Digits(int index)
    {
        while (index < _source.Length && (char.IsAsciiDigit(_source[index]) || (_source[index] == '_' && index + 1 < _source.Length && char.IsAsciiDigit(_source[index + 1])))) index++;
        return index;
    }

    /// <summary>A string literal, with Python's escapes; an unknown escape keeps its backslash.</summary>
    private void ReadText(char quote)
    {
        var text = new StringBuilder();
        int i = _position + 1;
        while (true)
        {
            if (i >= _source.Length) throw Error("a string has no end", quote.ToString());
            char c = _source[i++];
            if (c == quote) break;
            if (c != '\\' || i >= _source.Length)
            {
                text.Append(c);
                continue;
            }

            char escape = _source[i++];
            switch (escape)
            {
                case '\n': break;
                case '\\' or '\'' or '"': text.Append(escape); break;
                case 'a': text.Append('\a'); break;
                case 'b': text.Append('\b'); break;
                case 'f': text.Append('\f'); break;
                case 'n': text.Append('\n'); break;
                case 'r': text.Append('\r'); break;
                case 't': text.Append('\t'); break;
                case 'v': text.Append('\v'); break;
                case 'x': i = Hexadecimal(i, 2, text); break;
                case 'u': i = Hexadecimal(i, 4, text); break;
                case 'U': i = Hexadecimal(i, 8, text); break;
                case >= '0' and <= '7':
                    int value = escape - '0';
                    for (int n = 0; n < 2 && i < _source.Length && _source[i] is >= '0' and <= '7'; n++) value = (value * 8) + (_source[i++] - '0');
                    text.Append((char)value);
                    break;
                default: text.Append('\\').Append(escape); break;
            }
        }

        Add(TokenKind.Text, text.ToString());
        MoveTo(i);
    }

    private int Hexadecimal(int from, int digits, StringBuilder text)
    {
        if (from + digits > _source.Length
            || !int.TryParse(_source.AsSpan(from, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value)
            || value is < 0 or > 0x10FFFF)
            throw Error("a string has a broken escape", $"{digits} hexadecimal digits of a character");
        if (value > 0xFFFF) text.Append(char.ConvertFromUtf32(value));
        else text.Append((char)value);
        return from + digits;
    }

    private void Add(TokenKind kind, string value) => _tokens.Add(new Token(kind, value, _line));

    private void AddUntil(TokenKind kind, int end)
    {
        Add(kind, _source[_position..end]);
        MoveTo(end);
    }

    private void MoveTo(int position)
    {
        _line += _source.AsSpan(_position, position - _position).Count('\n');
        _position = position;
    }

    private int SkipBlanks(int from)
    {
        while (from < _source.Length && PythonText.IsWhiteSpace(_source[from])) from++;
        return from;
    }

    private ShadException Error(string what, string? expected = null) => TemplateErrors.Syntax($"{_file}:{_line}", what, expected);
}
