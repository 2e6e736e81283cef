namespace Shad.Models.Hub;

/// <summary>Which hub is asked, and how.</summary>
public sealed record HubOptions
{
    /// <summary>The hub that is asked where none is named.</summary>
    public static readonly Uri DefaultEndpoint = new("https://huggingface.co");

    /// <summary>Checks an address in a user's words.</summary>
    /// <exception cref="Core.Errors.ShadException">It is no web address.</exception>
    public static Uri ParseEndpoint(string address) =>
        Uri.TryCreate(address, UriKind.Absolute, out Uri? endpoint) && endpoint.Scheme is ("http" or "https")
            ? endpoint
            : throw HubErrors.BadEndpoint(address);

    /// <summary>Root address of a hub with Hugging Face's API, <c>http</c> or <c>https</c>.</summary>
    public Uri Endpoint { get; init; } = DefaultEndpoint;

    /// <summary>Access token; null for public models. It is sent to <see cref="Endpoint"/>'s origin and nowhere else.</summary>
    public string? Token { get; init; }

    /// <summary>Most requests under way at once.</summary>
    public int Connections { get; init; } = 8;

    /// <summary>Bytes one request fetches; a file is cut into parts of this length, each kept on its own after an interruption.</summary>
    public long PartBytes { get; init; } = 16 << 20;

    /// <summary>How often in a row a request that brings nothing is made again before the pull fails.</summary>
    public int Retries { get; init; } = 5;

    /// <summary>Wait before the first retry; each further one waits twice as long.</summary>
    public TimeSpan FirstDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Longest wait between retries, also where the hub asks for a longer one.</summary>
    public TimeSpan LongestDelay { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>A connection that brings no byte for so long counts as lost.</summary>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(30);
}
