using System.Globalization;
using System.Runtime.InteropServices;
using Shad.Core.Errors;
using Shad.Models.Weights;
using Shad.Sidecar.Modules;
using Shad.Sidecar.Tuning;
using TorchSharp;
using static TorchSharp.torch;

namespace Shad.Sidecar.Checkpoints;

/// <summary>
/// The state of a tune between two steps, in one file: tuned values and both moments in float32, the number of steps done and the
/// identity of the tune. The order of the samples follows from the seed and the step (<see cref="SampleOrder"/>) and nothing else
/// is random, so a resumed tune ends bit for bit where an uninterrupted one does (same machine, same number of threads).
/// </summary>
/// <param name="folder">Folder of the checkpoints; made when the first is written.</param>
/// <param name="identity">Identity of the tune (<see cref="TunePlan.Identity"/>).</param>
public sealed class TuneCheckpoint(string folder, string identity)
{
    private const string Prefix = "step-", Suffix = ".safetensors";
    private const string ValuesName = "values", FirstMomentName = "first_moment", SecondMomentName = "second_moment";

    /// <summary>The newest checkpoint written or read; null where there is none.</summary>
    public string? Newest { get; private set; }

    /// <summary>
    /// Restores the newest checkpoint of this tune. Checkpoints of other tunes and broken ones are passed over with a warning.
    /// </summary>
    /// <param name="parameters">Gets the values.</param>
    /// <param name="optimizer">Gets the moments.</param>
    /// <param name="warn">Told what was passed over: a code and a text.</param>
    /// <returns>Steps done; 0 where there is no checkpoint.</returns>
    public int Restore(DecoderParameters parameters, AdamW optimizer, Action<string, string> warn)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(optimizer);
        ArgumentNullException.ThrowIfNull(warn);
        foreach (string path in Existing())
        {
            try
            {
                using var file = SafetensorsFile.Open(path);
                if (!file.Metadata.TryGetValue("identity", out string? found) || found != identity)
                {
                    warn("tune.checkpoint_of_other_job", $"{path}: this checkpoint belongs to another job or other data; it is not used.");
                    continue;
                }

                int steps = int.Parse(file.Metadata["steps_done"], CultureInfo.InvariantCulture);
                Check(file, parameters.TunedCount);
                Read(file, ValuesName, parameters.Values);
                Read(file, FirstMomentName, optimizer.FirstMoment);
                Read(file, SecondMomentName, optimizer.SecondMoment);
                parameters.RefreshHalf();
                Newest = path;
                return steps;
            }
            catch (Exception broken) when (broken is ShadException or FormatException or KeyNotFoundException)
            {
                warn("tune.checkpoint_broken", $"{path}: this checkpoint cannot be read and is not used ({broken.Message})");
            }
        }

        return 0;
    }

    /// <summary>Writes the state, then removes this tune's older checkpoints.</summary>
    /// <exception cref="ShadException">It cannot be written, as on a full disk; older checkpoints are kept.</exception>
    public void Write(DecoderParameters parameters, AdamW optimizer, int stepsDone)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(optimizer);
        string path = Path.Combine(folder, $"{Prefix}{stepsDone:D8}{Suffix}");
        TensorToWrite State(string name, Tensor tensor) =>
            new(name, TensorDtype.Float32, tensor.shape, stream => TensorMemory.Write(tensor, float32, stream));

        SafetensorsWriter.Write(
            path,
            [
                State(ValuesName, parameters.Values), State(FirstMomentName, optimizer.FirstMoment),
                State(SecondMomentName, optimizer.SecondMoment),
            ],
            new Dictionary<string, string>
            {
                ["identity"] = identity,
                ["steps_done"] = stepsDone.ToString(CultureInfo.InvariantCulture),
            });
        string? older = Newest;
        Newest = path;
        if (older is not null && older != path) File.Delete(older);
    }

    /// <summary>Removes this tune's checkpoint, and the folder if nothing else is in it: the tune has ended.</summary>
    public void Remove()
    {
        if (Newest is not null) File.Delete(Newest);
        Newest = null;
        if (Directory.Exists(folder) && !Directory.EnumerateFileSystemEntries(folder).Any()) Directory.Delete(folder);
    }

    private IEnumerable<string> Existing() => Directory.Exists(folder)
        ? Directory.EnumerateFiles(folder, Prefix + "*" + Suffix).OrderDescending(StringComparer.Ordinal)
        : [];

    // Before anything is read, so that a checkpoint is restored whole or not at all.
    private static void Check(SafetensorsFile file, long count)
    {
        foreach (string name in (string[])[ValuesName, FirstMomentName, SecondMomentName])
        {
            if (!file.Tensors.TryGetValue(name, out var entry))
                throw new FormatException($"it has no tensor '{name}'");
            if (entry.Dtype != TensorDtype.Float32 || entry.Shape is not [var length] || length != count)
                throw new FormatException($"tensor '{name}' is not {count} values of float32");
        }
    }

    private static void Read(SafetensorsFile file, string name, Tensor target)
    {
        const int piece = 1 << 20;
        using var quiet = no_grad();
        var buffer = new float[piece];
        long count = target.numel();
        for (long start = 0; start < count; start += piece)
        {
            var values = buffer.AsSpan(0, (int)Math.Min(piece, count - start));
            file.CopyBytes(name, start * sizeof(float), MemoryMarshal.AsBytes(values));
            using var slice = target.narrow(0, start, values.Length);
            TensorMemory.Write(slice, values);
        }
    }
}
