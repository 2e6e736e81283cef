using Shad.Core.Errors;

namespace Shad.Data.Tokenization;

/// <summary>Every error a tokenizer can cause, in one place.</summary>
internal static class TokenizerErrors
{
    private const string Supported =
        "a tokenizer.json of model type BPE, byte-level (pre-tokenizer ByteLevel, alone or last in a Sequence with Split, Digits and " +
        "Punctuation) or SentencePiece-style (normalizer Prepend and Replace, or pre-tokenizer Metaspace)";

    private const string SaveAgain = "Save the tokenizer again with the library that made it, or take the file of the model's publisher";

    public static ShadException NoFile(string folder) => new(
        "tokenizer.missing_file", "there is no tokenizer", folder,
        "a Hugging Face model folder with its tokenizer.json, a SentencePiece tokenizer.model or a .tiktoken file",
        "Copy tokenizer.json from the model's repository into the folder");

    public static ShadException NotSentencePiece(string file, string what) => new(
        "tokenizer.bad_model", $"the file is neither a SentencePiece model nor a tiktoken file: {what}", file, null,
        "The file may be cut short; copy or download it again");

    public static ShadException SentencePieceUnsupported(string file, string what) => new(
        "tokenizer.unsupported", $"{what} is not supported", file,
        "a SentencePiece model of type BPE whose normalizer is identity and which keeps white space as it is",
        "Convert it: AutoTokenizer.from_pretrained(folder).save_pretrained(folder) writes a tokenizer.json");

    public static ShadException BadTiktokenLine(string file, int line, string what) => new(
        "tokenizer.bad_tiktoken", what, $"{file}, line {line}", "a token in base64, a space and its rank, each token and rank once", SaveAgain);

    public static ShadException TiktokenPatternUnknown(string file, IEnumerable<string> known) => new(
        "tokenizer.unknown_tiktoken", "a tiktoken file does not say how text is cut into words, and this name is not known", file,
        "one of " + string.Join(", ", known), "Rename the file if it is one of these under another name, or convert it to a tokenizer.json");

    public static ShadException Unreadable(string file, Exception cause) => new(
        "tokenizer.unreadable", $"the file cannot be read: {cause.Message}", file, inner: cause);

    public static ShadException NotJson(string file, Exception cause) => new(
        "tokenizer.not_json", $"the file is not whole JSON: {cause.Message}", file, "a JSON object",
        "The file may be cut short; copy or download it again", cause);

    public static ShadException BadField(string file, string field, string what, string expected) => new(
        "tokenizer.bad_field", what, $"{file}, field {field}", expected, SaveAgain);

    public static ShadException Unsupported(string file, string field, string found) => new(
        "tokenizer.unsupported", $"{found} is not supported", $"{file}, field {field}", Supported);

    public static ShadException Pattern(string file, string field, string pattern, string reason, Exception? cause = null) => new(
        "tokenizer.bad_pattern", $"the pattern {Quote(pattern)} cannot be used: {reason}", $"{file}, field {field}",
        "a regular expression of literals, classes, groups, look-around, \\p{…} general categories and quantifiers", inner: cause);

    public static ShadException DuplicateToken(string file, string field, string token) => new(
        "tokenizer.duplicate_token", $"the token {Quote(token)} is there twice", $"{file}, field {field}", "each token once", SaveAgain);

    public static ShadException DuplicateId(string file, string field, int id, string first, string second) => new(
        "tokenizer.duplicate_id", $"id {id} belongs to both {Quote(first)} and {Quote(second)}", $"{file}, field {field}",
        "one token an id", SaveAgain);

    public static ShadException Holes(string file, long missing, int largest, string token) => new(
        "tokenizer.vocabulary_holes",
        $"{missing} of the ids 0 to {largest} have no token; the largest is the id of {Quote(token)}",
        $"{file}, fields model.vocab and added_tokens", "at least half of the ids with a token", SaveAgain);

    public static ShadException UnknownMergeToken(string file, string field, string token) => new(
        "tokenizer.unknown_merge_token", $"the merge uses {Quote(token)}, which is not in model.vocab", $"{file}, field {field}",
        "both parts and their joined token in model.vocab", SaveAgain);

    public static ShadException LosesText(string file, string kind, int missing, string example) => new(
        "tokenizer.loses_text",
        $"the vocabulary lacks {missing} of the {kind}, for example {Quote(example)}, and there is no unknown token: such text would be lost",
        $"{file}, field model.vocab", $"all {kind}, or model.unk_token", SaveAgain);

    public static ShadException UnknownSpecialToken(string file, string field, string token) => new(
        "tokenizer.unknown_special_token", $"the token {Quote(token)} is not in tokenizer.json", $"{file}, field {field}",
        "a token of model.vocab or added_tokens", "Correct the name, or add the token to tokenizer.json");

    public static ShadException UnknownId(string file, int id, int size) => new(
        "tokenizer.unknown_id", $"token id {id} is not in the tokenizer", file, $"an id from 0 to {size - 1}",
        "Check that the token ids were made by this model's tokenizer");

    public static ShadException DoesNotFit(string file, int size, int modelSize, string example, int exampleId) => new(
        "tokenizer.does_not_fit",
        $"the tokenizer has ids up to {size - 1} but the model has embeddings for {modelSize} tokens; {Quote(example)} is token {exampleId}", file,
        $"every token id below the model's vocab_size {modelSize}",
        "Use the tokenizer that belongs to the model, or resize the model's embeddings for the added tokens");

    private static string Quote(string text) => "\"" + (text.Length <= 80 ? text : text[..79] + "…") + "\"";
}
