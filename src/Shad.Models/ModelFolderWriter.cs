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
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(tensors);
        path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        if (File.Exists(path) || (!replace && Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any()))
            throw ModelErrors.FolderExists(path);
        TensorToWrite[] all = [.. tensors];
        TensorLayout.Check(config, all.Select(static tensor => (tensor.Name, tensor.Shape)), path);

        string temporary = $"{path}.{Guid.NewGuid():N}.tmp";
        try
        {
            Directory.CreateDirectory(temporary);
            DecoderConfigWriter.Write(Path.Combine(temporary, DecoderConfigReader.FileName), config, dtype);
            if (companionsFrom is not null) ModelFolder.CopyCompanions(companionsFrom, temporary);
            SafetensorsWriter.Write(Path.Combine(temporary, ModelWeights.FileName), all, metadata);
            addTo?.Invoke(temporary);
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
