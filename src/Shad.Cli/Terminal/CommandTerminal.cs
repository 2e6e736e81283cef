using System.Text.Json;
using System.Text.Json.Nodes;
using Shad.Cli.Recipes;
using Shad.Cli.Runs;
using Shad.Core.Errors;
using Spectre.Console;

namespace Shad.Cli.Terminal;

/// <summary>
/// What a command says to people and programs. Progress and errors go to stderr. The result goes to stdout: as tables, or with
/// <c>--json</c> as exactly one JSON object and nothing else.
/// </summary>
internal sealed class CommandTerminal
{
    private readonly TextWriter _out;
    private readonly TextWriter _error;
    private readonly bool _errorIsTerminal;

    /// <param name="output">stdout.</param>
    /// <param name="error">stderr.</param>
    /// <param name="outputIsTerminal">True where a person sees stdout.</param>
    /// <param name="errorIsTerminal">True where a person sees stderr: progress bars instead of lines.</param>
    public CommandTerminal(TextWriter output, TextWriter error, bool outputIsTerminal = false, bool errorIsTerminal = false)
    {
        _out = output;
        _error = error;
        _errorIsTerminal = errorIsTerminal;
        OutConsole = ConsoleFor(output, outputIsTerminal);
        ErrorConsole = ConsoleFor(error, errorIsTerminal);
    }

    /// <summary>The terminal of this process.</summary>
    public static CommandTerminal OfProcess()
    {
        bool dumb = Environment.GetEnvironmentVariable("TERM") == "dumb";
        return new CommandTerminal(
            Console.Out, Console.Error, !Console.IsOutputRedirected && !dumb, !Console.IsErrorRedirected && !dumb);
    }

    /// <summary>stdout as given, for help.</summary>
    public TextWriter Out => _out;

    /// <summary>stderr as given.</summary>
    public TextWriter Error => _error;

    /// <summary>True for <c>--json</c>.</summary>
    public bool Json { get; set; }

    /// <summary>True for <c>--verbose</c>: errors show their stack trace.</summary>
    public bool Verbose { get; set; }

    private IAnsiConsole OutConsole { get; }

    private IAnsiConsole ErrorConsole { get; }

    /// <summary>Does work while its events are shown: as bars where a person watches, as lines elsewhere.</summary>
    public async Task<T> ShowAsync<T>(Func<Action<RunEvent>, Task<T>> work)
    {
        if (!_errorIsTerminal)
        {
            var lines = new ProgressLines(_error);
            return await work(lines.Show).ConfigureAwait(false);
        }

        return await ProgressBars.ShowAsync(ErrorConsole, work).ConfigureAwait(false);
    }

    /// <summary>Shows a result.</summary>
    public void ShowResult(CommandResult result)
    {
        if (Json)
        {
            _out.WriteLine(result.Json.ToJsonString(RunJson.Line));
            _out.Flush();
        }
        else
        {
            result.Draw(OutConsole);
        }
    }

    /// <summary>Shows an error: one message, and with <c>--json</c> an object on stdout too.</summary>
    public void ShowError(string code, string message, Exception? error = null)
    {
        if (Verbose && error is not null) _error.WriteLine(error);
        ErrorConsole.MarkupLineInterpolated($"[red]Error:[/] {message}");
        if (!Json) return;
        var details = new JsonObject { ["code"] = code, ["message"] = message };
        if (error is ShadException known)
        {
            if (known.Where is not null) details["where"] = known.Where;
            if (known.Expected is not null) details["expected"] = known.Expected;
            if (known.Mend is not null) details["mend"] = known.Mend;
            if (known.Data[RecipeErrors.MistakesKey] is string[] mistakes) details["mistakes"] = JsonSerializer.SerializeToNode(mistakes);
        }

        _out.WriteLine(new JsonObject { ["error"] = details }.ToJsonString(RunJson.Line));
        _out.Flush();
    }

    private static IAnsiConsole ConsoleFor(TextWriter writer, bool isTerminal)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(writer),
            Ansi = isTerminal ? AnsiSupport.Detect : AnsiSupport.No,
            Interactive = isTerminal ? InteractionSupport.Detect : InteractionSupport.No,
        });
        // Redirected text is not broken at the width of a terminal that is not there.
        if (!isTerminal) console.Profile.Width = 10_000;
        return console;
    }
}

/// <summary>What a command has found.</summary>
/// <param name="Json">The whole result for programs.</param>
/// <param name="Draw">Shows it to people.</param>
/// <param name="ExitCode">0 where all is well.</param>
internal sealed record CommandResult(JsonObject Json, Action<IAnsiConsole> Draw, int ExitCode = 0);
