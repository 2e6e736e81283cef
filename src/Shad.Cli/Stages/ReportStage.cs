using System.Globalization;
using System.Text.Json.Nodes;
using Shad.Cli.Annotation;
using Shad.Cli.Recipes;
using Shad.Cli.Runs;
using Shad.Core.Classification;
using Shad.Core.Samples;
using Shad.Core.Weighting;
using Shad.Data.Annotations;
using Shad.Data.Corpora;
using Shad.Data.Reports;
using Shad.Data.Tokenization;

namespace Shad.Cli.Stages;

/// <summary>Writes <c>report.html</c> from the records and outputs of all other stages.</summary>
/// <param name="recipe">The recipe.</param>
/// <param name="stages">The other stages of the run, in order.</param>
public sealed class ReportStage(Recipe recipe, IReadOnlyList<Stage> stages) : Stage
{
    /// <inheritdoc/>
    public override string Name => StageNames.Report;

    /// <inheritdoc/>
    public override string Title => "Write the report";

    /// <inheritdoc/>
    public override StageInputs Inputs(RunFolder run)
    {
        ArgumentNullException.ThrowIfNull(run);
        var files = new Dictionary<string, string>();
        foreach (Stage stage in stages) files[stage.Name] = Path.Combine(run.StageFolder(stage.Name), StageRecord.FileName);
        return new StageInputs(new JsonObject { ["name"] = recipe.Name }, files);
    }

    /// <inheritdoc/>
    public override async Task<StageOutcome> RunAsync(StageContext context, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        RunFolder run = context.Run;
        List<StageRecord> records = [.. stages.Select(stage => run.RequireRecord(stage.Name))];
        CorpusDigest digest = await DigestAsync(context, cancellationToken).ConfigureAwait(false);
        HtmlReport.Write(Model(run, records, digest), run.Report);
        return new StageOutcome { Summary = run.Report, OutputsElsewhere = [run.Report] };
    }

    private async Task<CorpusDigest> DigestAsync(StageContext context, CancellationToken cancellationToken)
    {
        RunFolder run = context.Run;
        ITextTokenizer? tokenizer = TokenizerLoader.TryLoad(recipe.Model.Path);
        long total = run.RequireRecord(StageNames.Annotate).ResultAs<AnnotateResult>().Annotation.Samples;
        string annotations = Path.Combine(run.StageFolder(StageNames.Annotate), AnnotateStage.AnnotationsFile);
        var digest = new CorpusDigest();
        long done = 0;
        await foreach (AnnotationRow row in AnnotationReader.Open(annotations).ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            digest.Add(SampleOf(row, tokenizer));
            context.Progress(++done, total, "samples");
        }

        return digest;
    }

    private ReportSample SampleOf(AnnotationRow row, ITextTokenizer? tokenizer)
    {
        string[] texts = row is { Text: { } text, OffsetStart: { } starts, OffsetEnd: { } ends }
            ? ReportSample.TokenTexts(text, starts, ends)
            : Array.ConvertAll(row.InputIds, id => tokenizer?.Describe(id) ?? $"‹{id}› ");
        TokenRole?[]? known = row.KnownRoles ?? StructuralRoles.Of(
            new EncodedSample(new TokenizedSample(row.Id, row.InputIds, row.Labels), row.Text, row.OffsetStart, row.OffsetEnd));
        float[]? evidence = row is { ProbeLoss: { } probe, ControlLoss: { } control }
            ? CorpusAnnotator.EvidenceOf(row, RoleClassifier.LossDifference(probe, control), CorpusAnnotator.RuleOf(recipe.Rule with { Kind = RuleKind.Control }))
            : null;
        var tokens = new ReportToken[texts.Length];
        for (int i = 0; i < tokens.Length; i++)
        {
            tokens[i] = new ReportToken(texts[i], row.Labels[i] != TokenizedSample.IgnoredLabel)
            {
                Role = row.Roles?[i],
                KnownRole = known?[i],
                LossDifference = row.LossDifference?[i] ?? float.NaN,
                ControlEvidence = evidence?[i] ?? float.NaN,
                BaseLoss = row.BaseLoss?[i] ?? float.NaN,
                ProbeLoss = row.ProbeLoss?[i] ?? float.NaN,
                ControlLoss = row.ControlLoss?[i] ?? float.NaN,
            };
        }

        return new ReportSample(row.Id, tokens);
    }

