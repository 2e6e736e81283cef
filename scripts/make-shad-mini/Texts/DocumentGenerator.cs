using System.Text;
using Shad.Core.Randomness;

namespace MakeShadMini.Texts;

/// <summary>Draws documents of several kinds, all of which reward looking back into the prompt.</summary>
internal sealed class DocumentGenerator
{
    private readonly SeededRandom _random;
    private readonly Values _values;
    private readonly IReadOnlyList<string> _realTexts;

    /// <param name="seed">Seed; the same seed draws the same documents.</param>
    /// <param name="harvest">Prompts of real corpora: plain text to read and to quote from.</param>
    public DocumentGenerator(ulong seed, Harvest harvest)
    {
        _random = new SeededRandom(seed);
        _values = new Values(_random, harvest.Words);
        _realTexts = harvest.Texts;
    }

    public TrainingDocument Next() => _random.NextInt32(20) switch
    {
        0 or 1 => Repeat(),
        2 or 3 => Lookup(),
        4 or 5 => Relayout(),
        6 or 7 or 8 => Request(),
        9 or 10 or 11 => ToolChoice(),
        12 => Quote(),
        13 => Answer(),
        14 or 15 => Narrate(),
        16 or 17 or 18 => Deliberate(),
        _ => FewShot(),
    };

    private T Pick<T>(params T[] from) => from[_random.NextInt32(from.Length)];

    private string Join(params string[] parts) => string.Join(Pick("\n", "\n", "\n\n", " "), parts.Where(part => part.Length > 0));

    private List<(string Key, string Value)> Record(int least, int most)
    {
        var keys = _values.DistinctKeys(least + _random.NextInt32(most - least + 1));
        return keys.Select(key => (key, _values.Any())).ToList();
    }

    private List<T> Shuffled<T>(IEnumerable<T> items)
    {
        var array = items.ToArray();
        _random.Shuffle<T>(array);
        return [.. array];
    }

    /// <summary>A list of words, and the list again.</summary>
    private TrainingDocument Repeat()
    {
        var words = Enumerable.Range(0, 4 + _random.NextInt32(22)).Select(_ => _random.NextInt32(3) == 0 ? _values.Any() : _values.AnyWord()).ToArray();
        string separator = Pick(" ", ", ", "\n", " | ", "; ", " / "), other = _random.NextInt32(2) == 0 ? separator : Pick(" ", ", ", "\n", " - ");
        var writer = new ResponseWriter().Template(Pick("", "again: ", "copy = ", "I repeat: ", "Once more:\n", "echo "));
        for (int i = 0; i < words.Length; i++)
        {
            if (i > 0) writer.Template(other);
            writer.Copy(words[i]);
        }

        return writer.After(Join(Pick("Repeat this.", "words:", "Say it again:", "List", "Copy the following line"), string.Join(separator, words)));
    }

    /// <summary>A table of pairs, and some of them asked for.</summary>
    private TrainingDocument Lookup()
    {
        var pairs = Record(4, 10);
        var layout = Layout.Draw(_random);
        var asked = Shuffled(pairs).Take(1 + _random.NextInt32(pairs.Count)).ToList();
        string question = Pick("Give ", "Which are ", "Look up ", "I need ", "Tell me ", "Read out ")
            + string.Join(Pick(", ", " and ", " "), asked.Select(pair => pair.Key)) + Pick(".", "?", "", " please.");
        var writer = new ResponseWriter();
        if (_random.NextInt32(2) == 0)
        {
            Layout.Draw(_random).Write(writer, asked, copyKeys: true);
        }
        else
        {
            string separator = Pick(", ", "\n", "; ", " ");
            for (int i = 0; i < asked.Count; i++)
            {
                if (i > 0) writer.Template(separator);
                writer.Copy(asked[i].Value);
            }
        }

        return writer.After(_random.NextInt32(2) == 0 ? Join(layout.Render(pairs), question) : Join(question, layout.Render(pairs)));
    }

