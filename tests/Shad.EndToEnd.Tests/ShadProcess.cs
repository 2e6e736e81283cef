using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Shad.EndToEnd.Tests;

/// <summary>A run of the program as a process of its own.</summary>
internal sealed class ShadProcess : IDisposable
{
    private readonly Process _process;
    private readonly Task<string> _output;
    private readonly Task<string> _error;

    private ShadProcess(Process process)
    {
        _process = process;
        _output = process.StandardOutput.ReadToEndAsync();
        _error = process.StandardError.ReadToEndAsync();
    }

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    public static ShadProcess Start(params IEnumerable<string> args) => new(Process.Start(new ProcessStartInfo(Build.Shad, args)
    {
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    })!);

    public static async Task<ShadResult> RunAsync(params IEnumerable<string> args)
    {
        using ShadProcess shad = Start(args);
        return await shad.EndAsync();
    }

    /// <summary>Runs a command with <c>--json</c> that must succeed.</summary>
    public static async Task<JsonObject> JsonAsync(params IEnumerable<string> args)
    {
        ShadResult result = await RunAsync([.. args, "--json"]);
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        return result.Json;
    }

    public void Kill() => _process.Kill();

    public async Task<ShadResult> EndAsync()
    {
        await _process.WaitForExitAsync();
        return new ShadResult(_process.ExitCode, await _output, await _error);
    }

    public void Dispose() => _process.Dispose();
}

/// <summary>What a run has said.</summary>
internal sealed record ShadResult(int ExitCode, string Output, string Error)
{
    /// <summary>stdout as the one JSON object it must be.</summary>
    public JsonObject Json => JsonNode.Parse(Output)!.AsObject();
}
