using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json;

namespace Shad.Data.Chat.Templates;

/// <summary>A value in a template, with Python's rules of truth, equality, order and printing.</summary>
internal abstract class TemplateValue
{
    /// <summary>What kind of value it is, in Python's words, for messages.</summary>
    internal abstract string Kind { get; }

    internal virtual bool IsTrue => true;

    /// <summary>The text <c>{{ value }}</c> writes: <c>str(value)</c>.</summary>
    internal virtual TextValue Printed => PythonPrinting.Of(this);

    /// <summary>The elements a loop goes through.</summary>
    /// <exception cref="TemplateFault">It has none.</exception>
    internal virtual IReadOnlyList<TemplateValue> Elements => throw new TemplateFault($"a value of kind {Kind} has no elements");

    internal virtual bool IsIterable => false;

    /// <summary>The value under an attribute or key; null where there is none.</summary>
    internal virtual TemplateValue? Find(string name) => null;

    internal double? Number => this switch
    {
        IntegerValue integer => (double)integer.Value,
        FloatValue real => real.Value,
        BooleanValue flag => flag.IsTrue ? 1 : 0,
        _ => null,
    };

    internal BigInteger? Integer => this switch
    {
        IntegerValue integer => integer.Value,
        BooleanValue flag => flag.IsTrue ? BigInteger.One : BigInteger.Zero,
        _ => null,
    };

    /// <summary>Python's <c>==</c>.</summary>
    internal static bool AreEqual(TemplateValue a, TemplateValue b) => (a, b) switch
    {
        (TextValue x, TextValue y) => x.Value == y.Value,
        (NoneValue, NoneValue) or (UndefinedValue, UndefinedValue) => true,
        (ListValue x, ListValue y) => x.IsTuple == y.IsTuple && x.Items.Count == y.Items.Count
            && x.Items.Zip(y.Items).All(static pair => AreEqual(pair.First, pair.Second)),
        (DictValue x, DictValue y) => x.Count == y.Count && x.Pairs.All(pair => y.Get(pair.Key) is { } other && AreEqual(pair.Value, other)),
        _ when a.Integer is { } x && b.Integer is { } y => x == y,
        _ when a.Number is { } x && b.Number is { } y => x == y,
        _ => ReferenceEquals(a, b),
    };

    /// <summary>Python's order of two values.</summary>
    /// <exception cref="TemplateFault">They have none.</exception>
    internal static int Compare(TemplateValue a, TemplateValue b)
    {
        if (a is TextValue x && b is TextValue y) return CompareText(x.Value, y.Value);
        if (a.Integer is { } i && b.Integer is { } j) return i.CompareTo(j);
        if (a.Number is { } p && b.Number is { } q) return p.CompareTo(q);
        if (a is ListValue left && b is ListValue right && left.IsTuple == right.IsTuple)
        {
            for (int n = 0; n < Math.Min(left.Items.Count, right.Items.Count); n++)
            {
                if (!AreEqual(left.Items[n], right.Items[n])) return Compare(left.Items[n], right.Items[n]);
            }

            return left.Items.Count.CompareTo(right.Items.Count);
        }

        throw new TemplateFault($"values of kind {a.Kind} and {b.Kind} have no order");
    }

    /// <summary>A JSON value; the texts in it carry the message they come from.</summary>
    /// <param name="json">The value.</param>
    /// <param name="message">Index of the message; −1 for none.</param>
    internal static TemplateValue Of(JsonElement json, int message = -1)
    {
        switch (json.ValueKind)
        {
            case JsonValueKind.Object:
                var dict = new DictValue { Message = message };
                foreach (var member in json.EnumerateObject()) dict.Set(TextValue.From(member.Name, message), Of(member.Value, message));
                return dict;
            case JsonValueKind.Array: return new ListValue([.. json.EnumerateArray().Select(item => Of(item, message))]);
            case JsonValueKind.String: return TextValue.From(json.GetString()!, message);
            case JsonValueKind.True or JsonValueKind.False: return BooleanValue.Of(json.GetBoolean());
            case JsonValueKind.Number:
                string text = json.GetRawText();
                return text.AsSpan().ContainsAny('.', 'e', 'E')
                    ? new FloatValue(json.GetDouble())
                    : new IntegerValue(BigInteger.Parse(text, CultureInfo.InvariantCulture));
            default: return NoneValue.Instance;
        }
    }

