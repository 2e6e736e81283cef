using System.Text.Json;
using Shad.Core.Errors;
using Shad.Core.Samples;

namespace Shad.Data.Corpora;

/// <summary>
/// Collects the fields of one tokenized row and turns them into a <see cref="TokenizedSample"/>, checking all that the sample's
/// constructor would refuse, with the row's place in the message. Reused from row to row.
/// </summary>
internal sealed class TokenizedRowBuilder(int? vocabularySize)
{
    private readonly List<int> _inputIds = [];
    private readonly List<int> _labels = [];
    private readonly List<float> _weights = [];
    private readonly List<sbyte> _roles = [];
    private string? _id;
    private bool _hasInputIds, _hasLabels, _hasWeights, _hasRoles;

    /// <summary>Stands for null in <see cref="_roles"/>.</summary>
    private const sbyte NoRole = -1;

    /// <summary>Reads one row.</summary>
    /// <exception cref="ShadException">The row is no tokenized row.</exception>
    internal TokenizedSample Read(ReadOnlySpan<byte> json, RowSource source)
    {
        Clear();
        var reader = new Utf8JsonReader(json);
        try
        {
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject) throw CorpusErrors.NotObject(source, reader.TokenType);
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("input_ids"u8)) ReadIntegers(ref reader, _inputIds, "input_ids", source, out _hasInputIds);
                else if (reader.ValueTextEquals("labels"u8)) ReadIntegers(ref reader, _labels, "labels", source, out _hasLabels);
                else if (reader.ValueTextEquals("weight"u8)) ReadWeights(ref reader, source);
                else if (reader.ValueTextEquals("role"u8)) ReadRoles(ref reader, source);
                else if (reader.ValueTextEquals("id"u8)) _id = ReadId(ref reader, source);
                else reader.Skip();
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

        return Build(source);
    }

    private static string? ReadId(ref Utf8JsonReader reader, RowSource source)
    {
        reader.Read();
        switch (reader.TokenType)
        {
            case JsonTokenType.Null:
                return null;
            case JsonTokenType.String:
                try
                {
                    return reader.GetString();
                }
                catch (InvalidOperationException)
                {
                    throw CorpusErrors.WrongType(source, "id", "not well-formed text", "a string or a number");
                }

            case JsonTokenType.Number:
                return System.Text.Encoding.UTF8.GetString(reader.ValueSpan);
            default:
                throw CorpusErrors.WrongType(source, "id", CorpusErrors.Describe(reader.TokenType), "a string or a number");
        }
    }

    private static void ReadIntegers(
        ref Utf8JsonReader reader, List<int> values, string field, RowSource source, out bool present)
    {
        values.Clear();
        if (!(present = StartList(ref reader, field, source))) return;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt32(out int value))
                throw CorpusErrors.WrongElement(source, field, values.Count, Found(ref reader), "a 32-bit whole number");
            values.Add(value);
        }
    }

    private void ReadWeights(ref Utf8JsonReader reader, RowSource source)
    {
        _weights.Clear();
        if (!(_hasWeights = StartList(ref reader, "weight", source))) return;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            float value = float.NaN;
            if (reader.TokenType != JsonTokenType.Null
                && (reader.TokenType != JsonTokenType.Number || !reader.TryGetSingle(out value) || !IsWeight(value)))
                throw CorpusErrors.BadWeight(source, _weights.Count, Found(ref reader));
            _weights.Add(value);
        }
    }

    private void ReadRoles(ref Utf8JsonReader reader, RowSource source)
    {
        _roles.Clear();
        if (!(_hasRoles = StartList(ref reader, "role", source))) return;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            int value = NoRole;
            if (reader.TokenType != JsonTokenType.Null
                && (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt32(out value) || value is < 0 or > 1))
                throw CorpusErrors.WrongElement(
                    source, "role", _roles.Count, Found(ref reader), "0 (boilerplate), 1 (reasoning) or null");
            _roles.Add((sbyte)value);
        }
    }

    private static bool StartList(ref Utf8JsonReader reader, string field, RowSource source)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Null) return false;
        if (reader.TokenType != JsonTokenType.StartArray)
            throw CorpusErrors.WrongType(source, field, CorpusErrors.Describe(reader.TokenType), "a list of numbers");
        return true;
    }

    private static string Found(ref Utf8JsonReader reader) => reader.TokenType == JsonTokenType.Number
        ? System.Text.Encoding.UTF8.GetString(reader.ValueSpan)
        : CorpusErrors.Describe(reader.TokenType);

    private static bool IsWeight(float value) => float.IsFinite(value) && value >= 0;

    private void Clear()
    {
        _id = null;
        _hasInputIds = _hasLabels = _hasWeights = _hasRoles = false;
        _inputIds.Clear();
        _labels.Clear();
        _weights.Clear();
        _roles.Clear();
    }

    private TokenizedSample Build(RowSource source)
    {
        if (!_hasInputIds) throw CorpusErrors.MissingField(source, "input_ids");
        if (!_hasLabels) throw CorpusErrors.MissingField(source, "labels");
        if (_inputIds.Count == 0) throw CorpusErrors.NoTokens(source);
        int length = _inputIds.Count;
        if (_labels.Count != length) throw CorpusErrors.LengthsDiffer(source, "labels", _labels.Count, length);
        if (_hasWeights && _weights.Count != length) throw CorpusErrors.LengthsDiffer(source, "weight", _weights.Count, length);
        if (_hasRoles && _roles.Count != length) throw CorpusErrors.LengthsDiffer(source, "role", _roles.Count, length);

        int[] inputIds = [.. _inputIds];
        int[] labels = [.. _labels];
        bool anyTarget = false;
        for (int i = 0; i < length; i++)
        {
            if (inputIds[i] < 0) throw CorpusErrors.NegativeToken(source, i, inputIds[i]);
            if (inputIds[i] >= vocabularySize) throw CorpusErrors.OutsideVocabulary(source, i, inputIds[i], vocabularySize.Value);
            if (labels[i] == TokenizedSample.IgnoredLabel) continue;
            if (labels[i] != inputIds[i]) throw CorpusErrors.LabelMismatch(source, i, labels[i], inputIds[i]);
            anyTarget |= i > 0;
        }

        if (!anyTarget) throw CorpusErrors.NoTargets(source);

        // The first token has no context: no trainer takes a loss there, whatever the file says.
        labels[0] = TokenizedSample.IgnoredLabel;
        return new TokenizedSample(_id ?? source.DefaultId, inputIds, labels)
        {
            Weights = _hasWeights ? BuildWeights(labels, source) : null,
            Roles = _hasRoles ? BuildRoles(labels) : null,
        };
    }

    private float[] BuildWeights(int[] labels, RowSource source)
    {
        float[] weights = [.. _weights];
        for (int i = 0; i < weights.Length; i++)
        {
            if (!float.IsNaN(weights[i])) continue;
            if (labels[i] != TokenizedSample.IgnoredLabel) throw CorpusErrors.BadWeight(source, i, "null");
            weights[i] = 0;
        }

        return weights;
    }

    private TokenRole?[] BuildRoles(int[] labels)
    {
        var roles = new TokenRole?[labels.Length];
        for (int i = 0; i < roles.Length; i++)
        {
            if (labels[i] != TokenizedSample.IgnoredLabel && _roles[i] != NoRole) roles[i] = (TokenRole)_roles[i];
        }

        return roles;
    }
}
