using System.Collections.Concurrent;
using System.Text;
using System.Text.Json.Nodes;
using Shad.Core.Errors;
using Shad.Models.Hub;
using Shad.Models.Tests.Support;

namespace Shad.Models.Tests.Hub;

/// <summary>Pulls from a hub on this machine that breaks what networks and hubs break.</summary>
[CancelAfter(60_000)]
public sealed class ModelPullTests
{
    private const string Config = """
        {"model_type": "llama", "hidden_size": 24, "intermediate_size": 36, "num_hidden_layers": 2, "num_attention_heads": 6,
         "num_key_value_heads": 3, "vocab_size": 50, "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "tie_word_embeddings": true}
        """;

    private const int PartBytes = 1000;

    private static readonly byte[] Weights = Bytes(1, 10_500);

    private TemporaryFolder _folder = null!;
    private HubServer _hub = null!;
    private HubServer _storage = null!;
    private HttpClient _http = null!;
    private HubOptions _options = null!;

    [SetUp]
    public void SetUp()
    {
        _folder = new TemporaryFolder();
        _storage = new HubServer();
        _hub = new HubServer { Storage = _storage };
        _http = HubClient.CreateHttp();
        _options = new HubOptions
        {
            Endpoint = _hub.Address,
            PartBytes = PartBytes,
            Connections = 3,
            Retries = 3,
            FirstDelay = TimeSpan.FromMilliseconds(1),
            LongestDelay = TimeSpan.FromMilliseconds(20),
            StallTimeout = TimeSpan.FromSeconds(10),
        };
        _hub.Add("config.json", Config);
        _hub.Add("tokenizer.json", """{"model": {}}""");
        _hub.Add("README.md", "A model.");
        _hub.Add("LICENSE", "Do as you like.");
        _hub.Add("empty/.gitkeep", "");
        _hub.Add("train.py", "print()");
        AddWeights("model.safetensors", Weights);
        AddWeights("pytorch_model.bin", Bytes(2, 3000));
    }

    [TearDown]
    public void TearDown()
    {
        _http.Dispose();
        _hub.Dispose();
        _storage.Dispose();
        _folder.Dispose();
    }

    private string Out => _folder.File("model");

    private string Partial => Out + ".partial";

    [Test]
    public async Task Brings_what_a_model_needs_and_no_more_with_a_lock()
    {
        PullResult result = await PullAsync();

        Assert.That(FilesOf(Out), Is.EquivalentTo(new[] { "config.json", "tokenizer.json", "README.md", "LICENSE", "model.safetensors", PullLock.FileName }));
        foreach (string name in new[] { "config.json", "tokenizer.json", "README.md", "LICENSE", "model.safetensors" })
            Assert.That(File.ReadAllBytes(Path.Combine(Out, name)), Is.EqualTo(_hub.Files[name].Bytes), name);
        Assert.That(Directory.Exists(Partial), Is.False);
        Assert.That(result.Unchanged, Is.False);
        Assert.That(result.Problem, Is.Null);
        Assert.That(result.FetchedBytes, Is.EqualTo(result.Lock.Files.Sum(file => file.Size)));

        JsonNode held = JsonNode.Parse(File.ReadAllText(Path.Combine(Out, PullLock.FileName)))!;
        Assert.That((string?)held["hub"], Is.EqualTo(_hub.Address.AbsoluteUri.TrimEnd('/')));
        Assert.That((string?)held["repository"], Is.EqualTo("org/tiny-model"));
        Assert.That((string?)held["revision"], Is.EqualTo("main"));
        Assert.That((string?)held["commit"], Is.EqualTo(HubServer.Commit));
        JsonNode weights = held["files"]!.AsArray().Single(file => (string?)file!["path"] == "model.safetensors")!;
        Assert.That((long?)weights["size"], Is.EqualTo(Weights.Length));
        Assert.That((string?)weights["sha256"], Is.EqualTo(HubServer.Sha256(Weights)));
        Assert.That(weights["git_sha1"], Is.Null);
        JsonNode config = held["files"]!.AsArray().Single(file => (string?)file!["path"] == "config.json")!;
        Assert.That((string?)config["git_sha1"], Is.EqualTo(HubServer.GitSha1(Encoding.UTF8.GetBytes(Config))));
        Assert.That((string?)config["sha256"], Is.EqualTo(HubServer.Sha256(Encoding.UTF8.GetBytes(Config))));
    }

