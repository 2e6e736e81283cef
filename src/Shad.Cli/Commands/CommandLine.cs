using System.CommandLine;
using System.CommandLine.Invocation;
using Shad.Cli.Recipes;
using Shad.Cli.Terminal;
using Shad.Core.Errors;

namespace Shad.Cli.Commands;

/// <summary>From the command line to an exit code.</summary>
internal static class CommandLine
{
    /// <summary>Exit code of a command that did what it was asked.</summary>
    public const int Success = 0;

    /// <summary>Exit code of a command that failed.</summary>
    public const int Failure = 1;

    /// <summary>Exit code of a command line that makes no sense.</summary>
    public const int Usage = 2;

    /// <summary>Exit code after Ctrl-C or SIGTERM.</summary>
    public const int Interrupted = 130;

    /// <summary>Runs the command that the arguments name.</summary>
    public static async Task<int> RunAsync(string[] args, CommandTerminal terminal, CancellationToken cancellationToken)
    {
        RootCommand root = CommandTree.Create(terminal);
        ParseResult parse = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        // Read from the arguments, so that an error elsewhere in them is shown the way that was asked for.
        terminal.Json = args.Contains("--json");
        terminal.Verbose = args.Contains("--verbose");

        if (args.Length == 0)
        {
            await root.Parse(["--help"]).InvokeAsync(
                new InvocationConfiguration { Output = terminal.Error }, CancellationToken.None).ConfigureAwait(false);
            return Usage;
        }

        if (parse.Errors.Count > 0 && parse.Action is ParseErrorAction or null)
        {
            string command = CommandPath(parse);
            // A command that is not known is also reported as a missing one; that says nothing more.
            IEnumerable<string> errors = parse.Errors
                .Select(error => string.Join(' ', error.Message.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)).TrimEnd('.') + ".")
                .Distinct();
            if (parse.UnmatchedTokens.Count > 0) errors = errors.Where(error => error != "Required command was not provided.");
            string message = string.Join(" ", errors) + Suggestion(parse);
            terminal.ShowError("usage", $"{message} See: {command} --help");
            return Usage;
        }

        return await parse.InvokeAsync(
            new InvocationConfiguration
            {
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,
                Output = terminal.Out,
                Error = terminal.Error,
            },
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Gives a command its work: the result is shown, an exception becomes one message and an exit code.</summary>
    public static void SetWork(
        this Command command, CommandTerminal terminal, Func<ParseResult, CancellationToken, Task<CommandResult>> work) =>
        command.SetAction(async (parse, cancellationToken) =>
        {
            try
            {
                CommandResult result = await work(parse, cancellationToken).ConfigureAwait(false);
                terminal.ShowResult(result);
                return result.ExitCode;
            }
            catch (OperationCanceledException e)
            {
                terminal.ShowError("interrupted", "Interrupted. Nothing half-written remains.", e);
                return Interrupted;
            }
            catch (ShadException e)
            {
                terminal.ShowError(e.Code, e.Message, e);
                return Failure;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                terminal.ShowError("file.failed", e.Message, e);
                return Failure;
            }
#pragma warning disable CA1031 // The last resort: a person gets a message, not a stack trace.
            catch (Exception e)
#pragma warning restore CA1031
            {
                string hint = terminal.Verbose ? "" : " Run again with --verbose to see where.";
                terminal.ShowError("internal", $"This should not have happened: {e.Message}{hint}", e);
                return Failure;
            }
        });

    private static string Suggestion(ParseResult parse)
    {
        Command command = parse.CommandResult.Command;
        IEnumerable<string> known = command.Subcommands.Select(subcommand => subcommand.Name)
            .Concat(command.Options.Select(option => option.Name));
        return parse.UnmatchedTokens.Select(token => NearestName.Of(token, known)).FirstOrDefault(name => name is not null) is { } nearest
            ? $" Did you mean '{nearest}'?"
            : "";
    }

    private static string CommandPath(ParseResult parse)
    {
        string name = parse.CommandResult.Command is RootCommand ? "" : $" {parse.CommandResult.Command.Name}";
        return "shad" + name;
    }
}
