namespace Shad.Data.Chat.Templates;

/// <summary>The methods of Python's <c>str</c>, <c>dict</c> and <c>list</c> that a template may call; those that would change a value are
/// refused, as in transformers' sandbox.</summary>
internal static class TemplateMethods
{
    /// <summary>A method bound to its value; null where the value has none of that name.</summary>
    internal static FunctionValue? Find(TemplateValue target, string name)
    {
        Func<CallArguments, TemplateValue>? method = target switch
        {
            TextValue text => OfText(text, name),
            DictValue dict => OfDict(dict, name),
            ListValue list => OfList(list, name),
            _ => null,
        };
        return method is null ? null : new FunctionValue(name, method);
    }

    private static Func<CallArguments, TemplateValue>? OfText(TextValue text, string name) => name switch
    {
        "strip" => arguments => TextOperations.Strip(text, Characters(arguments)),
        "lstrip" => arguments => TextOperations.Strip(text, Characters(arguments), atEnd: false),
        "rstrip" => arguments => TextOperations.Strip(text, Characters(arguments), atStart: false),
        "split" => arguments => TextOperations.Split(
            text, Separator(arguments.Check("sep", "maxsplit")), arguments.WholeNumber(1, "maxsplit"), fromRight: false),
        "rsplit" => arguments => TextOperations.Split(
            text, Separator(arguments.Check("sep", "maxsplit")), arguments.WholeNumber(1, "maxsplit"), fromRight: true),
        "splitlines" => arguments => TextOperations.SplitLines(text, arguments.Check("keepends").Flag(0, "keepends")),
        "startswith" => arguments => BooleanValue.Of(Alternatives(arguments, "prefix").Any(p => text.Value.StartsWith(p, StringComparison.Ordinal))),
        "endswith" => arguments => BooleanValue.Of(Alternatives(arguments, "suffix").Any(s => text.Value.EndsWith(s, StringComparison.Ordinal))),
        "replace" => arguments => TextOperations.Replace(
            text, arguments.Check("old", "new", "count").Text(0, "old"), AsText(arguments, 1, "new"), arguments.WholeNumber(2, "count")),
        "removeprefix" => arguments => arguments.Text(0, "prefix") is { } prefix && text.Value.StartsWith(prefix, StringComparison.Ordinal)
            ? text.Slice(prefix.Length, text.Value.Length)
            : text,
        "removesuffix" => arguments => arguments.Text(0, "suffix") is { Length: > 0 } suffix && text.Value.EndsWith(suffix, StringComparison.Ordinal)
            ? text.Slice(0, text.Value.Length - suffix.Length)
            : text,
        "partition" => arguments => Partition(text, arguments.Text(0, "sep"), fromRight: false),
        "rpartition" => arguments => Partition(text, arguments.Text(0, "sep"), fromRight: true),
        "join" => arguments => TextOperations.Join(
            arguments.Check("iterable").Require(0, "iterable").Elements.Select(item => item as TextValue
                ?? throw new TemplateFault($"join finds a value of kind {item.Kind}", "texts")),
            text),
        "format" => arguments => TextOperations.Format(text, arguments),
        "upper" => _ => text.Map(static value => value.ToUpperInvariant()),
        "lower" => _ => text.Map(static value => value.ToLowerInvariant()),
        "title" => _ => text.Map(TextOperations.Title),
        "capitalize" => _ => text.Map(TextOperations.Capitalize),
        "find" => arguments => Place(text, text.Value.IndexOf(arguments.Check("sub").Text(0, "sub"), StringComparison.Ordinal)),
        "rfind" => arguments => Place(text, text.Value.LastIndexOf(arguments.Check("sub").Text(0, "sub"), StringComparison.Ordinal)),
        "count" => arguments => new IntegerValue(
            arguments.Check("sub").Text(0, "sub") is { Length: > 0 } sub ? text.Value.Split(sub).Length - 1 : PythonText.Count(text.Value) + 1),
        "isspace" => _ => BooleanValue.Of(text.Value.Length > 0 && text.Value.All(PythonText.IsWhiteSpace)),
        "isdigit" or "isnumeric" or "isdecimal" => _ => BooleanValue.Of(text.Value.Length > 0 && text.Value.All(char.IsDigit)),
        "isalpha" => _ => BooleanValue.Of(text.Value.Length > 0 && text.Value.All(char.IsLetter)),
        "isalnum" => _ => BooleanValue.Of(text.Value.Length > 0 && text.Value.All(char.IsLetterOrDigit)),
        "isupper" => _ => BooleanValue.Of(text.Value.Any(char.IsUpper) && !text.Value.Any(char.IsLower)),
        "islower" => _ => BooleanValue.Of(text.Value.Any(char.IsLower) && !text.Value.Any(char.IsUpper)),
        _ => null,
    };

