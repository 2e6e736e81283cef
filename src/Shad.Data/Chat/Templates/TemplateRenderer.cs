using System.Globalization;
using System.Numerics;
using System.Runtime.CompilerServices;
using Shad.Core.Errors;

namespace Shad.Data.Chat.Templates;

/// <summary>
/// Runs a template once. It sees the data it is given and nothing else, can change nothing but its own variables and namespaces, and is
/// bounded in steps, depth, items and text.
/// </summary>
/// <param name="file">The template's file, for messages.</param>
/// <param name="now">What <c>strftime_now</c> tells.</param>
internal sealed class TemplateRenderer(string file, DateTime now)
{
    /// <summary>Most items of a list or range.</summary>
    internal const int MaximumItems = 1_000_000;

    private const long MaximumSteps = 10_000_000;
    private const int MaximumCallDepth = 200;

    private int _line = 1;
    private long _steps;
    private int _callDepth;
    private int _loopDepth;

    private enum Flow
    {
        Next,
        Break,
        Continue,
    }

    private string Where => $"{file}:{_line}";

    /// <summary>The text of a template.</summary>
    /// <exception cref="ShadException">The template fails, refuses the conversation or goes beyond a bound.</exception>
    internal TextValue Render(IReadOnlyList<Statement> body, IReadOnlyDictionary<string, TemplateValue> variables)
    {
        var globals = new Scope(null);
        globals.Set("raise_exception", new FunctionValue("raise_exception", arguments =>
            throw TemplateErrors.Refused(Where, arguments.Check("message").Require(0, "message").Printed.Value)));
        globals.Set("strftime_now", new FunctionValue("strftime_now", arguments =>
            TextValue.Of(TimeFormat.Apply(now, arguments.Check("format").Text(0, "format")))));
        globals.Set("namespace", new FunctionValue("namespace", Namespace));
        globals.Set("range", new FunctionValue("range", Range));
        globals.Set("dict", new FunctionValue("dict", static arguments =>
        {
            var dict = new DictValue();
            foreach ((string key, TemplateValue value) in arguments.Named) dict.Set(key, value);
            return dict;
        }));
        globals.Set("cycler", new FunctionValue("cycler", static _ => throw new TemplateFault("'cycler' is not supported")));
        globals.Set("joiner", new FunctionValue("joiner", static _ => throw new TemplateFault("'joiner' is not supported")));
        foreach ((string name, TemplateValue value) in variables) globals.Set(name, value);
        var output = new TextBuilder();
        try
        {
            Run(body, new Scope(globals), output);
            return output.ToText();
        }
        catch (TemplateFault fault)
        {
            throw TemplateErrors.Failed(Where, fault);
        }
    }

    // ── statements ──

    private Flow Run(IReadOnlyList<Statement> body, Scope scope, TextBuilder output)
    {
        foreach (Statement statement in body)
        {
            Flow flow = Run(statement, scope, output);
            if (flow != Flow.Next) return flow;
        }

        return Flow.Next;
    }

    private Flow Run(Statement statement, Scope scope, TextBuilder output)
    {
        Step(statement.Line);
        switch (statement)
        {
            case DataStatement data: output.Append(data.Text); break;
            case OutputStatement write: output.Append(Evaluate(write.Value, scope).Printed); break;
            case IfStatement branching:
                foreach ((Expression condition, IReadOnlyList<Statement> body) in branching.Branches)
                {
                    if (Evaluate(condition, scope).IsTrue) return Run(body, scope, output);
                }

                return Run(branching.Otherwise, scope, output);
            case ForStatement loop: RunLoop(loop, Evaluate(loop.Items, scope), scope, output, depth: 0); break;
            case SetStatement set: Assign(set.Target, Evaluate(set.Value, scope), scope); break;
            case SetBlockStatement set:
                Assign(set.Target, Filter(set.Filters, Capture(set.Body, new Scope(scope)), scope), scope);
                break;
            case MacroStatement macro: scope.Set(macro.Macro.Name, Macro(macro.Macro, scope)); break;
            case CallStatement call:
                output.Append(Call(call.Call, scope, ("caller", Macro(call.Caller, scope))).Printed);
                break;
            case FilterStatement filter: output.Append(Filter(filter.Filters, Capture(filter.Body, new Scope(scope)), scope).Printed); break;
            case WithStatement with:
                var inner = new Scope(scope);
                foreach ((AssignmentTarget target, Expression value) in with.Values) Assign(target, Evaluate(value, scope), inner);
                return Run(with.Body, inner, output);
            case GenerationStatement generation:
                int start = output.Length;
                Flow flow = Run(generation.Body, new Scope(scope), output);
                output.Mark(start, TextOrigin.Generation, -1);
                return flow;
            case BreakStatement: return Flow.Break;
            case ContinueStatement: return Flow.Continue;
            default: throw new InvalidOperationException($"{statement.GetType().Name} is no statement this renderer knows.");
        }

        return Flow.Next;
    }

