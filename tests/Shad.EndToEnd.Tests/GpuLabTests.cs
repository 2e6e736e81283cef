using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;
using System.Runtime.Versioning;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Shad.Core.Randomness;

namespace Shad.EndToEnd.Tests;

/// <summary>The GPU lab without a GPU: what is packed comes out as it was, and the whole of it runs on the CPU.</summary>
[TestFixture]
[Platform("Linux")]
[UnsupportedOSPlatform("windows")]
internal sealed class GpuLabTests
{
    private const int PartBytes = 100_000;

    private string _folder = null!;

    [SetUp]
    public async Task CreateFolder()
    {
        if ((await RunAsync("python3", "--version")).ExitCode != 0) Assert.Ignore("The lab's script needs Python 3, which is not here.");
        _folder = Directory.CreateTempSubdirectory("shad-lab-").FullName;
    }

    [TearDown]
    public void DeleteFolder()
    {
        if (_folder is not null) Directory.Delete(_folder, recursive: true);
    }

    [Test]
    public async Task Parts_are_of_the_size_asked_for_have_the_hashes_of_the_manifest_and_come_out_as_they_went_in()
    {
        string payload = MakePayload();
        await PackAsync(payload);
        JsonObject manifest = Manifest();
        JsonArray parts = manifest["parts"]!.AsArray();
        Assert.That(parts, Has.Count.GreaterThan(3));
        var joined = new MemoryStream();
        for (int i = 0; i < parts.Count; i++)
        {
            byte[] part = File.ReadAllBytes(PathOf("parts", parts[i]!["name"]!.GetValue<string>()));
            Assert.That(part, Has.Length.EqualTo(parts[i]!["bytes"]!.GetValue<int>()));
            Assert.That(part, i < parts.Count - 1 ? Has.Length.EqualTo(PartBytes) : Has.Length.InRange(1, PartBytes));
            Assert.That(Convert.ToHexStringLower(SHA256.HashData(part)), Is.EqualTo(parts[i]!["sha256"]!.GetValue<string>()));
            joined.Write(part);
        }

        // Read by another implementation of both formats.
        joined.Position = 0;
        using (var tar = new TarReader(new GZipStream(joined, CompressionMode.Decompress)))
        {
            var names = new List<string>();
            while (tar.GetNextEntry() is { } entry)
            {
                names.Add(entry.Name);
                using var content = new MemoryStream();
                entry.DataStream?.CopyTo(content);
                Assert.That(content.ToArray(), Is.EqualTo(File.ReadAllBytes(Path.Combine(payload, entry.Name))), entry.Name);
            }

            Assert.That(names, Is.EqualTo(manifest["files"]!.AsArray().Select(static file => file!["path"]!.GetValue<string>())));
        }

        // And by the lab itself, with nothing but what was carried.
        ShadResult unpacked = await RunAsync("python3", PathOf("parts", "lab.py"), "unpack", "--parts", PathOf("parts"), "--into", PathOf("lab"));
        Assert.That(unpacked.ExitCode, Is.Zero, unpacked.Error);
        foreach (string file in Directory.EnumerateFiles(payload, "*", SearchOption.AllDirectories))
        {
            string copy = Path.Combine(PathOf("lab"), Path.GetRelativePath(payload, file));
            Assert.That(File.ReadAllBytes(copy), Is.EqualTo(File.ReadAllBytes(file)));
            Assert.That(File.GetUnixFileMode(copy) & UnixFileMode.UserExecute, Is.EqualTo(File.GetUnixFileMode(file) & UnixFileMode.UserExecute), file);
        }
    }

    [Test]
    public async Task The_same_payload_gives_the_same_parts()
    {
        string payload = MakePayload();
        await PackAsync(payload);
        string first = Manifest().ToJsonString();
        Directory.Delete(PathOf("parts"), recursive: true);
        await PackAsync(payload);
        Assert.That(Manifest().ToJsonString(), Is.EqualTo(first));
    }

