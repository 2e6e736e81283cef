using System.Buffers;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Shad.Core.Errors;

namespace Shad.Models.Hub;

/// <summary>The requests that a pull makes to a hub with Hugging Face's API, each made again where that may help.</summary>
/// <remarks>
/// The token goes to the endpoint's origin (scheme, host and port) only: files are served by redirection to other hosts, which get
/// a signed address and not the token.
/// </remarks>
public sealed class HubClient
{
    private const int MostRedirects = 5;
    private const int LongestListing = 64 << 20;
    private const int BufferBytes = 1 << 17;

    private readonly HttpClient _http;
    private readonly string _root;
    private int _retried;

    /// <summary>Creates a client.</summary>
    /// <param name="http">Makes the requests: see <see cref="CreateHttp"/>. It must not follow redirections itself nor decompress,
    /// nor carry a token in its default headers.</param>
    /// <param name="options">Which hub, and how it is asked.</param>
    /// <exception cref="ShadException">The endpoint is no web address, or the token cannot be one.</exception>
    public HubClient(HttpClient http, HubOptions options)
    {
        ArgumentNullException.ThrowIfNull(http);
        ArgumentNullException.ThrowIfNull(options);
        Uri endpoint = options.Endpoint;
        if (!endpoint.IsAbsoluteUri || endpoint.Scheme is not ("http" or "https") || endpoint.Query.Length > 0 || endpoint.Fragment.Length > 0)
            throw HubErrors.BadEndpoint(endpoint.OriginalString);
        if (options.Token is { } token && !token.All(c => c is > ' ' and < '\x7F')) throw HubErrors.BadToken();
        _http = http;
        Options = options;
        _root = endpoint.AbsoluteUri.TrimEnd('/');
    }

    /// <summary>Which hub, and how it is asked.</summary>
    public HubOptions Options { get; }

    /// <summary>Number of requests that were made again, for progress.</summary>
    public int Retried => Volatile.Read(ref _retried);