    private TextValue Capture(IReadOnlyList<Statement> body, Scope scope)
    {
        var output = new TextBuilder();
        Run(body, scope, output);
        return output.ToText();
    }

    private void RunLoop(ForStatement loop, TemplateValue over, Scope scope, TextBuilder output, int depth)
    {
        if (!over.IsIterable) throw new TemplateFault($"a loop goes over a value of kind {over.Kind}", "a list, a mapping or text");
        IReadOnlyList<TemplateValue> items = over.Elements;
        if (loop.Filter is { } filter)
        {
            items = [.. items.Where(item =>
            {
                var test = new Scope(scope);
                Assign(loop.Target, item, test);
                return Evaluate(filter, test).IsTrue;
            })];
        }

        if (items.Count == 0)
        {
            Run(loop.Otherwise, scope, output);
            return;
        }

        var state = new LoopValue(items, depth)
        {
            Recurse = loop.IsRecursive
                ? inner =>
                {
                    var nested = new TextBuilder();
                    Enter();
                    RunLoop(loop, inner, scope, nested, depth + 1);
                    Leave();
                    return nested.ToText();
                }
                : null,
        };
        _loopDepth++;
        for (int i = 0; i < items.Count; i++)
        {
            Step(loop.Line);
            state.Index = i;
            var turn = new Scope(scope);
            turn.Set("loop", state);
            Assign(loop.Target, items[i], turn);
            int start = output.Length;
            Flow flow = Run(loop.Body, turn, output);
            if (items[i] is DictValue { IsMessage: true } message) output.Mark(start, TextOrigin.Turn, message.Message);
            if (flow == Flow.Break) break;
        }

        _loopDepth--;
    }

    private static void Assign(AssignmentTarget target, TemplateValue value, Scope scope)
    {
        switch (target)
        {
            case NameTarget name: scope.Set(name.Name, value); break;
            case NamespaceTarget attribute:
                if (scope.Find(attribute.Namespace) is not NamespaceValue space)
                    throw new TemplateFault($"'{attribute.Namespace}' is no namespace, and nothing else can be changed");
                space.Members[attribute.Name] = value;
                break;
            case TupleTarget tuple:
                IReadOnlyList<TemplateValue> items = value.Elements;
                if (items.Count != tuple.Items.Count) throw new TemplateFault($"{items.Count} values are given to {tuple.Items.Count} names");
                for (int i = 0; i < items.Count; i++) Assign(tuple.Items[i], items[i], scope);
                break;
        }
    }

    private FunctionValue Macro(MacroDefinition macro, Scope definedIn) => new(macro.Name, arguments =>
    {
        var scope = new Scope(definedIn);
        int given = Math.Min(arguments.Positional.Count, macro.Parameters.Count);
        var named = new List<KeyValuePair<string, TemplateValue>>(arguments.Named);
        for (int i = 0; i < macro.Parameters.Count; i++)
        {
            (string name, Expression? fallback) = macro.Parameters[i];
            int place = named.FindIndex(argument => argument.Key == name);
            if (i < given) scope.Set(name, arguments.Positional[i]);
            else if (place >= 0) scope.Set(name, named[place].Value);
            else scope.Set(name, fallback is null ? new UndefinedValue($"the parameter '{name}' of {macro.Name}") : Evaluate(fallback, scope));
            if (place >= 0) named.RemoveAt(place);
        }

        int caller = named.FindIndex(static argument => argument.Key == "caller");
        if (caller >= 0)
        {
            scope.Set("caller", named[caller].Value);
            named.RemoveAt(caller);
        }

        scope.Set("varargs", new ListValue([.. arguments.Positional.Skip(given)], isTuple: true));
        var rest = new DictValue();
        foreach ((string name, TemplateValue value) in named) rest.Set(name, value);
        scope.Set("kwargs", rest);
        Enter();
        TextValue text = Capture(macro.Body, scope);
        Leave();
        return text;
    });

