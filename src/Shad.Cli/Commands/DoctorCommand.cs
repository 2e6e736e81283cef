using System.CommandLine;
using System.Globalization;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.ML.OnnxRuntime;
using Shad.Cli.Runs;
using Shad.Cli.Sidecar;
using Shad.Cli.Terminal;
using Shad.Core.Errors;
using Shad.Core.Samples;
using Shad.Models;
using Shad.Models.Configuration;
using Shad.Onnx.Scoring;
using Shad.Onnx.Sessions;
using Spectre.Console;

namespace Shad.Cli.Commands;

/// <summary><c>shad doctor</c>: what works on this machine.</summary>
internal static class DoctorCommand
{
    public static Command Create(CommandTerminal terminal)
    {
        var command = new Command(
            "doctor",
            """
            Say what works here: native libraries, execution providers, the sidecar, memory, cores, disk. Each is tried, not only
            looked for. Exit code 1 where something needed does not work.
            """);
        command.SetWork(terminal, async (_, cancellationToken) =>
        {
            List<Finding> findings =
            [
                .. MachineFindings(),
                ScoringFinding(),
                CudaFinding(),
                await SidecarFindingAsync(cancellationToken).ConfigureAwait(false),
            ];
            bool healthy = findings.All(finding => finding.Works);
            var json = new JsonObject { ["healthy"] = healthy };
            foreach (Finding finding in findings) json[finding.Key] = finding.Details;
            return new CommandResult(json, console => Draw(console, findings, healthy), healthy ? CommandLine.Success : CommandLine.Failure);
        });
        return command;
    }

    private static IEnumerable<Finding> MachineFindings()
    {
        EnvironmentRecord here = EnvironmentRecord.Current;
        yield return new Finding("versions", "Versions", true, $"shad {here.Shad}, .NET {here.Dotnet}, ONNX Runtime {here.OnnxRuntime}",
            new JsonObject { ["shad"] = here.Shad, ["dotnet"] = here.Dotnet, ["onnx_runtime"] = here.OnnxRuntime });

        List<string> features = [.. CpuFeatures()];
        yield return new Finding("machine", "Machine", true,
            $"{here.System}, {here.Cores} cores{(features.Count == 0 ? "" : $" ({string.Join(", ", features)})")}",
            new JsonObject { ["system"] = here.System, ["cores"] = here.Cores, ["cpu_features"] = JsonSerializer.SerializeToNode(features) });

        long available = AvailableMemory() ?? here.MemoryBytes;
        yield return new Finding("memory", "Memory", true, $"{Gibibytes(available)} of {Gibibytes(here.MemoryBytes)} available",
            new JsonObject { ["total_bytes"] = here.MemoryBytes, ["available_bytes"] = available });

        yield return DiskFinding();
    }

    private static Finding DiskFinding()
    {
        try
        {
            long free = new DriveInfo(Path.GetFullPath(".")).AvailableFreeSpace;
            bool enough = free > 1L << 30;
            return new Finding("disk", "Disk", enough,
                $"{Gibibytes(free)} free in the current folder{(enough ? "" : "; a run needs at least 1 GiB")}",
                new JsonObject { ["free_bytes"] = free });
        }
        catch (Exception e) when (e is IOException or ArgumentException or UnauthorizedAccessException)
        {
            return new Finding("disk", "Disk", true, $"unknown: {e.Message}", new JsonObject { ["free_bytes"] = null });
        }
    }

