using System.Globalization;
using System.Text.RegularExpressions;
using Shad.Core.Classification;
using Shad.Core.Evaluation;
using Shad.Core.Randomness;
using Shad.Core.Samples;
using Shad.Core.Tuning;
using Shad.Core.Weighting;
using Shad.Data.Reports;

namespace Shad.Data.Tests.Reports;

/// <summary>
/// A made-up run with the shape of a real one: tool-call samples whose roles are known by construction, and losses drawn around what
/// base model, probe and control show on such text.
/// </summary>
internal static partial class SampleReport
{
    private static readonly string[] Cities = ["Reykjavik", "Porto", "Osaka", "Nairobi", "Valparaíso", "Tromsø", "İzmir", "東京"];
    private static readonly string[] Units = ["celsius", "fahrenheit"];
    private static readonly string[] Tools = ["get_weather", "book_table", "convert_currency", "find_train"];

    public static ReportModel Create(int samples = 240, ulong seed = 7)
    {
        var random = new SeededRandom(seed);
        var rule = new AlignedControlRule();
        var digest = new CorpusDigest(new CorpusDigestOptions { Samples = 40, SamplePool = 120 });
        var paper = new RoleAgreementCounter();
        var control = new RoleAgreementCounter();
        for (int i = 0; i < samples; i++)
        {
            ReportSample sample = MakeSample($"demo-{i:0000}", random, rule);
            digest.Add(sample);
            float[] paperScores = [.. sample.Tokens.Select(static token => token.ProbeLoss - token.BaseLoss)];
            float[] controlScores = [.. sample.Tokens.Select(static token => token.LossDifference)];
            float[] probe = [.. sample.Tokens.Select(static token => token.ProbeLoss)];
            TokenRole?[] known = [.. sample.Tokens.Select(static token => token.KnownRole)];
            paper.Add(paperScores, RoleClassifier.Classify(paperScores, probe, new PaperRule()), known);
            control.Add(controlScores, RoleClassifier.Classify(controlScores, probe, rule), known);
        }

        return new ReportModel
        {
            Title = "Weather desk, tool calls",
            CreatedAt = new DateTimeOffset(2026, 11, 24, 3, 5, 0, TimeSpan.Zero),
            Method = new MethodSummary
            {
                BaseModel = "shad-mini (4.1 M parameters)",
                Corpus = "demo corpus, 240 tool calls",
                Rule = rule,
                ProbeSamples = 60,
                ProbeSteps = 80,
                ProbeLastLayers = 2,
                Rft = new RftWeighting { AnnealFrom = 0.5 },
            },
            Tokens = digest.Statistics,
            Rules =
            [
                new RuleEvidence(rule, digest.ControlHistogram!, control.ToAgreement()),
                new RuleEvidence(new PaperRule(), digest.PaperHistogram, paper.ToAgreement()),
            ],
            Samples = digest.Samples,
            Phrases = digest.Phrases,
            Spans = digest.Spans,
            Curves =
            [
                Curve("control", random, 80, 3.1, 0.9, null, false),
                Curve("probe", random, 80, 4.2, 2.3, null, false),
                Curve("sft", random, 300, 2.2, 0.75, 1.62, false),
                Curve("rft", random, 300, 3.0, 1.15, 1.38, true),
            ],
            Losses =
            [
                new ModelLosses("base", 1.934, 1.412, 3.021, 18_240),
                new ModelLosses("sft", 0.702, 0.231, 1.684, 18_240),
                new ModelLosses("rft", 0.655, 0.262, 1.437, 18_240),
            ],
            LossRoles = "the roles known from the corpus",
            Costs =
            [
                new StageCost("corpus", 0, 0.41, Reused: true),
                new StageCost("probe", 38_400, 21.7),
                new StageCost("control", 38_400, 21.2),
                new StageCost("score", 131_072, 9.8),
                new StageCost("annotate", 0, 0.9),
                new StageCost("sft", 262_144, 71.3),
                new StageCost("rft", 262_144, 72.9),
                new StageCost("evaluate", 54_720, 4.1),
            ],
            Warnings =
            [
                new ReportWarning("rows were left out because they are not valid JSON", 2, ["corpus.jsonl:17: '}' expected", "corpus.jsonl:203: empty row"]),
                new ReportWarning("samples were truncated from the left of their prompt to fit the context of 1,024 tokens", 5),
            ],
            Provenance =
            [
                new ProvenanceEntry("Shad.Onnx", "0.1.0"),
                new ProvenanceEntry("Runtime", ".NET 10.0.0, ONNX Runtime 1.31.1, libtorch 2.10.0"),
                new ProvenanceEntry("Machine", "2 cores, 24 GiB, Linux x64, CPU"),
                new ProvenanceEntry("Seed", "7"),
                new ProvenanceEntry("Model", "models/shad-mini, sha256 9f2c4e…"),
                new ProvenanceEntry("Corpus", "runs/demo/corpus/train.jsonl, sha256 51ab07…"),
                new ProvenanceEntry("Recipe", "recipes/demo.yaml"),
            ],
        };
    }

