using System.Globalization;
using System.Numerics;

namespace Shad.Data.Chat.Templates;

/// <summary>Python's operations on text, which keep track of where every piece comes from.</summary>
internal static class TextOperations
{
    internal static TextValue Concatenate(params ReadOnlySpan<TextValue> parts)
    {
        var builder = new TextBuilder();
        foreach (TextValue part in parts) builder.Append(part);
        return builder.ToText();
    }

    internal static TextValue Join(IEnumerable<TextValue> parts, TextValue separator)
    {
        var builder = new TextBuilder();
        bool isFirst = true;
        foreach (TextValue part in parts)
        {
            if (!isFirst) builder.Append(separator);
            builder.Append(part);
            isFirst = false;
        }

        return builder.ToText();
    }

    internal static TextValue Repeat(TextValue text, BigInteger count)
    {
        if (count * text.Value.Length > TextBuilder.DefaultMaximum) throw new TemplateFault("a repeated text is too long");
        var builder = new TextBuilder();
        for (var i = BigInteger.Zero; i < count; i++) builder.Append(text);
        return builder.ToText();
    }

    /// <summary><c>strip</c>, <c>lstrip</c>, <c>rstrip</c>: takes white space, or any of some characters, from the ends.</summary>
    internal static TextValue Strip(TextValue text, string? characters, bool atStart = true, bool atEnd = true)
    {
        string value = text.Value;
        int start = 0, end = value.Length;
        while (atStart && start < end && IsStripped(start)) start++;
        while (atEnd && end > start && IsStripped(end - 1)) end--;
        return text.Slice(start, end);

        // Characters beyond the basic plane are stripped by halves only where both halves are named, as they then are.
        bool IsStripped(int i) => characters is null ? PythonText.IsWhiteSpace(value[i]) : characters.Contains(value[i], StringComparison.Ordinal);
    }

    internal static TextValue Replace(TextValue text, string old, TextValue replacement, int? count = null)
    {
        string value = text.Value;
        int left = count is null or < 0 ? int.MaxValue : count.Value;
        var builder = new TextBuilder();
        int kept = 0;
        if (old.Length == 0)
        {
            int[] places = PythonText.Places(value) ?? [.. Enumerable.Range(0, value.Length + 1)];
            for (int i = 0; i < places.Length && left > 0; i++, left--)
            {
                builder.Append(text, kept, places[i]).Append(replacement);
                kept = places[i];
            }

            return builder.Append(text, kept, value.Length).ToText();
        }

        for (int i = value.IndexOf(old, StringComparison.Ordinal); i >= 0 && left > 0; i = value.IndexOf(old, kept, StringComparison.Ordinal), left--)
        {
            builder.Append(text, kept, i);
            if (replacement.Spans.Count > 0) builder.Append(replacement);
            else builder.AppendFor(replacement.Value, text, i, i + old.Length);
            kept = i + old.Length;
        }

        return builder.Append(text, kept, value.Length).ToText();
    }

    /// <summary><c>split</c> and <c>rsplit</c>; without a separator at white space, empty pieces left out.</summary>
    internal static ListValue Split(TextValue text, string? separator, int? maximum, bool fromRight)
    {
        string value = text.Value;
        int left = maximum is null or < 0 ? int.MaxValue : maximum.Value;
        var pieces = new List<TemplateValue>();
        if (separator is { Length: 0 }) throw new TemplateFault("split has an empty separator");
        if (fromRight)
        {
            int end = value.Length;
            if (separator is null)
            {
                while (true)
                {
                    while (end > 0 && PythonText.IsWhiteSpace(value[end - 1])) end--;
                    if (end == 0) break;
                    int start = left-- > 0 ? end : 0;
                    while (start > 0 && !PythonText.IsWhiteSpace(value[start - 1])) start--;
                    while (start == 0 && left < 0 && PythonText.IsWhiteSpace(value[start])) start++;
                    pieces.Add(text.Slice(start, end));
                    if (left < 0) break;
                    end = start;
                }
            }
            else
            {
                while (left-- > 0 && end >= separator.Length)
                {
                    int at = value.LastIndexOf(separator, end - 1, end, StringComparison.Ordinal);
                    if (at < 0) break;
                    pieces.Add(text.Slice(at + separator.Length, end));
                    end = at;
                }

                pieces.Add(text.Slice(0, end));
            }

            pieces.Reverse();
            return new ListValue(pieces);
        }

        int from = 0;
        if (separator is null)
        {
            while (true)
            {
                while (from < value.Length && PythonText.IsWhiteSpace(value[from])) from++;
                if (from == value.Length) break;
                int end = value.Length;
                if (left-- > 0)
                {
                    end = from;
                    while (end < value.Length && !PythonText.IsWhiteSpace(value[end])) end++;
                }

                pieces.Add(text.Slice(from, end));
                from = end;
            }

            return new ListValue(pieces);
        }

        while (left-- > 0)
        {
            int at = value.IndexOf(separator, from, StringComparison.Ordinal);
            if (at < 0) break;
            pieces.Add(text.Slice(from, at));
            from = at + separator.Length;
        }

        pieces.Add(text.Slice(from, value.Length));
        return new ListValue(pieces);
    }

