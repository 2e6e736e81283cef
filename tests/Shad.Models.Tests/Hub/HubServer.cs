using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Shad.Models.Tests.Hub;

/// <summary>What a client has asked for.</summary>
internal sealed record HubRequest(string Method, string Path, IReadOnlyDictionary<string, string> Headers)
{
    public string? Header(string name) => Headers.GetValueOrDefault(name);

    public bool IsFor(string file) => Path.EndsWith("/" + file, StringComparison.Ordinal);
}

/// <summary>What the server answers, and what it spoils.</summary>
internal sealed record HubReply(int Status, byte[] Body)
{
    public Dictionary<string, string> Headers { get; init; } = [];

    /// <summary>Bytes of the body after which the connection is cut; null sends all of it.</summary>
    public int? CutAfter { get; init; }

    /// <summary>True: after those bytes nothing more comes, and the connection stays open.</summary>
    public bool Stalls { get; init; }

    public static HubReply Empty(int status, params (string Name, string Value)[] headers) =>
        new(status, []) { Headers = headers.ToDictionary(h => h.Name, h => h.Value) };

    public static HubReply Text(int status, string text) =>
        new(status, Encoding.UTF8.GetBytes(text)) { Headers = { ["Content-Type"] = "application/json" } };
}

/// <summary>
/// A hub with Hugging Face's addresses on a port of this machine, with raw sockets, so that it can break what a real one breaks: each
/// answer passes <see cref="Spoil"/> first.
/// </summary>
internal sealed class HubServer : IDisposable
{
    public const string Commit = "0123456789abcdef0123456789abcdef01234567";

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopped = new();
    private readonly Task _accepting;
    private readonly ConcurrentDictionary<byte[], string> _tags = [];
    private int _open;

