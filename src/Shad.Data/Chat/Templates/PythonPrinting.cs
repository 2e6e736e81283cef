using System.Globalization;

namespace Shad.Data.Chat.Templates;

/// <summary>Values as text: Python's <c>repr</c> and, as transformers' filter <c>tojson</c> does, <c>json.dumps</c>.</summary>
internal static class PythonPrinting
{
    private const int MaximumDepth = 200;

    /// <summary><c>repr(value)</c>; of a text <c>repr</c>, too, with its quotes.</summary>
    internal static TextValue Of(TemplateValue value)
    {
        var builder = new TextBuilder();
        Append(builder, value, 0);
        return builder.ToText();
    }

    /// <summary>The shortest digits that give the number again, written as Python writes them.</summary>
    internal static string Of(double value)
    {
        if (double.IsNaN(value)) return "nan";
        if (double.IsInfinity(value)) return value > 0 ? "inf" : "-inf";
        string sign = double.IsNegative(value) ? "-" : "";
        if (value == 0) return sign + "0.0";

        // digits · 10^(point − number of digits) is the number.
        string text = Math.Abs(value).ToString("R", CultureInfo.InvariantCulture);
        int e = text.IndexOf('E', StringComparison.Ordinal);
        int exponent = e < 0 ? 0 : int.Parse(text.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        string mantissa = e < 0 ? text : text[..e];
        int dot = mantissa.IndexOf('.', StringComparison.Ordinal);
        int point = (dot < 0 ? mantissa.Length : dot) + exponent;
        string digits = mantissa.Replace(".", "", StringComparison.Ordinal);
        int zeros = digits.Length - digits.TrimStart('0').Length;
        point -= zeros;
        digits = digits[zeros..].TrimEnd('0');

        if (point is > -4 and <= 16)
        {
            if (point <= 0) return $"{sign}0.{new string('0', -point)}{digits}";
            return digits.Length <= point
                ? $"{sign}{digits}{new string('0', point - digits.Length)}.0"
                : $"{sign}{digits[..point]}.{digits[point..]}";
        }

        string fraction = digits.Length > 1 ? "." + digits[1..] : "";
        string power = Math.Abs(point - 1).ToString("00", CultureInfo.InvariantCulture);
        return $"{sign}{digits[0]}{fraction}e{(point < 1 ? '-' : '+')}{power}";
    }

    /// <summary><c>json.dumps(value, ensure_ascii=…, indent=…, separators=…, sort_keys=…)</c>.</summary>
    /// <param name="value">The value.</param>
    /// <param name="isAscii">Write what is not ASCII as escapes.</param>
    /// <param name="indent">What a level is indented by; null for one line.</param>
    /// <param name="separators">What stands between items, and between key and value; null for Python's.</param>
    /// <param name="sortsKeys">Order objects by their keys.</param>
    /// <exception cref="TemplateFault">The value has no JSON.</exception>
    internal static TextValue Json(TemplateValue value, bool isAscii, string? indent, (string Item, string Key)? separators, bool sortsKeys)
    {
        var writer = new JsonText(isAscii, indent, separators ?? (indent is null ? ", " : ",", ": "), sortsKeys);
        writer.Append(value, 0);
        return writer.Text.ToText();
    }

    private static void Append(TextBuilder builder, TemplateValue value, int depth)
    {
        if (depth > MaximumDepth) throw new TemplateFault("a value is nested too deeply to print");
        switch (value)
        {
            case TextValue text: AppendQuoted(builder, text); break;
            case NoneValue: builder.Append("None"); break;
            case BooleanValue flag: builder.Append(flag.IsTrue ? "True" : "False"); break;
            case IntegerValue integer: builder.Append(integer.Value.ToString(CultureInfo.InvariantCulture)); break;
            case FloatValue real: builder.Append(Of(real.Value)); break;
            case UndefinedValue: builder.Append("Undefined"); break;
            case ListValue list:
                builder.Append(list.IsTuple ? '(' : '[');
                for (int i = 0; i < list.Items.Count; i++)
                {
                    if (i > 0) builder.Append(", ");
                    Append(builder, list.Items[i], depth + 1);
                }

                if (list is { IsTuple: true, Items.Count: 1 }) builder.Append(',');
                builder.Append(list.IsTuple ? ')' : ']');
                break;
            case DictValue dict:
                builder.Append('{');
                for (int i = 0; i < dict.Count; i++)
                {
                    if (i > 0) builder.Append(", ");
                    Append(builder, dict.Pairs[i].Key, depth + 1);
                    builder.Append(": ");
                    Append(builder, dict.Pairs[i].Value, depth + 1);
                }

                builder.Append('}');
                break;
            default: throw new TemplateFault($"a value of kind {value.Kind} cannot be printed");
        }
    }

    private static void AppendQuoted(TextBuilder builder, TextValue text)
    {
        char quote = text.Value.Contains('\'') && !text.Value.Contains('"') ? '"' : '\'';
        builder.Append(quote);
        AppendEscaped(builder, text, (c, point) => c switch
        {
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            _ when c == quote => "\\" + c,
            _ when IsPrintable(point) => null,
            _ when point < 0x100 => $"\\x{point:x2}",
            _ when point < 0x10000 => $"\\u{point:x4}",
            _ => $"\\U{point:x8}",
        });
        builder.Append(quote);
    }

    /// <summary>Appends a text, some characters replaced by escapes that stand for them.</summary>
    /// <param name="builder">Where to.</param>
    /// <param name="text">The text.</param>
    /// <param name="escape">The escape of a character by its first UTF-16 unit and its code point; null for none.</param>
    private static void AppendEscaped(TextBuilder builder, TextValue text, Func<char, int, string?> escape)
    {
        string value = text.Value;
        int kept = 0;
        for (int i = 0; i < value.Length; i++)
        {
            bool isPair = char.IsHighSurrogate(value[i]) && i + 1 < value.Length && char.IsLowSurrogate(value[i + 1]);
            int end = i + (isPair ? 2 : 1);
            if (escape(value[i], isPair ? char.ConvertToUtf32(value[i], value[i + 1]) : value[i]) is { } escaped)
            {
                builder.Append(text, kept, i).AppendFor(escaped, text, i, end);
                kept = end;
            }

            i = end - 1;
        }

        builder.Append(text, kept, value.Length);
    }

    private static bool IsPrintable(int point) => point == ' ' || CharUnicodeInfo.GetUnicodeCategory(point) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse
        or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
        or UnicodeCategory.SpaceSeparator);

