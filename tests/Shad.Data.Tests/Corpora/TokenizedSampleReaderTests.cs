using System.IO.Compression;
using CsCheck;
using Shad.Core.Errors;
using Shad.Core.Samples;
using Shad.Data.Corpora;

namespace Shad.Data.Tests.Corpora;

internal sealed class TokenizedSampleReaderTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void SetUp() => _folder = new TemporaryFolder();

    [TearDown]
    public void TearDown() => _folder.Dispose();

    [Test]
    public void Samples_written_are_read_back_as_they_were()
    {
        Samples.Generate.Array[1, 20].Sample(
            samples =>
            {
                string path = _folder[$"{Guid.NewGuid():N}.jsonl"];
                TokenizedSampleWriter.WriteAll(path, samples);
                var read = TokenizedSampleReader.ReadAsync(path).ToBlockingEnumerable().ToList();
                Assert.That(read, Has.Count.EqualTo(samples.Length));
                for (int i = 0; i < samples.Length; i++) Samples.AssertEqual(read[i], samples[i]);
            },
            iter: 100);
    }

    [Test]
    public void A_line_longer_than_the_buffer_is_read_whole_and_the_next_one_after_it()
    {
        int[] ids = [.. Enumerable.Range(0, 100_000)];
        int[] labels = [-100, .. ids.Skip(1)];
        TokenizedSample[] samples = [new("long", ids, labels), new("short", [1, 2], [-100, 2]), new("long too", ids, labels)];
        TokenizedSampleWriter.WriteAll(_folder["a.jsonl"], samples);
        var read = TokenizedSampleReader.ReadAsync(_folder["a.jsonl"]).ToBlockingEnumerable().ToList();
        Assert.That(read.Select(s => s.Id), Is.EqualTo(samples.Select(s => s.Id)));
        Assert.That(read[2].InputIds, Is.EqualTo(ids));
    }

    [Test]
    public void Gzip_and_Zstandard_files_of_several_members_are_read_as_the_plain_file([Values("gz", "zst")] string ending)
    {
        string first = """{"input_ids":[1,2],"labels":[-100,2]}""" + "\n";
        string second = """{"input_ids":[1,3],"labels":[-100,3]}""" + "\n";
        string path = _folder["a.jsonl." + ending];
        File.WriteAllBytes(path, [.. Compress(first, ending), .. Compress(second, ending)]);
        var read = TokenizedSampleReader.ReadAsync(path).ToBlockingEnumerable().ToList();
        Assert.That(read.Select(s => s.InputIds[1]), Is.EqualTo(new[] { 2, 3 }));
    }

    [Test]
    public void A_cut_compressed_file_is_an_error([Values("gz", "zst")] string ending)
    {
        string text = string.Concat(Enumerable.Range(0, 5000).Select(
            i => $$"""{"id":"{{i * 7919L % 5003}}","input_ids":[1,2],"labels":[-100,2]}""" + "\n"));
        byte[] whole = Compress(text, ending);
        File.WriteAllBytes(_folder["a.jsonl." + ending], whole[..(whole.Length / 2)]);
        var error = Error(_folder["a.jsonl." + ending]);
        Assert.That(error.Code, Is.EqualTo("file.damaged"));
    }

    [Test]
    public void A_file_that_is_not_what_its_ending_says_is_an_error([Values("gz", "zst")] string ending)
    {
        string path = _folder.Write("a.jsonl." + ending, """{"input_ids":[1,2],"labels":[-100,2]}""");
        Assert.That(Error(path).Code, Is.EqualTo("file.damaged"));
    }

    [Test]
    public void Byte_order_mark_carriage_returns_blank_lines_and_a_missing_last_line_end_are_accepted()
    {
        string path = _folder.Write(
            "a.jsonl",
            "\uFEFF" + """{"input_ids":[1,2],"labels":[-100,2]}""" + "\r\n  \r\n\n" + """{"input_ids":[1,3],"labels":[-100,3]}""");
        var read = TokenizedSampleReader.ReadAsync(path).ToBlockingEnumerable().ToList();
        Assert.That(read.Select(s => s.Id), Is.EqualTo(new[] { "a.jsonl:1", "a.jsonl:4" }));
    }

    [Test]
    public void Fields_of_annotation_files_are_passed_over_and_null_lists_count_as_absent()
    {
        string path = _folder.Write(
            "a.jsonl",
            """{"text":"x","base_loss":[null,0.5],"id":7,"input_ids":[1,2],"labels":[-100,2],"weight":null,"role":null,"extra":{"a":[1]}}""");
        var sample = TokenizedSampleReader.ReadAsync(path).ToBlockingEnumerable().Single();
        Assert.That(sample.Id, Is.EqualTo("7"));
        Assert.That(sample.Weights, Is.Null);
        Assert.That(sample.Roles, Is.Null);
    }

    [Test]
    public void A_label_on_the_first_token_is_dropped()
    {
        string path = _folder.Write("a.jsonl", """{"input_ids":[1,2],"labels":[1,2]}""");
        Assert.That(TokenizedSampleReader.ReadAsync(path).ToBlockingEnumerable().Single().Labels, Is.EqualTo(new[] { -100, 2 }));
    }

    [TestCase("{", "corpus.not_json")]
    [TestCase("""{"input_ids":[1,2],"labels":[-100,2]} x""", "corpus.not_json")]
    [TestCase("[1]", "corpus.not_object")]
    [TestCase("""{"labels":[1]}""", "corpus.missing_field")]
    [TestCase("""{"input_ids":[1,2]}""", "corpus.missing_field")]
    [TestCase("""{"input_ids":"1","labels":[1]}""", "corpus.wrong_type")]
    [TestCase("""{"input_ids":[1,2.5],"labels":[-100,2]}""", "corpus.wrong_type")]
    [TestCase("""{"input_ids":[1,99999999999],"labels":[-100,2]}""", "corpus.wrong_type")]
    [TestCase("""{"id":[],"input_ids":[1,2],"labels":[-100,2]}""", "corpus.wrong_type")]
    [TestCase("""{"id":"\ud800","input_ids":[1,2],"labels":[-100,2]}""", "corpus.not_text")]
    [TestCase("""{"input_ids":[],"labels":[]}""", "corpus.no_tokens")]
    [TestCase("""{"input_ids":[1,2],"labels":[-100]}""", "corpus.lengths_differ")]
    [TestCase("""{"input_ids":[1,2],"labels":[-100,3]}""", "corpus.label_mismatch")]
    [TestCase("""{"input_ids":[1,-2],"labels":[-100,-2]}""", "corpus.negative_token")]
    [TestCase("""{"input_ids":[1,100],"labels":[-100,100]}""", "corpus.outside_vocabulary")]
    [TestCase("""{"input_ids":[1,2],"labels":[1,-100]}""", "corpus.no_response")]
    [TestCase("""{"input_ids":[1,2],"labels":[-100,2],"weight":[1]}""", "corpus.lengths_differ")]
    [TestCase("""{"input_ids":[1,2],"labels":[-100,2],"weight":[1,null]}""", "corpus.bad_weight")]
    [TestCase("""{"input_ids":[1,2],"labels":[-100,2],"weight":[1,-1]}""", "corpus.bad_weight")]
    [TestCase("""{"input_ids":[1,2],"labels":[-100,2],"weight":[1,1e99]}""", "corpus.wrong_type")]
    [TestCase("""{"input_ids":[1,2],"labels":[-100,2],"role":[null]}""", "corpus.lengths_differ")]
    [TestCase("""{"input_ids":[1,2],"labels":[-100,2],"role":[null,2]}""", "corpus.wrong_type")]
    public void A_wrong_row_is_an_error_with_file_and_line(string row, string code)
    {
        string path = _folder.Write("a.jsonl", """{"input_ids":[1,2],"labels":[-100,2]}""" + "\n\n" + row + "\n");
        var error = Error(path);
        Assert.That(error.Code, Is.EqualTo(code));
        Assert.That(error.Message, Does.StartWith(path + ":3: "));
    }

    [Test]
    public void A_missing_file_a_folder_and_an_unknown_ending_are_errors()
    {
        Assert.That(Error(_folder["none.jsonl"]).Code, Is.EqualTo("file.missing"));
        Directory.CreateDirectory(_folder["folder.jsonl"]);
        Assert.That(Error(_folder["folder.jsonl"]).Code, Is.EqualTo("file.is_folder"));
        Assert.That(Error(_folder.Write("a.txt", "")).Code, Is.EqualTo("file.unknown_ending"));
        Assert.That(
            Assert.Throws<ShadException>(() => TokenizedSampleWriter.Create(_folder["a.csv"]))!.Code, Is.EqualTo("file.unknown_ending"));
    }

    [Test]
    public void A_writer_that_is_not_completed_leaves_nothing_and_keeps_what_was_there()
    {
        _folder.Write("a.jsonl", "before");
        using (var writer = TokenizedSampleWriter.Create(_folder["a.jsonl"])) writer.Write(new("x", [1, 2], [-100, 2]));
        Assert.That(Directory.GetFiles(_folder.Path), Is.EqualTo(new[] { _folder["a.jsonl"] }));
        Assert.That(File.ReadAllText(_folder["a.jsonl"]), Is.EqualTo("before"));
    }

    [Test]
    [Platform("Linux")]
    public void A_full_disk_is_an_error_and_leaves_nothing()
    {
        // /dev/full answers every write with "no space left on device"; the temporary name leads there.
        File.CreateSymbolicLink(_folder["a.jsonl.partial"], "/dev/full");
        var error = Assert.Throws<ShadException>(
            () => TokenizedSampleWriter.WriteAll(_folder["a.jsonl"], [new("x", [1, 2], [-100, 2])]))!;
        Assert.That(error.Code, Is.EqualTo("file.cannot_write"));
        Assert.That(error.Message, Does.Contain(_folder["a.jsonl"]).And.Contain("nothing half-written remains"));
        Assert.That(Directory.GetFileSystemEntries(_folder.Path), Is.Empty);
    }

    internal static byte[] Compress(string text, string ending)
    {
        var bytes = new MemoryStream();
        using (Stream stream = ending == "gz"
            ? new GZipStream(bytes, CompressionLevel.Fastest)
            : new ZstdSharp.CompressionStream(bytes))
            stream.Write(System.Text.Encoding.UTF8.GetBytes(text));
        return bytes.ToArray();
    }

    private static ShadException Error(string path) => Assert.Throws<ShadException>(
        () => TokenizedSampleReader.ReadAsync(path, vocabularySize: 100).ToBlockingEnumerable().ToList())!;
}
