using System.Globalization;
using System.Numerics;
using System.Text.Json;

namespace Shad.Data.Chat.Templates;

/// <summary>Jinja's filters, <c>value | name</c>, and transformers' <c>tojson</c>.</summary>
internal static class TemplateFilters
{
    private static readonly Dictionary<string, Func<TemplateValue, CallArguments, TemplateValue>> All = new(StringComparer.Ordinal)
    {
        ["abs"] = static (value, _) => value.Integer is { } integer ? new IntegerValue(BigInteger.Abs(integer)) : new FloatValue(Math.Abs(NumberOf(value))),
        ["attr"] = static (value, arguments) => value.Find(arguments.Text(0, "name")) ?? new UndefinedValue($"'{arguments.Text(0, "name")}'"),
        ["batch"] = Batch,
        ["capitalize"] = static (value, _) => value.Printed.Map(TextOperations.Capitalize),
        ["count"] = Length,
        ["d"] = Default,
        ["default"] = Default,
        ["dictsort"] = DictSort,
        ["e"] = Escape,
        ["escape"] = Escape,
        ["first"] = static (value, _) => value.Elements is [var first, ..] ? first : new UndefinedValue("the first item of an empty sequence"),
        ["float"] = static (value, arguments) => new FloatValue(value.Number ?? (value is TextValue text
            && double.TryParse(text.Value, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) ? number : arguments.Get(0, "default")?.Number ?? 0)),
        ["format"] = static (value, arguments) => TextOperations.Percent(value.Printed, arguments.Positional),
        ["from_json"] = FromJson,
        ["groupby"] = GroupBy,
        ["indent"] = Indent,
        ["int"] = Int,
        ["items"] = static (value, _) => value switch
        {
            DictValue dict => new GeneratorValue(TemplateMethods.Items(dict).Items),
            UndefinedValue => new GeneratorValue([]),
            _ => throw new TemplateFault($"the filter 'items' finds a value of kind {value.Kind}", "a mapping"),
        },
        ["join"] = Join,
        ["last"] = static (value, _) => value is GeneratorValue
            ? throw new TemplateFault("the filter 'last' finds a generator", "a list")
            : value.Elements is [.., var last] ? last : new UndefinedValue("the last item of an empty sequence"),
        ["length"] = Length,
        ["list"] = static (value, _) => new ListValue(value.Elements),
        ["lower"] = static (value, _) => value.Printed.Map(static text => text.ToLowerInvariant()),
        ["map"] = Map,
        ["max"] = static (value, arguments) => Extreme(value, arguments, 1),
        ["min"] = static (value, arguments) => Extreme(value, arguments, -1),
        ["pprint"] = static (value, _) => PythonPrinting.Of(value),
        ["reject"] = static (value, arguments) => Select(value, arguments, keeps: false, byAttribute: false),
        ["rejectattr"] = static (value, arguments) => Select(value, arguments, keeps: false, byAttribute: true),
        ["replace"] = static (value, arguments) => TextOperations.Replace(
            value.Printed, arguments.Check("old", "new", "count").Require(0, "old").Printed.Value, arguments.Require(1, "new").Printed,
            arguments.WholeNumber(2, "count")),
        ["reverse"] = static (value, _) => value is TextValue text
            ? TextOperations.Slice(text, null, null, -1)
            : new GeneratorValue([.. value.Elements.Reverse()]),
        ["round"] = Round,
        ["safe"] = static (value, _) => Markup(value.Printed),
        ["select"] = static (value, arguments) => Select(value, arguments, keeps: true, byAttribute: false),
        ["selectattr"] = static (value, arguments) => Select(value, arguments, keeps: true, byAttribute: true),
        ["sort"] = Sort,
        ["string"] = static (value, _) => value.Printed,
        ["sum"] = Sum,
        ["title"] = static (value, _) => value.Printed.Map(TextOperations.Title),
        ["tojson"] = ToJson,
        ["trim"] = static (value, arguments) => TextOperations.Strip(
            value.Printed, arguments.Get(0, "chars") is null or NoneValue ? null : arguments.Text(0, "chars")),
        ["truncate"] = Truncate,
        ["unique"] = Unique,
        ["upper"] = static (value, _) => value.Printed.Map(static text => text.ToUpperInvariant()),
        ["wordcount"] = static (value, _) => new IntegerValue(TextOperations.Split(value.Printed, null, null, fromRight: false).Items.Count),
    };

