using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Shad.Core.Errors;
using Shad.Models.Weights;
using Shad.Sidecar.Modules;
using Shad.Sidecar.Tuning;
using TorchSharp;
using static TorchSharp.torch;

namespace Shad.Sidecar.Checkpoints;

/// <summary>
/// The state of a tune between two steps, in one file: tuned values and both moments in float32, what early stopping knows, the number
/// of steps done and the identity of the tune. The order of the samples (<see cref="SampleOrder"/>) and dropout
/// (<see cref="StepDropout"/>) follow from the seed and the step, and nothing else is random, so a resumed tune ends bit for bit where
/// an uninterrupted one does (same machine, same number of threads).
/// </summary>
/// <remarks>
/// A file appears whole or not at all, and holds the SHA-256 of its content: one that a disk has damaged is found out and the one before
/// it is used.
/// </remarks>
/// <param name="folder">Folder of the checkpoints; made when the first is written.</param>
/// <param name="identity">Identity of the tune (<see cref="TunePlan.Identity"/>).</param>
/// <param name="kept">Checkpoints kept, at least 1.</param>
public sealed class TuneCheckpoint(string folder, string identity, int kept)
{
    private const string Prefix = "step-", Suffix = ".safetensors";
    private const string ValuesName = "values", FirstMomentName = "first_moment", SecondMomentName = "second_moment", BestName = "best";
    private const string IdentityKey = "identity", StepsKey = "steps_done", DigestKey = "sha256";

    private readonly SortedSet<string> _own = new(StringComparer.Ordinal);
    private readonly List<string> _ownBroken = [];

    /// <summary>The newest checkpoint written or read; null where there is none.</summary>
    public string? Newest { get; private set; }

    /// <summary>Checkpoints that were found damaged.</summary>
    public int BrokenCount { get; private set; }

    /// <summary>
    /// Restores the newest sound checkpoint of this tune. Those of other tunes and damaged ones are passed over with a warning.
    /// </summary>
    /// <param name="parameters">Gets the values.</param>
    /// <param name="optimizer">Gets the moments.</param>
    /// <param name="stopping">Gets what was measured.</param>
    /// <param name="warn">Told what was passed over: a code and a text.</param>
    /// <returns>Steps done; 0 where there is no checkpoint.</returns>
    public int Restore(DecoderParameters parameters, AdamW optimizer, EarlyStopping stopping, Action<string, string> warn)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(optimizer);
        ArgumentNullException.ThrowIfNull(stopping);
        ArgumentNullException.ThrowIfNull(warn);
        if (!Directory.Exists(folder)) return 0;
        // What a process that was killed while writing has left.
        foreach (string unfinished in Directory.EnumerateFiles(folder, Prefix + "*" + Suffix + ".*.tmp")) File.Delete(unfinished);

        int steps = 0;
        foreach (string path in Directory.EnumerateFiles(folder, Prefix + "*" + Suffix).OrderDescending(StringComparer.Ordinal))
        {
            bool isOwn = false;
            try
            {
                using var file = SafetensorsFile.Open(path);
                if (!file.Metadata.TryGetValue(IdentityKey, out string? found) || found != identity)
                {
                    warn("tune.checkpoint_of_other_job", $"{path}: this checkpoint belongs to another job or other data; it is not used.");
                    continue;
                }

                isOwn = true;
                if (Newest is null)
                {
                    steps = Read(file, parameters, optimizer, stopping);
                    Newest = path;
                }

                _own.Add(path);
            }
            catch (Exception broken) when (broken is ShadException or FormatException or KeyNotFoundException)
            {
                BrokenCount++;
                if (isOwn) _ownBroken.Add(path);
                warn(
                    "tune.checkpoint_broken",
                    $"{path}: this checkpoint is damaged and not used; the one before it is, if there is one ({broken.Message})");
            }
        }

