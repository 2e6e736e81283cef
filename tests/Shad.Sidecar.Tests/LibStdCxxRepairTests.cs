using System.Text;
using Shad.Sidecar.Native;

namespace Shad.Sidecar.Tests;

public sealed class LibStdCxxRepairTests
{
    private static byte[] Original()
    {
        string path = Path.Combine(TorchSetup.SidecarFolder, "libLibTorchSharp.so");
        if (!File.Exists(path)) Assert.Ignore($"{path} is not there: the repair concerns Linux only.");
        return File.ReadAllBytes(path);
    }

    [Test]
    public void The_symbol_is_pointed_at_its_older_equal_of_version_3_4()
    {
        byte[] image = Original();
        var before = ElfSharedObject.Parse((byte[])image.Clone(), "before");
        int symbol = before.FindUndefined(LibStdCxxRepair.NewSymbol);
        Assert.That(symbol, Is.GreaterThan(0));

        Assert.That(LibStdCxxRepair.Apply(image, "library"), Is.True);

        var after = ElfSharedObject.Parse(image, "after");
        ushort oldVersion = after.NeededVersions().Single(version => version.Name == LibStdCxxRepair.OldVersion).Index;
        Assert.Multiple(() =>
        {
            Assert.That(after.SymbolName(symbol), Is.EqualTo(LibStdCxxRepair.OldSymbol));
            Assert.That(after.VersionOf(symbol), Is.EqualTo(oldVersion));
            Assert.That(after.FindUndefined(LibStdCxxRepair.NewSymbol), Is.EqualTo(-1));
        });
    }

    [Test]
    public void The_new_version_becomes_weak_and_no_other_version_changes()
    {
        byte[] image = Original();
        var before = ElfSharedObject.Parse((byte[])image.Clone(), "before").NeededVersions();
        LibStdCxxRepair.Apply(image, "library");
        var after = ElfSharedObject.Parse(image, "after").NeededVersions();

        var expected = before.Select(version => version.Name == LibStdCxxRepair.NewVersion
            ? version with { Flags = (ushort)(version.Flags | ElfSharedObject.WeakVersionFlag) }
            : version);
        Assert.That(after, Is.EqualTo(expected));
    }

    [Test]
    public void Only_the_name_its_version_and_the_flag_change()
    {
        byte[] original = Original();
        byte[] image = (byte[])original.Clone();
        LibStdCxxRepair.Apply(image, "library");
        int changed = image.Zip(original).Count(static pair => pair.First != pair.Second);
        // The name, one version entry of two bytes, flags of two bytes.
        Assert.That(changed, Is.InRange(2, LibStdCxxRepair.NewSymbol.Length + 4));
    }

    [Test]
    public void A_repaired_library_is_left_as_it_is()
    {
        byte[] image = Original();
        LibStdCxxRepair.Apply(image, "library");
        byte[] once = (byte[])image.Clone();
        Assert.That(LibStdCxxRepair.Apply(image, "library"), Is.False);
        Assert.That(image, Is.EqualTo(once));
    }

    [Test]
    public void A_copy_is_made_once_under_the_hash_of_the_content_and_the_original_stays()
    {
        byte[] image = Original();
        using var folder = new TemporaryFolder();
        string library = folder.File("lib.so");
        File.WriteAllBytes(library, image);

        string first = LibStdCxxRepair.RepairedCopy(library, folder.File("cache"));
        var written = File.GetLastWriteTimeUtc(first);
        string second = LibStdCxxRepair.RepairedCopy(library, folder.File("cache"));

        Assert.Multiple(() =>
        {
            Assert.That(second, Is.EqualTo(first));
            Assert.That(File.GetLastWriteTimeUtc(second), Is.EqualTo(written));
            Assert.That(File.ReadAllBytes(library), Is.EqualTo(image));
            Assert.That(Directory.GetFiles(Path.GetDirectoryName(first)!), Has.Length.EqualTo(1));
        });
    }

    [Test]
    public void A_copy_that_was_cut_short_is_made_again()
    {
        using var folder = new TemporaryFolder();
        string library = folder.File("lib.so");
        File.WriteAllBytes(library, Original());
        string copy = LibStdCxxRepair.RepairedCopy(library, folder.File("cache"));
        byte[] whole = File.ReadAllBytes(copy);
        File.WriteAllBytes(copy, whole[..1000]);

        Assert.That(LibStdCxxRepair.RepairedCopy(library, folder.File("cache")), Is.EqualTo(copy));
        Assert.That(File.ReadAllBytes(copy), Is.EqualTo(whole));
    }

    [Test]
    public void A_library_that_asks_for_nothing_new_is_used_as_it_is()
    {
        byte[] image = Original();
        LibStdCxxRepair.Apply(image, "library");
        using var folder = new TemporaryFolder();
        string library = folder.File("lib.so");
        File.WriteAllBytes(library, image);
        Assert.That(LibStdCxxRepair.RepairedCopy(library, folder.File("cache")), Is.EqualTo(library));
    }

    [Test]
    public void A_file_that_is_no_ELF_is_refused()
    {
        byte[] text = Encoding.ASCII.GetBytes(new string('x', 500));
        var refused = Assert.Throws<InvalidDataException>(() => LibStdCxxRepair.Apply(text, "notes.txt"));
        Assert.That(refused!.Message, Is.EqualTo("notes.txt is no ELF file."));
    }

    [Test]
    public void Cut_and_damaged_files_are_refused_not_misread()
    {
        byte[] image = Original();
        foreach (int length in (int[])[0, 3, 63, 64, 4096, image.Length - 100])
            Assert.Throws<InvalidDataException>(() => LibStdCxxRepair.Apply(image[..length], "cut"), $"{length} bytes");

        byte[] of32Bits = (byte[])image.Clone();
        of32Bits[4] = 1;
        Assert.Throws<InvalidDataException>(() => LibStdCxxRepair.Apply(of32Bits, "32-bit"));
    }

    [Test]
    public void The_cache_follows_XDG_CACHE_HOME()
    {
        string? before = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        using var folder = new TemporaryFolder();
        try
        {
            Environment.SetEnvironmentVariable("XDG_CACHE_HOME", folder.Path);
            Assert.That(TorchLibraries.CacheFolder(), Is.EqualTo(folder.File(Path.Combine("shad", "native"))));

            // Where it cannot be written the copies go to a folder of the temporary directory.
            string file = folder.File("file");
            File.WriteAllText(file, "");
            Environment.SetEnvironmentVariable("XDG_CACHE_HOME", Path.Combine(file, "below"));
            string elsewhere = TorchLibraries.CacheFolder();
            Assert.That(elsewhere, Does.StartWith(Path.GetTempPath()));
            Directory.Delete(elsewhere);
        }
        finally
        {
            Environment.SetEnvironmentVariable("XDG_CACHE_HOME", before);
        }
    }

    [Test]
    public void Libtorch_is_in_the_sidecars_output_folder_and_in_no_other()
    {
        string bin = Path.GetFullPath(Path.Combine(TorchSetup.SidecarFolder, "..", ".."));
        string configuration = Path.GetFileName(TorchSetup.SidecarFolder);
        string pattern = OperatingSystem.IsWindows() ? "torch_cpu.dll" : "libtorch_cpu.*";
        var folders = Directory.GetDirectories(bin)
            .Select(project => Path.Combine(project, configuration))
            .Where(folder => Directory.Exists(folder)
                && Directory.EnumerateFiles(folder, pattern, SearchOption.AllDirectories).Any());
        Assert.That(folders, Is.EqualTo(new[] { TorchSetup.SidecarFolder }));
    }
}
