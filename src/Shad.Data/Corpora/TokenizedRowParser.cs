using System.Text.Json;
using Shad.Core.Errors;
using Shad.Core.Samples;

namespace Shad.Data.Corpora;

/// <summary>
/// One JSON object → one <see cref="TokenizedSample"/>, checking all that the sample's constructor would refuse, with the row's place in
/// the message. Reused from row to row; for one thread.
/// </summary>
internal sealed class TokenizedRowParser(int? vocabularySize)
{
    private readonly List<int> _inputIds = [];
    private readonly List<int> _labels = [];
    private readonly List<float> _weights = [];
    private readonly List<TokenRole?> _roles = [];

    /// <summary>Reads one row.</summary>
    /// <exception cref="ShadException">The row is no tokenized row.</exception>
    internal TokenizedSample Read(ReadOnlySpan<byte> json, RowSource source)
    {
        bool hasInputIds = false, hasLabels = false, hasWeights = false, hasRoles = false;
        string? id = null;
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = CorpusRowParser.MaximumDepth });
        try
        {
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject) throw CorpusErrors.NotObject(source, reader.TokenType);
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("input_ids"u8))
                    hasInputIds = JsonFields.ReadIntegers(ref reader, _inputIds, "input_ids", source);
                else if (reader.ValueTextEquals("labels"u8))
                    hasLabels = JsonFields.ReadIntegers(ref reader, _labels, "labels", source);
                else if (reader.ValueTextEquals("weight"u8))
                    hasWeights = JsonFields.ReadNumbers(ref reader, _weights, "weight", source);
                else if (reader.ValueTextEquals("role"u8))
                    hasRoles = JsonFields.ReadRoles(ref reader, _roles, "role", source);
                else if (reader.ValueTextEquals("id"u8))
                    id = JsonFields.ReadId(ref reader, source);
                else
                    reader.Skip();
            }

            // Bytes after the object are an error of the row, too.
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
            // What System.Text.Json throws for an escaped half of a surrogate pair and for bytes that are not UTF-8.
            throw CorpusErrors.NotText(source, e);
        }

        if (!hasInputIds) throw CorpusErrors.MissingField(source, "input_ids");
        if (!hasLabels) throw CorpusErrors.MissingField(source, "labels");
        if (_inputIds.Count == 0) throw CorpusErrors.NoTokens(source);
        CheckLength(_labels.Count, "labels", source);
        if (hasWeights) CheckLength(_weights.Count, "weight", source);
        if (hasRoles) CheckLength(_roles.Count, "role", source);
        int[] labels = CheckedLabels(source);
        return new TokenizedSample(id ?? source.DefaultId, [.. _inputIds], labels)
        {
            Weights = hasWeights ? CheckedWeights(labels, source) : null,
            Roles = hasRoles ? [.. _roles.Select((role, i) => labels[i] == TokenizedSample.IgnoredLabel ? null : role)] : null,
        };
    }

    private void CheckLength(int length, string field, RowSource source)
    {
        if (length != _inputIds.Count) throw CorpusErrors.LengthsDiffer(source, field, length, _inputIds.Count);
    }

    private int[] CheckedLabels(RowSource source)
    {
        int[] labels = [.. _labels];
        bool anyTarget = false;
        for (int i = 0; i < labels.Length; i++)
        {
            int id = _inputIds[i];
            if (id < 0) throw CorpusErrors.NegativeToken(source, i, id);
            if (id >= vocabularySize) throw CorpusErrors.OutsideVocabulary(source, i, id, vocabularySize.Value);
            if (labels[i] == TokenizedSample.IgnoredLabel) continue;
            if (labels[i] != id) throw CorpusErrors.LabelMismatch(source, i, labels[i], id);
            anyTarget |= i > 0;
        }

        if (!anyTarget) throw CorpusErrors.NoTargets(source);

        // The first token has no context: no trainer takes a loss there, whatever the file says.
        labels[0] = TokenizedSample.IgnoredLabel;
        return labels;
    }

    private float[] CheckedWeights(int[] labels, RowSource source)
    {
        float[] weights = [.. _weights];
        for (int i = 0; i < weights.Length; i++)
        {
            bool isTarget = labels[i] != TokenizedSample.IgnoredLabel;
            if (weights[i] < 0 || (isTarget && float.IsNaN(weights[i])))
                throw CorpusErrors.BadWeight(source, i, float.IsNaN(weights[i]) ? "null" : $"{weights[i]}");
            if (!isTarget) weights[i] = 0;
        }

        return weights;
    }
}