    /// <summary>An HTTP client as this class needs one.</summary>
    public static HttpClient CreateHttp() => new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        UseCookies = false,
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
    })
    {
        Timeout = Timeout.InfiniteTimeSpan, // a large file takes its time; what counts is that something comes
    };

    /// <summary>The commit a revision means and the files it holds.</summary>
    /// <exception cref="ShadException">There is no such model or revision, it may not be read, or the hub cannot be reached.</exception>
    internal Task<HubListing> ListAsync(HubRepository repository, CancellationToken cancellationToken)
    {
        var uri = new Uri($"{_root}/api/models/{repository.Id}/revision/{Uri.EscapeDataString(repository.Revision)}?blobs=true");
        return Attempts().RunAsync(async () =>
        {
            using HttpResponseMessage response = await SendAsync(HttpMethod.Get, uri, null, cancellationToken).ConfigureAwait(false);
            if (response.StatusCode != HttpStatusCode.OK) throw await FailureOfAsync(response, uri, cancellationToken).ConfigureAwait(false);
            using var content = new MemoryStream();
            await ReadAsync(response, uri, LongestListing + 1, expected: response.Content.Headers.ContentLength, (_, bytes) =>
            {
                content.Write(bytes.Span);
                return ValueTask.CompletedTask;
            }, cancellationToken).ConfigureAwait(false);
            if (content.Length > LongestListing) throw HubErrors.BadAnswer(uri, $"it is longer than {LongestListing} bytes");
            try
            {
                using JsonDocument document = JsonDocument.Parse(content.GetBuffer().AsMemory(0, (int)content.Length));
                return HubListing.Parse(document.RootElement, repository, uri);
            }
            catch (JsonException error)
            {
                throw HubErrors.BadAnswer(uri, "it is not JSON", error);
            }
        }, cancellationToken);
    }

    /// <summary>Asks for the size and hash of a file that the listing says too little of.</summary>
    /// <exception cref="ShadException">The hub does not say, or as for <see cref="ListAsync"/>.</exception>
    internal Task<HubFile> DescribeAsync(HubRepository repository, string commit, string path, CancellationToken cancellationToken)
    {
        Uri uri = AddressOf(repository, commit, path);
        return Attempts().RunAsync(async () =>
        {
            using HttpResponseMessage response = await SendAsync(HttpMethod.Head, uri, null, cancellationToken).ConfigureAwait(false);
            string? tag = HeaderOf(response, "X-Linked-ETag") ?? HeaderOf(response, "ETag");
            bool isLinked = response.Headers.Contains("X-Linked-ETag");
            if (response.StatusCode != HttpStatusCode.OK && !isLinked)
                throw await FailureOfAsync(response, uri, cancellationToken).ConfigureAwait(false);
            string hash = (tag ?? "").Replace("W/", "", StringComparison.Ordinal).Trim('"');
            long? size = long.TryParse(HeaderOf(response, "X-Linked-Size"), out long linked) ? linked
                : isLinked ? null : response.Content.Headers.ContentLength;
            if (size is null or < 0) throw HubErrors.BadAnswer(uri, "it names no size");
            return hash.Length switch
            {
                64 when hash.All(char.IsAsciiHexDigitLower) => new HubFile(path, size.Value, hash, null),
                40 when hash.All(char.IsAsciiHexDigitLower) => new HubFile(path, size.Value, null, hash),
                _ => throw HubErrors.NoHash(uri),
            };
        }, cancellationToken);
    }

    /// <summary>Fetches a range of a file, going on after each interruption where it broke off.</summary>
    /// <param name="repository">The model.</param>
    /// <param name="commit">Its commit.</param>
    /// <param name="file">The file.</param>
    /// <param name="from">First byte.</param>
    /// <param name="to">One past the last byte.</param>
    /// <param name="write">Takes the bytes in order, each with its place in the file.</param>
    /// <param name="cancellationToken">Ends the fetching.</param>
    /// <returns>False where the hub sends whole files only: the range is not there.</returns>
    /// <exception cref="ShadException">The range does not come, after all retries.</exception>
    internal Task<bool> TryFetchRangeAsync(
        HubRepository repository, string commit, HubFile file, long from, long to, Func<long, ReadOnlyMemory<byte>, ValueTask> write,
        CancellationToken cancellationToken)
    {
        Uri uri = AddressOf(repository, commit, file.Path);
        HubAttempts attempts = Attempts();
        long at = from;
        return attempts.RunAsync(async () =>
        {
            var range = new RangeHeaderValue(at, to - 1);
            using HttpResponseMessage response = await SendAsync(HttpMethod.Get, uri, range, cancellationToken).ConfigureAwait(false);
            if (response.StatusCode == HttpStatusCode.OK) return false;
            if (response.StatusCode != HttpStatusCode.PartialContent)
                throw await FailureOfAsync(response, uri, cancellationToken).ConfigureAwait(false);
            ContentRangeHeaderValue? sent = response.Content.Headers.ContentRange;
            if (sent?.Length is { } length && length != file.Size) throw HubErrors.SizeDiffers(uri, length, file.Size);
            if (sent?.From != at || sent.To is not { } last || last >= to)
                throw new PassingHubFailure(HubErrors.BadRange(uri, sent?.ToString() ?? "no Content-Range", $"bytes {at}-{to - 1}"));
            await ReadAsync(response, uri, to - at, to - at, async (_, bytes) =>
            {
                await write(at, bytes).ConfigureAwait(false);
                at += bytes.Length;
                attempts.Gained();
            }, cancellationToken).ConfigureAwait(false);
            return true;
        }, cancellationToken);
    }

    /// <summary>Fetches a whole file in one request, from its beginning after each interruption.</summary>
    /// <param name="repository">The model.</param>
    /// <param name="commit">Its commit.</param>
    /// <param name="file">The file.</param>
    /// <param name="write">Takes the bytes, each with its place in the file; the place falls back to 0 when the file is begun anew.</param>
    /// <param name="cancellationToken">Ends the fetching.</param>
    /// <exception cref="ShadException">The file does not come, after all retries.</exception>
    internal Task FetchWholeAsync(
        HubRepository repository, string commit, HubFile file, Func<long, ReadOnlyMemory<byte>, ValueTask> write,
        CancellationToken cancellationToken)
    {
        Uri uri = AddressOf(repository, commit, file.Path);
        return Attempts().RunAsync(async () =>
        {
            using HttpResponseMessage response = await SendAsync(HttpMethod.Get, uri, null, cancellationToken).ConfigureAwait(false);
            if (response.StatusCode != HttpStatusCode.OK) throw await FailureOfAsync(response, uri, cancellationToken).ConfigureAwait(false);
            if (response.Content.Headers.ContentLength is { } length && length != file.Size)
                throw HubErrors.SizeDiffers(uri, length, file.Size);
            await ReadAsync(response, uri, file.Size, file.Size, write, cancellationToken).ConfigureAwait(false);
            return true;
        }, cancellationToken);
    }

    private HubAttempts Attempts() => new(Options, () => Interlocked.Increment(ref _retried));

    private Uri AddressOf(HubRepository repository, string commit, string path) =>
        new($"{_root}/{repository.Id}/resolve/{commit}/{string.Join('/', path.Split('/').Select(Uri.EscapeDataString))}");

    private static string? HeaderOf(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out IEnumerable<string>? values) ? values.FirstOrDefault() : null;

    private bool IsOfHub(Uri uri) =>
        Uri.Compare(uri, Options.Endpoint, UriComponents.SchemeAndServer, UriFormat.Unescaped, StringComparison.OrdinalIgnoreCase) == 0;

    /// <summary>One request, redirections followed. The answer to HEAD is the first that names a linked file's hash.</summary>
    private async Task<HttpResponseMessage> SendAsync(
        HttpMethod method, Uri uri, RangeHeaderValue? range, CancellationToken cancellationToken)
    {
        Uri at = uri;
        for (int redirects = 0; ; redirects++)
        {
            using var request = new HttpRequestMessage(method, at);
            request.Headers.UserAgent.ParseAdd("shad");
            request.Headers.AcceptEncoding.ParseAdd("identity"); // what is counted and hashed are the file's own bytes
            request.Headers.Range = range;
            if (Options.Token is { } token && IsOfHub(at)) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            HttpResponseMessage response;
            using (var stalled = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken))
            {
                stalled.CancelAfter(Options.StallTimeout);
                try
                {
                    response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stalled.Token).ConfigureAwait(false);
                }
                catch (HttpRequestException error)
                {
                    throw new PassingHubFailure(HubErrors.Unreachable(at, error));
                }
                catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
                {
                    throw new PassingHubFailure(HubErrors.Stalled(at, Options.StallTimeout));
                }
            }

            if ((int)response.StatusCode is not (301 or 302 or 303 or 307 or 308) || response.Headers.Location is not { } location) return response;
            if (method == HttpMethod.Head && response.Headers.Contains("X-Linked-ETag")) return response;
            response.Dispose();
            if (redirects == MostRedirects) throw HubErrors.BadRedirect(uri, $"more than {MostRedirects} times");
            Uri next = location.IsAbsoluteUri ? location : new Uri(at, location);
            if (next.Scheme is not ("http" or "https")) throw HubErrors.BadRedirect(at, $"to an address of the kind '{next.Scheme}'");
            if (at.Scheme == "https" && next.Scheme == "http") throw HubErrors.BadRedirect(at, "from https to http, which anyone may read and change");
            at = next;
        }
    }

    /// <summary>Reads a body, at most so many bytes.</summary>
    /// <param name="response">The answer.</param>
    /// <param name="uri">Its address, for errors.</param>
    /// <param name="limit">Bytes after which reading ends.</param>
    /// <param name="expected">Bytes there must be; null where not known.</param>
    /// <param name="write">Takes the bytes, each with its place in the body.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    private async Task ReadAsync(
        HttpResponseMessage response, Uri uri, long limit, long? expected, Func<long, ReadOnlyMemory<byte>, ValueTask> write,
        CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        long count = 0;
        try
        {
            using Stream body = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
            while (count < limit)
            {
                int read;
                using (var stalled = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken))
                {
                    stalled.CancelAfter(Options.StallTimeout);
                    try
                    {
                        read = await body.ReadAsync(buffer.AsMemory(0, (int)Math.Min(BufferBytes, limit - count)), stalled.Token).ConfigureAwait(false);
                    }
                    catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
                    {
                        throw new PassingHubFailure(HubErrors.Stalled(uri, Options.StallTimeout));
                    }
                    catch (Exception error) when (error is IOException or HttpRequestException)
                    {
                        throw new PassingHubFailure(HubErrors.Cut(uri, (expected ?? limit) - count, error));
                    }
                }

                if (read == 0) break;
                await write(count, buffer.AsMemory(0, read)).ConfigureAwait(false);
                count += read;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        if (count < Math.Min(expected ?? 0, limit)) throw new PassingHubFailure(HubErrors.Cut(uri, expected!.Value - count, null));
    }

    private async Task<Exception> FailureOfAsync(HttpResponseMessage response, Uri uri, CancellationToken cancellationToken)
    {
        string? said = HeaderOf(response, "X-Error-Message") ?? await SaidInBodyAsync(response, cancellationToken).ConfigureAwait(false);
        // Where a redirection led to another host, that host's refusal is of an address whose signature has run out.
        bool isOfHub = response.RequestMessage?.RequestUri is not { } asked || IsOfHub(asked);
        HttpStatusCode status = response.StatusCode;
        switch (status)
        {
            case HttpStatusCode.Unauthorized when isOfHub:
                return HubErrors.Unauthorized(uri, Options.Token is not null, said);
            case HttpStatusCode.Forbidden when isOfHub:
                return HubErrors.Forbidden(uri, said);
            case HttpStatusCode.NotFound:
                return HubErrors.NotFound(uri, said);
            case HttpStatusCode.TooManyRequests:
                return new PassingHubFailure(HubErrors.TooManyRequests(uri), AskedWait(response));
            case HttpStatusCode.RequestTimeout or >= HttpStatusCode.InternalServerError:
                return new PassingHubFailure(HubErrors.Unavailable(uri, status, said), AskedWait(response));
            case HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden:
                return new PassingHubFailure(HubErrors.UnexpectedStatus(uri, status, said));
            default:
                return HubErrors.UnexpectedStatus(uri, status, said);
        }
    }

    private static TimeSpan? AskedWait(HttpResponseMessage response) =>
        response.Headers.RetryAfter is { } after ? after.Delta ?? after.Date - DateTimeOffset.UtcNow : null;

    // {"error": "…"} of the API, where the body is small.
    private async Task<string?> SaidInBodyAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        if (response.Content.Headers.ContentType?.MediaType != "application/json" || response.Content.Headers.ContentLength is not (> 0 and < 4096))
            return null;
        using var stalled = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        stalled.CancelAfter(Options.StallTimeout);
        try
        {
            using JsonDocument document = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync(stalled.Token).ConfigureAwait(false));
            return document.RootElement is { ValueKind: JsonValueKind.Object } root
                && root.TryGetProperty("error", out JsonElement error) && error.ValueKind == JsonValueKind.String ? error.GetString() : null;
        }
        catch (Exception e) when (e is JsonException or HttpRequestException or IOException or InvalidOperationException
            || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return null; // the status says enough
        }
    }
}