    [Test]
    public async Task Fetches_in_parts_over_several_connections_but_no_more_than_allowed()
    {
        await PullAsync();
        string[] ranges = [.. _storage.RequestsForRanges()];
        Assert.That(ranges, Has.Length.EqualTo(11));
        Assert.That(ranges, Does.Contain("bytes=0-999").And.Contain("bytes=10000-10499"));
        Assert.That(_storage.MostOpen, Is.InRange(1, 3));
    }

    [Test]
    public async Task A_second_pull_does_nothing()
    {
        await PullAsync();
        int before = _hub.Requests.Count;
        DateTime written = File.GetLastWriteTimeUtc(Path.Combine(Out, PullLock.FileName));

        PullResult again = await PullAsync();
        Assert.That(again.Unchanged);
        Assert.That(again.FetchedBytes, Is.Zero);
        Assert.That(_hub.Requests, Has.Count.EqualTo(before + 1), "the listing only");
        Assert.That(File.GetLastWriteTimeUtc(Path.Combine(Out, PullLock.FileName)), Is.EqualTo(written));
        Assert.That(Directory.Exists(Partial), Is.False);
    }

    [Test]
    public async Task A_second_pull_of_a_commit_asks_no_one()
    {
        await PullAsync(revision: HubServer.Commit);
        _hub.Requests.Clear();
        Assert.That((await PullAsync(revision: HubServer.Commit)).Unchanged);
        Assert.That(_hub.Requests, Is.Empty);
    }

    [Test]
    public async Task Brings_shards_that_the_index_names()
    {
        _hub.Files.Remove("model.safetensors");
        _hub.Add("model.safetensors.index.json", """{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}""");
        AddWeights("model-00001-of-00002.safetensors", Bytes(3, 2500));
        AddWeights("model-00002-of-00002.safetensors", Bytes(4, 1));
        AddWeights("consolidated.safetensors", Bytes(5, 2500));
        await PullAsync();
        Assert.That(FilesOf(Out).Where(file => file.Contains("safetensors", StringComparison.Ordinal)), Is.EquivalentTo(new[]
        {
            "model.safetensors.index.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
        }));
    }

    [Test]
    public async Task Brings_what_is_asked_for_besides_also_later()
    {
        await PullAsync();
        PullResult more = await PullAsync(include: ["train.*", "empty/*"]);
        Assert.That(more.FetchedFiles, Is.EqualTo(2));
        Assert.That(File.ReadAllText(Path.Combine(Out, "train.py")), Is.EqualTo("print()"));
        Assert.That(new FileInfo(Path.Combine(Out, "empty", ".gitkeep")).Length, Is.Zero);
        Assert.That(PullLock.Read(Out)!.Files.Select(file => file.Path), Does.Contain("train.py").And.Contain("config.json"));
    }

    [Test]
    public async Task Asks_for_hashes_that_the_listing_lacks()
    {
        _hub.ListsHashes = false;
        PullResult result = await PullAsync();
        Assert.That(result.Lock.Files.Single(file => file.Path == "model.safetensors").Sha256, Is.EqualTo(HubServer.Sha256(Weights)));
        Assert.That(File.ReadAllBytes(Path.Combine(Out, "model.safetensors")), Is.EqualTo(Weights));
        Assert.That(_hub.Requests.Count(request => request.Method == "HEAD"), Is.EqualTo(5));
        Assert.That(_storage.Requests.Count(request => request.Method == "HEAD"), Is.Zero, "the first answer says it");
    }

    [Test]
    public async Task The_token_goes_to_the_hub_and_not_to_where_it_redirects()
    {
        _options = _options with { Token = "hf_secret" };
        await PullAsync();
        Assert.That(_hub.Requests.Select(request => request.Header("Authorization")), Is.All.EqualTo("Bearer hf_secret"));
        Assert.That(_storage.Requests, Is.Not.Empty);
        Assert.That(_storage.Requests.Select(request => request.Header("Authorization")), Is.All.Null);
        Assert.That(_storage.Requests.SelectMany(request => request.Headers.Values), Has.None.Contain("hf_secret"));
    }