    [Test]
    public async Task A_damaged_or_missing_part_is_told_by_name()
    {
        await PackAsync(MakePayload());
        string name = Manifest()["parts"]![1]!["name"]!.GetValue<string>();
        byte[] part = File.ReadAllBytes(PathOf("parts", name));
        part[1000] ^= 1;
        File.WriteAllBytes(PathOf("parts", name), part);
        await UnpackFailsAsync($"{name} is damaged");
        File.WriteAllBytes(PathOf("parts", name), part[..500]);
        await UnpackFailsAsync($"{name} has 500 bytes; expected {PartBytes}");
        File.Delete(PathOf("parts", name));
        await UnpackFailsAsync($"parts are missing in {PathOf("parts")}: {name}");
        File.Delete(PathOf("parts", "manifest.json"));
        await UnpackFailsAsync("manifest.json is not there");
    }

    [Test]
    public async Task A_part_too_large_to_carry_is_refused()
    {
        ShadResult packed = await LabAsync("pack", "--payload", MakePayload(), "--out", PathOf("parts"), "--part-bytes", "60000001");
        Assert.That(packed.ExitCode, Is.EqualTo(1));
        Assert.That(packed.Error, Does.Contain("expected 1 to 60000000"));
    }

    [Test]
    public async Task The_lab_runs_on_the_cpu_from_the_models_to_the_table()
    {
        // The programs of this build stand for those that are carried; what they need beside is made here.
        Directory.CreateDirectory(PathOf("lab", "bin"));
        foreach ((string name, string program) in new[] { ("shad", Build.Shad), ("gpu-lab", Build.GpuLab), ("Shad.Sidecar", Build.Sidecar) })
        {
            string script = PathOf("lab", "bin", name);
            File.WriteAllText(script, $"#!/bin/sh\nexec '{program}' \"$@\"\n");
            File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        File.Copy(Path.Combine(Build.Root, "scripts", "gpu-lab", "compare_transformers.py"), PathOf("lab", "compare_transformers.py"));
        CopyFolder(Build.BundledModel, PathOf("lab", "models", "shad-mini"));
        Directory.CreateDirectory(PathOf("lab", "data"));
        File.WriteAllLines(PathOf("lab", "data", "corpus.jsonl"), Enumerable.Range(0, 24).Select(static i => new JsonObject
        {
            ["prompt"] = $"What is the weather in city {i * 37 % 101}?",
            ["response"] = new JsonObject { ["name"] = "get_weather", ["arguments"] = new JsonObject { ["city"] = i * 37 % 101 } }.ToJsonString(),
        }.ToJsonString()));
        string results = PathOf("results", "gpu-test.json");
        ShadResult run = await LabAsync(
            "run", "--lab", PathOf("lab"), "--results", results, "--device", "cpu", "--shapes", "tiny", "--sequences", "3", "--length", "48",
            "--probe-samples", "8", "--probe-epochs", "0.5");
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        JsonObject pieces = JsonNode.Parse(File.ReadAllText(results))!["pieces"]!.AsObject();
        foreach (string piece in new[] { "machine", "parity-float16", "models", "tiny-ours", "tiny-ours-with-probe", "sidecar", "bfcl-run" })
            Assert.That(pieces[piece]!["failed"], Is.Null, $"{piece}: {pieces[piece]}\n{run.Error}");
        Assert.Multiple(() =>
        {
            Assert.That(pieces["parity-float16"]!["losses"]!.GetValue<int>(), Is.GreaterThan(100));

            // The CPU's kernels round after every operation, the attention's sums with them: some 3e-3 nats on average.
            Assert.That(pieces["parity-float16"]!["mean_difference"]!.GetValue<double>(), Is.LessThan(2e-2), pieces["parity-float16"]!.ToJsonString());
            Assert.That(pieces["parity-float16"]!["largest_difference"]!.GetValue<double>(), Is.Positive);
            Assert.That(pieces["tiny-ours"]!["tokens_per_second"]!.GetValue<double>(), Is.Positive);

            // Random weights of this size know nothing: the loss is that of a guess among 2,048, to a few tenths of a nat.
            Assert.That(pieces["tiny-ours"]!["mean_loss"]!.GetValue<double>(), Is.EqualTo(Math.Log(2048)).Within(0.5));
            Assert.That(pieces["tiny-ours-with-probe"]!["shared_layers"]!.GetValue<int>(), Is.EqualTo(3));
            Assert.That(pieces["tiny-ours-with-probe"]!["cost_of_one_model"]!.GetValue<double>(), Is.Positive);
            Assert.That(pieces["bfcl-run"]!["annotations"]!.AsArray(), Has.Count.EqualTo(1));
        });

        // Without PyTorch these are told as failed, with the reason, and the others go on.
        foreach (string piece in new[] { "peak", "tiny-transformers-full" })
        {
            if (pieces[piece]!["failed"] is { } reason) Assert.That(reason.GetValue<string>(), Does.Contain("No module named"));
        }

        File.WriteAllText(PathOf("page.md"), "# Page\n\n<!-- results -->\nold\n<!-- /results -->\n\nAfter.\n");
        ShadResult table = await LabAsync("table", results, "--page", PathOf("page.md"));
        Assert.That(table.ExitCode, Is.Zero, table.Error);
        string page = File.ReadAllText(PathOf("page.md"));
        Assert.That(page, Does.StartWith("# Page").And.EndWith("After.\n").And.Contain("| tiny-ours |").And.Contain("shad-mini in float16 on cpu").And.Not.Contain("\nold\n"));
    }

    private string PathOf(params string[] parts) => Path.Combine([_folder, .. parts]);

    private JsonObject Manifest() => JsonNode.Parse(File.ReadAllText(PathOf("parts", "manifest.json")))!.AsObject();

    // Bytes that do not compress, a file longer than two parts, an empty one, folders, a program.
    private string MakePayload()
    {
        var random = new SeededRandom(7);
        foreach ((string name, int length) in new[] { ("bin/program", 230_000), ("empty", 0), ("data/a.jsonl", 12_345), ("data/deep/b", 70_000), ("models/c", 99_999) })
        {
            byte[] content = new byte[length];
            for (int i = 0; i < length; i++) content[i] = (byte)random.NextInt32(256);
            string path = PathOf("payload", name);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllBytes(path, content);
        }

        string program = PathOf("payload", "bin", "program");
        File.SetUnixFileMode(program, File.GetUnixFileMode(program) | UnixFileMode.UserExecute);
        return PathOf("payload");
    }

    private async Task PackAsync(string payload)
    {
        ShadResult packed = await LabAsync("pack", "--payload", payload, "--out", PathOf("parts"), "--part-bytes", $"{PartBytes}");
        Assert.That(packed.ExitCode, Is.Zero, packed.Error);
    }

    private async Task UnpackFailsAsync(string message)
    {
        ShadResult unpacked = await LabAsync("unpack", "--parts", PathOf("parts"), "--into", PathOf("lab"));
        Assert.That(unpacked.ExitCode, Is.EqualTo(1));
        Assert.That(unpacked.Error, Does.Contain(message));
    }

    private static Task<ShadResult> LabAsync(params string[] arguments) =>
        RunAsync("python3", [Path.Combine(Build.Root, "scripts", "gpu-lab", "lab.py"), .. arguments]);

    private static async Task<ShadResult> RunAsync(string program, params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["PYTHONDONTWRITEBYTECODE"] = "1";
        try
        {
            using var process = Process.Start(start)!;
            Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
            await process.WaitForExitAsync();
            return new ShadResult(process.ExitCode, await output, await error);
        }
        catch (System.ComponentModel.Win32Exception missing)
        {
            return new ShadResult(127, "", missing.Message);
        }
    }

    private static void CopyFolder(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string file in Directory.EnumerateFiles(from)) File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
    }
}
