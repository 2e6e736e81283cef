using System.Text.Json.Nodes;
using Shad.Cli.Commands;
using Shad.Cli.Terminal;

namespace Shad.Cli.Tests.Commands;

/// <summary>Runs the command line in this process.</summary>
internal static class ShadProgram
{
    public static async Task<ShadOutput> RunAsync(params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        int exitCode = await CommandLine.RunAsync(args, new CommandTerminal(output, error), CancellationToken.None);
        return new ShadOutput(exitCode, output.ToString(), error.ToString());
    }
}

/// <summary>What a command has said.</summary>
internal sealed record ShadOutput(int ExitCode, string Output, string Error)
{
    /// <summary>stdout as the one JSON object it must be.</summary>
    public JsonObject Json()
    {
        string[] lines = Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(lines, Has.Length.EqualTo(1), "one line on stdout");
        return JsonNode.Parse(lines[0])!.AsObject();
    }
}
