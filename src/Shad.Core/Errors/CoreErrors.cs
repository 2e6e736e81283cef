using System.Globalization;

namespace Shad.Core.Errors;

/// <summary>Every error of the method itself that a user can cause, in one place.</summary>
internal static class CoreErrors
{
    public static ShadException NothingToShuffleWith(int count) => new(
        "shuffle.too_few",
        count == 0 ? "There is no sample to shuffle" : "There is one sample only, and nothing to shuffle it with",
        expected: "at least 2 samples, so that each can get another's response",
        mend: "Give a larger corpus, or raise the probe fraction");

    public static ShadException NoResponse(string sampleId) => new(
        "shuffle.no_response",
        "The sample has no response token",
        where: $"sample '{sampleId}'",
        expected: "at least one response in every sample to shuffle",
        mend: "Leave the sample out, or check which roles the corpus marks as responses");

    public static ShadException EmptyCorpus() => new(
        "probe.empty_corpus",
        "There is no sample to draw the probe sample from",
        expected: "a corpus with at least one sample",
        mend: "Check the corpus path and the report of rows left out");

    public static ShadException BadFraction(double fraction) => new(
        "probe.bad_fraction",
        $"The probe fraction is {Text(fraction)}",
        expected: "a number above 0 and at most 1 (0.01 is 1 % of the corpus)",
        mend: "Correct the fraction");

    public static ShadException BadMinimum(int minimum) => new(
        "probe.bad_minimum",
        $"The smallest probe sample is {minimum}",
        expected: "1 or more",
        mend: "Correct the minimum");

    public static ShadException BadMargin(double margin) => new(
        "classification.bad_margin",
        $"The margin is {Text(margin)} nats",
        expected: "a finite number of nats, 0 or more",
        mend: "Correct the margin; 0.1 is the default");

    public static ShadException BadSurprise(double surprise) => new(
        "classification.bad_surprise",
        $"The loss above which a token is reasoning is {Text(surprise)} nats",
        expected: "more than 0 nats; infinity where the loss difference alone decides",
        mend: "Correct it; 2 is the default of the control rule");

    public static ShadException BadFalseShare(double share) => new(
        "classification.bad_false_share",
        $"The share of boilerplate allowed among reasoning tokens is {Text(share)}",
        expected: "a number from 0.0001 to 0.5 (0.05 is 5 %)",
        mend: "Correct the share");

    public static ShadException LossMissing(int index, float probeLoss, float referenceLoss) => new(
        "classification.loss_missing",
        $"Token {index} has the loss {Text(probeLoss)} from the probe and {Text(referenceLoss)} from the model it is compared with",
        expected: "both models to score the same tokens (NaN in both where a token is no target)",
        mend: "Score the corpus again with both models");

    public static ShadException LossNotFinite(int index, float probeLoss, float referenceLoss) => new(
        "classification.loss_not_finite",
        $"Token {index} has the loss {Text(probeLoss)} from the probe and {Text(referenceLoss)} from the model it is compared with",
        expected: "finite losses",
        mend: "Check the tune of the model that gives it: it has probably diverged");

    public static ShadException BadAnnealFrom(double share) => new(
        "rft.bad_anneal_from", $"The share of the steps after which RFT goes over to SFT is {share}", expected: "a share from 0 to 1, where 1 is never");

    public static ShadException BadBoilerplateFloor(double floor) => new(
        "rft.bad_boilerplate_floor", $"The least weight of boilerplate is {floor}", expected: "a share of its weight in supervised fine-tuning, from 0 to 1");

    public static ShadException BadTemperature(double temperature) => new(
        "rft.bad_temperature",
        $"The RFT temperature is {Text(temperature)}",
        expected: "a finite number of nats above 0",
        mend: "Correct the temperature; 1 is the default");

    private static string Text(double value) => value.ToString("R", CultureInfo.InvariantCulture);
}
