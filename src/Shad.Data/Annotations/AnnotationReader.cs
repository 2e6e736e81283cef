using System.Runtime.CompilerServices;
using System.Text.Json;
using Shad.Core.Errors;
using Shad.Core.Samples;
using Shad.Data.Corpora;
using Shad.Data.Files;

namespace Shad.Data.Annotations;

/// <summary>
/// Streams the rows of an annotation file back: <c>.parquet</c>, or <c>.jsonl</c> also with <c>.gz</c> or <c>.zst</c>. Needs <c>input_ids</c> and <c>labels</c>; every other
/// column may be absent.
/// </summary>
public sealed class AnnotationReader
{
    private static readonly HashSet<string> Columns =
    [
        "id", "input_ids", "labels", "base_loss", "probe_loss", "control_loss", "loss_difference", "role", "known_role", "weight",
        "offset_start", "offset_end", "text",
    ];

    private readonly string _path;

    private AnnotationReader(string path) => _path = path;

    /// <summary>Opens a file; it can be read any number of times.</summary>
    /// <exception cref="ShadException">The file is missing or of unknown format.</exception>
    public static AnnotationReader Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (InputFile.FormatOf(path) == InputFormat.JsonArray) throw AnnotationErrors.UnknownEnding(path);
        InputFile.CheckExists(path);
        return new AnnotationReader(path);
    }

    /// <summary>Reads the rows in order.</summary>
    /// <exception cref="ShadException">The file is damaged, or a row is wrong; the message names its number.</exception>
    public async IAsyncEnumerable<AnnotationRow> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var parser = new Parser();
        using var rows = JsonRowReader.Open(_path, Columns);
        while (await rows.ReadAsync(cancellationToken).ConfigureAwait(false))
            yield return parser.Read(rows.Row.Span, new RowSource(_path, rows.Number));
    }

    /// <summary>One JSON object → one row.</summary>
    private sealed class Parser
    {
        private readonly List<int> _integers = [];
        private readonly List<float> _numbers = [];
        private readonly List<TokenRole?> _roles = [];

        internal AnnotationRow Read(ReadOnlySpan<byte> json, RowSource source)
        {
            string? id = null, text = null;
            int[]? inputIds = null, labels = null, offsetStart = null, offsetEnd = null;
            float[]? baseLoss = null, probeLoss = null, controlLoss = null, lossDifference = null, weights = null;
            TokenRole?[]? roles = null, knownRoles = null;
            var reader = new Utf8JsonReader(json);
            try
            {
                reader.Read();
                if (reader.TokenType != JsonTokenType.StartObject) throw CorpusErrors.NotObject(source, reader.TokenType);
                while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                {
                    string field = reader.GetString()!;
                    switch (field)
                    {
                        case "id": id = JsonFields.ReadId(ref reader, source); break;
                        case "text": text = JsonFields.ReadText(ref reader, field, source); break;
                        case "input_ids": inputIds = Integers(ref reader, field, source); break;
                        case "labels": labels = Integers(ref reader, field, source); break;
                        case "offset_start": offsetStart = Integers(ref reader, field, source); break;
                        case "offset_end": offsetEnd = Integers(ref reader, field, source); break;
                        case "base_loss": baseLoss = Numbers(ref reader, field, source); break;
                        case "probe_loss": probeLoss = Numbers(ref reader, field, source); break;
                        case "control_loss": controlLoss = Numbers(ref reader, field, source); break;
                        case "loss_difference": lossDifference = Numbers(ref reader, field, source); break;
                        case "weight": weights = Numbers(ref reader, field, source); break;
                        case "role": roles = Roles(ref reader, field, source); break;
                        case "known_role": knownRoles = Roles(ref reader, field, source); break;
                        default: reader.Skip(); break;
                    }
                }

                while (reader.Read())
                {
                }
            }
            catch (JsonException e)
            {
                throw CorpusErrors.NotJson(source, e);
            }
            catch (InvalidOperationException e)
            {
                throw CorpusErrors.NotText(source, e);
            }

            if (inputIds is null) throw CorpusErrors.MissingField(source, "input_ids");
            if (labels is null) throw CorpusErrors.MissingField(source, "labels");
            if (offsetStart is null != offsetEnd is null) throw AnnotationErrors.OneOffsetList(source);
            CheckLengths();
            CheckLabels(inputIds, labels, source);
            if (offsetStart is not null)
            {
                if (text is null) throw AnnotationErrors.OffsetsWithoutText(source);
                CheckOffsets(text, offsetStart, offsetEnd!, source);
                offsetStart = CodePoints.ToUtf16(text, offsetStart);
                offsetEnd = CodePoints.ToUtf16(text, offsetEnd!);
            }

            return new AnnotationRow
            {
                Id = id ?? source.DefaultId,
                InputIds = inputIds,
                Labels = labels,
                BaseLoss = baseLoss,
                ProbeLoss = probeLoss,
                ControlLoss = controlLoss,
                LossDifference = lossDifference,
                Roles = roles,
                KnownRoles = knownRoles,
                Weights = weights,
                OffsetStart = offsetStart,
                OffsetEnd = offsetEnd,
                Text = text,
            };

            void CheckLengths()
            {
                ReadOnlySpan<(Array? List, string Name)> lists =
                [
                    (labels, "labels"), (baseLoss, "base_loss"), (probeLoss, "probe_loss"), (controlLoss, "control_loss"),
                    (lossDifference, "loss_difference"), (weights, "weight"), (roles, "role"), (knownRoles, "known_role"),
                    (offsetStart, "offset_start"), (offsetEnd, "offset_end"),
                ];
                foreach (var (list, name) in lists)
                {
                    if (list is not null && list.Length != inputIds.Length)
                        throw CorpusErrors.LengthsDiffer(source, name, list.Length, inputIds.Length);
                }
            }
        }

        private static void CheckLabels(int[] inputIds, int[] labels, RowSource source)
        {
            if (inputIds.Length == 0) throw CorpusErrors.NoTokens(source);
            for (int i = 0; i < labels.Length; i++)
            {
                if (labels[i] == TokenizedSample.IgnoredLabel) continue;
                if (i == 0) throw AnnotationErrors.FirstTokenIsTarget(source, labels[0]);
                if (labels[i] != inputIds[i]) throw CorpusErrors.LabelMismatch(source, i, labels[i], inputIds[i]);
            }
        }

        private static void CheckOffsets(string text, int[] starts, int[] ends, RowSource source)
        {
            int length = CodePoints.Count(text);
            for (int i = 0; i < starts.Length; i++)
            {
                if (starts[i] < 0 || starts[i] > length)
                    throw AnnotationErrors.OffsetOutside(source, "offset_start", i, starts[i], length);
                if (ends[i] < 0 || ends[i] > length) throw AnnotationErrors.OffsetOutside(source, "offset_end", i, ends[i], length);
                if (ends[i] < starts[i]) throw AnnotationErrors.OffsetsOrder(source, i, starts[i], ends[i]);
            }
        }

        private int[]? Integers(ref Utf8JsonReader reader, string field, RowSource source) =>
            JsonFields.ReadIntegers(ref reader, _integers, field, source) ? [.. _integers] : null;

        private float[]? Numbers(ref Utf8JsonReader reader, string field, RowSource source) =>
            JsonFields.ReadNumbers(ref reader, _numbers, field, source) ? [.. _numbers] : null;

        private TokenRole?[]? Roles(ref Utf8JsonReader reader, string field, RowSource source) =>
            JsonFields.ReadRoles(ref reader, _roles, field, source) ? [.. _roles] : null;
    }
}
