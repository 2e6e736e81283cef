using Shad.Core.Samples;
using Shad.Data.Files;

namespace Shad.Data.Annotations;

/// <summary>Annotations as JSON Lines. A column's list that a row has not is null.</summary>
internal sealed class JsonAnnotationWriter(string path, AnnotationColumns columns) : AnnotationWriter(columns)
{
    private readonly JsonLineWriter _lines = new(path);

    public override void Complete() => _lines.Complete();

    private protected override void WriteRow(AnnotationRow row)
    {
        var json = _lines.Json;
        json.WriteStartObject();
        json.WriteString("id"u8, row.Id);
        Integers("input_ids"u8, row.InputIds);
        Integers("labels"u8, row.Labels);
        Numbers("base_loss"u8, row.BaseLoss);
        if (Has(AnnotationColumns.ProbeLoss)) Numbers("probe_loss"u8, row.ProbeLoss);
        if (Has(AnnotationColumns.ControlLoss)) Numbers("control_loss"u8, row.ControlLoss);
        if (Has(AnnotationColumns.LossDifference)) Numbers("loss_difference"u8, row.LossDifference);
        if (Has(AnnotationColumns.Role)) Roles("role"u8, row.Roles);
        if (Has(AnnotationColumns.KnownRole)) Roles("known_role"u8, row.KnownRoles);
        if (Has(AnnotationColumns.Weight)) Numbers("weight"u8, row.Weights);
        Integers("offset_start"u8, row.OffsetStart);
        Integers("offset_end"u8, row.OffsetEnd);
        json.WriteString("text"u8, row.Text);
        json.WriteEndObject();
        _lines.EndRow();
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) _lines.Dispose();
    }

    private void Integers(ReadOnlySpan<byte> name, int[]? values)
    {
        if (values is null) _lines.Json.WriteNull(name);
        else _lines.WriteIntegers(name, values);
    }

    private void Numbers(ReadOnlySpan<byte> name, float[]? values)
    {
        if (values is null) _lines.Json.WriteNull(name);
        else _lines.WriteNumbers(name, values);
    }

    private void Roles(ReadOnlySpan<byte> name, TokenRole?[]? values)
    {
        if (values is null) _lines.Json.WriteNull(name);
        else _lines.WriteRoles(name, values);
    }
}
