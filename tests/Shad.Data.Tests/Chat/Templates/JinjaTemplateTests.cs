using System.Text.Json;
using CsCheck;
using Shad.Core.Errors;
using Shad.Data.Chat.Templates;

namespace Shad.Data.Tests.Chat.Templates;

/// <summary>The template language. Expected values were taken from Jinja2 3.1.6 with transformers' settings.</summary>
internal sealed class JinjaTemplateTests
{
    private const string Data = """
        {"name":"Ann","n":3,"x":1.5,"flag":true,"none":null,"list":[3,1,2],"empty":[],"text":" a,b ,c ","smile":"😀é!",
         "dict":{"b":1,"a":{"k":"v"},"items":"own"},"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"yo"}]}
        """;

    // White space: trim_blocks, lstrip_blocks and signs.
    [TestCase("a\n  {% if flag %}\nb\n  {% endif %}\nc\n", "a\nb\nc")]
    [TestCase("a\n  {{ n }}\nb\n\n", "a\n  3\nb\n")]
    [TestCase("a \n {%- if flag -%} \n b \n {%- endif -%} \n c", "abc")]
    [TestCase("a\n  {%+ if flag %}b{% endif +%}\nc", "a\n  b\nc")]
    [TestCase("a {# note #}\n  {# note #}\nb", "a b")]
    [TestCase("{% raw %}{{ n }}{% x %}{% endraw %}\n.", "{{ n }}{% x %}.")]
    [TestCase("x {% if flag %}y{% endif %}  {{- n }}", "x y3")]
    [TestCase("{{ {'a': {'b': 1}}['a']['b'] }}}}", "1}}")]
    [TestCase("a\r\nb\rc\r\n", "a\nb\nc")]

    // Expressions.
    [TestCase("{{ 1 + 2 * 3 ** 2 // 4 - 7 % 4 }}|{{ -7 // 2 }}|{{ -7 % 3 }}|{{ 7 / 2 }}|{{ 2 ** -1 }}", "2|-4|2|3.5|0.5")]
    [TestCase("{{ 'a' ~ 1 ~ none ~ true }}|{{ 'ab' * 2 }}|{{ [1] + [2] }}|{{ (1,) }}", "a1NoneTrue|abab|[1, 2]|(1,)")]
    [TestCase("{{ 1 < 2 < 3 }}|{{ 1 < 2 > 3 }}|{{ 2 in list }}|{{ 'z' not in 'abc' }}|{{ 'b' in dict }}", "True|False|True|True|True")]
    [TestCase("{{ 'y' if n > 2 else 'z' }}|{{ 'y' if n > 3 }}|{{ not flag or n and 7 }}", "y||7")]
    [TestCase("{{ dict.b }}|{{ dict['b'] }}|{{ dict.a.k }}|{{ dict['items'] }}|{{ dict.items() | length }}|{{ dict.missing }}", "1|1|v|own|3|")]
    [TestCase("{{ list[0] }}{{ list[-1] }}|{{ list[1:] }}|{{ list[::-1] }}|{{ 'hello'[1:-1] }}|{{ 'hello'[::2] }}", "32|[1, 2]|[2, 1, 3]|ell|hlo")]
    [TestCase("{{ smile | length }}|{{ smile[0] }}|{{ smile[1:] }}|{{ smile[::-1] }}", "3|😀|é!|!é😀")]
    [TestCase("{{ 'tab\\tnl\\n\\x41\\u00e9\\q' }}", "tab\tnl\nAé\\q")]
    [TestCase("{{ [1, 'a', none, true, 1.0, 'it\\'s', \"q\\\"\\'\"] }}", "[1, 'a', None, True, 1.0, \"it's\", 'q\"\\'']")]
    [TestCase("{{ 1e16 }}|{{ 1e15 }}|{{ 0.0001 }}|{{ 0.00001 }}|{{ 123456.789 }}|{{ 1.0 }}|{{ 2.5e-7 }}", "1e+16|1000000000000000.0|0.0001|1e-05|123456.789|1.0|2.5e-07")]

