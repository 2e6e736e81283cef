namespace Shad.Data.Reports;

/// <summary>A boilerplate phrase that repeats.</summary>
/// <param name="Text">The phrase, without white space at its ends.</param>
/// <param name="Count">How often it occurs. Where <paramref name="IsExact"/> is false, at least so often.</param>
/// <param name="Tokens">Boilerplate tokens it covers in all.</param>
/// <param name="IsExact">False where the corpus holds more distinct phrases than were kept, so that some occurrences may not have
/// been counted.</param>
public sealed record RepeatedPhrase(string Text, long Count, long Tokens, bool IsExact);

/// <summary>A run of reasoning tokens.</summary>
/// <param name="Text">Its text, without white space at its ends.</param>
/// <param name="MeanLossDifference">Mean LD over its tokens, nats.</param>
/// <param name="Tokens">Its length in tokens.</param>
/// <param name="SampleId">The sample it stands in.</param>
/// <param name="Before">Some text before it.</param>
/// <param name="After">Some text after it.</param>
public sealed record ReasoningSpan(
    string Text, double MeanLossDifference, int Tokens, string SampleId, string Before, string After);
