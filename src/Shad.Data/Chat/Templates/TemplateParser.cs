using System.Globalization;
using System.Numerics;
using System.Runtime.CompilerServices;
using Shad.Core.Errors;

namespace Shad.Data.Chat.Templates;

/// <summary>
/// Reads the statements of a template from its tokens, with Jinja's precedences. What Jinja has and chat templates do not use (inheritance,
/// inclusion, autoescape) is refused by name and line, as are unknown filters and tests.
/// </summary>
internal sealed class TemplateParser
{
    private static readonly HashSet<string> Reserved = ["true", "false", "none", "True", "False", "None", "and", "or", "not", "in", "is", "if", "else"];

    private readonly List<Token> _tokens;
    private readonly string _file;
    private int _index;
    private int _loops;

    private TemplateParser(List<Token> tokens, string file)
    {
        _tokens = tokens;
        _file = file;
    }

    /// <summary>Every name and string literal of the template: what it can ask of its data.</summary>
    internal static HashSet<string> NamesIn(IEnumerable<Token> tokens) =>
        [.. tokens.Where(token => token.Kind is TokenKind.Name or TokenKind.Text).Select(token => token.Value)];

    /// <summary>The statements of a template.</summary>
    /// <exception cref="ShadException">The template is not well-formed or uses what is not supported.</exception>
    internal static IReadOnlyList<Statement> Parse(List<Token> tokens, string file)
    {
        var parser = new TemplateParser(tokens, file);
        var body = parser.ParseBody(out _, ends: []);
        return body;
    }

    private Token Current => _tokens[_index];

    private Token Ahead => _tokens[Math.Min(_index + 1, _tokens.Count - 1)];

    private Token Next() => _tokens[_index < _tokens.Count - 1 ? _index++ : _index];

    private bool Take(string value)
    {
        if (!Current.Is(value)) return false;
        Next();
        return true;
    }

    private void Expect(string value)
    {
        if (!Take(value)) throw Unexpected($"'{value}'");
    }

    private string ExpectName()
    {
        if (Current.Kind != TokenKind.Name || Reserved.Contains(Current.Value)) throw Unexpected("a name");
        return Next().Value;
    }

    private void ExpectKind(TokenKind kind, string expected)
    {
        if (Current.Kind != kind) throw Unexpected(expected);
        Next();
    }

    private ShadException Unexpected(string expected) => TemplateErrors.Syntax($"{_file}:{Current.Line}", $"{Current} stands here", expected);

    private ShadException Unsupported(int line, string construct) => TemplateErrors.Unsupported($"{_file}:{line}", construct);

    // ── statements ──

    /// <summary>Statements up to one of the end tags, whose name is taken and returned; the rest of that tag is not.</summary>
    private List<Statement> ParseBody(out string end, params ReadOnlySpan<string> ends)
    {
        EnsureStack();
        var body = new List<Statement>();
        int opened = Current.Line;
        while (true)
        {
            Token token = Next();
            switch (token.Kind)
            {
                case TokenKind.Data:
                    body.Add(new DataStatement(token.Line, TextValue.Of(token.Value)));
                    break;
                case TokenKind.VariableBegin:
                    body.Add(new OutputStatement(Current.Line, ParseTuple(allowsCondition: true)));
                    ExpectKind(TokenKind.VariableEnd, "'}}'");
                    break;
                case TokenKind.BlockBegin:
                    if (Current.Kind != TokenKind.Name) throw Unexpected("the name of a tag");
                    if (ends.Contains(Current.Value))
                    {
                        end = Next().Value;
                        return body;
                    }

                    body.Add(ParseStatement());
                    break;
                case TokenKind.End when ends.Length == 0:
                    end = "";
                    return body;
                default:
                    throw TemplateErrors.Syntax(
                        $"{_file}:{token.Line}", $"{token} stands here", $"{{% {string.Join(" or ", ends.ToArray())} %}} for what begins on line {opened}");
            }
        }
    }