    // Statements.
    [TestCase("{% for i in list %}{{ loop.index }}/{{ loop.length }}:{{ i }}{% if not loop.last %},{% endif %}{% else %}none{% endfor %}", "1/3:3,2/3:1,3/3:2")]
    [TestCase("{% for i in empty %}x{% else %}none{% endfor %}{% for i in missing %}x{% endfor %}", "none")]
    [TestCase("{% for k, v in dict.items() if k != 'a' %}{{ k }}={{ v }};{% endfor %}", "b=1;items=own;")]
    [TestCase("{% for i in list %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}", "3")]
    [TestCase("{% for i in list %}{{ loop.previtem }}<{{ loop.nextitem }} {{ loop.cycle('a', 'b') }};{% endfor %}", "<1 a;3<2 b;1< a;")]
    [TestCase("{% set ns = namespace(c=0) %}{% for i in list %}{% set ns.c = ns.c + i %}{% endfor %}{{ ns.c }}", "6")]
    [TestCase("{% set c = 0 %}{% for i in list %}{% set c = c + i %}{{ c }},{% endfor %}{{ c }}", "3,1,2,0")]
    [TestCase("{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set t %}x{{ a }}{% endset %}[{{ t }}]", "12[x1]")]
    [TestCase("{% macro m(a, b='d') %}{{ a }}-{{ b }}{% endmacro %}{{ m(1) }}|{{ m(1, b=2) }}|{{ m() }}", "1-d|1-2|-d")]
    [TestCase("{% macro f(x) %}{% if x > 0 %}{{ x }}{{ f(x - 1) }}{% endif %}{% endmacro %}{{ f(3) }}", "321")]
    [TestCase("{% macro w() %}<{{ caller('q') }}>{% endmacro %}{% call(v) w() %}in {{ v }}{% endcall %}", "<in q>")]
    [TestCase("{% filter upper %}ab{{ n }}{% endfilter %}|{% with z = 4 %}{{ z }}{% endwith %}{{ z }}", "AB3|4")]
    [TestCase("{% generation %}x{% endgeneration %}y", "xy")]
    [TestCase("{% if none %}a{% elif empty %}b{% elif flag %}c{% else %}d{% endif %}", "c")]
    [TestCase("{% for t in [[1,[2]],[3]] recursive %}{% if t is sequence and t is not string %}({{ loop(t) }}){% else %}{{ t }}{% endif %}{% endfor %}", "(1(2))(3)")]

    // Filters, tests, methods.
    [TestCase("{{ text | trim }}|{{ text.strip() }}|{{ text.split(',') }}|{{ 'a b  c'.split() }}|{{ 'a,b,c'.rsplit(',', 1) }}", "a,b ,c|a,b ,c|[' a', 'b ', 'c ']|['a', 'b', 'c']|['a,b', 'c']")]
    [TestCase("{{ 'xxaxx'.strip('x') }}|{{ 'xxa'.lstrip('x') }}|{{ 'a\\n\\n'.rstrip() }}|{{ 'a-b-c'.replace('-', '+', 1) }}", "a|a|a|a+b-c")]
    [TestCase("{{ 'abc'.startswith('ab') }}|{{ 'abc'.endswith(('x', 'c')) }}|{{ 'a {} {b}'.format(1, b=2) }}|{{ '%s %05.1f %%' % ('x', 2.25) }}", "True|True|a 1 2|x 002.2 %")]
    [TestCase("{{ list | sort | join('-') }}|{{ list | sum }}|{{ list | max }}|{{ list | first }}{{ list | last }}|{{ list | reverse | list }}", "1-2-3|6|3|32|[2, 1, 3]")]
    [TestCase("{{ messages | map(attribute='role') | join(',') }}|{{ messages | selectattr('role', 'equalto', 'user') | list | length }}|{{ list | select('odd') | list }}|{{ list | reject('gt', 1) | list }}", "user,assistant|1|[3, 1]|[1]")]
    [TestCase("{{ missing | default('d') }}|{{ none | default('d') }}|{{ '' | default('d', true) }}|{{ dict | dictsort | list | first | first }}", "d|None|d|a")]
    [TestCase("{{ 'aBc dE' | title }}|{{ 'aBc' | capitalize }}|{{ 'aBc' | upper }}|{{ 'a\\nb\\n\\nc' | indent(2) }}|{{ 'a\\nb' | indent(1, true) }}", "Abc De|Abc|ABC|a\n  b\n\n  c| a\n b")]
    [TestCase("{{ '7' | int + 1 }}|{{ '1.5' | float }}|{{ 'x' | int(9) }}|{{ 2.567 | round(1) }}|{{ n | string + 'x' }}|{{ [1, 1, 2] | unique | list }}", "8|1.5|9|2.6|3x|[1, 2]")]
    [TestCase("{{ n is defined }}{{ m is defined }}{{ none is none }}{{ dict is mapping }}{{ list is sequence }}{{ text is string }}{{ 3 is odd }}{{ n is divisibleby 3 }}{{ flag is true }}{{ n is number }}{{ text is iterable }}{{ none is not none }}", "TrueFalseTrueTrueTrueTrueTrueTrueTrueTrueTrueFalse")]
    [TestCase("{{ dict.get('q', 7) }}|{{ dict.keys() | list }}|{{ dict.values() | list | length }}|{{ {'a': 1} | items | list }}", "7|['b', 'a', 'items']|3|[('a', 1)]")]
    [TestCase("{{ '<a>' | escape }}|{{ ('<b>' | safe) + '<c>' }}", "&lt;a&gt;|<b>&lt;c&gt;")]
    [TestCase("{% if messages | selectattr('role', 'equalto', 'none') %}always{% endif %}", "always")]
    [TestCase("{{ range(3) | list }}{{ range(5, 1, -2) | list }}", "[0, 1, 2][5, 3]")]
    [TestCase("{{ strftime_now('%d %b %Y %H:%M %-d %B %A %j') }}", "04 Mar 2026 05:06 4 March Wednesday 063")]