    public HubServer()
    {
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public Uri Address => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");

    public string Repository { get; init; } = "org/tiny-model";

    /// <summary>The files and whether they are large: served from elsewhere, named by SHA-256.</summary>
    public SortedDictionary<string, (byte[] Bytes, bool IsLarge)> Files { get; } = new(StringComparer.Ordinal);

    /// <summary>Large files are served by redirection to here; null serves them itself.</summary>
    public HubServer? Storage { get; set; }

    /// <summary>False: the listing names paths only, as hubs do that know no <c>?blobs=true</c>.</summary>
    public bool ListsHashes { get; set; } = true;

    /// <summary>Changes an answer on its way.</summary>
    public Func<HubRequest, HubReply, HubReply> Spoil { get; set; } = (_, reply) => reply;

    /// <summary>All requests so far.</summary>
    public ConcurrentQueue<HubRequest> Requests { get; } = [];

    /// <summary>Most connections that were open at once.</summary>
    public int MostOpen { get; private set; }

    public IEnumerable<HubRequest> RequestsFor(string file) => Requests.Where(request => request.IsFor(file));

    public void Add(string path, string text) => Files[path] = (Encoding.UTF8.GetBytes(text), false);

    public void AddLarge(string path, byte[] bytes) => Files[path] = (bytes, true);

    public static string Sha256(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    private string TagOf(byte[] bytes, bool isLarge) => _tags.GetOrAdd(bytes, _ => isLarge ? Sha256(bytes) : GitSha1(bytes)); // by reference

#pragma warning disable CA5350 // Git's name of a file.
    public static string GitSha1(byte[] bytes) =>
        Convert.ToHexStringLower(SHA1.HashData([.. Encoding.ASCII.GetBytes($"blob {bytes.Length}\0"), .. bytes]));
#pragma warning restore CA5350

    public void Dispose()
    {
        _stopped.Cancel();
        _listener.Dispose();
        _stopped.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true) _ = ServeAsync(await _listener.AcceptTcpClientAsync(_stopped.Token));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        CancellationToken stopped = _stopped.Token;
        int open = Interlocked.Increment(ref _open);
        lock (Requests) MostOpen = Math.Max(MostOpen, open);
        try
        {
            using (client)
            {
                NetworkStream stream = client.GetStream();
                HubRequest request = await ReadAsync(stream, stopped);
                Requests.Enqueue(request);
                HubReply reply = Spoil(request, Answer(request));
                var head = new StringBuilder($"HTTP/1.1 {reply.Status} X\r\nConnection: close\r\n");
                if (!reply.Headers.ContainsKey("Content-Length"))
                    head.Append(CultureInfo.InvariantCulture, $"Content-Length: {reply.Body.Length}\r\n");
                foreach ((string name, string value) in reply.Headers) head.Append(CultureInfo.InvariantCulture, $"{name}: {value}\r\n");
                await stream.WriteAsync(Encoding.ASCII.GetBytes(head.Append("\r\n").ToString()), stopped);
                if (request.Method != "HEAD") await stream.WriteAsync(reply.Body.AsMemory(0, reply.CutAfter ?? reply.Body.Length), stopped);
                await stream.FlushAsync(stopped);
                if (reply.Stalls) await Task.Delay(Timeout.Infinite, stopped);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The client has gone, or the test has ended.
        }
        finally
        {
            Interlocked.Decrement(ref _open);
        }
    }

    private static async Task<HubRequest> ReadAsync(NetworkStream stream, CancellationToken stopped)
    {
        var head = new StringBuilder();
        byte[] one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            if (await stream.ReadAsync(one, stopped) == 0) throw new IOException("the client has gone");
            head.Append((char)one[0]);
        }

        string[] lines = head.ToString().Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        string[] words = lines[0].Split(' ');
        var headers = lines.Skip(1).Select(line => line.Split(": ", 2)).ToDictionary(pair => pair[0], pair => pair[1], StringComparer.OrdinalIgnoreCase);
        return new HubRequest(words[0], words[1], headers);
    }

    private HubReply Answer(HubRequest request)
    {
        if (request.Path.StartsWith($"/api/models/{Repository}/revision/", StringComparison.Ordinal)) return HubReply.Text(200, Listing().ToJsonString());
        string resolve = $"/{Repository}/resolve/{Commit}/";
        bool isStored = request.Path.StartsWith("/stored/", StringComparison.Ordinal);
        string path = Uri.UnescapeDataString(
            isStored ? request.Path["/stored/".Length..].Split('?')[0]
            : request.Path.StartsWith(resolve, StringComparison.Ordinal) ? request.Path[resolve.Length..] : "");
        if (!Files.TryGetValue(path, out (byte[] Bytes, bool IsLarge) file)) return HubReply.Text(404, """{"error":"Entry not found"}""");
        if (file.IsLarge && !isStored && Storage is not null)
        {
            return HubReply.Empty(
                302, ("Location", new Uri(Storage.Address, $"/stored/{path}?signature=secret").AbsoluteUri), ("X-Linked-ETag", $"\"{TagOf(file.Bytes, true)}\""),
                ("X-Linked-Size", file.Bytes.Length.ToString(CultureInfo.InvariantCulture)));
        }

        string tag = TagOf(file.Bytes, file.IsLarge);
        if (request.Header("Range") is not { } range) return new HubReply(200, file.Bytes) { Headers = { ["ETag"] = $"\"{tag}\"" } };
        string[] bounds = range["bytes=".Length..].Split('-');
        int from = int.Parse(bounds[0], CultureInfo.InvariantCulture), to = int.Parse(bounds[1], CultureInfo.InvariantCulture) + 1;
        if (to > file.Bytes.Length) return HubReply.Empty(416);
        return new HubReply(206, file.Bytes[from..to])
        {
            Headers = { ["Content-Range"] = $"bytes {from}-{to - 1}/{file.Bytes.Length}", ["ETag"] = $"\"{tag}\"" },
        };
    }

    private JsonObject Listing() => new()
    {
        ["id"] = Repository,
        ["sha"] = Commit,
        ["siblings"] = new JsonArray([.. Files.Select(file => Sibling(file.Key, file.Value.Bytes, file.Value.IsLarge))]),
    };

    private JsonObject Sibling(string path, byte[] bytes, bool isLarge)
    {
        var sibling = new JsonObject { ["rfilename"] = path };
        if (!ListsHashes) return sibling;
        sibling["size"] = bytes.Length;
        sibling["blobId"] = isLarge ? GitSha1(Encoding.ASCII.GetBytes($"pointer to {TagOf(bytes, true)}")) : TagOf(bytes, false);
        if (isLarge) sibling["lfs"] = new JsonObject { ["sha256"] = TagOf(bytes, true), ["size"] = bytes.Length, ["pointerSize"] = 130 };
        return sibling;
    }
}
