using Shad.Core.Errors;
using Shad.Models;
using Spectre.Console;

namespace Shad.Cli.Commands;

/// <summary>Finds inputs that cannot be used before any work begins.</summary>
internal static class InputCheck
{
    /// <summary>Checks a model folder: config and headers of the weights, not their values.</summary>
    /// <exception cref="ShadException">It is none, or damaged, or not supported.</exception>
    public static void Model(string folder) => ModelFolder.Open(folder).Dispose();

    /// <summary>Checks files.</summary>
    /// <exception cref="ShadException">One is not there.</exception>
    public static void Files(IEnumerable<string> files)
    {
        foreach (string file in files)
        {
            if (!File.Exists(file)) throw CommandErrors.FileMissing(file);
        }
    }
}

/// <summary>Plain lines.</summary>
internal static class Lines
{
    /// <summary>Writes a line as it is: no markup, no breaks at the terminal's width.</summary>
    public static void Write(IAnsiConsole console, string text) => console.Profile.Out.Writer.WriteLine(text);
}