    internal static ListValue SplitLines(TextValue text, bool keepsEnds)
    {
        string value = text.Value;
        var lines = new List<TemplateValue>();
        for (int start = 0; start < value.Length;)
        {
            int end = start;
            while (end < value.Length && value[end] is not ((>= '\n' and <= '\r') or (>= '\x1c' and <= '\x1e') or '\x85' or '\u2028' or '\u2029')) end++;
            int next = end < value.Length ? end + 1 : end;
            if (next < value.Length && value[end] == '\r' && value[next] == '\n') next++;
            lines.Add(text.Slice(start, keepsEnds ? next : end));
            start = next;
        }

        return new ListValue(lines);
    }

    /// <summary>The filter <c>indent</c>: blanks before every line but the first and those without text.</summary>
    internal static TextValue Indent(TextValue text, string indentation, bool first, bool blank)
    {
        var lines = SplitLines(Concatenate(text, TextValue.Of("\n")), keepsEnds: false).Items;
        var builder = new TextBuilder();
        for (int i = 0; i < lines.Count; i++)
        {
            var line = (TextValue)lines[i];
            if (i > 0) builder.Append('\n');
            if ((i > 0 || first) && (line.IsTrue || blank)) builder.Append(indentation);
            builder.Append(line);
        }

        return builder.ToText();
    }

    /// <summary><c>text[start:stop:step]</c>, in characters as Python counts them.</summary>
    internal static TextValue Slice(TextValue text, int? start, int? stop, int? step)
    {
        int[]? places = PythonText.Places(text.Value);
        int length = places is null ? text.Value.Length : places.Length - 1;
        if (step is null or 1)
        {
            int from = Clamp(start ?? 0), to = Math.Max(from, Clamp(stop ?? length));
            return places is null ? text.Slice(from, to) : text.Slice(places[from], places[to]);
        }

        var builder = new TextBuilder();
        foreach (int i in SliceIndices(length, start, stop, step.Value)) builder.Append(text, Place(i), Place(i + 1));
        return builder.ToText();

        int Clamp(int index) => Math.Clamp(index < 0 ? index + length : index, 0, length);
        int Place(int index) => places is null ? index : places[index];
    }

    /// <summary>The indices that a slice takes from a sequence.</summary>
    internal static IEnumerable<int> SliceIndices(int length, int? start, int? stop, int step)
    {
        if (step == 0) throw new TemplateFault("the step of a slice is 0");
        if (step > 0)
        {
            int end = Clamp(stop ?? length, 0, length);
            for (long i = Clamp(start ?? 0, 0, length); i < end; i += step) yield return (int)i;
        }
        else
        {
            int end = stop is null ? -1 : Clamp(stop.Value, -1, length - 1);
            for (long i = Clamp(start ?? length - 1, -1, length - 1); i > end; i += step) yield return (int)i;
        }

        int Clamp(int index, int minimum, int maximum) => Math.Clamp(index < 0 ? Math.Max(index + (long)length, minimum) is var i ? (int)i : 0 : index, minimum, maximum);
    }

    /// <summary>Python's <c>str.format</c>, without format specifications.</summary>
    internal static TextValue Format(TextValue format, CallArguments arguments)
    {
        var builder = new TextBuilder();
        string value = format.Value;
        int next = 0;
        int kept = 0;
        for (int i = 0; i < value.Length; i++)
        {
            if (value[i] is not ('{' or '}')) continue;
            builder.Append(format, kept, i);
            if (i + 1 < value.Length && value[i + 1] == value[i])
            {
                builder.Append(value[i]);
                kept = ++i + 1;
                continue;
            }

            int end = value.IndexOf('}', i);
            if (value[i] == '}' || end < 0) throw new TemplateFault($"the format '{value}' has an unpaired brace");
            string field = value[(i + 1)..end];
            if (field.AsSpan().ContainsAny("!:.[")) throw new TemplateFault($"format supports no specification such as '{{{field}}}'", "{}, {0} or {name}");
            TemplateValue argument = field.Length == 0 ? arguments.Require(next++, "")
                : int.TryParse(field, NumberStyles.None, CultureInfo.InvariantCulture, out int place) ? arguments.Require(place, "")
                : arguments.Require(int.MaxValue, field);
            builder.Append(argument.Printed);
            kept = end + 1;
            i = end;
        }

        return builder.Append(format, kept, value.Length).ToText();
    }

