using System.Diagnostics;
using System.Text.Json.Nodes;
using Shad.Models.Tests.Hub;

namespace Shad.Cli.Tests.Commands;

/// <summary><c>shad pull</c> against a hub on this machine.</summary>
[NonParallelizable]
[CancelAfter(60_000)]
public sealed class PullTests
{
    private TemporaryFolder _folder = null!;
    private HubServer _hub = null!;
    private Dictionary<string, string?> _variables = null!;

    [SetUp]
    public void SetUp()
    {
        _folder = new TemporaryFolder();
        _hub = new HubServer();
        _hub.Add("config.json", """{"model_type": "mamba9"}""");
        _hub.AddLarge("model.safetensors", [1, 2, 3]);
        _hub.Add("extra.txt", "more");
        _variables = new[] { "HF_ENDPOINT", "HF_TOKEN" }.ToDictionary(name => name, Environment.GetEnvironmentVariable);
        Environment.SetEnvironmentVariable("HF_ENDPOINT", _hub.Address.AbsoluteUri);
        Environment.SetEnvironmentVariable("HF_TOKEN", "hf_secret\n");
    }

    [TearDown]
    public void TearDown()
    {
        foreach ((string name, string? value) in _variables) Environment.SetEnvironmentVariable(name, value);
        _hub.Dispose();
        _folder.Dispose();
    }

    private string Out => _folder.PathOf("model");

    [Test]
    public async Task Pulls_with_hub_and_token_of_the_environment_and_warns_of_what_cannot_be_used()
    {
        ShadOutput shad = await ShadProgram.RunAsync("pull", "org/tiny-model", "--out", Out, "--include", "extra.txt", "--json");
        Assert.That(shad.ExitCode, Is.Zero, shad.Error);
        JsonObject json = shad.Json();
        Assert.That(json.Select(member => member.Key), Is.EqualTo(new[]
        {
            "model", "repository", "revision", "commit", "unchanged", "files", "bytes", "fetched_files", "fetched_bytes", "supported", "problem", "seconds",
        }));
        Assert.That((string?)json["commit"], Is.EqualTo(HubServer.Commit));
        Assert.That((int?)json["files"], Is.EqualTo(3));
        Assert.That((bool?)json["unchanged"], Is.False);
        Assert.That((bool?)json["supported"], Is.False);
        Assert.That(shad.Error, Does.Contain("mamba9").And.Not.Contain("hf_secret"));
        Assert.That(_hub.Requests.Select(request => request.Header("Authorization")), Is.All.EqualTo("Bearer hf_secret"));
        Assert.That(File.ReadAllBytes(_folder.PathOf("model", "model.safetensors")), Is.EqualTo(new byte[] { 1, 2, 3 }));
    }

    [Test]
    public async Task A_second_pull_says_that_it_did_nothing()
    {
        await ShadProgram.RunAsync("pull", "org/tiny-model", "--out", Out);
        ShadOutput again = await ShadProgram.RunAsync("pull", "org/tiny-model", "--out", Out);
        Assert.That(again.ExitCode, Is.Zero, again.Error);
        Assert.That(again.Output, Does.Contain("is here already, nothing fetched"));
    }

    [Test]
    public async Task A_killed_pull_goes_on_where_it_was_killed()
    {
        byte[] weights = new byte[160 << 20];
        new Random(1).NextBytes(weights);
        _hub.AddLarge("model.safetensors", weights);
        int served = 0;
        using var shad = new Process { StartInfo = new ProcessStartInfo("dotnet") { RedirectStandardError = true, RedirectStandardOutput = true } };
        foreach (string argument in new[] { Path.Combine(AppContext.BaseDirectory, "shad.dll"), "pull", "org/tiny-model", "--out", Out, "--connections", "2" })
            shad.StartInfo.ArgumentList.Add(argument);
        using var killed = new ManualResetEventSlim();
        _hub.Spoil = (request, reply) =>
        {
            if (!request.IsFor("model.safetensors") || Interlocked.Increment(ref served) < 8) return reply;
            if (!killed.IsSet) shad.Kill();
            killed.Set();
            return reply;
        };
        shad.Start();
        await shad.WaitForExitAsync();
        Assert.That(killed.IsSet);
        Assert.That(shad.ExitCode, Is.Not.Zero);
        Assert.That(Directory.Exists(Out), Is.False);

        _hub.Spoil = (_, reply) => reply;
        _hub.Requests.Clear();
        ShadOutput again = await ShadProgram.RunAsync("pull", "org/tiny-model", "--out", Out, "--json");
        Assert.That(again.ExitCode, Is.Zero, again.Error);
        int parts = (weights.Length + (16 << 20) - 1) / (16 << 20);
        Assert.That(_hub.RequestsFor("model.safetensors").Count(), Is.InRange(parts - 7, parts - 5), "the parts that were whole do not come again");
        Assert.That(File.ReadAllBytes(_folder.PathOf("model", "model.safetensors")).AsSpan().SequenceEqual(weights));
    }

    [Test]
    public async Task Options_go_before_the_environment()
    {
        Environment.SetEnvironmentVariable("HF_ENDPOINT", "http://127.0.0.1:1");
        ShadOutput shad = await ShadProgram.RunAsync(
            "pull", "org/tiny-model", "--out", Out, "--endpoint", _hub.Address.AbsoluteUri, "--revision", "v1", "--connections", "1");
        Assert.That(shad.ExitCode, Is.Zero, shad.Error);
        Assert.That(_hub.Requests.First().Path, Does.Contain("/revision/v1"));
    }

    [TestCase("pull.bad_name", "../x")]
    [TestCase("hub.not_found", "org/none")]
    [TestCase("pull.bad_endpoint", "org/tiny-model", "--endpoint", "nowhere")]
    public async Task Errors_are_one_message_and_an_exit_code(string code, params string[] args)
    {
        ShadOutput shad = await ShadProgram.RunAsync(["pull", .. args, "--out", Out, "--json"]);
        Assert.That(shad.ExitCode, Is.EqualTo(1));
        Assert.That((string?)shad.Json()["error"]!["code"], Is.EqualTo(code));
        Assert.That(shad.Error, Does.Not.Contain("   at "));
        Assert.That(Directory.Exists(Out), Is.False);
    }
}
