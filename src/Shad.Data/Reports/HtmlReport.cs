using System.Text;
using Shad.Core.Errors;
using Shad.Data.Files;
using Shad.Data.Reports.Page;

namespace Shad.Data.Reports;

/// <summary>How large a report may grow.</summary>
public readonly record struct HtmlReportOptions()
{
    /// <summary>Most samples shown; of more, as many are taken at even distances.</summary>
    public int MaximumSamples { get; init; } = 60;

    /// <summary>Longest sample shown, tokens; see <see cref="ReportSample.Cut"/>.</summary>
    public int MaximumTokensPerSample { get; init; } = 1_200;

    /// <summary>Most bytes the samples may take; the largest are left out beyond it. The rest of a report takes well under
    /// 1 MB.</summary>
    public int MaximumSampleBytes { get; init; } = 4 << 20;
}

/// <summary>
/// The report as one HTML file that holds everything it shows: no network, no external font, script or image. It follows the
/// reader's light or dark theme, works from the keyboard, and prints.
/// </summary>
public static class HtmlReport
{
    /// <summary>Writes a report. The file appears under its name only when it is whole. The same model gives the same bytes.</summary>
    /// <param name="model">What to show.</param>
    /// <param name="path">The file, by convention <c>report.html</c>; missing folders are made.</param>
    /// <exception cref="ShadException">The file cannot be written (<c>file.cannot_write</c>).</exception>
    public static void Write(ReportModel model, string path) => Write(model, path, new HtmlReportOptions());

    /// <summary>Writes a report with limits other than the default ones.</summary>
    /// <inheritdoc cref="Write(ReportModel, string)"/>
    /// <exception cref="ArgumentOutOfRangeException">A limit is less than 1.</exception>
    public static void Write(ReportModel model, string path, HtmlReportOptions options)
    {
        string html = Render(model, options);
        using AtomicFile file = AtomicFile.Create(path);
        try
        {
            file.Stream.Write(new UTF8Encoding(encoderShouldEmitUTF8Identifier: false).GetBytes(html));
        }
        catch (IOException e)
        {
            throw file.CannotWrite(e);
        }

        file.Complete();
    }

    /// <summary>The report as text.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A limit is less than 1.</exception>
    public static string Render(ReportModel model, HtmlReportOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaximumSamples, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaximumTokensPerSample, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaximumSampleBytes, 1);
        return ReportPage.Draw(model, options);
    }
}
