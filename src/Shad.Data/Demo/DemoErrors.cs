using Shad.Core.Errors;

namespace Shad.Data.Demo;

/// <summary>Every error of the demo corpus a user can cause.</summary>
internal static class DemoErrors
{
    public static ShadException BadCount(int samples) => new(
        "demo.bad_count", $"The demo corpus is to have {samples} samples",
        expected: "1 or more", mend: "Correct the number of samples");

    public static ShadException BadFirst(int first, int samples) => new(
        "demo.bad_first", $"The demo corpus is to have {samples} samples from number {first} on",
        expected: $"numbers from 0 to {int.MaxValue}", mend: "Correct the number of the first sample");

    public static ShadException NoFormats() => new(
        "demo.no_formats", "The demo corpus is to have no format", expected: "at least one of: " + Names,
        mend: "Name the formats, or leave them out for all");

    public static ShadException UnknownFormat(DemoFormat format) => new(
        "demo.unknown_format", $"There is no demo format {(int)format}", expected: "one of: " + Names, mend: "Name a known one");

    private static string Names => string.Join(", ", DemoFormats.All.Select(DemoFormats.NameOf));
}
