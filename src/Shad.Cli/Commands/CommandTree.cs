using System.CommandLine;
using Shad.Cli.Terminal;

namespace Shad.Cli.Commands;

/// <summary>All commands of <c>shad</c>.</summary>
internal static class CommandTree
{
    /// <summary>The root with everything below it.</summary>
    /// <param name="terminal">Where the commands show what they find.</param>
    public static RootCommand Create(CommandTerminal terminal)
    {
        var root = new RootCommand(
            """
            Finds, token by token, which parts of fine-tuning responses are boilerplate (format that repeats from sample to sample)
            and which carry reasoning (what is specific to the sample), and fine-tunes with the weight where it belongs.

            New here? Run: shad demo
            """)
        {
            DemoCommand.Create(terminal),
            PullCommand.Create(terminal),
            RunCommand.Create(terminal),
            ProbeCommand.Create(terminal),
            ScoreCommand.Create(terminal),
            AnnotateCommand.Create(terminal),
            TuneCommand.Create(terminal),
            MergeCommand.Create(terminal),
            ExportCommand.Create(terminal),
            EvalCommand.Create(terminal),
            ReportCommand.Create(terminal),
            DoctorCommand.Create(terminal),
        };
        root.HelpName = "shad";
        root.Options.Add(new Option<bool>("--json")
        {
            Description = "Print exactly one JSON object to stdout at the end; progress goes to stderr.",
            Recursive = true,
        });
        root.Options.Add(new Option<bool>("--verbose")
        {
            Description = "Show the stack trace of an error.",
            Recursive = true,
        });
        return root;
    }
}