    // ── expressions ──

    private TemplateValue Evaluate(Expression expression, Scope scope)
    {
        Step(expression.Line);
        TemplateValue value = EvaluateBelow(expression, scope);

        // What takes long to make counts for more than a step.
        _steps += value switch
        {
            TextValue text => text.Value.Length >> 8,
            ListValue list => list.Items.Count >> 3,
            _ => 0,
        };
        return value;
    }

    private TemplateValue EvaluateBelow(Expression expression, Scope scope)
    {
        switch (expression)
        {
            case ConstantExpression constant: return constant.Value;
            case NameExpression name: return scope.Find(name.Name) ?? new UndefinedValue($"'{name.Name}'");
            case AttributeExpression attribute: return Attribute(Evaluate(attribute.Target, scope), attribute.Name, attribute.Line);
            case ItemExpression item: return Item(Evaluate(item.Target, scope), Evaluate(item.Key, scope), item.Line);
            case SliceExpression slice: return Slice(slice, scope);
            case CallExpression call: return Call(call, scope);
            case FilterExpression filter:
                TemplateValue target = Evaluate(filter.Target!, scope);
                CallArguments arguments = Arguments(filter.Name, filter.Arguments, scope);
                _line = filter.Line;
                return TemplateFilters.Apply(filter.Name, target, arguments);
            case TestExpression test:
                TemplateValue tested = Evaluate(test.Target, scope);
                return BooleanValue.Of(TemplateTests.Apply(test.Name, tested, Arguments(test.Name, test.Arguments, scope)) != test.IsNegated);
            case ConcatenationExpression concatenation:
                return TextOperations.Join(concatenation.Parts.Select(part => Evaluate(part, scope).Printed), TextValue.Empty);
            case ArithmeticExpression arithmetic:
                TemplateValue left = Evaluate(arithmetic.Left, scope);
                TemplateValue right = Evaluate(arithmetic.Right, scope);
                _line = arithmetic.Line;
                return TemplateArithmetic.Apply(arithmetic.Operator, left, right);
            case ComparisonExpression comparison: return BooleanValue.Of(Compare(comparison, scope));
            case LogicExpression logic:
                TemplateValue first = Evaluate(logic.Left, scope);
                return first.IsTrue == logic.IsAnd ? Evaluate(logic.Right, scope) : first;
            case NotExpression not: return BooleanValue.Of(!Evaluate(not.Operand, scope).IsTrue);
            case ConditionalExpression conditional:
                if (Evaluate(conditional.Condition, scope).IsTrue) return Evaluate(conditional.Then, scope);
                return conditional.Otherwise is null
                    ? new UndefinedValue("the value of an 'if' without 'else'")
                    : Evaluate(conditional.Otherwise, scope);
            case ListExpression list: return new ListValue([.. list.Items.Select(item => Evaluate(item, scope))], list.IsTuple);
            case DictExpression dictionary:
                var dict = new DictValue();
                foreach ((Expression key, Expression value) in dictionary.Pairs) dict.Set(Evaluate(key, scope), Evaluate(value, scope));
                return dict;
            case SignExpression sign:
                TemplateValue operand = Evaluate(sign.Operand, scope);
                return TemplateArithmetic.Apply("*", operand.Number is null ? throw new TemplateFault($"a value of kind {operand.Kind} has no sign") : operand, new IntegerValue(sign.IsNegative ? -1 : 1));
            default: throw new InvalidOperationException($"{expression.GetType().Name} is no expression this renderer knows.");
        }
    }

    private TemplateValue Attribute(TemplateValue target, string name, int line)
    {
        _line = line;
        if (target is UndefinedValue undefined) throw undefined.Fault;
        return (TemplateValue?)TemplateMethods.Find(target, name) ?? target.Find(name)
            ?? new UndefinedValue($"the attribute '{name}' of a value of kind {target.Kind}");
    }

