using System.Text.Json.Nodes;

namespace Shad.EndToEnd.Tests;

/// <summary>What a newcomer sees first: the demo as the README gives it, on the bundled model.</summary>
[NonParallelizable]
public sealed class DemoTests
{
    private string _runs = null!;
    private JsonObject _result = null!;

    [OneTimeSetUp]
    public async Task RunOnce()
    {
        _runs = Directory.CreateTempSubdirectory("shad-demo-").FullName;
        _result = await ShadProcess.JsonAsync("demo", "--runs", _runs);
    }

    [OneTimeTearDown]
    public void TearDown() => Directory.Delete(_runs, recursive: true);

    [Test]
    public void The_control_rule_finds_the_known_roles()
    {
        JsonNode control = _result["rules"]!["control"]!, paper = _result["rules"]!["paper"]!;
        TestContext.Out.WriteLine($"control {control.ToJsonString()}\npaper {paper.ToJsonString()}");
        Assert.Multiple(() =>
        {
            Assert.That(control["against"]!.ToString(), Is.EqualTo("known"));
            Assert.That(control["auc"]!.GetValue<double>(), Is.GreaterThanOrEqualTo(0.95));
            Assert.That(control["f1"]!.GetValue<double>(), Is.GreaterThanOrEqualTo(0.88));
            Assert.That(control["auc"]!.GetValue<double>(), Is.GreaterThan(paper["auc"]!.GetValue<double>()));
        });
    }

    [Test]
    public void Reasoning_tokens_are_learned_better_with_RFT_than_with_SFT_in_as_many_steps()
    {
        JsonNode losses = _result["losses"]!;
        TestContext.Out.WriteLine(losses.ToJsonString());
        double Reasoning(string arm) => losses[arm]!["reasoning"]!.GetValue<double>();
        Assert.That(Reasoning("sft"), Is.LessThan(Reasoning("base")));
        Assert.That(Reasoning("rft"), Is.LessThan(Reasoning("sft")));
    }

    [Test]
    public void The_report_is_one_file_that_needs_no_network()
    {
        string report = File.ReadAllText(_result["report"]!.ToString());
        Assert.That(report, Does.Contain("The corpus, token by token").And.Not.Contain("src=\"http").And.Not.Contain("href=\"http"));
    }
}