    // tojson as json.dumps writes it.
    [TestCase("{{ dict | tojson }}", """{"b": 1, "a": {"k": "v"}, "items": "own"}""")]
    [TestCase("{{ [1.0, 1e-7, none, true, '<é\"\\n\\x01>'] | tojson }}", """[1.0, 1e-07, null, true, "<é\"\n\u0001>"]""")]
    [TestCase("{{ ['é😀'] | tojson(ensure_ascii=true) }}", """["\u00e9\ud83d\ude00"]""")]
    [TestCase("{{ {'b': [1, {}], 'a': []} | tojson(indent=2) }}", "{\n  \"b\": [\n    1,\n    {}\n  ],\n  \"a\": []\n}")]
    [TestCase("{{ {'b': 1, 'a': 2} | tojson(sort_keys=true, separators=(',', ':')) }}", """{"a":2,"b":1}""")]
    public void A_template_renders_as_Jinja2_does(string template, string expected) => Assert.That(Render(template), Is.EqualTo(expected));

    [TestCase("x\n{% include 'a' %}", "chat.template_unsupported", "t.jinja:2", "include")]
    [TestCase("{{ n | nosuch }}", "chat.template_unsupported", "t.jinja:1", "filter 'nosuch'")]
    [TestCase("\n\n{{ n is nosuch }}", "chat.template_unsupported", "t.jinja:3", "test 'nosuch'")]
    [TestCase("{% block a %}{% endblock %}", "chat.template_unsupported", "t.jinja:1", "block")]
    [TestCase("a\n{{ nosuch(1) }}", "chat.template_unsupported", "t.jinja:2", "function 'nosuch'")]
    [TestCase("{% if n %}a", "chat.template_syntax", "t.jinja:1", "endif")]
    [TestCase("{{ n", "chat.template_syntax", "t.jinja:1", "}}")]
    [TestCase("{{ 'n }}", "chat.template_syntax", "t.jinja:1", "string")]
    [TestCase("{# n", "chat.template_syntax", "t.jinja:1", "comment")]
    [TestCase("{% endif %}", "chat.template_syntax", "t.jinja:1", "ends nothing")]
    [TestCase("{{ (n] }}", "chat.template_syntax", "t.jinja:1", "bracket")]
    [TestCase("{{ n ? 1 }}", "chat.template_syntax", "t.jinja:1", "'?'")]
    [TestCase("{% break %}", "chat.template_syntax", "t.jinja:1", "outside a loop")]
    [TestCase("\n{{ missing.field }}", "chat.template_failed", "t.jinja:2", "'missing' is undefined")]
    [TestCase("{{ 'a' + none }}", "chat.template_failed", "t.jinja:1", "'+'")]
    [TestCase("{{ none | tojson }}\n{{ missing | tojson }}", "chat.template_failed", "t.jinja:2", "undefined")]
    [TestCase("{{ list.append(1) }}", "chat.template_failed", "t.jinja:1", "append")]
    [TestCase("{{ dict.update({}) }}", "chat.template_failed", "t.jinja:1", "update")]
    [TestCase("{{ 1 / 0 }}", "chat.template_failed", "t.jinja:1", "zero")]
    [TestCase("{% set n.x = 1 %}", "chat.template_failed", "t.jinja:1", "namespace")]
    [TestCase("{{ messages | map('upper') | tojson }}", "chat.template_failed", "t.jinja:1", "generator")]
    [TestCase("a\nb{{ raise_exception('no ' ~ n) }}", "chat.template_refused", "t.jinja:2", "no 3")]

