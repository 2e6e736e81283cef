namespace Shad.Cli.Tests.Commands;

public sealed class CommandLineTests
{
    private static readonly string[] Names =
        ["demo", "run", "probe", "score", "annotate", "tune", "merge", "export", "eval", "report", "doctor"];

    [Test]
    public async Task Help_names_every_command_and_goes_to_stdout()
    {
        ShadOutput shad = await ShadProgram.RunAsync("--help");
        Assert.That(shad.ExitCode, Is.Zero);
        foreach (string name in Names) Assert.That(shad.Output, Does.Contain($"\n  {name} "));
    }

    [TestCaseSource(nameof(Names))]
    public async Task Every_command_explains_itself(string name)
    {
        ShadOutput shad = await ShadProgram.RunAsync(name, "--help");
        Assert.That(shad.ExitCode, Is.Zero);
        Assert.That(shad.Output, Does.Contain($"shad {name}").And.Contain("--json"));
        Assert.That(shad.Error, Is.Empty);
    }

    [Test]
    public async Task Without_arguments_the_help_is_shown_as_an_error()
    {
        ShadOutput shad = await ShadProgram.RunAsync();
        Assert.That(shad.ExitCode, Is.EqualTo(2));
        Assert.That(shad.Output, Is.Empty);
        Assert.That(shad.Error, Does.Contain("shad demo"));
    }

    [TestCase("nonsense")]
    [TestCase("score")]
    [TestCase("score", "--model", "x", "--corpus", "y", "--out", "z", "--device", "tpu")]
    [TestCase("score", "--model", "x", "--corpus", "y", "--out", "z", "--device", "cuda:0,0")]
    [TestCase("score", "--model", "x", "--corpus", "y", "--out", "z", "--precision", "int7")]
    [TestCase("tune", "--model", "x", "--data", "y", "--out", "z", "--device", "cuda:0,1")]
    [TestCase("score", "--model", "x", "--corpus", "y", "--out", "z", "--limit", "0")]
    [TestCase("score", "--model", "x", "--corpus", "y", "--out", "z", "--limit", "many")]
    [TestCase("score", "--model", "x", "--corpus", "y", "--out", "z", "--memory", "1")]
    [TestCase("probe", "--model", "x", "--corpus", "y", "--out", "z", "--layers", "half")]
    [TestCase("probe", "--model", "x", "--corpus", "y", "--out", "z", "--layers", "0")]
    [TestCase("annotate", "--scored", "x", "--out", "y", "--rule", "best")]
    [TestCase("annotate", "--scored", "x", "--out", "y", "--temperature", "0")]
    [TestCase("tune", "--model", "x", "--data", "y", "--out", "z", "--objective", "dpo")]
    [TestCase("tune", "--model", "x", "--data", "y", "--out", "z", "--lora-rank", "0")]
    [TestCase("tune", "--model", "x", "--data", "y", "--out", "z", "--lora-targets", "lm_head")]
    [TestCase("tune", "--model", "x", "--data", "y", "--out", "z", "--lora-dropout", "1")]
    [TestCase("demo", "--samples", "3")]
    [TestCase("run")]
    [TestCase("run", "a.yaml", "b.yaml")]
    public async Task A_command_line_that_makes_no_sense_exits_with_2(params string[] args)
    {
        ShadOutput shad = await ShadProgram.RunAsync(args);
        Assert.That(shad.ExitCode, Is.EqualTo(2));
        Assert.That(shad.Output, Is.Empty);
        Assert.That(shad.Error, Does.StartWith("Error: ").And.Contain("--help"));
        Assert.That(shad.Error.TrimEnd().Split('\n'), Has.Length.EqualTo(1));

        ShadOutput json = await ShadProgram.RunAsync([.. args, "--json"]);
        Assert.That(json.Json()["error"]!["code"]!.ToString(), Is.EqualTo("usage"));
    }

    [Test]
    public async Task An_option_out_of_bounds_says_what_was_expected() => Assert.That(
        (await ShadProgram.RunAsync("annotate", "--scored", "x", "--out", "y", "--margin", "-1")).Error,
        Does.Contain("--margin is -1; expected 0 to 100"));

    [TestCase("0")]
    [TestCase("none")]
    public async Task Surprise_is_a_loss_or_off(string value) => Assert.That(
        (await ShadProgram.RunAsync("annotate", "--scored", "x", "--out", "y", "--surprise", value)).Error,
        Does.Contain($"--surprise is '{value}'; expected a loss in nats, more than 0, or off"));

    [TestCase("--margin", "0.2", "Leave out --margin or --false-share")]
    [TestCase("--rule", "paper", "--false-share is of the control rule")]
    public async Task A_share_of_boilerplate_is_of_the_control_rule_and_instead_of_a_margin(string option, string value, string expected)
    {
        ShadOutput shad = await ShadProgram.RunAsync("annotate", "--scored", "x", "--out", "y", "--false-share", "0.05", option, value);
        Assert.That(shad.ExitCode, Is.Not.Zero);
        Assert.That(shad.Error, Does.Contain(expected));
        Assert.That(
            (await ShadProgram.RunAsync("annotate", "--scored", "x", "--out", "y", "--false-share", "0")).Error,
            Does.Contain("--false-share is 0; expected 0.0001 to 0.5"));
    }

    [Test]
    public async Task Version_is_printed()
    {
        ShadOutput shad = await ShadProgram.RunAsync("--version");
        Assert.That(shad.ExitCode, Is.Zero);
        Assert.That(shad.Output, Does.Match(@"^\d+\.\d+"));
    }
}
