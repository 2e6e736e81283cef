using System.Text.Json;
using Apache.Arrow;
using Apache.Arrow.Types;
using ParquetSharp.Arrow;

namespace Shad.Data.Tests.Corpora;

/// <summary>Writes corpora as Parquet, the way Hugging Face <c>datasets</c> lays their columns out.</summary>
internal static class ParquetFiles
{
    private static readonly StructType Message = new(
        [new Field("role", StringType.Default, true), new Field("content", StringType.Default, true), new Field("tool_calls", StringType.Default, true)]);

    /// <summary>Writes rows given as JSON; a column is there where any row has its field.</summary>
    internal static void Write(string path, IReadOnlyList<string> rows)
    {
        var elements = rows.Select(row => JsonDocument.Parse(row).RootElement).ToList();
        var names = elements.SelectMany(row => row.EnumerateObject().Select(field => field.Name)).Distinct();
        var fields = new List<Field>();
        var columns = new List<IArrowArray>();
        foreach (string name in names)
        {
            var values = elements.Select(row => row.TryGetProperty(name, out var value) ? value : (JsonElement?)null).ToList();
            IArrowArray column = name switch
            {
                "messages" => Messages(values),
                "tools" => Lists(values, new ListArray.Builder(StringType.Default), AppendText),
                "input_ids" or "labels" => Lists(values, new ListArray.Builder(Int64Type.Default), AppendNumber),
                "reasoning_spans" => Spans(values),
                _ => Texts(values),
            };
            columns.Add(column);
            fields.Add(new Field(name, column.Data.DataType, nullable: true));
        }

        Write(path, fields, columns, rows.Count);
    }

    /// <summary>Writes a file of one column.</summary>
    internal static void Write(string path, string name, IArrowArray column) =>
        Write(path, [new Field(name, column.Data.DataType, nullable: true)], [column], column.Length);

    private static void Write(string path, List<Field> fields, List<IArrowArray> columns, int length)
    {
        var schema = new Schema(fields, metadata: null);
        using var batch = new RecordBatch(schema, columns, length);
        using var writer = new FileWriter(path, schema);
        writer.WriteRecordBatch(batch);
        writer.Close();
    }

    private static StringArray Texts(List<JsonElement?> values)
    {
        var builder = new StringArray.Builder();
        foreach (var value in values) builder.Append(value?.GetString());
        return builder.Build();
    }

    private static void AppendText(IArrowArrayBuilder builder, JsonElement value) => ((StringArray.Builder)builder).Append(value.GetString());

    private static void AppendNumber(IArrowArrayBuilder builder, JsonElement value) => ((Int64Array.Builder)builder).Append(value.GetInt64());

    private static ListArray Lists(
        List<JsonElement?> values, ListArray.Builder builder, Action<IArrowArrayBuilder, JsonElement> append)
    {
        foreach (var value in values)
        {
            if (value is not { } list)
            {
                builder.AppendNull();
                continue;
            }

            builder.Append();
            foreach (var element in list.EnumerateArray()) append(builder.ValueBuilder, element);
        }

        return builder.Build();
    }

    private static ListArray Spans(List<JsonElement?> values)
    {
        var inner = new ListArray.Builder(new ListType(Int64Type.Default));
        return Lists(values, inner, static (builder, span) =>
        {
            var list = (ListArray.Builder)builder;
            list.Append();
            foreach (var number in span.EnumerateArray()) AppendNumber(list.ValueBuilder, number);
        });
    }

    private static ListArray Messages(List<JsonElement?> values)
    {
        var offsets = new ArrowBuffer.Builder<int>();
        var valid = new ArrowBuffer.BitmapBuilder();
        var roles = new StringArray.Builder();
        var contents = new StringArray.Builder();
        var calls = new StringArray.Builder();
        int count = 0;
        offsets.Append(0);
        foreach (var value in values)
        {
            valid.Append(value is not null);
            foreach (var message in value?.EnumerateArray() ?? default)
            {
                roles.Append(message.GetProperty("role").GetString());
                contents.Append(message.GetProperty("content").GetString());
                calls.AppendNull();
                count++;
            }

            offsets.Append(count);
        }

        var messages = new StructArray(Message, count, [roles.Build(), contents.Build(), calls.Build()], ArrowBuffer.Empty);
        return new ListArray(
            new ListType(new Field("element", Message, true)), values.Count, offsets.Build(), messages, valid.Build(),
            values.Count(value => value is null));
    }
}