    private TemplateValue Item(TemplateValue target, TemplateValue key, int line)
    {
        _line = line;
        switch (target)
        {
            case UndefinedValue undefined: throw undefined.Fault;
            case DictValue dict when dict.Get(key) is { } value: return value;
            case ListValue list when key.Integer is { } index:
                if (index < 0) index += list.Items.Count;
                return index >= 0 && index < list.Items.Count ? list.Items[(int)index] : new UndefinedValue($"item {key.Printed.Value} of a list of {list.Items.Count}");
            case TextValue text when key.Integer is { } index:
                int count = PythonText.Count(text.Value);
                if (index < 0) index += count;
                return index >= 0 && index < count
                    ? TextOperations.Slice(text, (int)index, (int)index + 1, null)
                    : new UndefinedValue($"character {key.Printed.Value} of a text of {count}");
            default:
                TemplateValue? found = key is TextValue name ? target.Find(name.Value) ?? TemplateMethods.Find(target, name.Value) : null;
                return found ?? new UndefinedValue($"the item {PythonPrinting.Of(key).Value} of a value of kind {target.Kind}");
        }
    }

    private TemplateValue Slice(SliceExpression slice, Scope scope)
    {
        TemplateValue target = Evaluate(slice.Target, scope);
        int? start = Bound(slice.Start), stop = Bound(slice.Stop), step = Bound(slice.Step);
        _line = slice.Line;
        return target switch
        {
            TextValue text => TextOperations.Slice(text, start, stop, step),
            ListValue list => new ListValue([.. TextOperations.SliceIndices(list.Items.Count, start, stop, step ?? 1).Select(i => list.Items[i])], list.IsTuple),
            UndefinedValue undefined => throw undefined.Fault,
            _ => throw new TemplateFault($"a value of kind {target.Kind} has no slices"),
        };

        int? Bound(Expression? bound)
        {
            if (bound is null || Evaluate(bound, scope) is var value && value is NoneValue) return null;
            BigInteger number = value.Integer ?? throw new TemplateFault($"a bound of a slice is of kind {value.Kind}", "a whole number");
            return (int)BigInteger.Min(BigInteger.Max(number, -int.MaxValue), int.MaxValue);
        }
    }

    private TemplateValue Call(CallExpression call, Scope scope, params ReadOnlySpan<(string Name, TemplateValue Value)> more)
    {
        TemplateValue target = Evaluate(call.Target, scope);
        string name = call.Target switch
        {
            NameExpression variable => variable.Name,
            AttributeExpression attribute => attribute.Name,
            _ => "the function",
        };
        CallArguments arguments = Arguments(name, call.Arguments, scope);
        foreach ((string key, TemplateValue value) in more) arguments = arguments with { Named = [.. arguments.Named, new(key, value)] };
        _line = call.Line;
        switch (target)
        {
            case FunctionValue function: return function.Call(arguments);
            case LoopValue { Recurse: { } recurse }: return recurse(arguments.Require(0, "iterable"));
            case UndefinedValue undefined when call.Target is AttributeExpression: throw undefined.Fault;
            case UndefinedValue: throw TemplateErrors.Unsupported(Where, $"the function '{name}'");
            default: throw new TemplateFault($"a value of kind {target.Kind} cannot be called");
        }
    }

    private CallArguments Arguments(string name, ArgumentList list, Scope scope) => new(
        name,
        list.Positional.Count == 0 ? [] : [.. list.Positional.Select(argument => Evaluate(argument, scope))],
        list.Named.Count == 0 ? [] : [.. list.Named.Select(argument => KeyValuePair.Create(argument.Name, Evaluate(argument.Value, scope)))]);

    private TemplateValue Filter(IReadOnlyList<FilterExpression> filters, TemplateValue value, Scope scope)
    {
        foreach (FilterExpression filter in filters) value = TemplateFilters.Apply(filter.Name, value, Arguments(filter.Name, filter.Arguments, scope));
        return value;
    }

    private bool Compare(ComparisonExpression comparison, Scope scope)
    {
        TemplateValue left = Evaluate(comparison.First, scope);
        foreach ((string op, Expression expression) in comparison.Rest)
        {
            TemplateValue right = Evaluate(expression, scope);
            _line = comparison.Line;
            bool holds = op switch
            {
                "==" => TemplateValue.AreEqual(left, right),
                "!=" => !TemplateValue.AreEqual(left, right),
                "in" => TemplateTests.Contains(right, left),
                "not in" => !TemplateTests.Contains(right, left),
                "<" => TemplateValue.Compare(left, right) < 0,
                "<=" => TemplateValue.Compare(left, right) <= 0,
                ">" => TemplateValue.Compare(left, right) > 0,
                _ => TemplateValue.Compare(left, right) >= 0,
            };
            if (!holds) return false;
            left = right;
        }

        return true;
    }

