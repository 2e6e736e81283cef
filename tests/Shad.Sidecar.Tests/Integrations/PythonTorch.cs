using System.Diagnostics;

namespace Shad.Sidecar.Tests.Integrations;

/// <summary>A Python with torch, if this machine has one.</summary>
internal static class PythonTorch
{
    private static readonly string[] Candidates = ["python3", "/usr/bin/python3"];

    private static readonly Lazy<string?> Interpreter = new(static () => Candidates.FirstOrDefault(static candidate => Start(candidate, ["-c", "import torch"]).ExitCode == 0));

    /// <summary>Runs a file of <c>scripts/integrations/tests</c>, which must succeed; the test is ignored where there is no torch.</summary>
    /// <returns>What it has printed.</returns>
    public static string Run(string file, params IEnumerable<string> arguments)
    {
        if (Interpreter.Value is not { } python)
        {
            Assert.Ignore($"Neither {string.Join(" nor ", Candidates)} has torch (Debian: apt-get install python3-torch).");
            return "";
        }

        var (exitCode, output, error) = Start(python, [Path.Combine(Folder(), file), .. arguments]);
        Assert.That(exitCode, Is.Zero, $"{output}\n{error}");
        return output;
    }

    private static string Folder()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Shad.Onnx.sln")))
                return Path.Combine(folder.FullName, "scripts", "integrations", "tests");
        }

        throw new InvalidOperationException("The tests do not lie in the project's tree.");
    }

    private static (int ExitCode, string Output, string Error) Start(string python, IEnumerable<string> arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(python, arguments)
            {
                RedirectStandardOutput = true, RedirectStandardError = true,
                Environment = { ["OMP_NUM_THREADS"] = "1", ["PYTHONDONTWRITEBYTECODE"] = "1" },
            })!;
            var error = process.StandardError.ReadToEndAsync();
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return (process.ExitCode, output, error.Result);
        }
        catch (System.ComponentModel.Win32Exception missing)
        {
            return (-1, "", missing.Message);
        }
    }
}