    /// <summary>Scores with a tiny random model, which shows that the native library loads and computes.</summary>
    private static Finding ScoringFinding()
    {
        string folder = Path.Combine(Path.GetTempPath(), $"shad-doctor-{Guid.NewGuid():N}");
        try
        {
            string[] providers = OrtEnv.Instance().GetAvailableProviders();
            ModelInitializer.Write(folder, TinyModel());
            using ModelFolder model = ModelFolder.Open(folder);
            using ScoringSession session = ScoringSession.Open(model, new ScoringOptions { Device = ComputeDevice.Cpu });
            float loss = session.Score(new TokenizedSample("doctor", [1, 2, 3], [TokenizedSample.IgnoredLabel, 2, 3]))[2];
            // Random weights of this size know nothing: the loss is that of a guess, ln V, to a few hundredths of a nat.
            bool works = Math.Abs(loss - Math.Log(TinyModel().VocabularySize)) < 0.5;
            return new Finding("scoring", "Scoring", works,
                works ? $"ONNX Runtime computes; providers: {string.Join(", ", providers)}" : $"ONNX Runtime computes a loss of {loss}, expected about {Math.Log(TinyModel().VocabularySize):0.00}",
                new JsonObject { ["works"] = works, ["providers"] = JsonSerializer.SerializeToNode(providers) });
        }
#pragma warning disable CA1031 // Whatever does not work here is what this command is to find.
        catch (Exception e)
#pragma warning restore CA1031
        {
            string message = (e.InnerException ?? e).Message;
            return new Finding("scoring", "Scoring", false, message, new JsonObject { ["works"] = false, ["message"] = message });
        }
        finally
        {
            if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>What there is of CUDA. Nothing needs it, so that its absence is no failure; it is said by name.</summary>
    private static Finding CudaFinding()
    {
        CudaReport report = CudaReport.Look();
        return new Finding("cuda", "CUDA", true, report.IsUsable ? string.Join(", ", report.Devices) : $"{report.Obstacle}. {report.Mend}",
            new JsonObject
            {
                ["usable"] = report.IsUsable, ["provider"] = report.Provider, ["obstacle"] = report.Obstacle, ["mend"] = report.Mend,
                ["missing"] = JsonSerializer.SerializeToNode(report.MissingLibraries), ["devices"] = JsonSerializer.SerializeToNode(report.Devices),
                ["driver_cuda"] = report.DriverCuda,
            });
    }

    private static DecoderConfig TinyModel() => new()
    {
        ModelType = "llama", HiddenSize = 16, IntermediateSize = 32, LayerCount = 1, AttentionHeads = 2, KeyValueHeads = 1, HeadSize = 8,
        VocabularySize = 64, ContextLength = 32, NormEpsilon = 1e-5f, Rotary = new RotaryEmbedding(10_000), TiedHead = true,
    };

    private static async Task<Finding> SidecarFindingAsync(CancellationToken cancellationToken)
    {
        try
        {
            string executable = SidecarLocation.Find();
            (int exitCode, string output, string log) =
                await new SidecarProcess(executable).DiagnoseAsync(cancellationToken).ConfigureAwait(false);
            JsonObject? said = ParseLast(output);
            bool works = exitCode == 0 && said is not null;
            string text = works
                ? string.Join(", ", said!.Where(pair => pair.Key != "event" && pair.Value is JsonValue).Select(pair => $"{pair.Key.Replace('_', ' ')} {pair.Value}"))
                : said?["message"]?.ToString() ?? $"exit code {exitCode}: {log.Trim()}";
            JsonObject details = said ?? new JsonObject { ["message"] = text };
            details["works"] = works;
            details["executable"] = executable;
            return new Finding("tuning", "Tuning", works, text, details);
        }
        catch (ShadException e)
        {
            return new Finding("tuning", "Tuning", false, e.Message, new JsonObject { ["works"] = false, ["message"] = e.Message });
        }
    }

    private static JsonObject? ParseLast(string output)
    {
        string? line = output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).LastOrDefault();
        try
        {
            return line is null ? null : JsonNode.Parse(line) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static IEnumerable<string> CpuFeatures()
    {
        if (Avx2.IsSupported) yield return "AVX2";
        if (Fma.IsSupported) yield return "FMA";
        if (Avx512F.IsSupported) yield return "AVX-512";
        if (AvxVnni.IsSupported) yield return "AVX-VNNI";
        if (AdvSimd.IsSupported) yield return "NEON";
        if (Dp.IsSupported) yield return "DotProd";
    }

    /// <summary>Memory that can be had without swapping, bytes; null where the system does not say.</summary>
    private static long? AvailableMemory()
    {
        const string file = "/proc/meminfo";
        if (!File.Exists(file)) return null;
        string? line = File.ReadLines(file).FirstOrDefault(line => line.StartsWith("MemAvailable:", StringComparison.Ordinal));
        string? kibibytes = line?.Split(' ', StringSplitOptions.RemoveEmptyEntries).ElementAtOrDefault(1);
        return long.TryParse(kibibytes, CultureInfo.InvariantCulture, out long value) ? value << 10 : null;
    }

    private static string Gibibytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 30):0.0} GiB");

    private static void Draw(IAnsiConsole console, IReadOnlyList<Finding> findings, bool healthy)
    {
        foreach (Finding finding in findings)
            console.MarkupLineInterpolated($"{(finding.Works ? "ok     " : "FAILED ")} {finding.Title}: {finding.Text}");
        console.MarkupLineInterpolated($"{(healthy ? "Everything needed works." : "Something needed does not work.")}");
    }

    /// <summary>One thing that was tried.</summary>
    private sealed record Finding(string Key, string Title, bool Works, string Text, JsonObject Details);
}
