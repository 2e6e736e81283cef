using System.Text.Json;
using Shad.Core.Errors;

namespace Shad.Data.Files;

/// <summary>Every error of opening, reading and writing files of <c>Shad.Data</c>.</summary>
internal static class FileErrors
{
    internal static ShadException Missing(string path) => new(
        "file.missing", "The file does not exist", where: path, mend: "Check the path");

    internal static ShadException IsFolder(string path) => new(
        "file.is_folder", "This is a folder", where: path, expected: "a file", mend: "Name the files in it");

    internal static ShadException UnknownEnding(string path, string expected) => new(
        "file.unknown_ending", $"The ending of '{Path.GetFileName(path)}' says no known format", where: path,
        expected: expected, mend: "Rename the file by its content, or convert it");

    internal static ShadException Unreadable(string path, Exception inner) => new(
        "file.unreadable", $"The file cannot be read ({inner.Message.TrimEnd('.')})", where: path,
        mend: "Check its permissions and the disk", inner: inner);

    internal static ShadException Damaged(string where, Exception inner) => new(
        "file.damaged", $"The file is damaged or cut short ({inner.Message.TrimEnd('.')})", where: where,
        expected: "a whole file of the kind its ending says", mend: "Copy or download it again", inner: inner);

    internal static ShadException NotJsonArray(string path, long row, JsonException inner) => new(
        "file.not_json_array",
        $"The JSON array breaks off at element {row} (line {(inner.LineNumber ?? 0) + 1}, byte {(inner.BytePositionInLine ?? 0) + 1})",
        where: path, expected: "one JSON array of objects", mend: "Mend the file, or convert it to JSON Lines", inner: inner);

    internal static ShadException UnsupportedColumn(string path, string column, string type) => new(
        "file.unsupported_column", $"The Parquet column '{column}' has the type {type}", where: path,
        expected: "text, numbers, true/false, or lists and structs of these", mend: "Convert the column");

    internal static ShadException LineTooLong(string path, long line, int maximum) => new(
        "file.line_too_long", $"The line is longer than {maximum} bytes", where: $"{path}:{line}",
        expected: "JSON Lines: one JSON object a line", mend: "Check that this is a text file with line ends");

    internal static ShadException CannotWrite(string path, Exception inner) => new(
        "file.cannot_write",
        $"The file could not be written ({inner.Message.TrimEnd('.')}); nothing half-written remains", where: path,
        mend: "Check free space, permissions and that no other process writes it, then run again", inner: inner);
}
