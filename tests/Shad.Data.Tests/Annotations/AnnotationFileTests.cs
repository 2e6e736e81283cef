using CsCheck;
using ParquetSharp;
using Shad.Core.Errors;
using Shad.Core.Samples;
using Shad.Data.Annotations;
using Shad.Data.Corpora;

namespace Shad.Data.Tests.Annotations;

internal sealed class AnnotationFileTests
{
    private const string Minimal = """{"input_ids":[1,2],"labels":[-100,2]""";

    private TemporaryFolder _folder = null!;

    [SetUp]
    public void SetUp() => _folder = new TemporaryFolder();

    [TearDown]
    public void TearDown() => _folder.Dispose();

    [Test]
    public void Rows_written_are_read_back_as_they_were([Values("parquet", "jsonl")] string ending)
    {
        AnnotationRows.Generate(AnnotationColumns.All).Array[0, 12].Sample(
            rows => AssertRoundTrip(rows, AnnotationColumns.All, ending), iter: 60, threads: 1);
    }

    [Test]
    public void A_file_of_losses_only_has_no_other_columns([Values("parquet", "jsonl")] string ending)
    {
        AnnotationRows.Generate(AnnotationColumns.None).Array[1, 5].Sample(
            rows => AssertRoundTrip(rows, AnnotationColumns.None, ending), iter: 20, threads: 1);
        using var writer = AnnotationWriter.Create(_folder["a.parquet"], AnnotationColumns.None);
        writer.Complete();
        using var file = new ParquetFileReader(_folder["a.parquet"]);
        Assert.That(
            Enumerable.Range(0, file.FileMetaData.NumColumns).Select(i => file.FileMetaData.Schema.Column(i).Path.ToDotVector()[0]),
            Is.EqualTo(new[] { "id", "input_ids", "labels", "base_loss", "offset_start", "offset_end", "text" }));
    }

    [Test]
    public void Parquet_has_the_designs_columns_as_standard_three_level_lists()
    {
        using (var writer = AnnotationWriter.Create(_folder["a.parquet"])) Complete(writer, Row());
        using var file = new ParquetFileReader(_folder["a.parquet"]);
        var columns = Enumerable.Range(0, file.FileMetaData.NumColumns).Select(i => file.FileMetaData.Schema.Column(i)).ToList();
        Assert.That(columns.Select(c => $"{c.Path.ToDotString()} {c.PhysicalType}"), Is.EqualTo(new[]
        {
            "id ByteArray", "input_ids.list.element Int32", "labels.list.element Int32", "base_loss.list.element Float",
            "probe_loss.list.element Float", "loss_difference.list.element Float", "role.list.element Int32",
            "weight.list.element Float", "offset_start.list.element Int32", "offset_end.list.element Int32", "text ByteArray",
        }));
        using var group = file.RowGroup(0);
        Assert.That(group.MetaData.GetColumnChunkMetaData(1).Compression, Is.EqualTo(Compression.Zstd));
    }

    [Test]
    public void Offsets_in_files_are_code_points()
    {
        using (var writer = AnnotationWriter.Create(_folder["a.jsonl"]))
        {
            Complete(writer, Row() with { Text = "😀a😀", OffsetStart = [0, 0, 2, 3], OffsetEnd = [2, 2, 3, 5] });
        }

        string line = File.ReadAllText(_folder["a.jsonl"]);
        Assert.That(line, Does.Contain("\"offset_start\":[0,0,1,2],\"offset_end\":[1,1,2,3]"));
    }

    [Test]
    public void JSON_has_null_where_there_is_no_target_and_plain_numbers_elsewhere()
    {
        using (var writer = AnnotationWriter.Create(_folder["a.jsonl"])) Complete(writer, Row());
        Assert.That(File.ReadAllText(_folder["a.jsonl"]), Is.EqualTo(
            """{"id":"x","input_ids":[1,2,3,4],"labels":[-100,-100,3,4],"base_loss":[null,null,0.5,1.25],"probe_loss":[null,null,0.25,2]"""
            + ""","loss_difference":[null,null,-0.25,0.75],"role":[null,null,0,1],"weight":[0,0,0.5,1.5],"offset_start":[0,0,1,2],"offset_end":[0,1,2,4],"text":"abcd"}"""
            + "\n"));
    }

