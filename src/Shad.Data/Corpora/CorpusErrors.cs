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

    private static string FirstSentence(string message)
    {
        int end = message.IndexOf(". ", StringComparison.Ordinal);
        return (end < 0 ? message : message[..end]).TrimEnd('.');
    }
}