    /// <summary>Python's <c>format % values</c> for <c>%s</c>, <c>%r</c>, <c>%d</c>, <c>%i</c>, <c>%f</c> and <c>%%</c>, with width, <c>-</c>, <c>0</c> and precision.</summary>
    internal static TextValue Percent(TextValue format, IReadOnlyList<TemplateValue> values)
    {
        var builder = new TextBuilder();
        string value = format.Value;
        int next = 0;
        int kept = 0;
        for (int i = value.IndexOf('%', StringComparison.Ordinal); i >= 0; i = value.IndexOf('%', kept))
        {
            builder.Append(format, kept, i);
            int at = i + 1;
            while (at < value.Length && value[at] is '-' or '0' or ' ' or '+') at++;
            string flags = value[(i + 1)..at];
            int widthStart = at;
            while (at < value.Length && char.IsAsciiDigit(value[at])) at++;
            int width = at > widthStart ? int.Parse(value.AsSpan(widthStart, at - widthStart), CultureInfo.InvariantCulture) : 0;
            int? precision = null;
            if (at < value.Length && value[at] == '.')
            {
                int from = ++at;
                while (at < value.Length && char.IsAsciiDigit(value[at])) at++;
                precision = at > from ? int.Parse(value.AsSpan(from, at - from), CultureInfo.InvariantCulture) : 0;
            }

            if (width > 1000 || precision > 100) throw new TemplateFault($"the format '{value}' asks for too many places");
            char kind = at < value.Length ? value[at] : '\0';
            kept = Math.Min(at + 1, value.Length);
            if (kind == '%')
            {
                builder.Append('%');
                continue;
            }

            if (next >= values.Count) throw new TemplateFault($"the format '{value}' has more places than values");
            TemplateValue item = values[next++];
            TextValue text = kind switch
            {
                's' => Cut(item.Printed, precision),
                'r' => Cut(PythonPrinting.Of(item), precision),
                'd' or 'i' when item.Number is { } number => TextValue.Of(
                    (item.Integer ?? new BigInteger(Math.Truncate(number))).ToString(CultureInfo.InvariantCulture)),
                'f' or 'F' when item.Number is { } number => TextValue.Of(number.ToString("F" + (precision ?? 6), CultureInfo.InvariantCulture)),
                _ => throw new TemplateFault($"the format '%{kind}' of a value of kind {item.Kind} is not supported", "%s, %r, %d or %f"),
            };
            if (flags.Contains('+', StringComparison.Ordinal) && kind is not ('s' or 'r') && text.Value[0] != '-') text = TextValue.Of("+" + text.Value);
            int missing = width - PythonText.Count(text.Value);
            if (missing <= 0) builder.Append(text);
            else if (flags.Contains('-', StringComparison.Ordinal)) builder.Append(text).Append(new string(' ', missing));
            else if (flags.Contains('0', StringComparison.Ordinal) && kind is not ('s' or 'r'))
            {
                bool isSigned = text.Value[0] is '-' or '+';
                builder.Append(isSigned ? text.Value[..1] : "").Append(new string('0', missing)).Append(isSigned ? text.Value[1..] : text.Value);
            }
            else builder.Append(new string(' ', missing)).Append(text);
        }

        if (next < values.Count) throw new TemplateFault($"the format '{value}' has fewer places than values");
        return builder.Append(format, kept, value.Length).ToText();

        static TextValue Cut(TextValue text, int? precision) => precision is { } count ? Slice(text, 0, count, null) : text;
    }

    /// <summary><c>str.title</c> and Jinja's filter <c>title</c>: a capital after everything that is no letter.</summary>
    internal static string Title(string text)
    {
        var characters = text.ToCharArray();
        bool isInWord = false;
        for (int i = 0; i < characters.Length; i++)
        {
            bool isLetter = char.IsLetter(characters[i]);
            characters[i] = isInWord ? char.ToLowerInvariant(characters[i]) : char.ToUpperInvariant(characters[i]);
            isInWord = isLetter;
        }

        return new string(characters);
    }

    internal static string Capitalize(string text) => text.Length == 0 ? text : char.ToUpperInvariant(text[0]) + text[1..].ToLowerInvariant();
}