    // Code points, not UTF-16 units, give the order.
    private static int CompareText(string a, string b)
    {
        for (int i = 0; i < Math.Min(a.Length, b.Length); i++)
        {
            if (a[i] == b[i]) continue;
            bool x = char.IsSurrogate(a[i]), y = char.IsSurrogate(b[i]);
            return x == y ? a[i].CompareTo(b[i]) : x ? 1 : -1;
        }

        return a.Length.CompareTo(b.Length);
    }
}

/// <summary>What stands under no name: prints as nothing, is false, has no elements; every other use is an error.</summary>
internal sealed class UndefinedValue(string description) : TemplateValue
{
    internal override string Kind => "undefined";

    internal override bool IsTrue => false;

    internal override TextValue Printed => TextValue.Empty;

    internal override IReadOnlyList<TemplateValue> Elements => [];

    internal override bool IsIterable => true;

    /// <summary>The error of using it.</summary>
    internal TemplateFault Fault => new($"{description} is undefined");
}

internal sealed class NoneValue : TemplateValue
{
    internal static NoneValue Instance { get; } = new();

    internal override string Kind => "None";

    internal override bool IsTrue => false;
}

internal sealed class BooleanValue : TemplateValue
{
    private readonly bool _value;

    private BooleanValue(bool value) => _value = value;

    internal static BooleanValue True { get; } = new(true);

    internal static BooleanValue False { get; } = new(false);

    internal override string Kind => "bool";

    internal override bool IsTrue => _value;

    internal static BooleanValue Of(bool value) => value ? True : False;
}

internal sealed class IntegerValue(BigInteger value) : TemplateValue
{
    private const int MaximumBits = 4096;

    internal BigInteger Value { get; } = value.GetBitLength() <= MaximumBits
        ? value
        : throw new TemplateFault($"a number grows beyond {MaximumBits} bits");

    internal override string Kind => "int";

    internal override bool IsTrue => !Value.IsZero;
}

internal sealed class FloatValue(double value) : TemplateValue
{
    internal double Value { get; } = value;

    internal override string Kind => "float";

    internal override bool IsTrue => Value != 0;
}

/// <summary>A text whose pieces know where they come from.</summary>
internal sealed class TextValue(string value, IReadOnlyList<TextSpan> spans) : TemplateValue
{
    internal static TextValue Empty { get; } = Of("");

    internal string Value { get; } = value;

    internal IReadOnlyList<TextSpan> Spans { get; } = spans;

    /// <summary>True for what the filter <c>safe</c> gives: text added to it with <c>+</c> is escaped for HTML, as Jinja does even where
    /// nothing else is.</summary>
    internal bool IsMarkup { get; init; }

    internal override string Kind => "str";

    internal override bool IsTrue => Value.Length > 0;

    internal override TextValue Printed => this;

    internal override bool IsIterable => true;

    internal override IReadOnlyList<TemplateValue> Elements
    {
        get
        {
            int[]? places = PythonText.Places(Value);
            return places is null
                ? [.. Enumerable.Range(0, Value.Length).Select(i => Slice(i, i + 1))]
                : [.. Enumerable.Range(0, places.Length - 1).Select(i => Slice(places[i], places[i + 1]))];
        }
    }

    /// <summary>A text of no known origin.</summary>
    internal static TextValue Of(string value) => new(value, []);

    /// <summary>A text of a message's field other than its content; −1 for no message.</summary>
    internal static TextValue From(string value, int message) => message < 0 || value.Length == 0
        ? Of(value)
        : new TextValue(value, [new TextSpan(0, value.Length, TextOrigin.Field, message, -1, -1)]);

    /// <summary>A text that is <c>[start, …)</c> of a message's content.</summary>
    internal static TextValue Content(string value, int message, int start = 0) => value.Length == 0
        ? Of(value)
        : new TextValue(value, [new TextSpan(0, value.Length, TextOrigin.Field, message, start, start + value.Length)]);

    internal TextValue Slice(int start, int end)
    {
        if (start == 0 && end == Value.Length) return this;
        if (Spans.Count == 0) return Of(Value[start..end]);
        return new TextBuilder().Append(this, start, end).ToText();
    }

