using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Shad.Core.Errors;
using Shad.Models.Errors;

namespace Shad.Models.Weights;

/// <summary>
/// The weights of a model folder: one <c>model.safetensors</c>, or the shards that <c>model.safetensors.index.json</c> names, or the
/// changed tensors over those of the base model that <c>shad_base.json</c> names; mapped, not loaded.
/// </summary>
public sealed class ModelWeights : IDisposable
{
    /// <summary>Name of the single weights file.</summary>
    public const string FileName = "model.safetensors";

    /// <summary>Name of the index of a sharded model.</summary>
    public const string IndexFileName = "model.safetensors.index.json";

    private static readonly string[] ForeignWeights = ["*.safetensors", "pytorch_model*.bin", "*.gguf", "*.pth", "*.pt"];

    private static readonly ConcurrentDictionary<(string Path, long Length, DateTime Modified), string> KnownHashes = new();

    private readonly string _folder;
    private readonly List<SafetensorsFile> _files;
    private readonly Dictionary<string, (TensorEntry Entry, SafetensorsFile File)> _tensors = new(StringComparer.Ordinal);

    private ModelWeights(string folder, List<SafetensorsFile> files)
    {
        _folder = folder;
        _files = files;
    }

    /// <summary>The tensors by name.</summary>
    public IReadOnlyDictionary<string, TensorEntry> Tensors { get; private set; } = null!;

    /// <summary>Full paths of the files, in the order of their first tensor.</summary>
    public IReadOnlyList<string> Files => [.. _files.Select(static file => file.Path)];

    /// <summary>The dtype that holds the most bytes: the one to save a tuned model in.</summary>
    public TensorDtype MainDtype => Tensors.Values
        .GroupBy(static tensor => tensor.Dtype)
        .OrderByDescending(static group => group.Sum(static tensor => tensor.ByteLength))
        .Select(static group => group.Key)
        .FirstOrDefault();

    /// <summary>The base model, where only what differs from it is stored in the folder; null for a whole model.</summary>
    public BaseReference? Base { get; private init; }

    /// <summary>Opens the weights of a model folder.</summary>
    /// <exception cref="ShadException">The weights are missing or damaged, the index does not fit its shards, or the base model
    /// is missing or not the one referred to.</exception>
    public static ModelWeights Open(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        folder = Path.GetFullPath(folder);
        if (BaseReference.In(folder) is { } reference) return OpenChanges(folder, reference);
        string single = Path.Combine(folder, FileName);
        if (File.Exists(single)) return OpenSingle(folder, single);
        string index = Path.Combine(folder, IndexFileName);
        if (File.Exists(index)) return OpenSharded(folder, index);
        throw ModelErrors.FileMissing(single, FindForeignWeights(folder));
    }

    /// <summary>A tensor's bytes in the mapping; valid until these weights are disposed.</summary>
    /// <exception cref="ShadException">There is no such tensor, or it is longer than one span can be (2 GiB): see
    /// <see cref="CopyBytes"/>.</exception>
    public ReadOnlySpan<byte> AsSpan(string name) => FileOf(name).AsSpan(name);

    /// <summary>Copies a part of a tensor's bytes, of a tensor of any length.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="byteOffset">First byte to copy, from the start of the tensor.</param>
    /// <param name="destination">Receives <c>destination.Length</c> bytes.</param>
    /// <exception cref="ShadException">There is no such tensor.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The part reaches beyond the tensor.</exception>
    public void CopyBytes(string name, long byteOffset, Span<byte> destination) =>
        FileOf(name).CopyBytes(name, byteOffset, destination);

    /// <summary>Copies a part of a tensor's values as float32, of a tensor of any length.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="first">First value to copy, in row-major order.</param>
    /// <param name="destination">Receives <c>destination.Length</c> values.</param>
    /// <exception cref="ShadException">There is no such tensor.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The part reaches beyond the tensor.</exception>
    public void CopyFloat32(string name, long first, Span<float> destination) => FileOf(name).CopyFloat32(name, first, destination);

    /// <summary>A tensor's values as float32, in row-major order.</summary>
    /// <exception cref="ShadException">There is no such tensor, or it has more elements than an array can hold.</exception>
    public float[] ReadFloat32(string name) => FileOf(name).ReadFloat32(name);

    /// <summary>True where a tensor has the shape and the values of another one, whatever dtypes they are stored in: a bfloat16 tensor
    /// and its widening to float32 are the same. Values are compared by their bits as float32, so that NaN is the same as itself.</summary>
    /// <remarks>Reads as far as the first difference; nothing where both lie at the same place of the same file.</remarks>
    /// <param name="name">The tensor.</param>
    /// <param name="other">The other model's weights.</param>
    /// <param name="otherName">The tensor there.</param>
    /// <exception cref="ShadException">There is no such tensor.</exception>
    public bool HasSameValues(string name, ModelWeights other, string otherName)
    {
        ArgumentNullException.ThrowIfNull(other);
        return FileOf(name).HasSameValues(name, other.FileOf(otherName), otherName);
    }