    private static ReportSample MakeSample(string id, SeededRandom random, ClassificationRule rule)
    {
        string city = Pick(Cities, random), unit = Pick(Units, random), tool = Pick(Tools, random);
        string number = (random.NextInt32(9000) + 100).ToString(CultureInfo.InvariantCulture);
        var tokens = new List<ReportToken>();
        void Prompt(string text) => tokens.AddRange(Split(text).Select(static piece => new ReportToken(piece, false)));
        void Respond(string text, TokenRole known) => tokens.AddRange(Split(text).Select(piece => Score(piece, known, random, rule)));
        void Template(string text) => Respond(text, TokenRole.Boilerplate);
        void Value(string text) => Respond(text, TokenRole.Reasoning);

        Prompt($"<|user|>\nI am in {city} until the {random.NextInt32(27) + 1}th, party of {number}. What should I plan for? Please use {unit}. \U0001F327️\n<|assistant|>\n");
        if (random.NextDouble() < 0.5)
        {
            Template("Thought: I need to use a tool to answer the question about ");
            Value(city);
            Template(".\nAction: ");
            Value(tool);
            Template("\nAction Input: {\"location\": \"");
            Value(city);
            Template("\", \"unit\": \"");
            Value(unit);
            Template("\", \"reference\": ");
            Value(number);
            Template("}\n");
        }
        else
        {
            Template("[{\"name\": \"");
            Value(tool);
            Template("\", \"arguments\": {\n\t\"city\": \"");
            Value(city);
            Template("\",\n\t\"count\": ");
            Value(number);
            Template("\n}}]");
        }

        if (random.NextDouble() < 0.6)
        {
            Prompt("\n<|tool|>\n{\"ok\": true}\n<|assistant|>\n");
            Template("Thought: I now know the final answer.\nFinal Answer: ");
            Value($"{city} will be mild; bring a coat for party {number}");
            Template(". Let me know if you need anything else!");
        }

        return new ReportSample(id, tokens);
    }

    private static ReportToken Score(string text, TokenRole known, SeededRandom random, ClassificationRule rule)
    {
        double common = Math.Exp(random.NextGaussian() - 1.2);
        double baseLoss = known == TokenRole.Reasoning ? 0.9 + Math.Abs(1.5 * random.NextGaussian()) : 2.2 * common + 0.02;
        double control = known == TokenRole.Reasoning ? 0.5 * baseLoss : 0.25 * baseLoss;
        double probe = known == TokenRole.Reasoning
            ? baseLoss + 1.1 + 1.1 * random.NextGaussian()
            : control + 0.08 * random.NextGaussian() * Math.Sqrt(baseLoss);
        probe = Math.Max(probe, 0.001);
        float difference = (float)probe - (float)control;
        return new ReportToken(text, true)
        {
            KnownRole = known,
            BaseLoss = (float)baseLoss,
            ProbeLoss = (float)probe,
            ControlLoss = (float)control,
            LossDifference = difference,
            ControlEvidence = difference,
            Role = rule.Classify(difference, probe),
        };
    }

    private static TrainingCurve Curve(string name, SeededRandom random, int steps, double start, double end, double? reasoningEnd, bool weighted)
    {
        var progress = new List<TuneProgress>();
        var heldOut = new List<HeldOutMeasured>();
        for (int step = 1; step <= steps; step++)
        {
            double left = Math.Exp(-5.0 * step / steps), noise = 0.06 * random.NextGaussian();
            double? reasoning = reasoningEnd is { } last ? last + (3.0 - last) * left + 1.5 * noise : null;
            double? boilerplate = reasoningEnd is null ? null : 0.24 + 1.2 * left + 0.3 * noise;
            progress.Add(new TuneProgress
            {
                Step = step,
                Steps = steps,
                Loss = end + (start - end) * left + noise,
                ReasoningLoss = reasoning,
                BoilerplateLoss = boilerplate,
                ReasoningWeight = weighted ? 1 / (1 + Math.Exp(boilerplate!.Value - reasoning!.Value)) : null,
                GradientNorm = 0.6 + 1.5 * left + Math.Abs(noise) * 3,
                LearningRate = 1e-3 * Math.Min(1, step / (0.05 * steps)) * (0.55 + 0.45 * Math.Cos(Math.PI * step / steps)),
            });
            if (reasoningEnd is not null && step % (steps / 5) == 0)
            {
                heldOut.Add(new HeldOutMeasured
                {
                    Step = step,
                    Loss = end + 0.08 + (start - end) * left,
                    ReasoningLoss = reasoning + 0.05,
                    BoilerplateLoss = boilerplate + 0.01,
                });
            }
        }

        return new TrainingCurve(name, progress, heldOut);
    }

    /// <summary>Pieces as a small byte-pair vocabulary would make them: a space with up to five letters, digits in threes, marks.</summary>
    private static IEnumerable<string> Split(string text) => Pieces().Matches(text).Select(static match => match.Value);

    private static string Pick(string[] from, SeededRandom random) => from[random.NextInt32(from.Length)];

    [GeneratedRegex(@"<\|\w+\|>| ?\p{L}{1,5}|\d{1,3}|[""{\[(]{1,2}|\n|\s|\p{Cs}\p{Cs}|.", RegexOptions.Singleline)]
    private static partial Regex Pieces();
}