    private List<Statement> ParseBodyTo(string end)
    {
        var body = ParseBody(out _, end);
        EndTag();
        return body;
    }

    private void EndTag() => ExpectKind(TokenKind.BlockEnd, "'%}'");

    private Statement ParseStatement()
    {
        Token tag = Next();
        int line = tag.Line;
        switch (tag.Value)
        {
            case "if": return ParseIf(line);
            case "for": return ParseFor(line);
            case "set": return ParseSet(line);
            case "macro": return new MacroStatement(line, ParseMacro());
            case "call": return ParseCallBlock(line);
            case "filter":
                var filters = ParseFilterChain();
                EndTag();
                return new FilterStatement(line, filters, ParseBodyTo("endfilter"));
            case "with": return ParseWith(line);
            case "generation":
                EndTag();
                return new GenerationStatement(line, ParseBodyTo("endgeneration"));
            case "break" or "continue":
                if (_loops == 0) throw TemplateErrors.Syntax($"{_file}:{line}", $"'{tag.Value}' stands outside a loop");
                EndTag();
                return tag.Value == "break" ? new BreakStatement(line) : new ContinueStatement(line);
            default:
                if (tag.Value.StartsWith("end", StringComparison.Ordinal) || tag.Value is "else" or "elif")
                    throw TemplateErrors.Syntax($"{_file}:{line}", $"'{tag.Value}' ends nothing");
                throw Unsupported(line, $"the tag '{{% {tag.Value} %}}'");
        }
    }

    private IfStatement ParseIf(int line)
    {
        var branches = new List<(Expression, IReadOnlyList<Statement>)>();
        List<Statement> otherwise = [];
        string end = "elif";
        while (end == "elif")
        {
            var condition = ParseTuple(allowsCondition: false);
            EndTag();
            branches.Add((condition, ParseBody(out end, "elif", "else", "endif")));
        }

        if (end == "else")
        {
            EndTag();
            otherwise = ParseBody(out _, "endif");
        }

        EndTag();
        return new IfStatement(line, branches, otherwise);
    }

    private ForStatement ParseFor(int line)
    {
        var target = ParseTarget(allowsNamespace: false);
        Expect("in");
        var items = ParseTuple(allowsCondition: false);
        Expression? filter = Take("if") ? ParseExpression() : null;
        bool isRecursive = Take("recursive");
        EndTag();
        _loops++;
        var body = ParseBody(out string end, "else", "endfor");
        _loops--;
        List<Statement> otherwise = [];
        if (end == "else")
        {
            EndTag();
            otherwise = ParseBody(out _, "endfor");
        }

        EndTag();
        return new ForStatement(line, target, items, filter, body, otherwise, isRecursive);
    }

    private Statement ParseSet(int line)
    {
        var target = ParseTarget(allowsNamespace: true);
        if (Take("="))
        {
            var value = ParseTuple(allowsCondition: true);
            EndTag();
            return new SetStatement(line, target, value);
        }

        List<FilterExpression> filters = Take("|") ? ParseFilterChain() : [];
        EndTag();
        return new SetBlockStatement(line, target, filters, ParseBodyTo("endset"));
    }

    private MacroDefinition ParseMacro()
    {
        string name = ExpectName();
        var parameters = ParseParameters();
        EndTag();
        int loops = _loops;
        _loops = 0;
        var body = ParseBodyTo("endmacro");
        _loops = loops;
        return new MacroDefinition(name, parameters, body);
    }

    private CallStatement ParseCallBlock(int line)
    {
        List<(string, Expression?)> parameters = Current.Is("(") ? ParseParameters() : [];
        if (ParseExpression() is not CallExpression call) throw TemplateErrors.Syntax($"{_file}:{line}", "'call' calls nothing", "a call of a macro");
        EndTag();
        int loops = _loops;
        _loops = 0;
        var body = ParseBodyTo("endcall");
        _loops = loops;
        return new CallStatement(line, call, new MacroDefinition("caller", parameters, body));
    }

