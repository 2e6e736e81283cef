using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using Shad.Core.Classification;
using Shad.Core.Samples;
using Shad.Core.Tuning;
using Shad.Data.Corpora;
using Shad.Data.Demo;
using Shad.Data.Tokenization;
using Shad.Models;
using Shad.Onnx.Scoring;

namespace ExperimentRft;

/// <summary>A training set with the losses of base model, probe and aligned control: gives every arm its roles and weights.</summary>
internal sealed class ScoredSet
{
    private readonly List<Scored> _samples = [];
    private readonly ConcurrentDictionary<double, double> _margins = new();
    private static readonly Regex Markup = new(
        string.Join('|', DemoFormats.Markers.OrderByDescending(static marker => marker.Length).Select(Regex.Escape))
        + """|" = "|"; "|", "|": "|": (?=\d)|(?<=\d), "|"\}, "|\}, "|"\}|">|</slot>|</use>|</why>|</decision>|</after>|"?\nGiven|" set to "|, which""");

    private sealed record Scored(EncodedSample Sample, float[] Base, float[] Probe, float[] Control, int[] Words);

    public static async Task<ScoredSet> ScoreAsync(List<EncodedSample> samples, string baseModel, string probe, string control, int threads)
    {
        ModelFolder[] models = [ModelFolder.Open(baseModel), ModelFolder.Open(probe), ModelFolder.Open(control)];
        try
        {
            using var session = ScoringSession.Open(models, new ScoringOptions { Threads = threads });
            var set = new ScoredSet();
            await foreach (var scored in session.ScoreAsync(samples.ToAsyncEnumerable(), static sample => sample.Tokens).ConfigureAwait(false))
            {
                set._samples.Add(new Scored(
                    scored.Item, scored.LossesByModel[0], scored.LossesByModel[1], scored.LossesByModel[2],
                    WordNumbers.Of(scored.Item.Text!, scored.Item.OffsetStart, scored.Item.OffsetEnd)));
            }

            return set;
        }
        finally
        {
            foreach (var model in models) model.Dispose();
        }
    }

    /// <summary>The training samples of an arm.</summary>
    public IEnumerable<TokenizedSample> For(Arm arm)
    {
        double threshold = arm.Weights == WeightSource.ExcessLoss ? ExcessThreshold(arm.Keep) : 0;
        return _samples.Select(scored => scored.Sample.Tokens with
        {
            Roles = arm.Roles is { } source ? Roles(scored, source, arm) : null,
            Weights = arm.Objective == TuneObjective.Weighted ? Weights(scored, arm, threshold) : null,
        });
    }

    /// <summary>How well roles agree with the known ones: precision and recall of "reasoning", and its share of the tokens.</summary>
    public (double Precision, double Recall, double Share) Agreement(Arm arm)
    {
        double both = 0, found = 0, known = 0, all = 0;
        foreach (var scored in _samples)
        {
            var roles = Roles(scored, arm.Roles!.Value, arm);
            for (int i = 0; i < roles.Length; i++)
            {
                if (roles[i] is null) continue;
                bool isFound = roles[i] == TokenRole.Reasoning, isKnown = scored.Sample.KnownRoles![i] == TokenRole.Reasoning;
                all++;
                if (isFound) found++;
                if (isKnown) known++;
                if (isFound && isKnown) both++;
            }
        }

        return (both / Math.Max(1, found), both / known, found / all);
    }

    private TokenRole?[] Roles(Scored scored, RoleSource source, Arm arm)
    {
        switch (source)
        {
            case RoleSource.Known:
                return scored.Sample.KnownRoles!;
            case RoleSource.Paper:
                return Classify(scored, new PaperRule());
            case RoleSource.Control:
                return Classify(scored, new AlignedControlRule(MarginOf(arm)) { Surprise = arm.Surprise ?? double.PositiveInfinity });
            default:
                bool[] markup = MarkupOf(scored.Sample);
                return Where(scored, i => !markup[i]);
        }
    }

    /// <summary>The margin of an arm: its own, or what the noise of the set makes it.</summary>
    private double MarginOf(Arm arm)
    {
        if (arm.FalseShare is not { } share) return arm.Margin;
        if (_margins.TryGetValue(share, out double known)) return known;
        var rule = new AlignedControlRule();
        var estimate = new MarginEstimate();
        foreach (var scored in _samples) estimate.Add(RoleClassifier.LossDifference(scored.Probe, scored.Control), scored.Words, rule);
        return _margins[share] = estimate.Margin(share) ?? MarginEstimate.Largest;
    }

    private static TokenRole?[] Where(Scored scored, Func<int, bool> isReasoning) =>
    [
        .. Enumerable.Range(0, scored.Base.Length).Select(i =>
            !scored.Sample.Tokens.IsTarget(i) ? (TokenRole?)null : isReasoning(i) ? TokenRole.Reasoning : TokenRole.Boilerplate),
    ];

    private static TokenRole?[] Classify(Scored scored, ClassificationRule rule) =>
        RoleClassifier.Classify(Evidence(scored, rule), RoleClassifier.Evidence(scored.Probe, scored.Words, rule), rule);

    private static float[] Evidence(Scored scored, ClassificationRule rule)
    {
        float[] reference = rule.Reference == ReferenceModel.Base ? scored.Base : scored.Control;
        return RoleClassifier.Evidence(RoleClassifier.LossDifference(scored.Probe, reference), scored.Words, rule);
    }

    private float[] Weights(Scored scored, Arm arm, double threshold)
    {
        var weights = new float[scored.Base.Length];
        TokenRole?[]? roles = arm.Roles is { } source ? Roles(scored, source, arm) : null;
        float[] evidence = Evidence(scored, new AlignedControlRule(arm.Margin));
        for (int i = 0; i < weights.Length; i++)
        {
            if (!scored.Sample.Tokens.IsTarget(i)) continue;
            weights[i] = arm.Weights switch
            {
                WeightSource.Factor => roles![i] == TokenRole.Reasoning ? (float)arm.Factor : 1,
                WeightSource.Confidence => (float)(1 + 1 / (1 + Math.Exp(-(evidence[i] - arm.Margin) / arm.Scale))),
                _ => scored.Base[i] - scored.Control[i] >= threshold ? 1 : 0,
            };
        }

        return weights;
    }

    private double ExcessThreshold(double keep)
    {
        float[] excess = [.. _samples.SelectMany(static scored => scored.Base.Zip(scored.Control, static (b, c) => b - c)).Where(float.IsFinite)];
        Array.Sort(excess);
        return excess[Math.Clamp((int)((1 - keep) * excess.Length), 0, excess.Length - 1)];
    }

    /// <summary>True for tokens of the response that are markup of a format from their first character to their last.</summary>
    private static bool[] MarkupOf(EncodedSample sample)
    {
        int first = Corpora.FirstTarget(sample);
        int start = sample.OffsetStart![first];
        var isMarkup = new bool[sample.Text!.Length + 1];
        foreach (Match match in Markup.Matches(sample.Text, start)) isMarkup.AsSpan(match.Index, match.Length).Fill(true);
        var tokens = new bool[sample.Tokens.Length];
        for (int i = first; i < tokens.Length; i++)
            tokens[i] = isMarkup.AsSpan(sample.OffsetStart[i], sample.OffsetEnd![i] - sample.OffsetStart[i]).IndexOf(false) < 0;
        return tokens;
    }
}