    [Test]
    public async Task A_redirection_within_the_hub_keeps_the_token()
    {
        _options = _options with { Token = "hf_secret" };
        _hub.Spoil = (request, reply) => request.IsFor("resolve/" + HubServer.Commit + "/config.json")
            ? HubReply.Empty(307, ("Location", "/stored/config.json"))
            : reply;
        await PullAsync();
        Assert.That(_hub.Requests.Single(request => request.Path == "/stored/config.json").Header("Authorization"), Is.EqualTo("Bearer hf_secret"));
    }

    [Test]
    public async Task Goes_on_where_a_connection_was_cut()
    {
        int cuts = 0;
        _storage.Spoil = (request, reply) => Interlocked.Increment(ref cuts) <= 20 ? reply with { CutAfter = Math.Min(reply.Body.Length, 400) } : reply;
        PullResult result = await PullAsync();
        Assert.That(File.ReadAllBytes(Path.Combine(Out, "model.safetensors")), Is.EqualTo(Weights));
        Assert.That(result.FetchedBytes, Is.EqualTo(result.Lock.Files.Sum(file => file.Size)), "no byte came twice");
        Assert.That(_storage.RequestsForRanges(), Does.Contain("bytes=400-999"));
    }

    [Test]
    public async Task Goes_on_after_a_connection_that_stalls()
    {
        _options = _options with { StallTimeout = TimeSpan.FromSeconds(1), Retries = 10 };
        int stalls = 0;
        _storage.Spoil = (_, reply) => Interlocked.Increment(ref stalls) <= 2 ? reply with { CutAfter = 100, Stalls = true } : reply;
        await PullAsync();
        Assert.That(File.ReadAllBytes(Path.Combine(Out, "model.safetensors")), Is.EqualTo(Weights));
    }

    [TestCase(408)]
    [TestCase(429)]
    [TestCase(500)]
    [TestCase(503)]
    public async Task Tries_again_after_a_passing_refusal(int status)
    {
        // Everything is refused the first time it is asked for.
        var asked = new ConcurrentDictionary<string, bool>();
        HubReply Refuse(HubRequest request, HubReply reply) =>
            asked.TryAdd(request.Path + request.Header("Range"), true) ? HubReply.Empty(status, ("Retry-After", "0")) : reply;
        _hub.Spoil = Refuse;
        _storage.Spoil = Refuse;
        await PullAsync();
        Assert.That(File.ReadAllBytes(Path.Combine(Out, "model.safetensors")), Is.EqualTo(Weights));
        Assert.That(asked, Has.Count.EqualTo(1 + 4 + 2 * 11), "listing, small files, and parts at both hosts");
    }

    [Test]
    public async Task A_signed_address_that_has_run_out_is_asked_for_anew()
    {
        int refused = 0;
        _storage.Spoil = (_, reply) => Interlocked.Increment(ref refused) <= 2 ? HubReply.Empty(403) : reply;
        await PullAsync();
        Assert.That(File.ReadAllBytes(Path.Combine(Out, "model.safetensors")), Is.EqualTo(Weights));
    }

    [Test]
    public async Task A_hub_that_ignores_ranges_sends_the_file_whole()
    {
        _storage.Spoil = (request, reply) => reply.Status == 206 ? new HubReply(200, Weights) : reply;
        PullResult result = await PullAsync();
        Assert.That(File.ReadAllBytes(Path.Combine(Out, "model.safetensors")), Is.EqualTo(Weights));
        Assert.That(result.FetchedBytes, Is.EqualTo(result.Lock.Files.Sum(file => file.Size)));
    }

    [Test]
    public async Task A_hub_that_ignores_ranges_now_and_then_and_cuts_too()
    {
        int count = 0;
        _storage.Spoil = (request, reply) =>
        {
            int n = Interlocked.Increment(ref count);
            HubReply sent = n > 4 && reply.Status == 206 ? new HubReply(200, Weights) : reply;
            return n is > 8 and < 11 ? sent with { CutAfter = 700 } : sent;
        };
        await PullAsync();
        Assert.That(File.ReadAllBytes(Path.Combine(Out, "model.safetensors")), Is.EqualTo(Weights));
    }