    [Test]
    public void Large_files_have_row_groups_of_bounded_size()
    {
        int[] ids = new int[100_000];
        int[] labels = new int[ids.Length];
        labels[0] = -100;
        var row = new AnnotationRow { Id = "x", InputIds = ids, Labels = labels, BaseLoss = new float[ids.Length] };
        using (var writer = AnnotationWriter.Create(_folder["a.parquet"]))
        {
            for (int i = 0; i < 25; i++) writer.Write(row);
            writer.Complete();
        }

        using var file = new ParquetFileReader(_folder["a.parquet"]);
        Assert.That(file.FileMetaData.NumRowGroups, Is.EqualTo(5), "the sixth row of each passes the 524,288 tokens");
        Assert.That(AnnotationReader.Open(_folder["a.parquet"]).ReadAsync().ToBlockingEnumerable().Count(), Is.EqualTo(25));
    }

    [Test]
    public void Annotation_files_are_training_data([Values("parquet", "jsonl")] string ending)
    {
        using (var writer = AnnotationWriter.Create(_folder["a." + ending])) Complete(writer, Row());
        var sample = TokenizedSampleReader.ReadAsync(_folder["a." + ending]).ToBlockingEnumerable().Single();
        Assert.That(sample.Roles, Is.EqualTo(Row().Roles));
        Assert.That(sample.Weights, Is.EqualTo(Row().Weights));
        Assert.That(sample.Labels, Is.EqualTo(Row().Labels));
    }

    [Test]
    public void A_writer_that_is_not_completed_leaves_nothing_and_keeps_what_was_there([Values("parquet", "jsonl")] string ending)
    {
        _folder.Write("a." + ending, "before");
        using (var writer = AnnotationWriter.Create(_folder["a." + ending])) writer.Write(Row());
        Assert.That(File.ReadAllText(_folder["a." + ending]), Is.EqualTo("before"));
        Assert.That(Directory.GetFileSystemEntries(_folder.Path), Has.Length.EqualTo(1));
    }

    [Test]
    [Platform("Linux")]
    public void A_full_disk_is_an_error_that_names_the_file_and_leaves_nothing([Values("parquet", "jsonl")] string ending)
    {
        // /dev/full answers every write with "no space left on device"; the temporary name leads there.
        string path = _folder["a." + ending];
        File.CreateSymbolicLink(path + ".partial", "/dev/full");
        var error = Assert.Throws<ShadException>(() =>
        {
            using var writer = AnnotationWriter.Create(path);
            Complete(writer, Row());
        })!;
        Assert.That(error.Code, Is.EqualTo("file.cannot_write"));
        Assert.That(error.Message, Does.Contain(path).And.Contain("nothing half-written remains"));
        Assert.That(Directory.GetFileSystemEntries(_folder.Path), Is.Empty);
    }

    [Test]
    public void Unknown_endings_missing_files_and_folders_are_errors()
    {
        Assert.That(Error(() => AnnotationWriter.Create(_folder["a.csv"])).Code, Is.EqualTo("annotation.unknown_ending"));
        Assert.That(Error(() => AnnotationReader.Open(_folder.Write("a.json", "[]"))).Code, Is.EqualTo("annotation.unknown_ending"));
        Assert.That(Error(() => AnnotationReader.Open(_folder["a.parquet"])).Code, Is.EqualTo("file.missing"));
        Assert.That(Error(() => AnnotationReader.Open(_folder.Write("a.txt", ""))).Code, Is.EqualTo("file.unknown_ending"));
        Directory.CreateDirectory(_folder["b.jsonl"]);
        Assert.That(Error(() => AnnotationWriter.Create(_folder["b.jsonl"])).Code, Is.EqualTo("file.is_folder"));
        _folder.Write("file", "");
        Assert.That(Error(() => AnnotationWriter.Create(_folder["file/a.jsonl"])).Code, Is.EqualTo("file.cannot_write"));
    }

    [TestCase("{", "corpus.not_json")]
    [TestCase("1", "corpus.not_object")]
    [TestCase("""{"input_ids":[1,2]}""", "corpus.missing_field")]
    [TestCase("""{"labels":[1,2]}""", "corpus.missing_field")]
    [TestCase("""{"input_ids":[],"labels":[]}""", "corpus.no_tokens")]
    [TestCase("""{"input_ids":[1,2],"labels":[1,2]}""", "annotation.first_token_is_target")]
    [TestCase("""{"input_ids":[1,2],"labels":[-100,3]}""", "corpus.label_mismatch")]
    [TestCase(Minimal + ""","base_loss":[1]}""", "corpus.lengths_differ")]
    [TestCase(Minimal + ""","probe_loss":["a",1]}""", "corpus.wrong_type")]
    [TestCase(Minimal + ""","role":[null,3]}""", "corpus.wrong_type")]
    [TestCase(Minimal + ""","text":5}""", "corpus.wrong_type")]
    [TestCase(Minimal + ""","text":"\ud800"}""", "corpus.not_text")]
    [TestCase(Minimal + ""","offset_start":[0,1],"offset_end":[1,2]}""", "annotation.offsets_without_text")]
    [TestCase(Minimal + ""","offset_start":[0,1],"text":"ab"}""", "annotation.offsets_without_text")]
    [TestCase(Minimal + ""","offset_start":[0,1],"offset_end":[1,3],"text":"a😀"}""", "annotation.offset_outside")]
    [TestCase(Minimal + ""","offset_start":[0,2],"offset_end":[1,1],"text":"a😀"}""", "annotation.offset_outside")]
    public void A_wrong_row_is_an_error_with_file_and_row(string row, string code)
    {
        string path = _folder.Write("a.jsonl", Minimal + "}\n" + row + "\n");
        var error = Error(() => AnnotationReader.Open(path).ReadAsync().ToBlockingEnumerable().Count());
        Assert.That(error.Code, Is.EqualTo(code));
        Assert.That(error.Where, Is.EqualTo(path + ":2"));
    }

