using System.Text.Json;
using Shad.Core.Errors;
using Shad.Core.Samples;

namespace Shad.Data.Corpora;

/// <summary>Every error of corpora, their rows and their encoding.</summary>
internal static class CorpusErrors
{
    internal static ShadException NotJson(RowSource source, JsonException inner) => new(
        "corpus.not_json",
        $"The row is not JSON (byte {(inner.BytePositionInLine ?? 0) + 1}: {FirstSentence(inner.Message)})",
        where: source.ToString(), expected: "one JSON object a line", inner: inner);

    internal static ShadException NotObject(RowSource source, JsonTokenType found) => new(
        "corpus.not_object", $"The row is {Describe(found)}", where: source.ToString(), expected: "a JSON object");

    internal static ShadException MissingField(RowSource source, string field) => new(
        "corpus.missing_field", $"The row has no field '{field}'", where: source.ToString(),
        expected: "a tokenized row: 'input_ids' and 'labels' (-100 where no loss is taken)");

    internal static ShadException WrongType(RowSource source, string field, string found, string expected) => new(
        "corpus.wrong_type", $"The field '{field}' is {found}", where: source.ToString(), expected: expected);

    internal static ShadException WrongElement(RowSource source, string field, int index, string found, string expected) => new(
        "corpus.wrong_type", $"{field}[{index}] is {found}", where: source.ToString(), expected: expected);

    internal static ShadException NoTokens(RowSource source) => new(
        "corpus.no_tokens", "'input_ids' is empty", where: source.ToString(), expected: "at least two tokens");

    internal static ShadException LengthsDiffer(RowSource source, string field, int length, int tokens) => new(
        "corpus.lengths_differ", $"'{field}' has {length} values and 'input_ids' has {tokens}", where: source.ToString(),
        expected: "as many, one a token");

    internal static ShadException LabelMismatch(RowSource source, int index, int label, int token) => new(
        "corpus.label_mismatch", $"labels[{index}] is {label} and input_ids[{index}] is {token}", where: source.ToString(),
        expected: $"the token itself or {TokenizedSample.IgnoredLabel}", mend: "Write labels unshifted");

    internal static ShadException NegativeToken(RowSource source, int index, int token) => new(
        "corpus.negative_token", $"input_ids[{index}] is {token}", where: source.ToString(), expected: "a token id, 0 or more");

    internal static ShadException OutsideVocabulary(RowSource source, int index, int token, int vocabularySize) => new(
        "corpus.outside_vocabulary", $"input_ids[{index}] is {token}", where: source.ToString(),
        expected: $"a token id below the model's vocabulary size, {vocabularySize}",
        mend: "Tokenize the corpus with this model's tokenizer");

    internal static ShadException NoTargets(RowSource source) => new(
        "corpus.no_response", "The row has no response token: every label is -100 (the first token cannot be a target)",
        where: source.ToString(), expected: "at least one label that is the token itself");

    internal static ShadException BadWeight(RowSource source, int index, string found) => new(
        "corpus.bad_weight", $"weight[{index}] is {found}", where: source.ToString(),
        expected: "a finite number, 0 or more, for every response token");

    internal static ShadException NotText(RowSource source, InvalidOperationException inner) => new(
        "corpus.not_text", $"A string is not well-formed text ({FirstSentence(inner.Message)})", where: source.ToString(),
        expected: "UTF-8, without halves of surrogate pairs", inner: inner);

    internal static ShadException UnknownFormat(RowSource source, IEnumerable<string> fields) => new(
        "corpus.unknown_format", $"The row's fields ({List(fields)}) are those of no known format", where: source.ToString(),
        expected: "messages; conversations; query and answers; prompt and response or completion; instruction and output; or input_ids and labels");

    internal static ShadException UnknownRole(RowSource source, string field, string found, string known) => new(
        "corpus.unknown_role", $"The role '{field}' is {found}", where: source.ToString(), expected: known);

    internal static ShadException NoResponse(RowSource source) => new(
        "corpus.no_response", "The row has no response", where: source.ToString(),
        expected: "an assistant message, 'response', 'completion' or 'output'");

    internal static ShadException NoResponseText(string source) => new(
        "corpus.no_response", "The sample has no response token", where: source, expected: "a response of some text");