        return steps;
    }

    /// <summary>Writes the state, then removes this tune's checkpoints beyond those to be kept.</summary>
    /// <exception cref="ShadException">It cannot be written, as on a full disk; older checkpoints are kept.</exception>
    public void Write(DecoderParameters parameters, AdamW optimizer, EarlyStopping stopping, int stepsDone)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(optimizer);
        ArgumentNullException.ThrowIfNull(stopping);
        string path = Path.Combine(folder, $"{Prefix}{stepsDone:D8}{Suffix}");
        List<(string Name, Tensor Tensor)> tensors =
            [(ValuesName, parameters.Values), (FirstMomentName, optimizer.FirstMoment), (SecondMomentName, optimizer.SecondMoment)];
        if (stopping.BestValues is { } best) tensors.Add((BestName, best));
        var metadata = new Dictionary<string, string>(stopping.State)
        {
            [IdentityKey] = identity,
            [StepsKey] = stepsDone.ToString(CultureInfo.InvariantCulture),
        };
        metadata[DigestKey] = Digest(metadata, stream =>
        {
            foreach (var (_, tensor) in tensors) TensorMemory.Write(tensor, float32, stream);
        });
        SafetensorsWriter.Write(
            path,
            tensors.Select(static item => new TensorToWrite(
                item.Name, TensorDtype.Float32, item.Tensor.shape, stream => TensorMemory.Write(item.Tensor, float32, stream))),
            metadata);
        Newest = path;
        _ownBroken.Remove(path);
        _own.Add(path);
        foreach (string broken in _ownBroken) File.Delete(broken);
        _ownBroken.Clear();
        while (_own.Count > kept)
        {
            File.Delete(_own.Min!);
            _own.Remove(_own.Min!);
        }
    }

    /// <summary>Removes this tune's checkpoints, and the folder if nothing else is in it: the tune has ended.</summary>
    public void Remove()
    {
        foreach (string path in _own.Concat(_ownBroken)) File.Delete(path);
        _own.Clear();
        _ownBroken.Clear();
        Newest = null;
        if (Directory.Exists(folder) && !Directory.EnumerateFileSystemEntries(folder).Any()) Directory.Delete(folder);
    }

    private static int Read(SafetensorsFile file, DecoderParameters parameters, AdamW optimizer, EarlyStopping stopping)
    {
        List<(string Name, Tensor Tensor)> targets =
            [(ValuesName, parameters.Values), (FirstMomentName, optimizer.FirstMoment), (SecondMomentName, optimizer.SecondMoment)];
        if (stopping.BestValues is { } best) targets.Add((BestName, best));
        // All is checked before anything is read, so that a checkpoint is restored whole or not at all.
        foreach (var (name, _) in targets)
        {
            if (!file.Tensors.TryGetValue(name, out var entry))
                throw new FormatException($"it has no tensor '{name}'");
            if (entry.Dtype != TensorDtype.Float32 || entry.Shape is not [var length] || length != parameters.TunedCount)
                throw new FormatException($"tensor '{name}' is not {parameters.TunedCount} values of float32");
        }

        string digest = Digest(file.Metadata, stream =>
        {
            foreach (var (name, _) in targets) Pieces(file, name, (_, values) => stream.Write(MemoryMarshal.AsBytes(values)));
        });
        if (digest != file.Metadata[DigestKey]) throw new FormatException("its content does not fit its SHA-256");
        int steps = int.Parse(file.Metadata[StepsKey], CultureInfo.InvariantCulture);
        stopping.Restore(file.Metadata);
        using var quiet = no_grad();
        foreach (var (name, tensor) in targets)
        {
            Pieces(file, name, (start, values) =>
            {
                using var slice = tensor.narrow(0, start, values.Length);
                TensorMemory.Write(slice, values);
            });
        }

        parameters.RefreshHalf();
        return steps;
    }

    /// <summary>SHA-256 of the metadata, but for the digest itself, and of the tensors' bytes.</summary>
    private static string Digest(IReadOnlyDictionary<string, string> metadata, Action<Stream> writeTensors)
    {
        using var sha = SHA256.Create();
        using (var stream = new CryptoStream(Stream.Null, sha, CryptoStreamMode.Write))
        {
            foreach (var (key, value) in metadata.OrderBy(static pair => pair.Key, StringComparer.Ordinal))
                if (key is not (DigestKey or "format")) stream.Write(Encoding.UTF8.GetBytes($"{key}={value}\n"));
            writeTensors(stream);
        }

        return Convert.ToHexStringLower(sha.Hash!);
    }

    private static void Pieces(SafetensorsFile file, string name, PieceAction act)
    {
        const int piece = 1 << 20;
        var buffer = new float[piece];
        long count = file.Tensors[name].ElementCount;
        for (long start = 0; start < count; start += piece)
        {
            var values = buffer.AsSpan(0, (int)Math.Min(piece, count - start));
            file.CopyBytes(name, start * sizeof(float), MemoryMarshal.AsBytes(values));
            act(start, values);
        }
    }

    private delegate void PieceAction(long start, ReadOnlySpan<float> values);
}
