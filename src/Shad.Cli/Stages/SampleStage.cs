using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Shad.Cli.Corpora;
using Shad.Cli.Recipes;
using Shad.Cli.Runs;
using Shad.Core.Errors;
using Shad.Core.Randomness;
using Shad.Core.Samples;
using Shad.Core.Shuffling;
using Shad.Data.Annotations;
using Shad.Data.Corpora;
using Shad.Models;

namespace Shad.Cli.Stages;

/// <summary>
/// Reads and encodes the corpus once for all later stages, keeps a part of it from all tuning, draws the probe sample from the rest
/// and shuffles its responses.
/// </summary>
/// <param name="recipe">The recipe.</param>
public sealed class SampleStage(Recipe recipe) : Stage
{
    /// <summary>The encoded corpus: the annotation columns without losses.</summary>
    public const string CorpusFile = "corpus.parquet";

    /// <summary>The probe sample with responses shuffled.</summary>
    public const string ShuffledFile = "shuffled.jsonl";

    /// <summary>The probe sample as it is, in the same order.</summary>
    public const string AlignedFile = "aligned.jsonl";

    // Streams of the recipe's seed; a new use takes a new number, so that older draws stay as they are.
    private const ulong HeldOutStream = 1, ProbeStream = 2, ShuffleStream = 3;

    /// <inheritdoc/>
    public override string Name => StageNames.Sample;

    /// <inheritdoc/>
    public override string Title => "Encode the corpus and shuffle the probe sample";

    /// <inheritdoc/>
    public override StageInputs Inputs(RunFolder run)
    {
        var files = new Dictionary<string, string> { ["model"] = recipe.Model.Path };
        for (int i = 0; i < recipe.Corpus.Files.Count; i++) files[$"corpus {i}"] = recipe.Corpus.Files[i];
        return new StageInputs(
            new JsonObject
            {
                ["corpus"] = RecipeWriter.ToJson(recipe.Corpus with { Files = [.. recipe.Corpus.Files.Select(file => Path.GetFileName(file))] }),
                ["fraction"] = recipe.Probe.Fraction,
                ["minimum_samples"] = recipe.Probe.MinimumSamples,
                ["seed"] = recipe.Seed,
            },
            files);
    }

    /// <inheritdoc/>
    public override async Task<StageOutcome> RunAsync(StageContext context, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        using ModelFolder model = ModelFolder.Open(recipe.Model.Path);
        var report = new CorpusReport();
        int count = await EncodeAsync(context, model, report, cancellationToken).ConfigureAwait(false);
        CorpusEncoding.Warn(report, context);

        var random = new SeededRandom(recipe.Seed);
        int[] heldOut = HeldOut(count, random.Fork(HeldOutStream));
        HashSet<int> kept = [.. heldOut];
        int[] training = [.. Enumerable.Range(0, count).Where(i => !kept.Contains(i))];
        HashSet<int> chosen =
        [
            .. ProbeSample.Select(training.Length, recipe.Probe.Fraction, recipe.Probe.MinimumSamples, random.Fork(ProbeStream))
                .Select(i => training[i]),
        ];
        List<TokenizedSample> aligned = await ReadChosenAsync(context, chosen, cancellationToken).ConfigureAwait(false);
        (aligned, List<TokenizedSample> shuffled) =
            Shuffle(aligned, random.Fork(ShuffleStream), CorpusEncoding.ContextOf(recipe.Corpus, model), context);
        TokenizedSampleWriter.WriteAll(context.PathOf(AlignedFile), aligned);
        TokenizedSampleWriter.WriteAll(context.PathOf(ShuffledFile), shuffled);

        return new StageOutcome
        {
            Summary = string.Create(
                CultureInfo.InvariantCulture,
                $"{count:N0} samples, {heldOut.Length:N0} of them held out; {aligned.Count:N0} in the probe sample"),
            Result = JsonSerializer.SerializeToNode(
                new SampleResult(
                    count, report.Tokens, report.Targets, heldOut, aligned.Count, report.BadRows, report.Truncated, report.Skipped),
                RunJson.Line),
        };
    }