    [Test]
    public async Task Changed_bytes_are_found_and_fetched_again()
    {
        int spoiled = 0;
        _storage.Spoil = (request, reply) =>
        {
            if (request.Header("Range") != "bytes=3000-3999" || Interlocked.Increment(ref spoiled) > 1) return reply;
            byte[] bytes = [.. reply.Body];
            bytes[500] ^= 1;
            return reply with { Body = bytes };
        };
        await PullAsync();
        Assert.That(spoiled, Is.EqualTo(2));
        Assert.That(File.ReadAllBytes(Path.Combine(Out, "model.safetensors")), Is.EqualTo(Weights));
    }

    [Test]
    public async Task Bytes_that_are_always_changed_are_refused_and_leave_no_folder()
    {
        _hub.Spoil = (request, reply) =>
        {
            if (!request.IsFor("tokenizer.json")) return reply;
            byte[] bytes = [.. reply.Body];
            bytes[0] ^= 1;
            return reply with { Body = bytes };
        };
        await FailsAsync("pull.hash_differs", "tokenizer.json", "3 times");
        Assert.That(_hub.RequestsFor("tokenizer.json").Count(), Is.EqualTo(3));
        Assert.That(Directory.Exists(Out), Is.False);
    }

    [Test]
    public async Task After_an_interruption_only_what_is_missing_comes()
    {
        using var killed = new CancellationTokenSource();
        int served = 0;
        _storage.Spoil = (_, reply) =>
        {
            if (Interlocked.Increment(ref served) == 6) killed.Cancel();
            return reply;
        };
        Assert.That(async () => await PullAsync(cancellationToken: killed.Token), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(Directory.Exists(Out), Is.False);
        int parts = File.ReadAllLines(JournalOfWeights()).Length - 1;
        Assert.That(parts, Is.GreaterThan(0));

        _storage.Spoil = (_, reply) => reply;
        _storage.Requests.Clear();
        await PullAsync();
        Assert.That(_storage.RequestsForRanges().Count(), Is.EqualTo(11 - parts));
        Assert.That(File.ReadAllBytes(Path.Combine(Out, "model.safetensors")), Is.EqualTo(Weights));
    }

    [Test]
    public async Task Parts_that_did_not_reach_the_disk_come_again()
    {
        _storage.Spoil = (request, reply) => request.Header("Range") == "bytes=10000-10499" ? HubReply.Empty(404) : reply;
        _options = _options with { Connections = 1 };
        await FailsAsync("hub.not_found");
        string journal = JournalOfWeights();
        string data = journal[..^".parts".Length];
        using (FileStream file = File.OpenWrite(data))
        {
            file.Seek(4100, SeekOrigin.Begin); // as after a power cut: the journal says part 4, the disk has other bytes
            file.WriteByte((byte)(Weights[4100] ^ 1));
        }

        File.AppendAllText(journal, "7 0000\n99 zz\nnonsense");
        _storage.Spoil = (_, reply) => reply;
        _storage.Requests.Clear();
        await PullAsync();
        Assert.That(_storage.RequestsForRanges(), Is.EquivalentTo(new[] { "bytes=4000-4999", "bytes=10000-10499" }));
        Assert.That(File.ReadAllBytes(Path.Combine(Out, "model.safetensors")), Is.EqualTo(Weights));
    }

    [Test]
    public async Task A_file_that_a_killed_pull_had_whole_is_not_fetched_again_but_checked()
    {
        _storage.Spoil = (_, _) => HubReply.Empty(404);
        await FailsAsync("hub.not_found");
        File.WriteAllText(Path.Combine(Partial, "files", "config.json"), "spoilt");
        File.WriteAllText(Path.Combine(Partial, "files", "stray.txt"), "of another commit");
        File.WriteAllText(Path.Combine(Partial, "files", "tokenizer.json"), """{"model": {}}""");
        _storage.Spoil = (_, reply) => reply;
        _hub.Requests.Clear();
        await PullAsync();
        Assert.That(_hub.RequestsFor("config.json").Count(), Is.EqualTo(1));
        Assert.That(_hub.RequestsFor("tokenizer.json"), Is.Empty);
        Assert.That(File.ReadAllText(Path.Combine(Out, "config.json")), Is.EqualTo(Config));
        Assert.That(File.Exists(Path.Combine(Out, "stray.txt")), Is.False);
    }

    [Test]
    public async Task A_file_that_was_removed_comes_again()
    {
        await PullAsync();
        File.Delete(Path.Combine(Out, "tokenizer.json"));
        PullResult again = await PullAsync(revision: HubServer.Commit);
        Assert.That(again.FetchedFiles, Is.EqualTo(1));
        Assert.That(File.Exists(Path.Combine(Out, "tokenizer.json")));
        Assert.That(Directory.Exists(Partial), Is.False);
    }

    [Test]
    public async Task A_file_that_was_changed_is_named_and_kept()
    {
        await PullAsync();
        File.WriteAllText(Path.Combine(Out, "tokenizer.json"), "mine");
        await FailsAsync("pull.files_changed", "tokenizer.json");
        Assert.That(File.ReadAllText(Path.Combine(Out, "tokenizer.json")), Is.EqualTo("mine"));
    }

    [Test]
    public async Task Says_before_the_weights_come_that_a_model_cannot_be_used()
    {
        _hub.Add("config.json", """{"model_type": "mamba9"}""");
        string? warning = null;
        int before = -1;
        PullResult result = await new ModelPull(new HubClient(_http, _options)).RunAsync(
            new PullRequest(HubRepository.Parse("org/tiny-model"), Out), null, text => (warning, before) = (text, _storage.Requests.Count), CancellationToken.None);
        Assert.That(warning, Does.Contain("mamba9"));
        Assert.That(before, Is.Zero);
        Assert.That(result.Problem, Is.EqualTo(warning));
        Assert.That(File.Exists(Path.Combine(Out, "model.safetensors")), "it is pulled all the same");
    }

    [Test]
    public async Task Progress_ends_at_all_of_it()
    {
        var seen = new List<PullProgress>();
        await new ModelPull(new HubClient(_http, _options)).RunAsync(
            new PullRequest(HubRepository.Parse("org/tiny-model"), Out), seen.Add, null, CancellationToken.None);
        PullProgress last = seen[^1];
        Assert.That((last.Bytes, last.Files), Is.EqualTo((last.TotalBytes, last.TotalFiles)));
        Assert.That(last.TotalFiles, Is.EqualTo(5));
        Assert.That(last.SecondsLeft, Is.Zero);
        Assert.That(seen.Select(progress => progress.Bytes), Is.All.InRange(0, last.TotalBytes));
    }

    [TestCase("../escape")]
    [TestCase("a/../../escape")]
    [TestCase("/absolute")]
    [TestCase("a\\b")]
    [TestCase("C:x")]
    [TestCase("a//b")]
    [TestCase("a/./b")]
    [TestCase("a\u0000b")]
    [TestCase("a.")]
    public async Task Names_that_lead_out_of_the_folder_are_refused(string path)
    {
        _hub.Files[path] = ([1], false);
        await FailsAsync("pull.unsafe_name");
        Assert.That(_hub.Requests, Has.Count.EqualTo(1), "nothing is fetched from such a hub");
    }

    [TestCase("../escape.safetensors")]
    [TestCase("sub/escape.safetensors")]
    public async Task Shard_names_that_lead_out_of_the_folder_are_refused(string shard)
    {
        _hub.Files.Remove("model.safetensors");
        _hub.Add("model.safetensors.index.json", new JsonObject { ["weight_map"] = new JsonObject { ["a"] = shard } }.ToJsonString());
        await FailsAsync("model.shard_name_unsafe");
    }

    [TestCase("../x")]
    [TestCase("a/b/c")]
    [TestCase("")]
    [TestCase("a b")]
    [TestCase("org/..")]
    [TestCase("https://hub/x")]
    public void Names_that_are_no_models_are_refused(string id) => Refusal.Of(() => HubRepository.Parse(id), "pull.bad_name", "ORG/MODEL");

    [TestCase("")]
    [TestCase("a\nb")]
    public void Revisions_that_are_none_are_refused(string revision) => Refusal.Of(() => HubRepository.Parse("org/x", revision), "pull.bad_revision");

    [TestCase("ftp://hub")]
    [TestCase("hub")]
    [TestCase("")]
    public void Endpoints_that_are_no_web_addresses_are_refused(string address) =>
        Refusal.Of(() => HubOptions.ParseEndpoint(address), "pull.bad_endpoint");

    [Test]
    public void An_endpoint_with_a_query_is_refused() => Refusal.Of(
        () => _ = new HubClient(_http, _options with { Endpoint = new Uri("http://hub/?x=1") }), "pull.bad_endpoint");

    [TestCase("hf secret")]
    [TestCase("hf\nsecret")]
    [TestCase("hfé")]
    public void A_token_that_cannot_be_one_is_refused_and_not_shown(string token)
    {
        ShadException error = Refusal.Of(() => _ = new HubClient(_http, _options with { Token = token }), "pull.bad_token", "HF_TOKEN");
        Assert.That(error.ToString(), Does.Not.Contain(token));
    }

    [Test]
    public async Task A_revision_with_a_slash_is_one_part_of_the_address()
    {
        await PullAsync(revision: "refs/pr/1");
        Assert.That(_hub.Requests.First().Path, Is.EqualTo("/api/models/org/tiny-model/revision/refs%2Fpr%2F1?blobs=true"));
    }

    [Test]
    public async Task An_endpoint_in_a_folder_of_its_host()
    {
        _hub.Spoil = (request, reply) => request.Path.StartsWith("/mirror/", StringComparison.Ordinal) ? HubReply.Empty(307, ("Location", request.Path["/mirror".Length..])) : reply;
        _options = _options with { Endpoint = new Uri(_hub.Address, "/mirror/") };
        await PullAsync();
        Assert.That(PullLock.Read(Out)!.Hub, Does.EndWith("/mirror"));
    }

    [Test]
    public Task A_model_that_is_not_there() => FailsAsync("hub.not_found", id: "org/other");

    [Test]
    public async Task A_hub_that_wants_a_token()
    {
        _hub.Spoil = (_, _) => HubReply.Text(401, """{"error":"Invalid username or password."}""");
        await FailsAsync("hub.unauthorized", "set HF_TOKEN", "Invalid username or password");
        Assert.That(_hub.Requests, Has.Count.EqualTo(1), "asking again would not help");
        _options = _options with { Token = "hf_wrong" };
        ShadException error = await FailsAsync("hub.unauthorized", "does not accept the token");
        Assert.That(error.ToString(), Does.Not.Contain("hf_wrong"));
    }

    [Test]
    public async Task A_model_behind_terms()
    {
        _hub.Spoil = (request, reply) => request.IsFor("model.safetensors") ? HubReply.Empty(403, ("X-Error-Message", "Access is restricted.\u001b[31m")) : reply;
        ShadException error = await FailsAsync("hub.forbidden", "Access is restricted", "Accept the model's terms");
        Assert.That(error.Message, Does.Not.Contain('\u001b'));
        Assert.That(Directory.Exists(Out), Is.False);
    }

    [Test]
    public async Task A_hub_that_keeps_refusing()
    {
        _hub.Spoil = (_, _) => HubReply.Empty(429, ("Retry-After", "3600"));
        await FailsAsync("hub.too_many_requests"); // and does not wait for an hour
        Assert.That(_hub.Requests, Has.Count.EqualTo(1 + _options.Retries));
    }

    [Test]
    public async Task A_hub_that_keeps_failing()
    {
        _hub.Spoil = (_, _) => HubReply.Empty(502);
        await FailsAsync("hub.unavailable", "502");
        Assert.That(_hub.Requests, Has.Count.EqualTo(1 + _options.Retries));
    }

    [Test]
    public async Task A_hub_with_an_answer_of_its_own()
    {
        _hub.Spoil = (_, _) => HubReply.Empty(418);
        await FailsAsync("hub.unexpected_status", "418");
    }

    [Test]
    public async Task A_hub_that_is_not_there()
    {
        _options = _options with { Endpoint = new Uri("http://127.0.0.1:1") };
        await FailsAsync("hub.unreachable", "127.0.0.1:1");
    }

    [Test]
    public async Task A_hub_that_always_cuts_at_once()
    {
        _storage.Spoil = (_, reply) => reply with { CutAfter = 0 };
        await FailsAsync("hub.cut");
    }

    [Test]
    public async Task A_hub_that_never_answers()
    {
        _options = _options with { StallTimeout = TimeSpan.FromMilliseconds(50), Retries = 1 };
        _hub.Spoil = (_, reply) => reply with { CutAfter = 0, Stalls = true };
        await FailsAsync("hub.stalled");
    }

    [Test]
    public async Task Redirections_without_end()
    {
        _hub.Spoil = (request, _) => HubReply.Empty(302, ("Location", request.Path));
        await FailsAsync("hub.bad_redirect", "more than 5 times");
    }

    [Test]
    public async Task A_redirection_to_a_file_of_this_machine()
    {
        _hub.Spoil = (_, _) => HubReply.Empty(302, ("Location", "file:///etc/passwd"));
        await FailsAsync("hub.bad_redirect", "file");
    }

    [TestCase("nonsense")]
    [TestCase("[]")]
    [TestCase("""{"sha": "main", "siblings": []}""")]
    [TestCase("""{"sha": "0123456789abcdef0123456789abcdef01234567"}""")]
    [TestCase("""{"sha": "0123456789abcdef0123456789abcdef01234567", "siblings": [{"size": 1}]}""")]
    [TestCase("""{"sha": "0123456789abcdef0123456789abcdef01234567", "siblings": [1]}""")]
    [TestCase("""{"sha": "0123456789abcdef0123456789abcdef01234567", "siblings": [{"rfilename": "\ud800"}]}""")]
    public async Task A_listing_that_makes_no_sense(string answer)
    {
        _hub.Spoil = (_, _) => HubReply.Text(200, answer);
        await FailsAsync("hub.bad_answer");
    }

    [Test]
    public async Task A_file_of_another_size_than_listed()
    {
        _hub.Spoil = (request, reply) => request.IsFor("tokenizer.json") ? new HubReply(200, [1, 2]) : reply;
        await FailsAsync("hub.size_differs", "2 bytes");
    }

    [Test]
    public async Task A_part_of_a_file_of_another_size_than_listed()
    {
        _storage.Spoil = (_, reply) => reply with { Headers = new() { ["Content-Range"] = "bytes 0-999/99999" } };
        await FailsAsync("hub.size_differs", "99,999 bytes");
    }

    [Test]
    public async Task Another_part_than_the_one_asked_for()
    {
        _storage.Spoil = (_, reply) => reply with { Headers = new() { ["Content-Range"] = $"bytes 5-9/{Weights.Length}" } };
        await FailsAsync("hub.bad_range", "5-9");
    }

    [Test]
    public async Task A_hub_that_names_no_hashes()
    {
        _hub.ListsHashes = false;
        _hub.Spoil = (request, reply) => request.Method == "HEAD" ? reply with { Headers = new() { ["ETag"] = "\"version-1\"" } } : reply;
        await FailsAsync("pull.no_hash");
    }

    [Test]
    public async Task A_hub_that_names_no_sizes()
    {
        _hub.ListsHashes = false;
        _hub.Spoil = (request, reply) =>
        {
            if (request.Method == "HEAD") reply.Headers.Remove("X-Linked-Size");
            return reply;
        };
        await FailsAsync("hub.bad_answer", "size");
    }

    [Test]
    public async Task A_repository_without_config()
    {
        _hub.Files.Remove("config.json");
        await FailsAsync("pull.no_config");
    }

    [Test]
    public async Task A_repository_with_weights_of_another_kind_only()
    {
        _hub.Files.Remove("model.safetensors");
        await FailsAsync("pull.no_weights", "pytorch_model.bin");
        _hub.Files.Remove("pytorch_model.bin");
        await FailsAsync("pull.no_weights", "no weights");
    }

    [Test]
    public async Task An_index_that_names_a_shard_that_is_not_there()
    {
        _hub.Files.Remove("model.safetensors");
        _hub.Add("model.safetensors.index.json", """{"weight_map": {"a": "model-00001-of-00001.safetensors"}}""");
        await FailsAsync("pull.shard_missing", "model-00001-of-00001.safetensors");
    }

    [Test]
    public Task A_pattern_that_names_nothing() => FailsAsync("pull.nothing_included", "*.gguf", include: ["*.gguf"]);

    [Test]
    public async Task A_folder_of_someone_else_is_left_alone()
    {
        Directory.CreateDirectory(Out);
        File.WriteAllText(Path.Combine(Out, "notes.txt"), "mine");
        await FailsAsync("pull.folder_exists");
        Assert.That(FilesOf(Out), Is.EqualTo(new[] { "notes.txt" }));
        Assert.That(_hub.Requests, Is.Empty);
    }

    [Test]
    public async Task An_output_that_is_a_file_is_left_alone()
    {
        File.WriteAllText(Out, "mine");
        await FailsAsync("pull.folder_exists");
        Assert.That(File.ReadAllText(Out), Is.EqualTo("mine"));
    }

    [Test]
    public async Task An_empty_folder_is_as_good_as_none()
    {
        Directory.CreateDirectory(Out);
        await PullAsync();
        Assert.That(File.Exists(Path.Combine(Out, "model.safetensors")));
    }

    [Test]
    public async Task A_folder_of_another_model_is_left_alone()
    {
        await PullAsync();
        await FailsAsync("pull.other_model", "org/tiny-model", "org/other", id: "org/other");
    }

    [Test]
    public async Task A_folder_of_another_commit_is_left_alone()
    {
        await PullAsync();
        string other = new('a', 40);
        _hub.Spoil = (request, reply) => request.Path.StartsWith("/api/", StringComparison.Ordinal)
            ? HubReply.Text(200, Encoding.UTF8.GetString(reply.Body).Replace(HubServer.Commit, other, StringComparison.Ordinal))
            : reply;
        await FailsAsync("pull.other_commit", HubServer.Commit, other);
    }

    [TestCase("{")]
    [TestCase("null")]
    [TestCase("""{"version": 1, "hub": "x"}""")]
    [TestCase("""{"version": 9, "hub": "x", "repository": "org/tiny-model", "revision": "main", "commit": "x", "files": []}""")]
    [TestCase("""{"version": 1, "hub": "x", "repository": null, "revision": "main", "commit": "x", "files": []}""")]
    public async Task A_lock_that_cannot_be_used(string content)
    {
        Directory.CreateDirectory(Out);
        File.WriteAllText(Path.Combine(Out, PullLock.FileName), content);
        await FailsAsync("pull.bad_lock", PullLock.FileName);
    }

    [Test]
    public async Task Two_pulls_into_one_folder()
    {
        Directory.CreateDirectory(Partial);
        using (new FileStream(Path.Combine(Partial, "lock"), FileMode.Create, FileAccess.ReadWrite, FileShare.None))
            await FailsAsync("pull.in_use");
        await PullAsync();
    }

    [Test]
    public async Task A_model_larger_than_the_disk()
    {
        _hub.Spoil = (request, reply) => request.Path.StartsWith("/api/", StringComparison.Ordinal)
            ? HubReply.Text(200, Encoding.UTF8.GetString(reply.Body).Replace($"\"size\":{Weights.Length}", $"\"size\":{1L << 60}", StringComparison.Ordinal))
            : reply;
        await FailsAsync("pull.no_space", $"{1L << 60:N0}"[..10]);
        Assert.That(_storage.Requests, Is.Empty);
    }

    [Test]
    public async Task A_place_that_cannot_be_written()
    {
        File.WriteAllText(_folder.File("file"), "");
        ShadException error = await FailsAsync("pull.cannot_write", folder: _folder.File("file", "model"));
        Assert.That(error.InnerException, Is.InstanceOf<IOException>());
    }

    private static byte[] Bytes(int seed, int length)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static IEnumerable<string> FilesOf(string folder) =>
        Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(folder, file));