    /// <summary>A record in one layout, and the same in another.</summary>
    private TrainingDocument Relayout()
    {
        var pairs = Record(2, 8);
        var writer = new ResponseWriter();
        Layout.Draw(_random).Write(writer, _random.NextInt32(2) == 0 ? Shuffled(pairs) : pairs, copyKeys: true);
        return writer.After(Join(Pick("", "Rewrite:", "Convert this entry", "Another layout, please.", "Put it differently:"), Layout.Draw(_random).Render(pairs)));
    }

    private (string Clause, string Key, string Value) Clause()
    {
        string person = _values.Person(), city = _values.City(), other = _values.City(), thing = _values.Thing(), date = _values.Date();
        string time = _values.Time(), number = _values.Number(), code = _values.Code(), phrase = _values.Phrase(), mail = _values.Email();
        return _random.NextInt32(26) switch
        {
            0 => ($"for {person}", Pick("name", "customer", "guest", "owner", "user"), person),
            1 => ($"in {city}", Pick("city", "place", "location", "venue"), city),
            2 => ($"to {other}", Pick("to", "destination", "target"), other),
            3 => ($"from {city}", Pick("from", "origin", "start"), city),
            4 => ($"on {date}", Pick("date", "day", "when"), date),
            5 => ($"at {time}", Pick("time", "hour", "start"), time),
            6 => ($"with the code {code}", Pick("code", "id", "reference"), code),
            7 => ($"about {phrase}", Pick("topic", "subject", "title"), phrase),
            8 => ($"called {phrase}", Pick("name", "title", "label"), phrase),
            9 => ($"for {number} people", Pick("people", "guests", "count", "seats"), number),
            10 => ($"under {number} dollars", Pick("price", "budget", "limit", "maximum"), number),
            11 => ($"by {person}", Pick("author", "by", "artist"), person),
            12 => ($"using {phrase}", Pick("method", "mode", "tool"), phrase),
            13 => ($"and send it to {mail}", Pick("email", "receiver", "contact"), mail),
            14 => ($"with {person}", Pick("with", "partner", "contact", "doctor"), person),
            15 => ($"near {city}", Pick("near", "region", "area"), city),
            16 => ($"until {date}", Pick("end", "until", "deadline"), date),
            17 => ($"of the {thing}", Pick("item", "product", "object"), thing),
            18 => ($"number {number}", Pick("number", "id", "index"), number),
            19 => ($"because of {phrase}", Pick("reason", "cause", "note"), phrase),
            20 => ($"and say \"{phrase}\"", Pick("message", "text", "content", "body"), phrase),
            21 => ($"in the color {thing}", Pick("color", "colour", "paint"), thing),
            22 => ($"every {number} minutes", Pick("interval", "period", "every"), number),
            23 => ($"as {phrase}", Pick("type", "as", "role", "kind"), phrase),
            24 => ($"between {city} and {other}", Pick("between", "route"), $"{city} and {other}"),
            _ => ($"where the {_values.Pick(WordLists.Keys)} is {phrase}", "filter", phrase),
        };
    }

    private List<(string Clause, string Key, string Value)> Clauses(int least, int most)
    {
        int count = least + _random.NextInt32(most - least + 1);
        var clauses = new List<(string Clause, string Key, string Value)>();
        while (clauses.Count < count)
        {
            var clause = Clause();
            if (clauses.All(other => other.Key != clause.Key)) clauses.Add(clause);
        }

        return clauses;
    }

    /// <summary>The clauses with their values in quotes, or as they are.</summary>
    private List<(string Clause, string Key, string Value)> Quoted(List<(string Clause, string Key, string Value)> clauses)
    {
        string quote = Pick("", "", "\"", "\"", "'", "*");
        return [.. clauses.Select(clause => clause with
        {
            Clause = clause.Clause.Contains('"', StringComparison.Ordinal)
                ? clause.Clause
                : clause.Clause.Replace(clause.Value, quote + clause.Value + quote, StringComparison.Ordinal),
        })];
    }

