namespace Shad.Data.Chat.Templates;

/// <summary>A part of a template that has a value.</summary>
/// <param name="Line">1-based line of the template.</param>
internal abstract record Expression(int Line);

internal sealed record ConstantExpression(int Line, TemplateValue Value) : Expression(Line);

internal sealed record NameExpression(int Line, string Name) : Expression(Line);

internal sealed record ListExpression(int Line, IReadOnlyList<Expression> Items, bool IsTuple) : Expression(Line);

internal sealed record DictExpression(int Line, IReadOnlyList<(Expression Key, Expression Value)> Pairs) : Expression(Line);

/// <summary><c>target.name</c>.</summary>
internal sealed record AttributeExpression(int Line, Expression Target, string Name) : Expression(Line);

/// <summary><c>target[key]</c>.</summary>
internal sealed record ItemExpression(int Line, Expression Target, Expression Key) : Expression(Line);

/// <summary><c>target[start:stop:step]</c>.</summary>
internal sealed record SliceExpression(int Line, Expression Target, Expression? Start, Expression? Stop, Expression? Step) : Expression(Line);

internal sealed record CallExpression(int Line, Expression Target, ArgumentList Arguments) : Expression(Line);

internal sealed record FilterExpression(int Line, Expression? Target, string Name, ArgumentList Arguments) : Expression(Line);

internal sealed record TestExpression(int Line, Expression Target, string Name, ArgumentList Arguments, bool IsNegated) : Expression(Line);

/// <summary><c>+</c>, <c>-</c>, <c>*</c>, <c>/</c>, <c>//</c>, <c>%</c>, <c>**</c>.</summary>
internal sealed record ArithmeticExpression(int Line, string Operator, Expression Left, Expression Right) : Expression(Line);

/// <summary><c>a ~ b ~ c</c>.</summary>
internal sealed record ConcatenationExpression(int Line, IReadOnlyList<Expression> Parts) : Expression(Line);

/// <summary><c>a &lt; b &lt;= c</c>, <c>in</c> and <c>not in</c> included.</summary>
internal sealed record ComparisonExpression(int Line, Expression First, IReadOnlyList<(string Operator, Expression Right)> Rest) : Expression(Line);

internal sealed record LogicExpression(int Line, bool IsAnd, Expression Left, Expression Right) : Expression(Line);

internal sealed record NotExpression(int Line, Expression Operand) : Expression(Line);

internal sealed record SignExpression(int Line, bool IsNegative, Expression Operand) : Expression(Line);

/// <summary><c>then if condition else otherwise</c>.</summary>
internal sealed record ConditionalExpression(int Line, Expression Condition, Expression Then, Expression? Otherwise) : Expression(Line);

/// <summary>What stands in the brackets of a call, filter or test.</summary>
internal sealed record ArgumentList(IReadOnlyList<Expression> Positional, IReadOnlyList<(string Name, Expression Value)> Named)
{
    internal static ArgumentList Empty { get; } = new([], []);
}

/// <summary>A part of a template that does something.</summary>
/// <param name="Line">1-based line of the template.</param>
internal abstract record Statement(int Line);

internal sealed record DataStatement(int Line, TextValue Text) : Statement(Line);

internal sealed record OutputStatement(int Line, Expression Value) : Statement(Line);

internal sealed record IfStatement(
    int Line, IReadOnlyList<(Expression Condition, IReadOnlyList<Statement> Body)> Branches, IReadOnlyList<Statement> Otherwise) : Statement(Line);

internal sealed record ForStatement(
    int Line, AssignmentTarget Target, Expression Items, Expression? Filter, IReadOnlyList<Statement> Body,
    IReadOnlyList<Statement> Otherwise, bool IsRecursive) : Statement(Line);

internal sealed record SetStatement(int Line, AssignmentTarget Target, Expression Value) : Statement(Line);

/// <summary><c>{% set name %}…{% endset %}</c>.</summary>
internal sealed record SetBlockStatement(
    int Line, AssignmentTarget Target, IReadOnlyList<FilterExpression> Filters, IReadOnlyList<Statement> Body) : Statement(Line);

internal sealed record MacroStatement(int Line, MacroDefinition Macro) : Statement(Line);

/// <summary><c>{% call macro() %}…{% endcall %}</c>.</summary>
internal sealed record CallStatement(int Line, CallExpression Call, MacroDefinition Caller) : Statement(Line);

/// <summary><c>{% filter name %}…{% endfilter %}</c>.</summary>
internal sealed record FilterStatement(int Line, IReadOnlyList<FilterExpression> Filters, IReadOnlyList<Statement> Body) : Statement(Line);

internal sealed record WithStatement(
    int Line, IReadOnlyList<(AssignmentTarget Target, Expression Value)> Values, IReadOnlyList<Statement> Body) : Statement(Line);

/// <summary><c>{% generation %}…{% endgeneration %}</c>: what the model says, by transformers' convention.</summary>
internal sealed record GenerationStatement(int Line, IReadOnlyList<Statement> Body) : Statement(Line);

internal sealed record BreakStatement(int Line) : Statement(Line);

internal sealed record ContinueStatement(int Line) : Statement(Line);

/// <summary>A macro's parameters and body.</summary>
internal sealed record MacroDefinition(
    string Name, IReadOnlyList<(string Name, Expression? Default)> Parameters, IReadOnlyList<Statement> Body);

/// <summary>What a value is given to.</summary>
internal abstract record AssignmentTarget;

internal sealed record NameTarget(string Name) : AssignmentTarget;

/// <summary><c>namespace.name</c>.</summary>
internal sealed record NamespaceTarget(string Namespace, string Name) : AssignmentTarget;

internal sealed record TupleTarget(IReadOnlyList<AssignmentTarget> Items) : AssignmentTarget;
