using Shad.Cli.Corpora;
using Shad.Cli.Recipes;
using Shad.Core.Errors;

namespace Shad.Cli.Tests.Corpora;

public sealed class CorpusEncodingTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void SetUp()
    {
        _folder = new TemporaryFolder();
        _folder.Write("bare/tokenizer_config.json", "{}");
        _folder.Write("chat/tokenizer_config.json", """{"chat_template":"{% for m in messages %}{{ m.content }}{% endfor %}"}""");
        _folder.Write("broken/chat_template.jinja", "a\n{% include 'b' %}");
    }

    [TearDown]
    public void TearDown() => _folder.Dispose();

    [TestCase("auto", "chat", "template")]
    [TestCase("auto", "bare", "plain")]
    [TestCase("template", "chat", "template")]
    [TestCase("chatml", "chat", "chatml")]
    [TestCase("plain", "broken", "plain")]
    public void The_layout_is_the_models_template_unless_another_is_asked_for(string layout, string model, string expected) =>
        Assert.That(CorpusEncoding.FormatOf(layout, _folder.PathOf(model)).Name, Is.EqualTo(expected));

    [TestCase("template", "bare", "chat.no_template")]
    [TestCase("auto", "broken", "chat.template_unsupported")]
    public void A_template_that_is_missing_or_cannot_be_used_is_an_error(string layout, string model, string code) =>
        Assert.That(Assert.Throws<ShadException>(() => CorpusEncoding.FormatOf(layout, _folder.PathOf(model)))!.Code, Is.EqualTo(code));

    [Test]
    public void A_recipe_takes_folders_and_globs_and_says_how_rows_are_drawn()
    {
        foreach (string name in (string[])["data/a.jsonl", "data/more/b.parquet", "c.jsonl"]) _folder.Write(name, "");
        _folder.Write("model/config.json", "{}");
        string recipe = _folder.Write("recipe.yaml", "model: {path: model}\ncorpus: {files: [data, '*.jsonl'], sample: 7, sample_seed: 3}\n");
        CorpusRecipe corpus = RecipeReader.Read(recipe).Corpus;
        Assert.That(corpus.Files, Is.EqualTo(new[] { _folder.PathOf("data", "a.jsonl"), _folder.PathOf("data", "more", "b.parquet"), _folder.PathOf("c.jsonl") }));
        Assert.That((corpus.Sample, corpus.SampleSeed, corpus.Layout), Is.EqualTo(((int?)7, 3UL, "auto")));
    }
}
