using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Shad.Cli.Runs;
using Shad.Cli.Stages;
using Shad.Cli.Terminal;
using Shad.Models.Hub;

namespace Shad.Cli.Commands;

/// <summary><c>shad pull</c>: a model from a hub.</summary>
internal static class PullCommand
{
    private const string EndpointVariable = "HF_ENDPOINT";
    private const string TokenVariable = "HF_TOKEN";

    public static Command Create(CommandTerminal terminal)
    {
        var model = new Argument<string>("ORG/MODEL") { Description = "Name of the model on the hub." };
        var revision = new Option<string>("--revision")
        {
            Description = "Branch, tag or commit.",
            HelpName = "REV",
            DefaultValueFactory = _ => HubRepository.DefaultRevision,
        };
        var output = new Option<string?>("--out", "-o") { Description = "Model folder to make. Default: models/MODEL.", HelpName = "DIR" };
        var include = new Option<string[]>("--include")
        {
            Description = "Further files to pull: names, or patterns with * and ?. May be given several times.",
            HelpName = "PATTERN",
            AllowMultipleArgumentsPerToken = true,
        };
        var endpoint = new Option<string?>("--endpoint")
        {
            Description = $"Address of the hub. Default: the environment's {EndpointVariable}, else {HubOptions.DefaultEndpoint.AbsoluteUri.TrimEnd('/')}.",
            HelpName = "URL",
        };
        Option<int?> connections = BoundedOption.Of(
            "--connections", string.Create(CultureInfo.InvariantCulture, $"Most requests at once. Default: {new HubOptions().Connections}."), 1, 64);
        var command = new Command(
            "pull",
            $"""
            Fetch a model from a Hugging Face-compatible hub: config, safetensors, tokenizer, chat template, licence. Each file is
            checked by its hash; the folder appears when all is there. Interrupted, the same command goes on where it stopped; done,
            it does nothing. A token for private or gated models is taken from the environment's {TokenVariable}.
            """)
        {
            model, revision, output, include, endpoint, connections,
        };
        command.SetWork(terminal, async (parse, cancellationToken) =>
        {
            HubRepository repository = HubRepository.Parse(parse.GetRequiredValue(model), parse.GetRequiredValue(revision));
            string? address = parse.GetValue(endpoint) ?? Variable(EndpointVariable);
            var options = new HubOptions { Token = Variable(TokenVariable) };
            if (address is not null) options = options with { Endpoint = HubOptions.ParseEndpoint(address) };
            if (parse.GetValue(connections) is { } count) options = options with { Connections = count };
            var request = new PullRequest(repository, parse.GetValue(output) ?? Path.Combine("models", repository.Name))
            {
                Include = parse.GetValue(include) ?? [],
            };

            using HttpClient http = HubClient.CreateHttp();
            var pull = new ModelPull(new HubClient(http, options));
            long started = Stopwatch.GetTimestamp();
            PullResult result = await terminal.ShowAsync(observe => StageRun.ShowAsync(
                "pull", $"Fetch {repository.Id} at {repository.Revision} from {options.Endpoint.Authority}", observe,
                context => pull.RunAsync(
                    request, progress => Show(context, progress), problem => context.Warn("pull.unsupported", $"This model cannot be used here yet: {problem}"),
                    cancellationToken))).ConfigureAwait(false);
            return ResultOf(result, Stopwatch.GetElapsedTime(started));
        });
        return command;
    }

    private static string? Variable(string name) =>
        Environment.GetEnvironmentVariable(name)?.Trim() is { Length: > 0 } value ? value : null;

    private static void Show(WorkContext context, PullProgress progress)
    {
        string retried = progress.Retried == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $" · {progress.Retried} retries");
        string detail = string.Create(
            CultureInfo.InvariantCulture, $"{progress.BytesPerSecond / 1e6:0.0} MB/s · {progress.Files}/{progress.TotalFiles} files{retried}");
        context.Progress(
            Math.Round(progress.Bytes / 1e6, 1), Math.Round(progress.TotalBytes / 1e6, 1), "MB", secondsLeft: progress.SecondsLeft, detail: detail);
    }

    private static CommandResult ResultOf(PullResult result, TimeSpan elapsed)
    {
        PullLock held = result.Lock;
        long bytes = held.Files.Sum(file => file.Size);
        var json = new JsonObject
        {
            ["model"] = result.Folder,
            ["repository"] = held.Repository,
            ["revision"] = held.Revision,
            ["commit"] = held.Commit,
            ["unchanged"] = result.Unchanged,
            ["files"] = held.Files.Count,
            ["bytes"] = bytes,
            ["fetched_files"] = result.FetchedFiles,
            ["fetched_bytes"] = result.FetchedBytes,
            ["supported"] = result.Problem is null,
            ["problem"] = result.Problem,
            ["seconds"] = Math.Round(elapsed.TotalSeconds, 3),
        };
        return new CommandResult(json, console => Lines.Write(console, result.Unchanged
            ? $"{held.Repository} at {held.Commit[..12]} is here already, nothing fetched: {result.Folder}"
            : string.Create(
                CultureInfo.InvariantCulture,
                $"{held.Repository} at {held.Commit[..12]}: {held.Files.Count} files, {bytes / 1e6:N1} MB, checked: {result.Folder}")));
    }
}