    /// <summary>The text with every character replaced, origins kept.</summary>
    internal TextValue Map(Func<string, string> map)
    {
        string mapped = map(Value);
        return mapped.Length == Value.Length ? new TextValue(mapped, Spans) : new TextBuilder().AppendFor(mapped, this, 0, Value.Length).ToText();
    }
}

internal sealed class ListValue(IReadOnlyList<TemplateValue> items, bool isTuple = false) : TemplateValue
{
    internal IReadOnlyList<TemplateValue> Items { get; } = items;

    internal bool IsTuple { get; } = isTuple;

    internal override string Kind => IsTuple ? "tuple" : "list";

    internal override bool IsTrue => Items.Count > 0;

    internal override bool IsIterable => true;

    internal override IReadOnlyList<TemplateValue> Elements => Items;
}

/// <summary>What filters such as <c>select</c> and <c>map</c> give: items to go through once, without length, true even where there are
/// none.</summary>
internal sealed class GeneratorValue(IReadOnlyList<TemplateValue> items) : TemplateValue
{
    private IReadOnlyList<TemplateValue> _items = items;

    internal override string Kind => "generator";

    internal override bool IsIterable => true;

    internal override IReadOnlyList<TemplateValue> Elements
    {
        get
        {
            var items = _items;
            _items = [];
            return items;
        }
    }
}

/// <summary>A mapping in the order of its keys' arrival.</summary>
internal sealed class DictValue : TemplateValue
{
    private readonly Dictionary<TemplateValue, int> _places = new(KeyComparer.Instance);
    private readonly List<KeyValuePair<TemplateValue, TemplateValue>> _pairs = [];

    /// <summary>Index of the message it is, or is a part of; −1 for none.</summary>
    internal int Message { get; init; } = -1;

    /// <summary>True for a message itself, whose turn of a loop is its turn of the conversation.</summary>
    internal bool IsMessage { get; init; }

    internal int Count => _pairs.Count;

    internal IReadOnlyList<KeyValuePair<TemplateValue, TemplateValue>> Pairs => _pairs;

    internal override string Kind => "dict";

    internal override bool IsTrue => _pairs.Count > 0;

    internal override bool IsIterable => true;

    internal override IReadOnlyList<TemplateValue> Elements => [.. _pairs.Select(static pair => pair.Key)];

    internal override TemplateValue? Find(string name) => Get(TextValue.Of(name));

    internal TemplateValue? Get(TemplateValue key) => IsKey(key) && _places.TryGetValue(key, out int place) ? _pairs[place].Value : null;

    internal void Set(string key, TemplateValue value) => Set(TextValue.Of(key), value);

    internal void Set(TemplateValue key, TemplateValue value)
    {
        if (!IsKey(key)) throw new TemplateFault($"a value of kind {key.Kind} cannot be a key");
        if (_places.TryGetValue(key, out int place))
        {
            _pairs[place] = new(_pairs[place].Key, value);
            return;
        }

        _places[key] = _pairs.Count;
        _pairs.Add(new(key, value));
    }

    private static bool IsKey(TemplateValue key) =>
        key is TextValue or NoneValue or UndefinedValue || key.Number is not null || (key is ListValue { IsTuple: true } tuple && tuple.Items.All(IsKey));

    private sealed class KeyComparer : IEqualityComparer<TemplateValue>
    {
        internal static KeyComparer Instance { get; } = new();

        public bool Equals(TemplateValue? x, TemplateValue? y) => AreEqual(x!, y!);

        public int GetHashCode(TemplateValue obj) => obj switch
        {
            TextValue text => text.Value.GetHashCode(StringComparison.Ordinal),
            NoneValue => 1,
            ListValue { IsTuple: true } tuple => tuple.Items.Aggregate(2, (hash, item) => HashCode.Combine(hash, GetHashCode(item))),
            _ when obj.Number is { } number => number.GetHashCode(),
            _ => 3,
        };
    }
}

/// <summary>What <c>namespace()</c> makes: the only thing a template can change.</summary>
internal sealed class NamespaceValue : TemplateValue
{
    internal Dictionary<string, TemplateValue> Members { get; } = new(StringComparer.Ordinal);

    internal override string Kind => "namespace";