    private WithStatement ParseWith(int line)
    {
        var values = new List<(AssignmentTarget, Expression)>();
        while (Current.Kind != TokenKind.BlockEnd)
        {
            if (values.Count > 0) Expect(",");
            var target = ParseTarget(allowsNamespace: false);
            Expect("=");
            values.Add((target, ParseExpression()));
        }

        EndTag();
        return new WithStatement(line, values, ParseBodyTo("endwith"));
    }

    private List<(string, Expression?)> ParseParameters()
    {
        var parameters = new List<(string, Expression?)>();
        Expect("(");
        while (!Take(")"))
        {
            if (parameters.Count > 0) Expect(",");
            string name = ExpectName();
            parameters.Add((name, Take("=") ? ParseExpression() : null));
        }

        return parameters;
    }

    private List<FilterExpression> ParseFilterChain()
    {
        var filters = new List<FilterExpression>();
        do filters.Add(ParseFilter(null));
        while (Take("|"));
        return filters;
    }

    private AssignmentTarget ParseTarget(bool allowsNamespace)
    {
        if (allowsNamespace && Ahead.Is("."))
        {
            string name = ExpectName();
            Expect(".");
            return new NamespaceTarget(name, ExpectName());
        }

        var items = new List<AssignmentTarget>();
        bool isTuple = false;
        do
        {
            if (items.Count > 0 && (Current.Is("=") || Current.Is("in"))) break;
            if (Take("("))
            {
                items.Add(ParseTarget(allowsNamespace: false));
                Expect(")");
                isTuple |= items[^1] is not TupleTarget;
            }
            else
            {
                items.Add(new NameTarget(ExpectName()));
            }

            isTuple |= Current.Is(",");
        }
        while (Take(","));
        return isTuple ? new TupleTarget(items) : items[0];
    }

    // ── expressions, from the loosest binding to the tightest ──

    /// <summary>An expression, or several with commas between them, which are a tuple.</summary>
    private Expression ParseTuple(bool allowsCondition)
    {
        int line = Current.Line;
        Expression first = allowsCondition ? ParseExpression() : ParseOr();
        if (!Current.Is(",")) return first;
        List<Expression> items = [first];
        while (Take(","))
        {
            if (Current.Kind is TokenKind.VariableEnd or TokenKind.BlockEnd || Current.Is(")") || Current.Is("in")) break;
            items.Add(allowsCondition ? ParseExpression() : ParseOr());
        }

        return new ListExpression(line, items, IsTuple: true);
    }

    private Expression ParseExpression()
    {
        EnsureStack();
        Expression value = ParseOr();
        while (Current.Is("if"))
        {
            int line = Next().Line;
            var condition = ParseOr();
            Expression? otherwise = Take("else") ? ParseExpression() : null;
            value = new ConditionalExpression(line, condition, value, otherwise);
        }

        return value;
    }

    private Expression ParseOr()
    {
        Expression left = ParseAnd();
        while (Current.Is("or")) left = new LogicExpression(Next().Line, IsAnd: false, left, ParseAnd());
        return left;
    }

    private Expression ParseAnd()
    {
        Expression left = ParseNot();
        while (Current.Is("and")) left = new LogicExpression(Next().Line, IsAnd: true, left, ParseNot());
        return left;
    }

    private Expression ParseNot()
    {
        EnsureStack();
        return Current.Is("not") && !Ahead.Is("in") ? new NotExpression(Next().Line, ParseNot()) : ParseComparison();
    }

    private Expression ParseComparison()
    {
        int line = Current.Line;
        Expression first = ParseSum();
        List<(string, Expression)>? rest = null;
        while (true)
        {
            string op;
            if (Current.Kind == TokenKind.Operator && Current.Value is "==" or "!=" or "<" or "<=" or ">" or ">=") op = Next().Value;
            else if (Take("in")) op = "in";
            else if (Current.Is("not") && Ahead.Is("in"))
            {
                Next();
                Next();
                op = "not in";
            }
            else break;
            (rest ??= []).Add((op, ParseSum()));
        }

        return rest is null ? first : new ComparisonExpression(line, first, rest);
    }