    private async Task<int> EncodeAsync(
        StageContext context, ModelFolder model, CorpusReport report, CancellationToken cancellationToken)
    {
        using AnnotationWriter writer = AnnotationWriter.Create(context.PathOf(CorpusFile), AnnotationColumns.KnownRole | AnnotationColumns.Weight);
        await foreach (EncodedSample sample in CorpusEncoding.ReadAsync(recipe.Corpus, model, report, cancellationToken).ConfigureAwait(false))
        {
            writer.Write(AnnotationRow.Of(sample));
            if (writer.Count % 100 == 0) context.Progress(writer.Count, recipe.Corpus.Limit, "samples");
        }

        if (writer.Count == 0) throw StageErrors.NothingToUse(recipe.Corpus.Files, report.Skipped);
        writer.Complete();
        return checked((int)writer.Count);
    }

    /// <summary>Indices of the held-out samples. At least two samples are left, so that there is something to shuffle.</summary>
    private int[] HeldOut(int count, SeededRandom random)
    {
        int wanted = (int)Math.Round(recipe.Corpus.HeldOut * count, MidpointRounding.AwayFromZero);
        wanted = Math.Min(wanted, Math.Max(0, count - 2));
        return wanted == 0 ? [] : ProbeSample.Select(count, (double)wanted / count, 1, random);
    }

    private static async Task<List<TokenizedSample>> ReadChosenAsync(
        StageContext context, HashSet<int> chosen, CancellationToken cancellationToken)
    {
        var samples = new List<TokenizedSample>(chosen.Count);
        int index = 0;
        AnnotationReader reader = AnnotationReader.Open(context.PathOf(CorpusFile));
        await foreach (AnnotationRow row in reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            if (chosen.Contains(index++)) samples.Add(new TokenizedSample(row.Id, row.InputIds, row.Labels));
        }

        return samples;
    }

    /// <summary>The shuffled samples and their aligned counterparts. A sample that no longer fits the context with another's responses is
    /// left out of both, so that probe and control see the same samples in the same steps.</summary>
    private static (List<TokenizedSample> Aligned, List<TokenizedSample> Shuffled) Shuffle(
        List<TokenizedSample> aligned, SeededRandom random, int context, StageContext stage)
    {
        IReadOnlyList<TokenizedSample> shuffled = ShuffledSamples.Create(aligned, random);
        List<int> fitting = [.. Enumerable.Range(0, aligned.Count).Where(i => FitsFromFirstResponse(shuffled[i], context))];
        if (fitting.Count < aligned.Count)
        {
            stage.Warn(
                "sample.left_out",
                $"{aligned.Count - fitting.Count} samples of the probe sample do not fit the context with another's responses and are left out",
                aligned.Count - fitting.Count);
        }

        return ([.. fitting.Select(i => aligned[i])], [.. fitting.Select(i => shuffled[i])]);
    }

    // What comes before the first response can be cut off, but for one token.
    private static bool FitsFromFirstResponse(TokenizedSample sample, int context) =>
        sample.Length - sample.ResponseSpans()[0].Start.Value + 1 <= context;
}

/// <summary>The numbers of the <c>sample</c> stage.</summary>
/// <param name="Samples">Samples of the encoded corpus.</param>
/// <param name="Tokens">Their tokens.</param>
/// <param name="ResponseTokens">Their response tokens.</param>
/// <param name="HeldOut">Indices of the held-out samples, ascending.</param>
/// <param name="ProbeSamples">Samples of the probe sample.</param>
/// <param name="BadRows">Rows left out.</param>
/// <param name="Truncated">Samples whose prompt was cut.</param>
/// <param name="Skipped">Samples that do not fit the context.</param>
public sealed record SampleResult(
    int Samples, long Tokens, long ResponseTokens, IReadOnlyList<int> HeldOut, int ProbeSamples, long BadRows, long Truncated, long Skipped);