    // Bounds.
    [TestCase("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "chat.template_too_much", "t.jinja:1", "nested")]
    [TestCase("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "chat.template_too_much", "t.jinja:1", "steps")]
    [TestCase("{{ range(9999999) }}", "chat.template_failed", "t.jinja:1", "range")]
    [TestCase("{{ 'abcdefgh' * 99999999 }}", "chat.template_failed", "t.jinja:1", "too long")]
    [TestCase("{% set ns = namespace(t='abcdefgh') %}{% for i in range(99) %}{% set ns.t = ns.t + ns.t %}{% endfor %}", "chat.template_failed", "t.jinja:1", "grows")]
    [TestCase("{{ 9 ** 99999 }}", "chat.template_failed", "t.jinja:1", "too large")]
    [TestCase("{{ [0] * 99999999 }}", "chat.template_failed", "t.jinja:1", "too long")]
    public void What_a_template_may_not_do_is_an_error_with_its_line(string template, string code, string where, string part)
    {
        var error = Assert.Throws<ShadException>(() => Render(template))!;
        Assert.That(error.Code, Is.EqualTo(code));
        Assert.That(error.Where, Is.EqualTo(where));
        Assert.That(error.Message, Does.Contain(part));
    }

    [Test]
    public void A_template_nested_beyond_the_stack_is_an_error_and_no_crash()
    {
        foreach (string template in (string[])
        [
            $"{{{{ {new string('(', 100_000)}1{new string(')', 100_000)} }}}}",
            $"{{{{ {string.Concat(Enumerable.Repeat("not ", 200_000))}1 }}}}",
            string.Concat(Enumerable.Repeat("{% if 1 %}", 50_000)),
            $"{{{{ {string.Join(" + ", Enumerable.Repeat("1", 100_000))} }}}}",
        ])
        {
            Assert.That(Assert.Throws<ShadException>(() => Render(template))!.Code, Does.StartWith("chat.template_"));
        }
    }

    [Test]
    public void Private_names_of_Python_are_no_way_out_of_the_data()
    {
        foreach (string template in (string[])["{{ text.__class__ }}", "{{ dict['__init__'] }}", "{{ list | attr('__len__') }}", "{{ namespace.__globals__ }}"])
            Assert.That(Render(template), Is.Empty);
    }

    [Test]
    public void Any_text_is_a_template_or_an_error_of_its_own()
    {
        Gen<string> piece = Gen.OneOf(Gen.OneOf([
            "{{", "}}", "{%", "%}", "{#", "#}", "-", "if ", "for ", " in ", "endfor", "endif", "set ", "x", "'", "\"", "(", ")", "[", "]", "{", "}", "|", ".", "trim",
            "list", "n", " ", "\n", "1", "+", "~", "=", "==", "is ", "not ", "macro ", "endmacro", "raw", "endraw", ",", ":", "loop", "😀", "\ud83d", "\\",
        ]));
        piece.Array[0, 30].Select(string.Concat).Sample(
            template =>
            {
                try
                {
                    Render(template);
                }
                catch (ShadException e)
                {
                    Assert.That(e.Code, Does.StartWith("chat.template_"));
                }
            },
            iter: 20_000);
    }

    [Test]
    public void Operations_on_text_keep_track_of_every_character_of_a_message()
    {
        // Slices, strips, splits and joins: what a template makes of a content is a piece of it, at the place its spans say.
        string[] templates =
        [
            "[{{ t }}]", "{{ t | trim }}.", "{{ t[1:] }}{{ t[:1] }}", "{{ t.split(' ') | join('--') }}", "{{ t.replace('a', 'xyz') }}", "{{ (t ~ t).strip() }}",
            "{{ [t] | tojson }}", "{{ t | indent(3) }}", "{% set s %}({{ t }}){% endset %}{{ s }}{{ s }}", "{{ '%s!' % t }}{{ '{}'.format(t) }}", "{{ [t] }}",
            "{{ t.rsplit('a', 1)[-1] }}", "{{ t.partition('\n')[2] }}", "{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(t.lstrip()) }}",
        ];
        Gen<string> content = Gen.OneOf("a", "b", " ", "\n", "é", "😀", "'", "\"", "\\").Array[1, 20].Select(string.Concat);
        Gen.Select(content, Gen.OneOf(templates)).Sample(
            (text, template) =>
            {
                var variables = new Dictionary<string, TemplateValue> { ["t"] = TextValue.Content(text, 5) };
                TextValue rendered = JinjaTemplate.Parse(template, "t.jinja").Render(variables, default);
                int traced = 0;
                foreach (TextSpan span in rendered.Spans)
                {
                    Assert.That(span.Message, Is.EqualTo(5));
                    string source = text[span.SourceStart..span.SourceEnd], piece = rendered.Value[span.Start..span.End];
                    if (piece.Length == source.Length) Assert.That(piece, Is.EqualTo(source));
                    else Assert.That(source, Has.Length.LessThanOrEqualTo(2), $"{piece} for {source}"); // an escape, or a replacement of 'a'
                    traced += span.Length;
                }

                if (template.StartsWith('[')) Assert.That(traced, Is.EqualTo(text.Length));
            },
            iter: 2_000);
    }

    private static string Render(string template)
    {
        using var document = JsonDocument.Parse(Data);
        var variables = document.RootElement.EnumerateObject().ToDictionary(member => member.Name, member => TemplateValue.Of(member.Value));
        return JinjaTemplate.Parse(template, "t.jinja").Render(variables, new DateTime(2026, 3, 4, 5, 6, 7)).Value;
    }
}
