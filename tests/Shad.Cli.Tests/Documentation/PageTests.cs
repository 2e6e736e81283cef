using System.Text;
using System.Text.Json.Nodes;
using Shad.Cli.Recipes;
using Shad.Core.Tuning;
using Shad.Data.Annotations;
using Shad.Data.Corpora;

namespace Shad.Cli.Tests.Documentation;

/// <summary>The pages say what the program does.</summary>
public sealed class PageTests
{
    private static readonly string[] Sections = ["model", "corpus", "probe", "score", "rule", "tune"];

    [Test]
    public void The_page_of_recipes_has_every_key()
    {
        Page page = Page.Read("recipes.md");
        JsonObject recipe = RecipeWriter.ToJson(Default()).AsObject();
        string[] shared = [.. page.Rows("## probe and tune").Select(static row => row[0])];
        Assert.Multiple(() =>
        {
            Assert.That(
                page.Rows("## Top level").Select(static row => row[0]), Is.EquivalentTo(recipe.Select(static pair => pair.Key).Except(Sections)));
            foreach (string section in Sections)
            {
                IEnumerable<string> keys = page.Rows($"## {section}").Select(static row => row[0]).Concat(section is "probe" or "tune" ? shared : []);
                Assert.That(keys, Is.EquivalentTo(recipe[section]!.AsObject().Select(static pair => pair.Key)), section);
            }

            Assert.That(page.Rows("### lora").Select(static row => row[0]), Is.EquivalentTo(KeysOf(new LoraSettings())));
            Assert.That(page.Rows("### early_stopping").Select(static row => row[0]), Is.EquivalentTo(KeysOf(new EarlyStoppingSettings())));
        });

        static IEnumerable<string> KeysOf<T>(T part) => RecipeWriter.ToJson(part).AsObject().Select(static pair => pair.Key);
    }

    [Test]
    public void The_defaults_of_the_page_give_the_recipe_of_defaults()
    {
        Page page = Page.Read("recipes.md");
        var yaml = new StringBuilder("name: page\nseed: 1\n");
        foreach (string section in Sections)
        {
            yaml.Append(section).Append(":\n");
            int column = section == "tune" ? 2 : 1;
            if (section is "probe" or "tune")
                foreach (string[] row in page.Rows("## probe and tune")) Append(row[0], row[column]);
            foreach (string[] row in page.Rows($"## {section}")) Append(row[0], row[1] == "required" ? "x.jsonl" : row[1]);
        }

        Recipe read = RecipeReader.Parse(yaml.ToString(), Path.Combine(Page.Root, "page.yaml"), filesMustExist: false);
        Assert.That(RecipeWriter.ToYaml(read), Is.EqualTo(RecipeWriter.ToYaml(Default())));

        void Append(string key, string value) => yaml.Append("  ").Append(key).Append(": ").Append(value).Append('\n');
    }

    [Test]
    public void The_recipes_of_the_pages_are_valid()
    {
        foreach (string block in Page.Read("recipes.md").Blocks("yaml"))
            Assert.DoesNotThrow(() => RecipeReader.Parse(block, Path.Combine(Page.Root, "page.yaml"), filesMustExist: false), block);
    }

    [Test]
    public void The_command_of_the_first_steps_is_valid()
    {
        string line = Page.Read("first-steps.md").Blocks("").SelectMany(static block => block.Split('\n')).Single(static line => line.StartsWith("dotnet run", StringComparison.Ordinal));
        string[] words = line.Split(' ');
        int run = Array.LastIndexOf(words, "run");
        Assert.That(words[run + 2], Is.EqualTo("--set"));
        Recipe recipe = RecipeReader.Read(
            Path.Combine(Page.Root, words[run + 1]), words[(run + 2)..].Where(static word => word != "--set"), filesMustExist: false);
        Assert.That(recipe.Tune.Arms, Is.Empty);
    }

    [Test]
    public async Task The_rows_of_the_pages_are_read()
    {
        using var folder = new TemporaryFolder();
        string annotation = Page.Read("formats.md").Blocks("json").Single();
        File.WriteAllText(folder.PathOf("a.jsonl"), annotation);
        AnnotationRow row = (await AnnotationReader.Open(folder.PathOf("a.jsonl")).ReadAsync().ToListAsync()).Single();
        Assert.That(row.Roles!.Count(static role => role is not null), Is.EqualTo(2));

        File.WriteAllText(folder.PathOf("c.jsonl"), Page.Read("first-steps.md").Blocks("json").Single());
        Assert.That(await CorpusReader.ReadAsync([folder.PathOf("c.jsonl")], new CorpusReport()).ToListAsync(), Has.Count.EqualTo(1));
    }

    [Test]
    public void The_columns_of_the_page_are_those_written()
    {
        using var folder = new TemporaryFolder();
        string path = folder.PathOf("a.parquet");
        using (AnnotationWriter writer = AnnotationWriter.Create(path, AnnotationColumns.All)) writer.Complete();
        using var file = new ParquetSharp.ParquetFileReader(path);
        string[] written = [.. Enumerable.Range(0, file.FileMetaData.NumColumns).Select(i => file.FileMetaData.Schema.Column(i).Path.ToDotVector()[0])];
        Page page = Page.Read("formats.md");
        IEnumerable<string> told = page.Rows("## Annotations").SelectMany(static row => row[0].Split("`, `"));
        Assert.That(told, Is.EquivalentTo(written));
    }

    [Test]
    public void The_errors_of_the_page_exist()
    {
        string errors = string.Concat(
            Directory.EnumerateFiles(Path.Combine(Page.Root, "src"), "*.cs", SearchOption.AllDirectories).Select(File.ReadAllText));
        Assert.Multiple(() =>
        {
            foreach (string code in Page.Read("troubleshooting.md").FirstCells()) Assert.That(errors, Does.Contain($"\"{code}\""), code);
        });
    }

    [Test]
    public void Links_between_pages_lead_somewhere()
    {
        Assert.Multiple(() =>
        {
            foreach (string file in Directory.EnumerateFiles(Path.Combine(Page.Root, "docs"), "*.md").Append(Path.Combine(Page.Root, "README.md")))
            {
                foreach (System.Text.RegularExpressions.Match link in System.Text.RegularExpressions.Regex.Matches(File.ReadAllText(file), @"\]\(([^)#:]+)\)"))
                    Assert.That(File.Exists(Path.Combine(Path.GetDirectoryName(file)!, link.Groups[1].Value)), $"{Path.GetFileName(file)}: {link.Groups[1].Value}");
            }
        });
    }

    private static Recipe Default() => new()
    {
        Name = "page",
        Model = new ModelRecipe { Path = Path.Combine(Page.Root, "x.jsonl") },
        Corpus = new CorpusRecipe { Files = [Path.Combine(Page.Root, "x.jsonl")] },
    };
}
