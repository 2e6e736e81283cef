using System.Diagnostics;
using System.Text.Json.Nodes;
using CsCheck;
using Shad.Data.Annotations;

namespace Shad.Data.Tests.Annotations;

/// <summary>Annotation files read by programs that share nothing with their writer. <c>scripts/parity/annotations/check.sh</c> installs DuckDB;
/// the test is ignored where it has not run.</summary>
[TestFixture]
internal sealed class AnnotationReadersTests
{
    [Test]
    public void DuckDB_reads_from_Parquet_what_the_JSON_lines_say()
    {
        string script = Script();
        using var folder = new TemporaryFolder();
        Gen.Select(AnnotationRows.Generate(AnnotationColumns.All).Array[0, 40], Gen.OneOf(Gen.Const(AnnotationColumns.All), Gen.Const(AnnotationColumns.None)))
            .Sample((rows, columns) =>
            {
                if (columns == AnnotationColumns.None)
                {
                    rows = [.. rows.Select(static row => row with
                    {
                        ProbeLoss = null, ControlLoss = null, LossDifference = null, Roles = null, KnownRoles = null, Weights = null,
                    })];
                }

                string parquet = Path.Combine(folder.Path, "rows.parquet"), lines = Path.Combine(folder.Path, "rows.jsonl");
                foreach (string path in (string[])[parquet, lines])
                {
                    using var writer = AnnotationWriter.Create(path, columns);
                    foreach (var row in rows) writer.Write(row);
                    writer.Complete();
                }

                using var node = Process.Start(new ProcessStartInfo("node", [script, parquet, lines])
                {
                    RedirectStandardOutput = true, RedirectStandardError = true,
                })!;
                var error = node.StandardError.ReadToEndAsync();
                string output = node.StandardOutput.ReadToEnd();
                node.WaitForExit();
                Assert.That(node.ExitCode, Is.Zero, error.Result);
                var result = JsonNode.Parse(output)!;
                Assert.That(result["rows"]!.GetValue<int>(), Is.EqualTo(rows.Length));
                Assert.That(result["targets"]!.GetValue<int>(), Is.EqualTo(rows.Sum(static row => row.Labels.Count(static label => label != -100))));
            }, iter: 12, threads: 1);
    }

    private static string Script()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (!File.Exists(Path.Combine(folder.FullName, "Shad.Onnx.sln"))) continue;
            string work = Path.Combine(folder.FullName, "scripts", "parity", "annotations", "work");
            if (!Directory.Exists(Path.Combine(work, "node_modules", "@duckdb")) || !File.Exists(Path.Combine(work, "check.mjs")))
                Assert.Ignore("DuckDB is not installed: run scripts/parity/annotations/check.sh.");
            return Path.Combine(work, "check.mjs");
        }

        throw new InvalidOperationException("The tests do not lie in the project's tree.");
    }
}
