using Shad.Core.Errors;
using Shad.Core.Samples;
using Shad.Data.Corpora;

namespace Shad.Data.Annotations;

/// <summary>Every error of annotation files.</summary>
internal static class AnnotationErrors
{
    internal static ShadException UnknownEnding(string path) => new(
        "annotation.unknown_ending", $"The ending of '{Path.GetFileName(path)}' says no format of annotations", where: path,
        expected: ".parquet or .jsonl", mend: "Name the output by one of these");

    internal static ShadException FirstTokenIsTarget(RowSource source, int label) => new(
        "annotation.first_token_is_target", $"labels[0] is {label}", where: source.ToString(),
        expected: $"{TokenizedSample.IgnoredLabel}: the first token has no context and no loss");

    internal static ShadException OffsetsWithoutText(RowSource source) => new(
        "annotation.offsets_without_text", "The row has offsets and no text", where: source.ToString(),
        expected: "'text', into which 'offset_start' and 'offset_end' point");

    internal static ShadException OffsetOutside(RowSource source, string field, int index, int offset, int length) => new(
        "annotation.offset_outside", $"{field}[{index}] is {offset} in a text of {length} code points", where: source.ToString(),
        expected: $"0 to {length}");

    internal static ShadException OffsetsOrder(RowSource source, int index, int start, int end) => new(
        "annotation.offset_outside", $"Token {index} spans [{start},{end})", where: source.ToString(), expected: "start ≤ end");

    internal static ShadException OneOffsetList(RowSource source) => new(
        "annotation.offsets_without_text", "The row has only one of 'offset_start' and 'offset_end'", where: source.ToString(),
        expected: "both or none");
}