    private Expression ParseSum()
    {
        Expression left = ParseConcatenation();
        while (Current.Kind == TokenKind.Operator && Current.Value is "+" or "-")
        {
            Token op = Next();
            left = new ArithmeticExpression(op.Line, op.Value, left, ParseConcatenation());
        }

        return left;
    }

    private Expression ParseConcatenation()
    {
        int line = Current.Line;
        Expression first = ParseProduct();
        if (!Current.Is("~")) return first;
        List<Expression> parts = [first];
        while (Take("~")) parts.Add(ParseProduct());
        return new ConcatenationExpression(line, parts);
    }

    private Expression ParseProduct()
    {
        Expression left = ParsePower();
        while (Current.Kind == TokenKind.Operator && Current.Value is "*" or "/" or "//" or "%")
        {
            Token op = Next();
            left = new ArithmeticExpression(op.Line, op.Value, left, ParsePower());
        }

        return left;
    }

    private Expression ParsePower()
    {
        Expression left = ParseUnary(withFilters: true);
        while (Current.Is("**"))
        {
            int line = Next().Line;
            left = new ArithmeticExpression(line, "**", left, ParseUnary(withFilters: true));
        }

        return left;
    }

    private Expression ParseUnary(bool withFilters)
    {
        EnsureStack();
        Expression value;
        if (Current.Kind == TokenKind.Operator && Current.Value is "-" or "+")
        {
            Token sign = Next();
            value = new SignExpression(sign.Line, sign.Value == "-", ParseUnary(withFilters: false));
        }
        else
        {
            value = ParsePostfix(ParsePrimary());
        }

        return withFilters ? ParseFiltersAndTests(value) : value;
    }

    private Expression ParsePrimary()
    {
        Token token = Next();
        int line = token.Line;
        switch (token.Kind)
        {
            case TokenKind.Name:
                return token.Value switch
                {
                    "true" or "True" => new ConstantExpression(line, BooleanValue.True),
                    "false" or "False" => new ConstantExpression(line, BooleanValue.False),
                    "none" or "None" => new ConstantExpression(line, NoneValue.Instance),
                    "and" or "or" or "not" or "in" or "is" or "if" or "else" => throw TemplateErrors.Syntax(
                        $"{_file}:{line}", $"{token} stands here", "a value"),
                    _ => new NameExpression(line, token.Value),
                };
            case TokenKind.Text:
                string text = token.Value;
                while (Current.Kind == TokenKind.Text) text += Next().Value;
                return new ConstantExpression(line, TextValue.Of(text));
            case TokenKind.Integer:
                return new ConstantExpression(line, new IntegerValue(BigInteger.Parse(token.Value, CultureInfo.InvariantCulture)));
            case TokenKind.Float:
                return new ConstantExpression(line, new FloatValue(double.Parse(token.Value, CultureInfo.InvariantCulture)));
            case TokenKind.Operator when token.Value == "(":
                if (Take(")")) return new ListExpression(line, [], IsTuple: true);
                var inner = ParseTuple(allowsCondition: true);
                Expect(")");
                return inner;
            case TokenKind.Operator when token.Value == "[":
                var items = new List<Expression>();
                while (!Take("]"))
                {
                    if (items.Count > 0) Expect(",");
                    if (Take("]")) break;
                    items.Add(ParseExpression());
                }

                return new ListExpression(line, items, IsTuple: false);
            case TokenKind.Operator when token.Value == "{":
                var pairs = new List<(Expression, Expression)>();
                while (!Take("}"))
                {
                    if (pairs.Count > 0) Expect(",");
                    if (Take("}")) break;
                    var key = ParseExpression();
                    Expect(":");
                    pairs.Add((key, ParseExpression()));
                }

                return new DictExpression(line, pairs);
            default:
                throw TemplateErrors.Syntax($"{_file}:{line}", $"{token} stands here", "a value");
        }
    }