    private sealed class JsonText(bool isAscii, string? indent, (string Item, string Key) separators, bool sortsKeys)
    {
        internal TextBuilder Text { get; } = new();

        internal void Append(TemplateValue value, int depth)
        {
            if (depth > MaximumDepth) throw new TemplateFault("a value is nested too deeply for JSON");
            switch (value)
            {
                case TextValue text: AppendText(text); break;
                case NoneValue: Text.Append("null"); break;
                case BooleanValue flag: Text.Append(flag.IsTrue ? "true" : "false"); break;
                case IntegerValue integer: Text.Append(integer.Value.ToString(CultureInfo.InvariantCulture)); break;
                case FloatValue real: Text.Append(NumberOf(real.Value)); break;
                case ListValue list: AppendAll('[', ']', list.Items, depth, item => Append(item, depth + 1)); break;
                case DictValue dict:
                    IEnumerable<KeyValuePair<TemplateValue, TemplateValue>> pairs = dict.Pairs;
                    if (sortsKeys) pairs = pairs.Order(Comparer<KeyValuePair<TemplateValue, TemplateValue>>.Create(static (a, b) => TemplateValue.Compare(a.Key, b.Key)));
                    AppendAll('{', '}', [.. pairs], depth, pair =>
                    {
                        AppendText(KeyOf(pair.Key));
                        Text.Append(separators.Key);
                        Append(pair.Value, depth + 1);
                    });
                    break;
                case UndefinedValue undefined: throw undefined.Fault;
                default: throw new TemplateFault($"a value of kind {value.Kind} has no JSON");
            }
        }

        private static string NumberOf(double value) =>
            double.IsNaN(value) ? "NaN" : double.IsInfinity(value) ? (value > 0 ? "Infinity" : "-Infinity") : Of(value);

        private static TextValue KeyOf(TemplateValue key) => key switch
        {
            TextValue text => text,
            NoneValue => TextValue.Of("null"),
            BooleanValue flag => TextValue.Of(flag.IsTrue ? "true" : "false"),
            IntegerValue or FloatValue => key.Printed,
            _ => throw new TemplateFault($"a value of kind {key.Kind} is no key in JSON"),
        };

        private void AppendAll<T>(char open, char close, IReadOnlyList<T> items, int depth, Action<T> append)
        {
            Text.Append(open);
            for (int i = 0; i < items.Count; i++)
            {
                if (i > 0) Text.Append(separators.Item);
                NewLine(depth + 1);
                append(items[i]);
            }

            if (items.Count > 0) NewLine(depth);
            Text.Append(close);
        }

        private void NewLine(int depth)
        {
            if (indent is null) return;
            Text.Append('\n');
            for (int i = 0; i < depth; i++) Text.Append(indent);
        }

        private void AppendText(TextValue text)
        {
            Text.Append('"');
            AppendEscaped(Text, text, (c, point) => c switch
            {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                '\b' => "\\b",
                '\f' => "\\f",
                < ' ' => $"\\u{(int)c:x4}",
                > '\x7f' when isAscii => point < 0x10000 ? $"\\u{point:x4}" : string.Concat(char.ConvertFromUtf32(point).Select(static unit => $"\\u{(int)unit:x4}")),
                _ => null,
            });
            Text.Append('"');
        }
    }
}