    internal static bool IsKnown(string name) => All.ContainsKey(name);

    /// <summary>The value of <c>target | name(arguments)</c>.</summary>
    /// <exception cref="TemplateFault">The filter does not take such a value.</exception>
    internal static TemplateValue Apply(string name, TemplateValue target, CallArguments arguments) => All.TryGetValue(name, out var filter)
        ? filter(target, arguments)
        : throw new TemplateFault($"there is no filter '{name}'");

    internal static TextValue Markup(TextValue text) => new(text.Value, text.Spans) { IsMarkup = true };

    private static double NumberOf(TemplateValue value) => value.Number ?? throw new TemplateFault($"a value of kind {value.Kind} is no number");

    private static IntegerValue Length(TemplateValue value, CallArguments arguments) => new(value switch
    {
        TextValue text => PythonText.Count(text.Value),
        ListValue or DictValue or UndefinedValue => value.Elements.Count,
        _ => throw new TemplateFault($"a value of kind {value.Kind} has no length"),
    });

    private static TemplateValue Default(TemplateValue value, CallArguments arguments)
    {
        arguments.Check("default_value", "boolean");
        bool isMissing = value is UndefinedValue || (arguments.Flag(1, "boolean") && !value.IsTrue);
        return isMissing ? arguments.Get(0, "default_value") ?? TextValue.Empty : value;
    }

    private static TextValue Escape(TemplateValue value, CallArguments arguments) => Escaped(value.Printed);