    private Expression ParsePostfix(Expression value)
    {
        while (true)
        {
            int line = Current.Line;
            if (Take(".")) value = ParseAttribute(value, line);
            else if (Take("[")) value = ParseSubscript(value, line);
            else if (Current.Is("(")) value = new CallExpression(line, value, ParseArguments());
            else return value;
        }
    }

    private Expression ParseAttribute(Expression target, int line)
    {
        if (Current.Kind == TokenKind.Integer)
            return new ItemExpression(line, target, new ConstantExpression(line, new IntegerValue(BigInteger.Parse(Next().Value, CultureInfo.InvariantCulture))));
        if (Current.Kind != TokenKind.Name) throw Unexpected("the name of an attribute");
        return new AttributeExpression(line, target, Next().Value);
    }

    private Expression ParseSubscript(Expression target, int line)
    {
        Expression? start = Current.Is(":") ? null : ParseExpression();
        if (Take("]")) return new ItemExpression(line, target, start!);
        if (Current.Is(",")) throw Unsupported(line, "a subscript of several parts");
        Expect(":");
        Expression? stop = Current.Is(":") || Current.Is("]") ? null : ParseExpression();
        Expression? step = Take(":") && !Current.Is("]") ? ParseExpression() : null;
        Expect("]");
        return new SliceExpression(line, target, start, stop, step);
    }

    private ArgumentList ParseArguments()
    {
        var positional = new List<Expression>();
        var named = new List<(string, Expression)>();
        Expect("(");
        while (!Take(")"))
        {
            if (positional.Count + named.Count > 0) Expect(",");
            if (Take(")")) break;
            if (Current.Is("*") || Current.Is("**")) throw Unsupported(Current.Line, $"'{Current.Value}' before an argument");
            if (Current.Kind == TokenKind.Name && Ahead.Is("="))
            {
                string name = Next().Value;
                Next();
                named.Add((name, ParseExpression()));
            }
            else if (named.Count > 0)
            {
                throw Unexpected("an argument with a name, after the first such");
            }
            else
            {
                positional.Add(ParseExpression());
            }
        }

        return new ArgumentList(positional, named);
    }

    private Expression ParseFiltersAndTests(Expression value)
    {
        while (true)
        {
            int line = Current.Line;
            if (Take("|")) value = ParseFilter(value);
            else if (Take("is")) value = ParseTest(value, line);
            else if (Current.Is("(")) value = new CallExpression(line, value, ParseArguments());
            else return value;
        }
    }

    private FilterExpression ParseFilter(Expression? target)
    {
        int line = Current.Line;
        string name = ExpectName();
        if (!TemplateFilters.IsKnown(name)) throw Unsupported(line, $"the filter '{name}'");
        return new FilterExpression(line, target, name, Current.Is("(") ? ParseArguments() : ArgumentList.Empty);
    }

    private TestExpression ParseTest(Expression target, int line)
    {
        bool isNegated = Take("not");
        // 'in', 'true', 'false' and 'none' are names of tests here.
        if (Current.Kind != TokenKind.Name) throw Unexpected("the name of a test");
        string name = Next().Value;
        if (!TemplateTests.IsKnown(name)) throw Unsupported(line, $"the test '{name}'");
        ArgumentList arguments = ArgumentList.Empty;
        if (Current.Is("(")) arguments = ParseArguments();
        else if (StartsArgument()) arguments = new ArgumentList([ParsePostfix(ParsePrimary())], []);
        return new TestExpression(line, target, name, arguments, isNegated);
    }

    // After the name of a test a value without brackets is its argument.
    private bool StartsArgument() => Current.Kind switch
    {
        TokenKind.Text or TokenKind.Integer or TokenKind.Float => true,
        TokenKind.Name => Current.Value is not ("else" or "or" or "and" or "if" or "is" or "in" or "not" or "recursive"),
        TokenKind.Operator => Current.Value is "[" or "{",
        _ => false,
    };

    private void EnsureStack()
    {
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack())
            throw TemplateErrors.Syntax($"{_file}:{Current.Line}", "expressions or tags are nested too deeply");
    }
}