    [Test]
    public void Rows_that_do_not_fit_the_file_are_refused()
    {
        using var writer = AnnotationWriter.Create(_folder["a.jsonl"], AnnotationColumns.ProbeLoss);
        Assert.Throws<ArgumentException>(() => writer.Write(Row()));
        var row = new AnnotationRow { Id = "x", InputIds = [1, 2], Labels = [-100, 2] };
        Assert.DoesNotThrow(() => writer.Write(row));
        Assert.Throws<ArgumentException>(() => writer.Write(row with { BaseLoss = [1] }));
        Assert.Throws<ArgumentException>(() => writer.Write(row with { OffsetStart = [0, 0], OffsetEnd = [0, 1] }));
        Assert.Throws<ArgumentException>(() => writer.Write(row with { OffsetStart = [0, 0], OffsetEnd = [0, 2], Text = "a" }));
        Assert.That(writer.Count, Is.EqualTo(1));
    }

    [Test]
    public void Code_points_and_units_are_converted_both_ways()
    {
        Gen.OneOf("a", "ü", "😀", "\U0010FFFF", "\n").Array[0, 20].Sample(parts =>
        {
            string text = string.Concat(parts);
            int[] boundaries = [0, .. parts.Select((_, i) => parts.Take(i + 1).Sum(p => p.Length))];
            int[] points = [.. Enumerable.Range(0, parts.Length + 1)];
            var row = new AnnotationRow
            {
                Id = "x",
                InputIds = new int[boundaries.Length],
                Labels = [.. boundaries.Select(_ => -100)],
                Text = text,
                OffsetStart = boundaries,
                OffsetEnd = boundaries,
            };
            using (var writer = AnnotationWriter.Create(_folder["p.jsonl"])) Complete(writer, row);
            Assert.That(File.ReadAllText(_folder["p.jsonl"]), Does.Contain($"\"offset_start\":[{string.Join(',', points)}]"));
            var read = AnnotationReader.Open(_folder["p.jsonl"]).ReadAsync().ToBlockingEnumerable().Single();
            Assert.That(read.OffsetEnd, Is.EqualTo(boundaries));
        }, iter: 50, threads: 1);
    }

    internal static AnnotationRow Row() => new()
    {
        Id = "x",
        InputIds = [1, 2, 3, 4],
        Labels = [-100, -100, 3, 4],
        BaseLoss = [float.NaN, float.NaN, 0.5f, 1.25f],
        ProbeLoss = [float.NaN, float.NaN, 0.25f, 2],
        LossDifference = [float.NaN, float.NaN, -0.25f, 0.75f],
        Roles = [null, null, TokenRole.Boilerplate, TokenRole.Reasoning],
        Weights = [0, 0, 0.5f, 1.5f],
        OffsetStart = [0, 0, 1, 2],
        OffsetEnd = [0, 1, 2, 4],
        Text = "abcd",
    };

    private static ShadException Error(Func<object> action) => Assert.Throws<ShadException>(() => action())!;

    private static void Complete(AnnotationWriter writer, AnnotationRow row)
    {
        writer.Write(row);
        writer.Complete();
    }

    private void AssertRoundTrip(AnnotationRow[] rows, AnnotationColumns columns, string ending)
    {
        string path = _folder["round." + ending];
        using (var writer = AnnotationWriter.Create(path, columns))
        {
            foreach (var row in rows) writer.Write(row);
            writer.Complete();
            Assert.That(writer.Count, Is.EqualTo(rows.Length));
        }

        var read = AnnotationReader.Open(path).ReadAsync().ToBlockingEnumerable().ToList();
        Assert.That(read, Has.Count.EqualTo(rows.Length));
        for (int i = 0; i < rows.Length; i++) AnnotationRows.AssertEqual(read[i], rows[i]);
    }
}
