using System.Security.Cryptography;

namespace Shad.Sidecar.Native;

/// <summary>
/// Lets a library built against GCC 13's libstdc++ load where the host's libstdc++ is older (Debian 12, Ubuntu 22.04, RHEL 9).
/// </summary>
/// <remarks>
/// TorchSharp's native library asks for one symbol of version <c>GLIBCXX_3.4.32</c>:
/// <c>_ZSt21ios_base_library_initv</c>, which every translation unit that includes <c>&lt;iostream&gt;</c> refers to so that
/// the standard streams are initialised. Older versions do the same in the constructor <c>std::ios_base::Init::Init()</c>
/// (<c>_ZNSt8ios_base4InitC1Ev</c>, version <c>GLIBCXX_3.4</c>). In a copy of the library the symbol is pointed there, its
/// version entry changed accordingly, and the version that is now unused marked weak so that the loader does not insist.
/// </remarks>
public static class LibStdCxxRepair
{
    /// <summary>The symbol asked for.</summary>
    public const string NewSymbol = "_ZSt21ios_base_library_initv";

    /// <summary>The older symbol of the same effect.</summary>
    public const string OldSymbol = "_ZNSt8ios_base4InitC1Ev";

    /// <summary>The version in which <see cref="NewSymbol"/> came.</summary>
    public const string NewVersion = "GLIBCXX_3.4.32";

    /// <summary>The version of <see cref="OldSymbol"/>.</summary>
    public const string OldVersion = "GLIBCXX_3.4";

    /// <summary>Repairs a library image in place.</summary>
    /// <returns>False where there was nothing to repair (it does not ask for the symbol, or is repaired already).</returns>
    /// <exception cref="InvalidDataException">It is no ELF shared object, or asks for more of the version than the one symbol.
    /// </exception>
    public static bool Apply(byte[] image, string name)
    {
        var library = ElfSharedObject.Parse(image, name);
        int symbol = library.FindUndefined(NewSymbol);
        if (symbol < 0) return false;

        var needed = library.NeededVersions();
        var newVersion = Find(needed, NewVersion, name);
        var oldVersion = Find(needed, OldVersion, name);
        for (int i = 1; i < library.SymbolCount; i++)
        {
            if (i != symbol && library.VersionOf(i) == newVersion.Index)
                throw new InvalidDataException($"{name} also asks for {library.SymbolName(i)}@{NewVersion}, which has no older equal.");
        }

        library.Rename(symbol, OldSymbol);
        library.SetVersion(symbol, oldVersion.Index);
        library.SetFlags(newVersion, (ushort)(newVersion.Flags | ElfSharedObject.WeakVersionFlag));
        return true;
    }

    /// <summary>
    /// The path of a repaired copy of a library, made on first use in <paramref name="cacheFolder"/> under a name that holds the
    /// hash of the original's content; the library's own path where there is nothing to repair.
    /// </summary>
    /// <param name="library">Path of the library.</param>
    /// <param name="cacheFolder">Folder of the copies; created where absent.</param>
    /// <exception cref="InvalidDataException">See <see cref="Apply"/>.</exception>
    /// <exception cref="IOException">The copy cannot be written.</exception>
    public static string RepairedCopy(string library, string cacheFolder)
    {
        byte[] image = File.ReadAllBytes(library);
        string hash = Convert.ToHexStringLower(SHA256.HashData(image))[..16];
        string folder = Path.Combine(cacheFolder, hash);
        string copy = Path.Combine(folder, Path.GetFileName(library));
        if (File.Exists(copy) && new FileInfo(copy).Length == image.Length) return copy;
        if (!Apply(image, library)) return library;

        Directory.CreateDirectory(folder);
        string temporary = $"{copy}.{Environment.ProcessId}.tmp";
        try
        {
            File.WriteAllBytes(temporary, image);
            File.Move(temporary, copy, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }

        return copy;
    }

    private static ElfSharedObject.NeededVersion Find(
        IReadOnlyList<ElfSharedObject.NeededVersion> needed, string version, string name)
    {
        foreach (var candidate in needed)
            if (candidate.Name == version) return candidate;
        throw new InvalidDataException($"{name} asks for no version {version}.");
    }
}
