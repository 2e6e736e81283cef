using System.Reflection;
using System.Runtime.InteropServices;
using TorchSharp;

namespace Shad.Sidecar.Native;

/// <summary>Loads libtorch and TorchSharp's native library, repaired where the host needs it, before TorchSharp is first used.</summary>
public static class TorchLibraries
{
    private static readonly Lock s_gate = new();
    private static bool s_loaded;

    /// <summary>The environment variable that names a folder with libtorch to use instead of the one beside the sidecar: the folder
    /// <c>lib</c> of a PyTorch, say.</summary>
    public const string FolderVariable = "SHAD_LIBTORCH";

    /// <summary>The folder libtorch was loaded from.</summary>
    public static string Folder { get; private set; } = AppContext.BaseDirectory;

    /// <summary>True where libtorch was built with CUDA.</summary>
    public static bool HasCuda => File.Exists(Path.Combine(Folder, OperatingSystem.IsWindows() ? "torch_cuda.dll" : "libtorch_cuda.so"));

    /// <summary>True where the host's libstdc++ is too old for TorchSharp's library and a repaired copy is in use.</summary>
    public static bool IsRepaired { get; private set; }

    /// <summary>
    /// Loads the libraries from <paramref name="folder"/>. Does nothing on a second call, and nothing on systems other than
    /// Linux, where TorchSharp finds its libraries itself.
    /// </summary>
    /// <param name="folder">Folder that holds TorchSharp's library, and libtorch where <see cref="FolderVariable"/> names no other; null is
    /// that of the running program.</param>
    /// <exception cref="Core.Errors.ShadException">A library is missing or does not load.</exception>
    public static void Load(string? folder = null)
    {
        lock (s_gate)
        {
            if (s_loaded) return;
            string own = folder ?? AppContext.BaseDirectory;
            string? named = Environment.GetEnvironmentVariable(FolderVariable);
            Folder = string.IsNullOrEmpty(named) ? own : Path.GetFullPath(named);
            if (OperatingSystem.IsLinux()) LoadOnLinux(Folder, own);
            s_loaded = true;
        }
    }

    /// <summary>Where repaired copies are kept: <c>$XDG_CACHE_HOME/shad</c>, <c>~/.cache/shad</c>, or a folder of the temporary
    /// directory where neither can be written.</summary>
    public static string CacheFolder()
    {
        string? cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        if (string.IsNullOrEmpty(cache) || !Path.IsPathRooted(cache))
        {
            string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
            cache = home.Length > 0 ? Path.Combine(home, ".cache") : null;
        }

        if (cache is not null)
        {
            string folder = Path.Combine(cache, "shad", "native");
            try
            {
                Directory.CreateDirectory(folder);
                string probe = Path.Combine(folder, $".write-{Environment.ProcessId}");
                File.WriteAllBytes(probe, []);
                File.Delete(probe);
                return folder;
            }
            catch (Exception unwritable) when (unwritable is IOException or UnauthorizedAccessException)
            {
                // Falls through to the temporary directory, which is private to this run.
            }
        }

        // A fixed name in a directory that others can write to would let them put their library there.
        return Directory.CreateTempSubdirectory("shad-native-").FullName;
    }

    private static void LoadOnLinux(string folder, string own)
    {
        var handles = new Dictionary<string, nint>();
        // In the order of their dependencies: each finds the ones before it by the name in its own NEEDED entries.
        string[] names = ["c10", "torch_cpu", "c10_cuda", "torch_cuda", "torch"];
        foreach (string name in names)
        {
            string path = Path.Combine(folder, $"lib{name}.so");
            if (File.Exists(path)) handles[name] = LoadLibrary(path);
            else if (!name.EndsWith("cuda", StringComparison.Ordinal)) throw SidecarErrors.LibraryMissing(path);
        }

        string torchSharp = Path.Combine(own, "libLibTorchSharp.so");
        if (!File.Exists(torchSharp)) throw SidecarErrors.LibraryMissing(torchSharp);
        if (!HostHasNewSymbol())
        {
            try
            {
                torchSharp = LibStdCxxRepair.RepairedCopy(torchSharp, CacheFolder());
                IsRepaired = true;
            }
            catch (Exception failed) when (failed is IOException or UnauthorizedAccessException or InvalidDataException)
            {
                throw SidecarErrors.LibraryNotRepaired(torchSharp, failed);
            }
        }

        handles["LibTorchSharp"] = LoadLibrary(torchSharp);
        NativeLibrary.SetDllImportResolver(
            typeof(torch).Assembly,
            (name, _, _) => handles.TryGetValue(name, out nint handle) ? handle : 0);
    }

    /// <summary>True where the host's libstdc++ has <see cref="LibStdCxxRepair.NewSymbol"/>, which came with the version asked for.</summary>
    private static bool HostHasNewSymbol() =>
        NativeLibrary.TryLoad("libstdc++.so.6", Assembly.GetExecutingAssembly(), DllImportSearchPath.SafeDirectories, out nint library)
        && NativeLibrary.TryGetExport(library, LibStdCxxRepair.NewSymbol, out _);

    private static nint LoadLibrary(string path)
    {
        try
        {
            return NativeLibrary.Load(path);
        }
        catch (Exception failed) when (failed is DllNotFoundException or BadImageFormatException)
        {
            const string undefined = "undefined symbol: ";
            int at = failed.Message.IndexOf(undefined, StringComparison.Ordinal);
            if (at < 0) throw SidecarErrors.LibraryNotLoaded(path, failed);
            string symbol = failed.Message[(at + undefined.Length)..].Split([' ', ',', '\n', ')'])[0];
            throw SidecarErrors.LibraryDoesNotFit(path, symbol, failed);
        }
    }
}