    internal static ShadException EmptyResponse(RowSource source, string which) => new(
        "corpus.empty_response", $"The text of {which} is empty", where: source.ToString(), expected: "a response of some text");

    internal static ShadException NothingBefore(string source) => new(
        "corpus.nothing_before", "The response has nothing before it", where: source,
        expected: "a prompt: a user or system message or tools before the first assistant message");

    internal static ShadException SystemBesideMessages(RowSource source) => new(
        "corpus.system_beside_messages", "The row has both 'messages' and 'system'", where: source.ToString(),
        expected: "the system text as the first message");

    internal static ShadException BadSpan(RowSource source, string field, string found) => new(
        "corpus.bad_span", $"{field} is {found}", where: source.ToString(),
        expected: "[start,end], or [message,start,end] in rows with a list of messages");

    internal static ShadException SpanOfNoResponse(RowSource source, string field, int message) => new(
        "corpus.bad_span", $"{field} is in message {message}, which is no assistant message of this row", where: source.ToString(),
        expected: "the index of an assistant message");

    internal static ShadException SpanOutside(RowSource source, string field, int start, int end, int length) => new(
        "corpus.bad_span", $"{field} is [{start},{end}) in a content of {length} UTF-16 units", where: source.ToString(),
        expected: "0 ≤ start < end ≤ length");

    internal static ShadException NoFiles(string name) => new(
        "corpus.no_files", "No corpus file is there", where: name, expected: $"files that end in {Files.InputFile.KnownEndings}",
        mend: "Check the path, or the glob");

    internal static ShadException TooManyBadRows(int maximum, ShadException first) => new(
        "corpus.too_many_bad_rows", $"More than {maximum} rows are bad; the first is {first.Message}",
        mend: "Mend the corpus, or accept more bad rows", inner: first);

    internal static ShadException Empty(IReadOnlyList<string> paths, long bad, ShadException? first) => new(
        "corpus.empty",
        first is null ? "The corpus has no rows" : $"The corpus has no good row; {bad} are bad, the first is {first.Message}",
        where: paths.Count == 0 ? "no file" : string.Join(", ", paths), expected: "at least one sample", inner: first);

    internal static ShadException TooLong(string source, string id, int length, int responses, int context) => new(
        "corpus.too_long",
        $"Sample '{id}' has {length} tokens, {responses} from its first response on, and the context holds {context}",
        where: source, expected: "responses that fit the context, with at least one token before them",
        mend: "Shorten the responses or take a model with a longer context");

    internal static ShadException OverContext(string source, string id, int length, int context) => new(
        "corpus.too_long", $"Sample '{id}' has {length} tokens and the context holds {context}", where: source,
        mend: "Let prompts be truncated from the left, or take a model with a longer context");

    internal static ShadException TokenizerNeeded(string source) => new(
        "corpus.tokenizer_needed", "The row is text and there is no tokenizer", where: source,
        expected: "rows of input_ids and labels", mend: "Give a model folder that has a tokenizer.json");

    internal static ShadException TokenizerOutsideVocabulary(string source, int token, int vocabularySize) => new(
        "corpus.tokenizer_outside_vocabulary", $"The tokenizer gives token {token}", where: source,
        expected: $"token ids below the model's vocabulary size, {vocabularySize}", mend: "Use the tokenizer of this model");

    internal static string Describe(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Array => "a list",
        JsonValueKind.Object => "an object",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "true or false",
        JsonValueKind.Null => "null",
        _ => kind.ToString(),
    };

    internal static string Describe(JsonTokenType token) => token switch
    {
        JsonTokenType.StartArray => "a list",
        JsonTokenType.StartObject => "an object",
        JsonTokenType.String => "a string",
        JsonTokenType.Number => "a number",
        JsonTokenType.True or JsonTokenType.False => "true or false",
        JsonTokenType.Null => "null",
        _ => token.ToString(),
    };

    private static string List(IEnumerable<string> names)
    {
        string[] some = [.. names.Take(12)];
        return some.Length == 0 ? "none" : string.Join(", ", some);
    }

    private static string FirstSentence(string message)
    {
        int end = message.IndexOf(". ", StringComparison.Ordinal);
        return (end < 0 ? message : message[..end]).TrimEnd('.');
    }
}