    internal override TemplateValue? Find(string name) => Members.GetValueOrDefault(name);
}

/// <summary>What can be called: a macro, a function of the environment, a method bound to its value.</summary>
internal sealed class FunctionValue(string name, Func<CallArguments, TemplateValue> call) : TemplateValue
{
    internal string Name { get; } = name;

    internal override string Kind => "function";

    internal TemplateValue Call(CallArguments arguments) => call(arguments);
}

/// <summary>The variable <c>loop</c>.</summary>
internal sealed class LoopValue(IReadOnlyList<TemplateValue> items, int depth) : TemplateValue
{
    private TemplateValue? _lastChanged;

    internal int Index { get; set; }

    /// <summary>Renders a recursive loop's body over other items; null where the loop is not recursive.</summary>
    internal Func<TemplateValue, TemplateValue>? Recurse { get; init; }

    internal override string Kind => "loop";

    internal override TemplateValue? Find(string name) => name switch
    {
        "index" => new IntegerValue(Index + 1),
        "index0" => new IntegerValue(Index),
        "revindex" => new IntegerValue(items.Count - Index),
        "revindex0" => new IntegerValue(items.Count - Index - 1),
        "first" => BooleanValue.Of(Index == 0),
        "last" => BooleanValue.Of(Index == items.Count - 1),
        "length" => new IntegerValue(items.Count),
        "depth" => new IntegerValue(depth + 1),
        "depth0" => new IntegerValue(depth),
        "previtem" => Index > 0 ? items[Index - 1] : new UndefinedValue("there is no previous item; loop.previtem"),
        "nextitem" => Index + 1 < items.Count ? items[Index + 1] : new UndefinedValue("there is no next item; loop.nextitem"),
        "cycle" => new FunctionValue("loop.cycle", arguments => arguments.Positional.Count == 0
            ? throw new TemplateFault("loop.cycle has nothing to go through")
            : arguments.Positional[Index % arguments.Positional.Count]),
        "changed" => new FunctionValue("loop.changed", arguments =>
        {
            var value = new ListValue(arguments.Positional, isTuple: true);
            bool changed = _lastChanged is null || !AreEqual(_lastChanged, value);
            _lastChanged = value;
            return BooleanValue.Of(changed);
        }),
        _ => null,
    };
}

/// <summary>The arguments of a call.</summary>
/// <param name="Function">What is called, for messages.</param>
/// <param name="Positional">Arguments without names.</param>
/// <param name="Named">Arguments with names, in order.</param>
internal sealed record CallArguments(
    string Function, IReadOnlyList<TemplateValue> Positional, IReadOnlyList<KeyValuePair<string, TemplateValue>> Named)
{
    /// <summary>An argument by place or name; null where it is not given.</summary>
    internal TemplateValue? Get(int place, string name)
    {
        if (place < Positional.Count) return Positional[place];
        foreach ((string key, TemplateValue value) in Named)
        {
            if (key == name) return value;
        }

        return null;
    }

    /// <summary>An argument that must be given.</summary>
    internal TemplateValue Require(int place, string name) =>
        Get(place, name) ?? throw new TemplateFault($"{Function} lacks its argument '{name}'");

    internal string Text(int place, string name) => Require(place, name) is TextValue text
        ? text.Value
        : throw new TemplateFault($"the argument '{name}' of {Function} is of kind {Require(place, name).Kind}", "text");

    internal int? WholeNumber(int place, string name)
    {
        if (Get(place, name) is not { } value || value is NoneValue) return null;
        return value.Integer is { } number && number >= int.MinValue && number <= int.MaxValue
            ? (int)number
            : throw new TemplateFault($"the argument '{name}' of {Function} is of kind {value.Kind}", "a whole number");
    }

    internal bool Flag(int place, string name, bool whereMissing = false) => Get(place, name)?.IsTrue ?? whereMissing;

    /// <summary>Refuses arguments the function does not have.</summary>
    internal CallArguments Check(params ReadOnlySpan<string> names)
    {
        if (Positional.Count > names.Length) throw new TemplateFault($"{Function} takes {names.Length} arguments, not {Positional.Count}");
        foreach ((string key, _) in Named)
        {
            if (!names.Contains(key)) throw new TemplateFault($"{Function} has no argument '{key}'");
        }

        return this;
    }
}