    private static NamespaceValue Namespace(CallArguments arguments)
    {
        var space = new NamespaceValue();
        foreach (TemplateValue given in arguments.Positional)
        {
            if (given is not DictValue dict) throw new TemplateFault($"a namespace is made of a value of kind {given.Kind}", "a mapping");
            foreach ((TemplateValue key, TemplateValue value) in dict.Pairs) space.Members[key.Printed.Value] = value;
        }

        foreach ((string name, TemplateValue value) in arguments.Named) space.Members[name] = value;
        return space;
    }

    private static ListValue Range(CallArguments arguments)
    {
        int first = arguments.WholeNumber(0, "start") ?? throw new TemplateFault("range lacks its end");
        int? second = arguments.WholeNumber(1, "stop");
        long step = arguments.WholeNumber(2, "step") ?? 1;
        if (step == 0) throw new TemplateFault("the step of a range is 0");
        (long start, long stop) = second is null ? (0, first) : (first, (long)second);
        long count = Math.Max(0, step > 0 ? (stop - start + step - 1) / step : (start - stop - step - 1) / -step);
        if (count > MaximumItems) throw new TemplateFault($"a range has more than {MaximumItems:N0} numbers");
        var items = new TemplateValue[count];
        for (long i = 0; i < count; i++) items[i] = new IntegerValue(start + (i * step));
        return new ListValue(items);
    }

    private void Step(int line)
    {
        _line = line;
        if (++_steps > MaximumSteps) throw TemplateErrors.TooMuch(Where, "steps", MaximumSteps);
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack()) throw TemplateErrors.TooMuch(Where, "nested calls", MaximumCallDepth);
    }

    private void Enter()
    {
        if (++_callDepth > MaximumCallDepth) throw TemplateErrors.TooMuch(Where, "nested calls", MaximumCallDepth);
    }

    private void Leave() => _callDepth--;

    /// <summary>The variables of a block; what it does not have is looked for around it.</summary>
    private sealed class Scope(Scope? around)
    {
        private readonly Dictionary<string, TemplateValue> _values = new(StringComparer.Ordinal);

        internal void Set(string name, TemplateValue value) => _values[name] = value;

        internal TemplateValue? Find(string name)
        {
            for (Scope? scope = this; scope is not null; scope = scope.Around)
            {
                if (scope._values.TryGetValue(name, out TemplateValue? value)) return value;
            }

            return null;
        }

        private Scope? Around { get; } = around;
    }
}

/// <summary>Python's <c>strftime</c> in English.</summary>
internal static class TimeFormat
{
    internal static string Apply(DateTime time, string format)
    {
        var text = new System.Text.StringBuilder();
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 == format.Length)
            {
                text.Append(format[i]);
                continue;
            }

            char code = format[++i];
            bool isPlain = code == '-' && i + 1 < format.Length;
            if (isPlain) code = format[++i];
            string part = code switch
            {
                'Y' => Part("yyyy"),
                'y' => Part("yy"),
                'm' => Part("MM"),
                'B' => Part("MMMM"),
                'b' or 'h' => Part("MMM"),
                'd' => Part("dd"),
                'e' => time.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2),
                'H' => Part("HH"),
                'I' => Part("hh"),
                'M' => Part("mm"),
                'S' => Part("ss"),
                'f' => Part("ffffff"),
                'p' => Part("tt"),
                'A' => Part("dddd"),
                'a' => Part("ddd"),
                'j' => time.DayOfYear.ToString("000", CultureInfo.InvariantCulture),
                'w' => ((int)time.DayOfWeek).ToString(CultureInfo.InvariantCulture),
                'F' => Part("yyyy-MM-dd"),
                'T' => Part("HH:mm:ss"),
                'D' => Part("MM/dd/yy"),
                'Z' or 'z' => "",
                '%' => "%",
                _ => throw new TemplateFault($"strftime_now does not support '%{code}'"),
            };
            text.Append(isPlain && part.Length > 1 ? part.TrimStart('0') is { Length: > 0 } trimmed ? trimmed : "0" : part);
        }

        return text.ToString();

        string Part(string pattern) => time.ToString(pattern, CultureInfo.InvariantCulture);
    }
}