    /// <summary>A text escaped for HTML; markup stays as it is.</summary>
    internal static TextValue Escaped(TextValue text)
    {
        if (text.IsMarkup) return text;
        foreach ((string from, string to) in (ReadOnlySpan<(string, string)>)[("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("'", "&#39;"), ("\"", "&#34;")])
            text = TextOperations.Replace(text, from, TextValue.Of(to));
        return Markup(text);
    }

    private static ListValue DictSort(TemplateValue value, CallArguments arguments)
    {
        arguments.Check("case_sensitive", "by", "reverse");
        if (value is not DictValue dict) throw new TemplateFault($"the filter 'dictsort' finds a value of kind {value.Kind}", "a mapping");
        bool isSensitive = arguments.Flag(0, "case_sensitive");
        bool byValue = arguments.Get(1, "by") is TextValue { Value: "value" };
        return new ListValue(Sorted(
            TemplateMethods.Items(dict).Items, item => Fold(((ListValue)item).Items[byValue ? 1 : 0], isSensitive), arguments.Flag(2, "reverse")));
    }

    private static ListValue Sort(TemplateValue value, CallArguments arguments)
    {
        arguments.Check("reverse", "case_sensitive", "attribute");
        bool isSensitive = arguments.Flag(1, "case_sensitive");
        return new ListValue(Sorted(value.Elements, item => Fold(AttributeOf(item, arguments.Get(2, "attribute")), isSensitive), arguments.Flag(0, "reverse")));
    }

    private static GeneratorValue Unique(TemplateValue value, CallArguments arguments)
    {
        arguments.Check("case_sensitive", "attribute");
        bool isSensitive = arguments.Flag(0, "case_sensitive");
        var kept = new List<TemplateValue>();
        var seen = new List<TemplateValue>();
        foreach (TemplateValue item in value.Elements)
        {
            TemplateValue key = Fold(AttributeOf(item, arguments.Get(1, "attribute")), isSensitive);
            if (seen.Exists(other => TemplateValue.AreEqual(other, key))) continue;
            seen.Add(key);
            kept.Add(item);
        }

        return new GeneratorValue(kept);
    }

    private static ListValue GroupBy(TemplateValue value, CallArguments arguments)
    {
        TemplateValue attribute = arguments.Check("attribute", "default", "case_sensitive").Require(0, "attribute");
        TemplateValue KeyOf(TemplateValue item) => AttributeOf(item, attribute) is UndefinedValue && arguments.Get(1, "default") is { } other ? other : AttributeOf(item, attribute);
        var groups = new List<(TemplateValue Key, List<TemplateValue> Items)>();
        foreach (TemplateValue item in Sorted(value.Elements, item => Fold(KeyOf(item), arguments.Flag(2, "case_sensitive")), false))
        {
            TemplateValue key = KeyOf(item);
            if (groups.Count == 0 || !TemplateValue.AreEqual(Fold(groups[^1].Key, arguments.Flag(2, "case_sensitive")), Fold(key, arguments.Flag(2, "case_sensitive"))))
                groups.Add((key, []));
            groups[^1].Items.Add(item);
        }

        return new ListValue([.. groups.Select(static group => new ListValue([group.Key, new ListValue(group.Items)], isTuple: true))]);
    }

    private static TemplateValue Extreme(TemplateValue value, CallArguments arguments, int sign)
    {
        arguments.Check("case_sensitive", "attribute");
        TemplateValue KeyOf(TemplateValue item) => Fold(AttributeOf(item, arguments.Get(1, "attribute")), arguments.Flag(0, "case_sensitive"));
        TemplateValue? best = null;
        foreach (TemplateValue item in value.Elements)
        {
            if (best is null || sign * TemplateValue.Compare(KeyOf(item), KeyOf(best)) > 0) best = item;
        }

        return best ?? new UndefinedValue("the extreme of an empty sequence");
    }

    private static List<TemplateValue> Sorted(IEnumerable<TemplateValue> items, Func<TemplateValue, TemplateValue> key, bool reverse)
    {
        var comparer = Comparer<TemplateValue>.Create(TemplateValue.Compare);
        try
        {
            return reverse ? [.. items.OrderByDescending(key, comparer)] : [.. items.OrderBy(key, comparer)];
        }
        catch (InvalidOperationException e) when (e.InnerException is TemplateFault fault)
        {
            throw fault;
        }
    }

    private static TemplateValue Fold(TemplateValue value, bool isSensitive) =>
        !isSensitive && value is TextValue text ? TextValue.Of(text.Value.ToLowerInvariant()) : value;

    /// <summary>What a dotted name, or a number, finds in a value; without a name the value itself.</summary>
    private static TemplateValue AttributeOf(TemplateValue value, TemplateValue? attribute)
    {
        if (attribute is null or NoneValue) return value;
        foreach (string part in attribute.Printed.Value.Split('.'))
        {
            value = value is ListValue list && int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int index)
                ? index < list.Items.Count ? list.Items[index] : new UndefinedValue($"item {index}")
                : value.Find(part) ?? new UndefinedValue($"'{part}'");
        }

        return value;
    }

    private static GeneratorValue Select(TemplateValue value, CallArguments arguments, bool keeps, bool byAttribute)
    {
        if (!value.IsTrue) return new GeneratorValue([]);
        int skipped = byAttribute ? 1 : 0;
        TemplateValue? attribute = byAttribute ? arguments.Require(0, "attribute") : null;
        string? test = arguments.Positional.Count > skipped ? arguments.Text(skipped, "test") : null;
        var rest = new CallArguments(test ?? "", [.. arguments.Positional.Skip(skipped + 1)], arguments.Named);
        return new GeneratorValue([.. value.Elements.Where(item =>
        {
            TemplateValue tested = AttributeOf(item, attribute);
            return (test is null ? tested.IsTrue : TemplateTests.Apply(test, tested, rest)) == keeps;
        })]);
    }

    private static GeneratorValue Map(TemplateValue value, CallArguments arguments)
    {
        if (!value.IsTrue) return new GeneratorValue([]);
        if (arguments.Get(int.MaxValue, "attribute") is { } attribute)
        {
            TemplateValue? whereMissing = arguments.Get(int.MaxValue, "default");
            return new GeneratorValue([.. value.Elements.Select(item => AttributeOf(item, attribute) is var found && found is UndefinedValue && whereMissing is not null ? whereMissing : found)]);
        }

        string filter = arguments.Text(0, "filter");
        var rest = new CallArguments(filter, [.. arguments.Positional.Skip(1)], arguments.Named);
        return new GeneratorValue([.. value.Elements.Select(item => Apply(filter, item, rest))]);
    }

    private static TextValue Join(TemplateValue value, CallArguments arguments)
    {
        arguments.Check("d", "attribute");
        return TextOperations.Join(
            value.Elements.Select(item => AttributeOf(item, arguments.Get(1, "attribute")).Printed), arguments.Get(0, "d")?.Printed ?? TextValue.Empty);
    }

    private static TextValue Indent(TemplateValue value, CallArguments arguments)
    {
        arguments.Check("width", "first", "blank");
        string indentation = arguments.Get(0, "width") is TextValue text ? text.Value : new string(' ', Math.Clamp(arguments.WholeNumber(0, "width") ?? 4, 0, 1000));
        return TextOperations.Indent(value.Printed, indentation, arguments.Flag(1, "first"), arguments.Flag(2, "blank"));
    }

    private static TemplateValue Int(TemplateValue value, CallArguments arguments)
    {
        if (value.Integer is { } integer) return new IntegerValue(integer);
        if (value.Number is { } number && double.IsFinite(number)) return new IntegerValue(new BigInteger(number));
        if (value is TextValue text)
        {
            string trimmed = TextOperations.Strip(text, null).Value;
            if (BigInteger.TryParse(trimmed, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out BigInteger parsed)) return new IntegerValue(parsed);
            if (double.TryParse(trimmed, NumberStyles.Float, CultureInfo.InvariantCulture, out double real) && double.IsFinite(real)) return new IntegerValue(new BigInteger(real));
        }

        return arguments.Get(0, "default") ?? new IntegerValue(0);
    }

    private static FloatValue Round(TemplateValue value, CallArguments arguments)
    {
        arguments.Check("precision", "method");
        int precision = Math.Clamp(arguments.WholeNumber(0, "precision") ?? 0, -15, 15);
        double number = NumberOf(value);
        double scale = Math.Pow(10, precision);
        return new FloatValue((arguments.Get(1, "method") as TextValue)?.Value switch
        {
            "ceil" => Math.Ceiling(number * scale) / scale,
            "floor" => Math.Floor(number * scale) / scale,
            _ => precision >= 0 ? Math.Round(number, precision, MidpointRounding.ToEven) : Math.Round(number * scale, MidpointRounding.ToEven) / scale,
        });
    }

    private static TemplateValue Sum(TemplateValue value, CallArguments arguments)
    {
        arguments.Check("attribute", "start");
        TemplateValue sum = arguments.Get(1, "start") ?? new IntegerValue(0);
        foreach (TemplateValue item in value.Elements) sum = TemplateArithmetic.Apply("+", sum, AttributeOf(item, arguments.Get(0, "attribute")));
        return sum;
    }

    private static GeneratorValue Batch(TemplateValue value, CallArguments arguments)
    {
        int size = arguments.Check("linecount", "fill_with").WholeNumber(0, "linecount") is { } count and > 0
            ? count
            : throw new TemplateFault("the filter 'batch' asks for no positive number of items");
        var rows = value.Elements.Chunk(size).Select(static row => row.ToList()).ToList();
        if (arguments.Get(1, "fill_with") is { } fill && rows.Count > 0 && size <= 100_000)
        {
            while (rows[^1].Count < size) rows[^1].Add(fill);
        }

        return new GeneratorValue([.. rows.Select(static row => new ListValue(row))]);
    }

    private static TextValue Truncate(TemplateValue value, CallArguments arguments)
    {
        arguments.Check("length", "killwords", "end", "leeway");
        TextValue text = value.Printed;
        int length = arguments.WholeNumber(0, "length") ?? 255;
        TextValue end = arguments.Get(2, "end")?.Printed ?? TextValue.Of("...");
        if (PythonText.Count(text.Value) <= length + (arguments.WholeNumber(3, "leeway") ?? 5)) return text;
        TextValue cut = TextOperations.Slice(text, 0, Math.Max(0, length - PythonText.Count(end.Value)), null);
        if (!arguments.Flag(1, "killwords") && cut.Value.LastIndexOf(' ') is var space && space >= 0) cut = cut.Slice(0, space);
        return TextOperations.Concatenate(cut, end);
    }

    private static TextValue ToJson(TemplateValue value, CallArguments arguments)
    {
        arguments.Check("ensure_ascii", "indent", "separators", "sort_keys");
        string? indent = arguments.Get(1, "indent") switch
        {
            null or NoneValue => null,
            TextValue text => text.Value,
            _ => new string(' ', Math.Clamp(arguments.WholeNumber(1, "indent") ?? 0, 0, 100)),
        };
        (string, string)? separators = arguments.Get(2, "separators") switch
        {
            null or NoneValue => null,
            ListValue { Items: [TextValue item, TextValue key] } => (item.Value, key.Value),
            _ => throw new TemplateFault("the separators of 'tojson' are not two texts"),
        };
        return PythonPrinting.Json(value, arguments.Flag(0, "ensure_ascii"), indent, separators, arguments.Flag(3, "sort_keys"));
    }

    private static TemplateValue FromJson(TemplateValue value, CallArguments arguments)
    {
        TextValue text = value.Printed;
        try
        {
            using var document = JsonDocument.Parse(text.Value, new JsonDocumentOptions { MaxDepth = 256 });
            return TemplateValue.Of(document.RootElement, text.Spans.Count > 0 ? text.Spans[0].Message : -1);
        }
        catch (JsonException e)
        {
            throw new TemplateFault($"the filter 'from_json' finds no JSON ({e.Message.TrimEnd('.')})");
        }
    }
}

/// <summary>Python's arithmetic on the values of templates.</summary>
internal static class TemplateArithmetic
{
    internal static TemplateValue Apply(string op, TemplateValue left, TemplateValue right)
    {
        if (left is UndefinedValue undefined) throw undefined.Fault;
        if (right is UndefinedValue other && op != "%") throw other.Fault;
        switch (op)
        {
            case "+" when left is TextValue a && right is TextValue b && (a.IsMarkup || b.IsMarkup):
                return TemplateFilters.Markup(TextOperations.Concatenate(TemplateFilters.Escaped(a), TemplateFilters.Escaped(b)));
            case "+" when left is TextValue a && right is TextValue b: return TextOperations.Concatenate(a, b);
            case "+" when left is ListValue a && right is ListValue b && a.IsTuple == b.IsTuple:
                if (a.Items.Count + b.Items.Count > TemplateRenderer.MaximumItems) throw new TemplateFault("a list grows too long");
                return new ListValue([.. a.Items, .. b.Items], a.IsTuple);
            case "*" when left is TextValue text && right.Integer is { } count: return TextOperations.Repeat(text, count);
            case "*" when right is TextValue text && left.Integer is { } count: return TextOperations.Repeat(text, count);
            case "*" when left is ListValue list && right.Integer is { } count:
                if (count * list.Items.Count > TemplateRenderer.MaximumItems) throw new TemplateFault("a list grows too long");
                return new ListValue([.. Enumerable.Repeat(list.Items, Math.Max(0, (int)count)).SelectMany(static items => items)], list.IsTuple);
            case "%" when left is TextValue format:
                return TextOperations.Percent(format, right is ListValue { IsTuple: true } values ? values.Items : [right]);
        }

        if (left.Integer is { } i && right.Integer is { } j && op != "/") return Integers(op, i, j);
        if (left.Number is { } x && right.Number is { } y) return new FloatValue(Reals(op, x, y));
        throw new TemplateFault($"'{op}' has no meaning between values of kind {left.Kind} and {right.Kind}");
    }

    private static TemplateValue Integers(string op, BigInteger a, BigInteger b)
    {
        if (op is "//" or "%" && b.IsZero) throw new TemplateFault("division by zero");
        switch (op)
        {
            case "+": return new IntegerValue(a + b);
            case "-": return new IntegerValue(a - b);
            case "*": return new IntegerValue(a * b);
            case "//": return new IntegerValue((a - Modulo(a, b)) / b);
            case "%": return new IntegerValue(Modulo(a, b));
            default:
                if (b.Sign < 0) return new FloatValue(Math.Pow((double)a, (double)b));
                if (b > 4096 || b * a.GetBitLength() > 8192) throw new TemplateFault("a power is too large");
                return new IntegerValue(BigInteger.Pow(a, (int)b));
        }
    }

    // The remainder has the divisor's sign.
    private static BigInteger Modulo(BigInteger a, BigInteger b)
    {
        BigInteger remainder = a % b;
        return remainder.Sign != 0 && remainder.Sign != b.Sign ? remainder + b : remainder;
    }

    private static double Reals(string op, double a, double b)
    {
        if (op is "/" or "//" or "%" && b == 0) throw new TemplateFault("division by zero");
        return op switch
        {
            "+" => a + b,
            "-" => a - b,
            "*" => a * b,
            "/" => a / b,
            "//" => Math.Floor(a / b),
            "%" => a - (b * Math.Floor(a / b)),
            _ => Math.Pow(a, b),
        };
    }
}
