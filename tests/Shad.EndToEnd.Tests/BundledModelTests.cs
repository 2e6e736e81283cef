namespace Shad.EndToEnd.Tests;

/// <summary>The demo stands on a base model that uses its prompt.</summary>
public sealed class BundledModelTests
{
    /// <summary>
    /// Documents that scripts/make-shad-mini drew for the measurement of its model card, none of them trained on: targets are the
    /// tokens of values copied from the prompt. The second file holds the same documents without their prompts.
    /// </summary>
    [Test]
    public async Task Values_are_foretold_from_the_prompt()
    {
        double with = await MeanLossAsync("copied-values.jsonl"), without = await MeanLossAsync("copied-values-without-prompt.jsonl");
        TestContext.Out.WriteLine($"with the prompt {with:0.000} nats, without {without:0.000}");
        Assert.That(with, Is.LessThanOrEqualTo(1.5));
        Assert.That(without - with, Is.GreaterThanOrEqualTo(1.5));
    }

    [Test]
    public void It_is_as_small_as_promised()
    {
        string weights = Path.Combine(Build.BundledModel, "model.safetensors");
        Assert.That(new FileInfo(weights).Length, Is.LessThan(16_000_000));
    }

    private static async Task<double> MeanLossAsync(string file)
    {
        var result = await ShadProcess.JsonAsync(
            "eval", "--model", Build.BundledModel, "--corpus", Path.Combine(Build.Root, "tests", "Shad.EndToEnd.Tests", "Data", file));
        return result["losses"]!["shad-mini"]!["all"]!.GetValue<double>();
    }
}
