namespace Shad.Data.Chat.Templates;

/// <summary>Jinja's tests: <c>value is name</c>.</summary>
internal static class TemplateTests
{
    private static readonly Dictionary<string, Func<TemplateValue, CallArguments, bool>> All = new(StringComparer.Ordinal)
    {
        ["boolean"] = static (value, _) => value is BooleanValue,
        ["callable"] = static (value, _) => value is FunctionValue,
        ["defined"] = static (value, _) => value is not UndefinedValue,
        ["divisibleby"] = static (value, arguments) => value.Integer is { } number && arguments.WholeNumber(0, "num") is { } divisor && number % divisor == 0,
        ["eq"] = AreEqual,
        ["equalto"] = AreEqual,
        ["=="] = AreEqual,
        ["even"] = static (value, _) => value.Integer is { IsEven: true },
        ["false"] = static (value, _) => value is BooleanValue { IsTrue: false },
        ["filter"] = static (value, _) => value is TextValue text && TemplateFilters.IsKnown(text.Value),
        ["float"] = static (value, _) => value is FloatValue,
        ["ge"] = static (value, arguments) => TemplateValue.Compare(value, arguments.Require(0, "other")) >= 0,
        ["greaterthan"] = static (value, arguments) => TemplateValue.Compare(value, arguments.Require(0, "other")) > 0,
        ["gt"] = static (value, arguments) => TemplateValue.Compare(value, arguments.Require(0, "other")) > 0,
        ["in"] = static (value, arguments) => Contains(arguments.Require(0, "seq"), value),
        ["integer"] = static (value, _) => value is IntegerValue,
        ["iterable"] = static (value, _) => value.IsIterable,
        ["le"] = static (value, arguments) => TemplateValue.Compare(value, arguments.Require(0, "other")) <= 0,
        ["lessthan"] = static (value, arguments) => TemplateValue.Compare(value, arguments.Require(0, "other")) < 0,
        ["lower"] = static (value, _) => value.Printed.Value is var text && text.Any(char.IsLower) && !text.Any(char.IsUpper),
        ["lt"] = static (value, arguments) => TemplateValue.Compare(value, arguments.Require(0, "other")) < 0,
        ["mapping"] = static (value, _) => value is DictValue,
        ["ne"] = static (value, arguments) => !AreEqual(value, arguments),
        ["none"] = static (value, _) => value is NoneValue,
        ["number"] = static (value, _) => value is IntegerValue or FloatValue or BooleanValue,
        ["odd"] = static (value, _) => value.Integer is { IsEven: false },
        ["sameas"] = static (value, arguments) => arguments.Require(0, "other") is var other
            && (ReferenceEquals(value, other) || (value is IntegerValue or TextValue && value.Kind == other.Kind && TemplateValue.AreEqual(value, other))),
        ["sequence"] = static (value, _) => value is TextValue or ListValue or DictValue or UndefinedValue,
        ["string"] = static (value, _) => value is TextValue,
        ["test"] = static (value, _) => value is TextValue text && IsKnown(text.Value),
        ["true"] = static (value, _) => value is BooleanValue { IsTrue: true },
        ["undefined"] = static (value, _) => value is UndefinedValue,
        ["upper"] = static (value, _) => value.Printed.Value is var text && text.Any(char.IsUpper) && !text.Any(char.IsLower),
    };

    internal static bool IsKnown(string name) => All.ContainsKey(name);

    internal static bool Apply(string name, TemplateValue value, CallArguments arguments) => All.TryGetValue(name, out var test)
        ? test(value, arguments)
        : throw new TemplateFault($"there is no test '{name}'");

    /// <summary>Python's <c>item in container</c>.</summary>
    internal static bool Contains(TemplateValue container, TemplateValue item) => container switch
    {
        TextValue text => item is TextValue part
            ? text.Value.Contains(part.Value, StringComparison.Ordinal)
            : throw new TemplateFault($"a value of kind {item.Kind} cannot be in a text"),
        DictValue dict => dict.Get(item) is not null,
        ListValue or UndefinedValue or GeneratorValue => container.Elements.Any(element => TemplateValue.AreEqual(element, item)),
        NamespaceValue space => item is TextValue name && space.Members.ContainsKey(name.Value),
        _ => throw new TemplateFault($"nothing can be in a value of kind {container.Kind}"),
    };

    private static bool AreEqual(TemplateValue value, CallArguments arguments) => TemplateValue.AreEqual(value, arguments.Require(0, "other"));
}