    private string Sentence(string verb, string noun, IEnumerable<(string Clause, string Key, string Value)> clauses)
    {
        string opening = Pick("Please ", "Can you ", "I want to ", "", "Could you please ", "We need to ", "Help me ", "Let us ", "My boss asked me to ", "It is time to ");
        string core = $"{verb} {Pick("a", "the", "my", "this", "our")} {noun}";
        string text = opening + core + " " + string.Join(Pick(" ", " ", ", "), clauses.Select(clause => clause.Clause));
        return Values.Capital(text) + Pick(".", "?", "!", "", ".");
    }

    /// <summary>A request in words, and its facts as a record.</summary>
    private TrainingDocument Request()
    {
        var clauses = Clauses(2, 5);
        string verb = _values.Pick(WordLists.Verbs), noun = _values.Pick(WordLists.Objects);
        var writer = new ResponseWriter();
        var pairs = clauses.Select(clause => (clause.Key, clause.Value)).ToList();
        Layout.Draw(_random).Write(writer, _random.NextInt32(3) == 0 ? Shuffled(pairs) : pairs, copyKeys: false);
        string request = Sentence(verb, noun, Quoted(clauses));
        string fields = _random.NextInt32(2) == 0
            ? $"{Pick("Fields", "Wanted", "Extract", "Slots", "keys")}: {string.Join(", ", pairs.Select(pair => pair.Key))}"
            : "";
        return writer.After(_random.NextInt32(2) == 0 ? Join(fields, request) : Join(request, fields));
    }

    private sealed record Tool(string Name, string Verb, string Noun, IReadOnlyList<string> Arguments);

    /// <summary>Several tools, a request for one of them, and the call in some layout.</summary>
    private TrainingDocument ToolChoice()
    {
        var clauses = Clauses(1, 4);
        var (chosen, listing) = ToolList(clauses);
        var writer = new ResponseWriter();
        WriteCall(writer, chosen, clauses, Pick("", "", "I will use ", "run ", "Best is ", "use: ", "Calling ", "$ ", "@", "step 1 ", "do "));
        string request = Sentence(chosen.Verb, chosen.Noun, Quoted(_random.NextInt32(3) == 0 ? Shuffled(clauses) : clauses));
        return writer.After(_random.NextInt32(4) == 0 ? request + "\n" + listing : listing + Pick("", "\n", "Request: ", "Q: ", "> ") + request);
    }

    /// <summary>
    /// A request with what it is about and how it is wanted: an answer that first restates some of that in loose words, then calls a
    /// tool.
    /// </summary>
    private TrainingDocument Deliberate()
    {
        var clauses = Clauses(1, 4);
        var (chosen, listing) = ToolList(clauses);
        string who = _values.Person(), about = _random.NextInt32(3) == 0 ? _values.Phrase() : _values.Pair();
        string first = _values.Pick(WordLists.Qualities), second = _values.Pick(WordLists.Qualities);
        string[] facts = [who, about, first, second];
        string told = string.Join(Pick(" ", "\n"), Shuffled<string>(
        [
            Pick($"My name is {who}.", $"I am {who}.", $"Yours, {who}", $"{who} asks for this.", $"This is for {who}.", $"{who} here."),
            Pick($"It is for the {about}.", $"Think of the {about}.", $"The {about} is near.", $"All this is about the {about}.", $"I plan the {about}."),
            Pick($"It should be {first} and {second}.", $"Make it {first} and {second}.", $"I like it {first}, also {second}.", $"We want {first} and {second}."),
        ]));
        string request = Sentence(chosen.Verb, chosen.Noun, Quoted(_random.NextInt32(3) == 0 ? Shuffled(clauses) : clauses));
        string asked = _random.NextInt32(2) == 0 ? Join(request, told) : Join(told, request);

        var writer = new ResponseWriter().Template(Pick("", "Thinking ", "Well, ", "(", "note: ", "* ", "First: ", "Mind that "));
        string[] restated = _random.NextInt32(2) == 0 ? facts : [.. Shuffled<string>([who, about, $"{first} and {second}"])];
        foreach (string fact in restated.Take(2 + _random.NextInt32(3)))
        {
            writer.Template(Pick(
                "", "it is ", "for ", "the ", "with ", "as said, ", "so ", "there is ", "this is about ", "one asks for ", "given the ",
                "we have ", "that means ", "because of ", "remember "));
            writer.Copy(fact).Template(Pick(" ", " ", ", ", " and ", ". ", "; ", " is what counts, ", " comes first, ", " too. ", " was said; ", " here "));
        }

        WriteCall(writer, chosen, clauses, Pick("", "so I take ", "hence ", "\n", "\n-> ", "thus: ", "now ", "\ncommand "));
        writer.Template(Pick("", "", "\nDone.", " That is it.", "\n(end)", " More?"));
        return writer.After(_random.NextInt32(4) == 0 ? asked + "\n" + listing : listing + Pick("", "\n", "Request: ", "Q: ", "> ") + asked);
    }