    private ReportModel Model(RunFolder run, List<StageRecord> records, CorpusDigest digest)
    {
        AnnotationSummary annotation = run.RequireRecord(StageNames.Annotate).ResultAs<AnnotateResult>().Annotation;
        EvalResult eval = run.RequireRecord(StageNames.Eval).ResultAs<EvalResult>();
        var sample = run.RequireRecord(StageNames.Sample).ResultAs<SampleResult>();
        StageRecord probe = run.RequireRecord(StageNames.Probe);
        bool structural = annotation.InUse is { Known: null, Structural: not null };

        List<ReportWarning> warnings = [.. records.SelectMany(record => record.Warnings)
            .Select(warning => new ReportWarning(warning.Message, warning.Count, warning.Examples))];
        if (structural)
        {
            warnings.Insert(0, new ReportWarning(
                "The corpus does not know its roles. The rules are compared with roles derived from the structure of the JSON responses: values "
                + "are reasoning, scaffolding is boilerplate, names of arguments are left undecided"));
        }

        return new ReportModel
        {
            Title = recipe.Name,
            CreatedAt = records.Max(record => record.StartedAt.AddSeconds(record.Seconds)),
            Method = new MethodSummary
            {
                BaseModel = Path.GetFileName(Path.TrimEndingDirectorySeparator(recipe.Model.Path)),
                Corpus = string.Join(", ", recipe.Corpus.Files.Select(Path.GetFileName)),
                Rule = RuleOf(annotation.InUse),
                ProbeSamples = sample.ProbeSamples,
                ProbeSteps = probe.Result?["steps"]?.GetValue<int>(),
                ProbeLastLayers = probe.Result?["last_layers"]?.GetValue<int>(),
                Rft = recipe.Tune.Arms.Contains(TuneArm.Rft)
                    ? new RftWeighting
                    {
                        Temperature = recipe.Tune.Temperature, BySize = recipe.Tune.WeightBySize,
                        BoilerplateFloor = recipe.Tune.BoilerplateFloor, AnnealFrom = recipe.Tune.AnnealFrom,
                    }
                    : null,
            },
            Tokens = digest.Statistics,
            ReferenceRoles = structural ? ReferenceRoles.Structural : ReferenceRoles.Known,
            Rules = [.. annotation.Rules.Select(rule => EvidenceOf(rule, digest)).OfType<RuleEvidence>()],
            Samples = digest.Samples,
            Phrases = digest.Phrases,
            Spans = digest.Spans,
            Curves = [.. Curves(run)],
            Losses = eval.Losses,
            LossRoles = eval.Losses.Count == 0 ? null : eval.Roles == "known" ? "known roles" : "roles of the rule in use",
            Costs = [.. records.Select(record => new StageCost(record.Stage, record.Tokens, record.Seconds))],
            Warnings = warnings,
            Provenance = [.. Provenance(probe)],
        };
    }

    /// <summary>The rule as it was used: its margin may have been found from the corpus.</summary>
    private ClassificationRule RuleOf(RuleSummary rule) => CorpusAnnotator.RuleOf(
        recipe.Rule with { Kind = rule.Rule == "control" ? RuleKind.Control : RuleKind.Paper, Margin = rule.Margin });

    private RuleEvidence? EvidenceOf(RuleSummary rule, CorpusDigest digest)
    {
        ClassificationRule known = RuleOf(rule);
        LossDifferenceHistogram? histogram = known.Reference == ReferenceModel.Base ? digest.PaperHistogram : digest.ControlHistogram;
        return histogram is null ? null : new RuleEvidence(known, histogram, rule.Agreement);
    }

    private IEnumerable<TrainingCurve> Curves(RunFolder run)
    {
        IEnumerable<(string Name, string Stage)> tunes =
        [
            (StageNames.Probe, StageNames.Probe), (StageNames.Control, StageNames.Control),
            .. recipe.Tune.Arms.Select(arm => (StageNames.NameOf(arm), StageNames.Tune(arm))),
        ];
        foreach ((string name, string stage) in tunes)
        {
            var (progress, heldOut) = TuningWork.ReadCurve(run.StageFolder(stage));
            yield return new TrainingCurve(name, progress, heldOut);
        }
    }

    private IEnumerable<ProvenanceEntry> Provenance(StageRecord probe)
    {
        EnvironmentRecord environment = EnvironmentRecord.Current;
        yield return new("Shad.Onnx", environment.Shad);
        yield return new("ONNX Runtime", environment.OnnxRuntime);
        if (probe.Result?["torch"]?.GetValue<string>() is { } torch) yield return new("libtorch", torch);
        yield return new(".NET", environment.Dotnet);
        yield return new("Machine", $"{environment.Machine}, {environment.System}");
        yield return new("Cores", environment.Cores.ToString(CultureInfo.InvariantCulture));
        yield return new("Memory", string.Create(CultureInfo.InvariantCulture, $"{environment.MemoryBytes / (double)(1L << 30):0.0} GiB"));
        yield return new("Seed", recipe.Seed.ToString(CultureInfo.InvariantCulture));
        yield return new("Model", $"{recipe.Model.Path} (SHA-256 {Shorten(probe.Inputs["model"])})");
        foreach (string file in recipe.Corpus.Files) yield return new("Corpus", file);
    }

    private static string Shorten(string hash) => hash[..16];
}
