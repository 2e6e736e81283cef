using Shad.Core.Errors;
using Shad.Models.Configuration;
using Shad.Models.Errors;
using Shad.Models.Weights;

namespace Shad.Models;

/// <summary>Writes model folders, whole or not at all.</summary>
public static class ModelFolderWriter
{
    /// <summary>Writes a model folder: under a temporary name beside it, renamed when whole.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="config">What the model is.</param>
    /// <param name="tensors">Its tensors; checked against <see cref="TensorLayout.Expected"/> before anything is written.</param>
    /// <param name="dtype">The dtype to name in <c>config.json</c>.</param>
    /// <param name="companionsFrom">Model folder whose tokenizer, chat template and generation settings are copied; null for
    /// none.</param>
    /// <param name="replace">True replaces an existing folder; false refuses one that is not empty.</param>
    /// <param name="metadata">Free text for the weights file.</param>
    /// <param name="addTo">Writes further files into the folder, given its temporary path; null for none.</param>
    /// <exception cref="ShadException">The folder exists, the tensors do not fit the config, the config cannot be expressed, or
    /// the disk refuses.</exception>
    public static void Write(
        string path,
        DecoderConfig config,
        IEnumerable<TensorToWrite> tensors,
        TensorDtype dtype,
        string? companionsFrom = null,
        bool replace = false,
        IReadOnlyDictionary<string, string>? metadata = null,
        Action<string>? addTo = null)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        path = CheckTarget(path, replace);
        TensorToWrite[] all = [.. tensors];
        TensorLayout.Check(config, all.Select(static tensor => (tensor.Name, tensor.Shape)), path);
        WriteWhole(path, temporary =>
        {
            DecoderConfigWriter.Write(Path.Combine(temporary, DecoderConfigReader.FileName), config, dtype);
            if (companionsFrom is not null) ModelFolder.CopyCompanions(companionsFrom, temporary);
            SafetensorsWriter.Write(Path.Combine(temporary, ModelWeights.FileName), all, metadata);
            addTo?.Invoke(temporary);
        });
    }

    /// <summary>
    /// Writes a model as what it changes in another one: its changed tensors and a reference to the other (<see cref="BaseReference"/>),
    /// with a config, tokenizer and chat template of its own. It opens like a whole model as long as the other is where it was.
    /// </summary>
    /// <param name="path">The folder.</param>
    /// <param name="model">The model that is changed. Where it is itself stored as changes, the new folder refers to its base, and
    /// its changes that are not changed again are copied.</param>
    /// <param name="changed">The changed tensors, of the names and shapes the model has.</param>
    /// <param name="replace">As for <see cref="Write"/>.</param>
    /// <param name="metadata">Free text for the weights file.</param>
    /// <exception cref="ShadException">As for <see cref="Write"/>.</exception>
    public static void WriteChanges(
        string path,
        ModelFolder model,
        IEnumerable<TensorToWrite> changed,
        bool replace = false,
        IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(changed);
        path = CheckTarget(path, replace);
        var all = changed.ToDictionary(static tensor => tensor.Name, StringComparer.Ordinal);
        IEnumerable<(string Name, long[] Shape)> merged = model.Weights.Tensors.Values
            .Where(tensor => !all.ContainsKey(tensor.Name)).Select(static tensor => (tensor.Name, tensor.Shape))
            .Concat(all.Values.Select(static tensor => (tensor.Name, tensor.Shape)));
        TensorLayout.Check(model.Config, merged, path);
        if (model.Weights.Base is not null)
        {
            string earlier = Path.Combine(model.Path, BaseReference.ChangesFileName);
            foreach (TensorEntry tensor in model.Weights.Tensors.Values.Where(tensor => tensor.File == earlier))
                all.TryAdd(tensor.Name, TensorToWrite.CopyOf(model.Weights, tensor.Name));
        }

        byte[] reference = BaseReference.To(model).ToJson();
        WriteWhole(path, temporary =>
        {
            DecoderConfigWriter.Write(Path.Combine(temporary, DecoderConfigReader.FileName), model.Config, model.Weights.MainDtype);
            ModelFolder.CopyCompanions(model.Path, temporary);
            AtomicFile.Write(Path.Combine(temporary, BaseReference.FileName), reference.Length, stream => stream.Write(reference));
            SafetensorsWriter.Write(Path.Combine(temporary, BaseReference.ChangesFileName), all.Values, metadata);
        });
    }

    private static string CheckTarget(string path, bool replace)
    {
        ArgumentNullException.ThrowIfNull(path);
        path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        if (File.Exists(path) || (!replace && Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any()))
            throw ModelErrors.FolderExists(path);
        return path;
    }

    private static void WriteWhole(string path, Action<string> write)
    {
        string temporary = $"{path}.{Guid.NewGuid():N}.tmp";
        try
        {
            Directory.CreateDirectory(temporary);
            write(temporary);
            PutInPlace(temporary, path);
        }
        catch (Exception error)
        {
            DeleteIfThere(temporary);
            if (error is IOException or UnauthorizedAccessException) throw ModelErrors.CannotWrite(path, error);
            throw;
        }
    }

    // A folder cannot be renamed over another that holds files: the old one steps aside first, and returns if the new one
    // cannot take its place.
    private static void PutInPlace(string temporary, string path)
    {
        if (!Directory.Exists(path))
        {
            Directory.Move(temporary, path);
            return;
        }

        string old = $"{path}.{Guid.NewGuid():N}.old";
        Directory.Move(path, old);
        try
        {
            Directory.Move(temporary, path);
        }
        catch
        {
            Directory.Move(old, path);
            throw;
        }

        DeleteIfThere(old);
    }

    private static void DeleteIfThere(string folder)
    {
        try
        {
            if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // What is left behind bears a temporary name; the outcome itself is decided already.
        }
    }
}