    /// <summary>SHA-256 of the content of all weight files, whatever their names and places. Reads them whole; remembered for this
    /// process by path, size and time of last change.</summary>
    /// <returns>64 hexadecimal digits.</returns>
    /// <exception cref="ShadException">A file cannot be read.</exception>
    public string ContentHash()
    {
        string[] hashes = [.. _files.Select(static file => HashOf(file.Path)).Order(StringComparer.Ordinal)];
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(string.Join('\n', hashes))));
    }

    /// <summary>Bytes of all weight files and the last change of any.</summary>
    internal (long Bytes, DateTime Modified) Stamp() =>
        (_files.Sum(static file => new FileInfo(file.Path).Length), _files.Max(static file => File.GetLastWriteTimeUtc(file.Path)));

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (SafetensorsFile file in _files) file.Dispose();
    }

    private static ModelWeights OpenSingle(string folder, string path)
    {
        SafetensorsFile file = SafetensorsFile.Open(path);
        var weights = new ModelWeights(folder, [file]);
        foreach ((string name, TensorEntry entry) in file.Tensors) weights._tensors.Add(name, (entry, file));
        weights.Tensors = file.Tensors;
        return weights;
    }

    private static ModelWeights OpenChanges(string folder, BaseReference reference)
    {
        string path = Path.Combine(folder, BaseReference.FileName);
        if (!Directory.Exists(reference.Folder)) throw ModelErrors.BaseMissing(path, reference.Folder);
        if (BaseReference.In(reference.Folder) is not null) throw ModelErrors.BaseOfBase(path, reference.Folder);
        SafetensorsFile changes = SafetensorsFile.Open(Path.Combine(folder, BaseReference.ChangesFileName));
        var weights = new ModelWeights(folder, [changes]) { Base = reference };
        try
        {
            ModelWeights whole = Open(reference.Folder);
            weights._files.AddRange(whole._files);
            reference.Check(whole, folder);
            foreach ((string name, (TensorEntry Entry, SafetensorsFile File) tensor) in whole._tensors) weights._tensors[name] = tensor;
            foreach ((string name, TensorEntry entry) in changes.Tensors) weights._tensors[name] = (entry, changes);
        }
        catch
        {
            weights.Dispose();
            throw;
        }

        weights.Tensors = weights._tensors.ToDictionary(static t => t.Key, static t => t.Value.Entry, StringComparer.Ordinal);
        return weights;
    }

    private static ModelWeights OpenSharded(string folder, string indexPath)
    {
        IReadOnlyDictionary<string, List<string>> shards = ShardIndex.Read(indexPath);
        foreach ((string shardPath, List<string> names) in shards)
        {
            if (!File.Exists(shardPath)) throw ModelErrors.ShardMissing(shardPath, IndexFileName, names.Count);
        }

        var weights = new ModelWeights(folder, []);
        try
        {
            foreach ((string shardPath, List<string> names) in shards)
            {
                SafetensorsFile file = SafetensorsFile.Open(shardPath);
                weights._files.Add(file);
                foreach (string name in names)
                {
                    if (!file.Tensors.TryGetValue(name, out TensorEntry? entry))
                        throw ModelErrors.TensorNotInShard(shardPath, name, IndexFileName);
                    weights._tensors.Add(name, (entry, file));
                }
            }
        }
        catch
        {
            weights.Dispose();
            throw;
        }

        weights.Tensors = weights._tensors.ToDictionary(static t => t.Key, static t => t.Value.Entry, StringComparer.Ordinal);
        return weights;
    }

    private static string HashOf(string path)
    {
        try
        {
            var info = new FileInfo(path);
            var key = (path, info.Length, info.LastWriteTimeUtc);
            if (KnownHashes.TryGetValue(key, out string? known)) return known;
            using FileStream stream = info.Open(new FileStreamOptions { Options = FileOptions.SequentialScan, BufferSize = 0, Share = FileShare.Read | FileShare.Delete });
            return KnownHashes[key] = Convert.ToHexStringLower(SHA256.HashData(stream));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw ModelErrors.CannotRead(path, error);
        }
    }

    private static string? FindForeignWeights(string folder)
    {
        try
        {
            return ForeignWeights.SelectMany(pattern => Directory.EnumerateFiles(folder, pattern)).Select(Path.GetFileName).FirstOrDefault();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>The entry of a tensor.</summary>
    /// <exception cref="ShadException">There is no such tensor.</exception>
    public TensorEntry Find(string name) =>
        Tensors.TryGetValue(name, out TensorEntry? entry) ? entry : throw ModelErrors.TensorUnknown(_folder, name);

    private SafetensorsFile FileOf(string name) =>
        _tensors.TryGetValue(name, out (TensorEntry Entry, SafetensorsFile File) found)
            ? found.File
            : throw ModelErrors.TensorUnknown(_folder, name);
}