    private static Func<CallArguments, TemplateValue>? OfDict(DictValue dict, string name) => name switch
    {
        "get" => arguments => dict.Get(arguments.Check("key", "default").Require(0, "key")) ?? arguments.Get(1, "default") ?? NoneValue.Instance,
        "items" => _ => Items(dict),
        "keys" => _ => new ListValue(dict.Elements),
        "values" => _ => new ListValue([.. dict.Pairs.Select(static pair => pair.Value)]),
        "copy" => _ => dict,
        "pop" or "update" or "setdefault" or "clear" or "popitem" => _ => throw Changes(name, "a dict"),
        _ => null,
    };

    private static Func<CallArguments, TemplateValue>? OfList(ListValue list, string name) => name switch
    {
        "index" => arguments => list.Items.Select(static (item, i) => (item, i)).Where(pair => TemplateValue.AreEqual(pair.item, arguments.Require(0, "value")))
            .Select(static pair => new IntegerValue(pair.i)).FirstOrDefault() ?? throw new TemplateFault("index does not find its value in the list"),
        "count" => arguments => new IntegerValue(list.Items.Count(item => TemplateValue.AreEqual(item, arguments.Require(0, "value")))),
        "copy" => _ => list,
        "append" or "extend" or "insert" or "pop" or "remove" or "clear" or "sort" or "reverse" => _ => throw Changes(name, "a list"),
        _ => null,
    };

    /// <summary>The pairs of a mapping, each a tuple.</summary>
    internal static ListValue Items(DictValue dict) =>
        new([.. dict.Pairs.Select(static pair => new ListValue([pair.Key, pair.Value], isTuple: true))]);

    private static TemplateFault Changes(string method, string what) =>
        new($"'{method}' would change {what}, which a template may not", "a new value, or a namespace");

    private static string? Characters(CallArguments arguments) => arguments.Check("chars").Get(0, "chars") is null or NoneValue ? null : arguments.Text(0, "chars");

    private static string? Separator(CallArguments arguments) => arguments.Get(0, "sep") is null or NoneValue ? null : arguments.Text(0, "sep");

    private static TextValue AsText(CallArguments arguments, int place, string name)
    {
        arguments.Text(place, name);
        return (TextValue)arguments.Require(place, name);
    }

    private static IEnumerable<string> Alternatives(CallArguments arguments, string name) => arguments.Check(name).Require(0, name) is ListValue { IsTuple: true } tuple
        ? tuple.Items.OfType<TextValue>().Select(static text => text.Value)
        : [arguments.Text(0, name)];

    private static ListValue Partition(TextValue text, string separator, bool fromRight)
    {
        int at = fromRight ? text.Value.LastIndexOf(separator, StringComparison.Ordinal) : text.Value.IndexOf(separator, StringComparison.Ordinal);
        TemplateValue[] parts = at >= 0
            ? [text.Slice(0, at), text.Slice(at, at + separator.Length), text.Slice(at + separator.Length, text.Value.Length)]
            : fromRight ? [TextValue.Empty, TextValue.Empty, text] : [text, TextValue.Empty, TextValue.Empty];
        return new ListValue(parts, isTuple: true);
    }

    private static IntegerValue Place(TextValue text, int index) => new(index < 0 ? index : PythonText.Count(text.Value[..index]));
}
