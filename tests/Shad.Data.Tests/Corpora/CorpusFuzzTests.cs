using System.Text;
using CsCheck;
using Shad.Core.Errors;
using Shad.Data.Annotations;
using Shad.Data.Corpora;

namespace Shad.Data.Tests.Corpora;

/// <summary>Damaged rows: each must be read or reported, and nothing but a <see cref="ShadException"/> may come out.</summary>
internal sealed class CorpusFuzzTests
{
    private static readonly string[] Rows =
    [
        """{"id":"a","messages":[{"role":"user","content":"a"},{"role":"assistant","content":null,"tool_calls":[{"function":{"name":"f","arguments":"{\"x\":1}"}}]}],"tools":[{"name":"f"}]}""",
        """{"id":1,"prompt":"a","response":"b😀c","tools":"[{\"name\":\"f\"}]","reasoning_spans":[[0,1],[1,4]],"system":"s"}""",
        """{"instruction":"a","input":"i","output":"\u00e9"}""",
        """{"conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"b"}],"reasoning_spans":[[1,0,1]]}""",
        """{"id":"x","input_ids":[1,2,3],"labels":[-100,2,3],"weight":[null,1,0.5],"role":[null,0,1]}""",
        """{"id":"x","input_ids":[1,2],"labels":[-100,2],"base_loss":[null,1.5],"role":[null,1],"text":"a😀","offset_start":[0,1],"offset_end":[1,2]}""",
    ];

    private static readonly byte[][] Fragments =
    [
        .. new[] { "\\ud800", "\\udc00\\ud800", "\"", "\\", "{", "}", "[", "]", ",", "null", "-1", "1e400", "99999999999", "\\u0000", "true", ":", "\"\":", "\"input_ids\":", " " }
            .Select(Encoding.UTF8.GetBytes),
        [0xFF], [0xC3], [0xED, 0xA0, 0x80], [0x00], [0xEF, 0xBB, 0xBF],
    ];

    private static readonly Gen<byte[]> Damaged =
        from row in Gen.OneOf(Rows)
        from edits in Gen.Select(Gen.Double[0, 1], Gen.Int[0, 6], Gen.OneOf(Fragments)).Array[1, 3]
        select edits.Aggregate(Encoding.UTF8.GetBytes(row), static (bytes, edit) =>
        {
            int at = (int)(edit.Item1 * bytes.Length);
            return (byte[])[.. bytes[..at], .. edit.Item3, .. bytes[Math.Min(bytes.Length, at + edit.Item2)..]];
        });

    [Test]
    public void Every_damaged_row_is_read_or_reported()
    {
        using var folder = new TemporaryFolder();
        Damaged.Array[200].Sample(
            rows =>
            {
                // The first row is whole, so that the corpus is not empty; a row may have become blank, which is none.
                byte[] text = [.. Encoding.UTF8.GetBytes(Rows[0] + "\n"), .. rows.SelectMany(row => (byte[])[.. row, (byte)'\n'])];
                File.WriteAllBytes(folder["a.jsonl"], text);
                int lines = 1 + rows.Count(row => row.Any(unit => unit is not ((byte)' ' or (byte)'\t' or (byte)'\r')));
                var report = new CorpusReport();
                int read = CorpusReader.ReadAsync([folder["a.jsonl"]], report).ToBlockingEnumerable().Count();
                Assert.That(report.Rows, Is.EqualTo(read));
                Assert.That(report.Rows + report.BadRows, Is.EqualTo(lines));
            },
            iter: 25,
            threads: 1);
    }

    [Test]
    public void A_damaged_annotation_is_read_or_a_clear_error()
    {
        using var folder = new TemporaryFolder();
        Damaged.Sample(
            row =>
            {
                File.WriteAllBytes(folder["a.jsonl"], row);
                try
                {
                    foreach (var read in AnnotationReader.Open(folder["a.jsonl"]).ReadAsync().ToBlockingEnumerable()) read.ToTokenizedSample();
                }
                catch (ShadException e)
                {
                    Assert.That(e.Where, Does.StartWith(folder["a.jsonl"]));
                }
            },
            iter: 1000,
            threads: 1);
    }
}