    private string JournalOfWeights() => Directory.GetFiles(Path.Combine(Partial, "parts"), HubServer.Sha256(Weights) + "*.parts").Single();

    private void AddWeights(string path, byte[] bytes)
    {
        _hub.AddLarge(path, bytes);
        _storage.AddLarge(path, bytes);
    }

    private Task<PullResult> PullAsync(
        string revision = "main", string[]? include = null, string id = "org/tiny-model", string? folder = null,
        CancellationToken cancellationToken = default) =>
        new ModelPull(new HubClient(_http, _options)).RunAsync(
            new PullRequest(HubRepository.Parse(id, revision), folder ?? Out) { Include = include ?? [] }, null, null, cancellationToken);

    private async Task<ShadException> FailsAsync(
        string code, string part = "", string second = "", string id = "org/tiny-model", string[]? include = null, string? folder = null)
    {
        ShadException error = (await Assert.ThrowsAsync<ShadException>(() => PullAsync(id: id, include: include, folder: folder)))!;
        Assert.That(error.Code, Is.EqualTo(code), error.Message);
        Assert.That(error.Message, Does.Contain(part).And.Contain(second).And.Not.Contain("signature"));
        return error;
    }
}

internal static class RangeRequests
{
    /// <summary>The ranges that were asked for.</summary>
    public static IEnumerable<string> RequestsForRanges(this HubServer server) =>
        server.Requests.Select(request => request.Header("Range")).OfType<string>();
}