    /// <summary>Tools in a random order as a prompt lists them; the one to choose takes the clauses' keys.</summary>
    private (Tool Chosen, string Listing) ToolList(List<(string Clause, string Key, string Value)> clauses)
    {
        var tools = new List<Tool>();
        int count = 2 + _random.NextInt32(4);
        for (int i = 0; i < count; i++)
        {
            string verb = _values.Pick(WordLists.Verbs), noun = _values.Pick(WordLists.Objects);
            string name = Pick($"{verb}_{noun}", $"{noun}_{verb}", verb + Values.Capital(noun), verb + Values.Capital(noun), $"{verb}-{noun}", $"{noun}.{verb}", $"{verb} {noun}", _values.Identifier(2));
            IReadOnlyList<string> arguments = i == 0 ? clauses.Select(clause => clause.Key).ToArray() : _values.DistinctKeys(1 + _random.NextInt32(4));
            tools.Add(new Tool(name, verb, noun, arguments));
        }

        var chosen = tools[0];
        string style = Pick("call", "colon", "described", "lines", "quoted", "listed");
        var listing = new StringBuilder(Pick("", "Tools\n", "You can use:\n", "functions:\n", "Known commands\n", "API\n", "Choose one of these.\n"));
        string bullet = Pick("", "- ", "* ", "1) ", "> ");
        foreach (var tool in Shuffled(tools))
        {
            string description = $"{tool.Verb} {Pick("a", "the", "some")} {tool.Noun}";
            listing.Append(bullet).Append(style switch
            {
                "call" => $"{tool.Name}({string.Join(", ", tool.Arguments)})  {description}",
                "colon" => $"{tool.Name}: {description}; {string.Join(" ", tool.Arguments)}",
                "described" => $"{description} = {tool.Name} [{string.Join("|", tool.Arguments)}]",
                "quoted" => $"\"{tool.Name}\" takes {string.Join(", ", tool.Arguments.Select(name => $"\"{name}\""))}",
                "listed" => $"\"{tool.Name}\" <{string.Join(" ", tool.Arguments.Select(name => $"\"{name}\""))}>",
                _ => $"{tool.Name}\n   {description}\n   {string.Join(", ", tool.Arguments)}",
            }).Append('\n');
        }

        return (chosen, listing.ToString());
    }

    /// <summary>The call of a tool: its name and its arguments in some layout, or everything as one record.</summary>
    private void WriteCall(ResponseWriter writer, Tool chosen, List<(string Clause, string Key, string Value)> clauses, string opening)
    {
        var pairs = clauses.Select(clause => (clause.Key, clause.Value)).ToList();
        var layout = Layout.Draw(_random);
        if (_random.NextInt32(4) == 0)
        {
            layout.Write(writer.Template(opening), [(Pick("tool", "use", "name", "fn", "command"), chosen.Name), .. pairs], copyKeys: false);
            return;
        }

        string quote = Pick("", "", "\"", "'", "`");
        writer.Template(opening + quote).Copy(chosen.Name).Template(quote + Pick(" ", "", " with ", "\n", ": ", " <- "));
        (layout with { Head = "" }).Write(writer, pairs, copyKeys: true);
    }

    /// <summary>A real text, the beginning of a part of it, and how that part goes on.</summary>
    private TrainingDocument Quote()
    {
        string text = _values.Pick(_realTexts);
        var words = text.Split(' ');
        if (words.Length < 12) return Repeat();
        int length = Math.Min(words.Length - 4, 6 + _random.NextInt32(30)), start = _random.NextInt32(words.Length - length - 2);
        string cue = string.Join(' ', words[start..(start + 3)]);
        var writer = new ResponseWriter().Template(Pick("", "\"", "... ", "It goes on: ")).Copy(string.Join(' ', words[(start + 3)..(start + length)]));
        return writer.After(Join(text, Pick("How does it go on after", "Continue", "Quote from", "What follows") + $" \"{cue}\"" + Pick("?", ":", "")));
    }

    /// <summary>A request, and short answers to questions about it.</summary>
    private TrainingDocument Answer()
    {
        var clauses = Clauses(2, 5);
        var asked = Shuffled(clauses)[..Math.Min(2, clauses.Count)];
        var writer = new ResponseWriter();
        string separator = Pick("\n", "; ", ". ", ", ");
        for (int i = 0; i < asked.Count; i++)
        {
            if (i > 0) writer.Template(separator);
            writer.Template(Pick("", $"{asked[i].Key}: ", "It is ", $"The {asked[i].Key} is ")).Copy(asked[i].Value);
        }

        return writer.After(Join(
            Sentence(_values.Pick(WordLists.Verbs), _values.Pick(WordLists.Objects), clauses),
            string.Join(' ', asked.Select(clause => Pick($"What is the {clause.Key}?", $"{Values.Capital(clause.Key)}?", $"Tell the {clause.Key}.")))));
    }

    /// <summary>A record, and a sentence or two that use its values.</summary>
    private TrainingDocument Narrate()
    {
        var clauses = Clauses(2, 5);
        var pairs = clauses.Select(clause => (clause.Key, clause.Value)).ToList();
        string verb = _values.Pick(WordLists.Verbs), noun = _values.Pick(WordLists.Objects);
        var writer = new ResponseWriter().Template(Pick("I will ", "We ", "They wanted to ", "You asked me to ", "Next, ", "The plan is to "));
        writer.Copy(verb).Template(Pick(" the ", " a ")).Copy(noun);
        for (int i = 0; i < clauses.Count; i++)
        {
            var (clause, _, value) = clauses[i];
            int at = clause.IndexOf(value, StringComparison.Ordinal);
            writer.Template(Pick(" ", " ", ", ")).Template(clause[..at]).Copy(value).Template(clause[(at + value.Length)..]);
        }

        writer.Template(Pick(".", ". Done.", ", as asked.", ""));
        string head = Pick($"{verb} {noun}", $"task: {verb} {noun}", $"{Values.Capital(verb)} the {noun}");
        return writer.After(Join(head, Layout.Draw(_random).Render(_random.NextInt32(2) == 0 ? Shuffled(pairs) : pairs)));
    }

    /// <summary>The same kind of request three times with one layout: the first two are shown, the last is to be done alike.</summary>
    private TrainingDocument FewShot()
    {
        var layout = Layout.Draw(_random);
        var kinds = Clauses(2, 3);
        string verb = _values.Pick(WordLists.Verbs), noun = _values.Pick(WordLists.Objects);
        string input = Pick("in: ", "Q: ", "Request: ", "> ", "## "), output = Pick("out: ", "A: ", "Call: ", "= ", "");
        var prompt = new StringBuilder();
        int shown = 1 + _random.NextInt32(2);
        for (int i = 0; ; i++)
        {
            var clauses = kinds.Select(kind =>
            {
                string value = _values.Any();
                return (Clause: kind.Clause.Replace(kind.Value, value, StringComparison.Ordinal), kind.Key, Value: value);
            }).ToList();
            var pairs = clauses.Select(clause => (clause.Key, clause.Value)).ToList();
            prompt.Append(input).Append(Sentence(verb, noun, clauses)).Append('\n').Append(output);
            if (i == shown)
            {
                var writer = new ResponseWriter();
                layout.Write(writer, pairs, copyKeys: false);
                return writer.After(prompt.ToString());
            }

            prompt.Append(layout.Render(pairs)).Append('\n');
        }
    }
}
