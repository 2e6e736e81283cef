using CsCheck;
using Shad.Core.Samples;
using Shad.Sidecar.Tuning;

namespace Shad.Sidecar.Tests;

public sealed class ScheduleTests
{
    [Test]
    public void The_rate_warms_up_linearly_peaks_and_falls_along_a_cosine_to_its_floor()
    {
        var schedule = new LearningRateSchedule(Peak: 2, Steps: 105, WarmupRatio: 0.04, FloorRatio: 0.1);
        Assert.Multiple(() =>
        {
            Assert.That(schedule.At(0), Is.EqualTo(0.4).Within(1e-12));
            Assert.That(schedule.At(4), Is.EqualTo(2).Within(1e-12));
            Assert.That(schedule.At(5), Is.EqualTo(2).Within(1e-12));
            // Halfway: the mean of peak and floor.
            Assert.That((schedule.At(54) + schedule.At(55)) / 2, Is.EqualTo(1.1).Within(1e-3));
            Assert.That(schedule.At(104), Is.EqualTo(0.2).Within(1e-12));
        });
    }

    [Test]
    public void The_rate_is_never_above_its_peak_nor_0_whatever_the_steps() =>
        Gen.Select(Gen.Int[1, 400], Gen.Double[0, 1], Gen.Double[0.01, 1]).Sample((steps, warmup, floor) =>
        {
            var schedule = new LearningRateSchedule(1, steps, warmup, floor);
            for (int step = 0; step < steps; step++)
            {
                double rate = schedule.At(step);
                if (!(rate > 0 && rate <= 1 + 1e-12)) return false;
            }

            return true;
        });

    [Test]
    public void Each_epoch_sees_every_sample_once_and_a_step_does_not_depend_on_those_before() =>
        Gen.Select(Gen.Int[1, 50], Gen.Int[1, 20], Gen.ULong, Gen.Bool).Sample((count, perStep, seed, shuffle) =>
        {
            var order = new SampleOrder(count, perStep, null, 3, shuffle ? seed : null);
            var seen = Enumerable.Range(0, order.Steps).SelectMany(step => order.Of(step)).ToList();
            var again = new SampleOrder(count, perStep, null, 3, shuffle ? seed : null);
            bool resumable = again.Of(order.Steps - 1).SequenceEqual(order.Of(order.Steps - 1));
            return resumable && seen.Count == 3 * count
                && seen.Chunk(count).All(epoch => epoch.Order().SequenceEqual(Enumerable.Range(0, count)))
                && (shuffle || seen.Take(count).SequenceEqual(Enumerable.Range(0, count)));
        });

    [Test]
    public void Given_steps_are_all_full_and_epochs_end_with_a_short_one()
    {
        Assert.That(new SampleOrder(10, 4, 7, 1, 1).Of(6), Has.Length.EqualTo(4));
        var epochs = new SampleOrder(10, 4, null, 1.5, 1);
        Assert.That(epochs.Steps, Is.EqualTo(4));
        Assert.That(epochs.Of(3), Has.Length.EqualTo(3));
    }

    [Test]
    public void Micro_batches_hold_every_sample_in_order_within_the_budget() =>
        Gen.Select(Gen.Int[2, 60].List[1, 30], Gen.Int[1, 200]).Sample((lengths, tokens) =>
        {
            var samples = MicroBatches.LongestFirst(lengths.Select((length, i) =>
                new TokenizedSample($"{i}", new int[length], [.. Enumerable.Repeat(TokenizedSample.IgnoredLabel, length)])));
            var cuts = MicroBatches.Cut(samples, tokens, [20, 40]);
            int at = 0;
            foreach (var cut in cuts)
            {
                var batch = samples[cut];
                if (cut.Start.Value != at || batch.Length == 0) return false;
                if (batch.Length > 1 && batch.Length * batch[0].Length > tokens) return false;
                if (new[] { 20, 40 }.Any(boundary => batch[0].Length > boundary && batch[^1].Length <= boundary)) return false;
                at = cut.End.Value;
            }

            return at == samples.Length;
        });

    [Test]
    public void A_long_prompt_is_cut_from_the_left_but_for_a_token_that_begins_the_sequence()
    {
        var sample = new TokenizedSample("a", [1, 11, 12, 13, 14, 15], [-100, -100, -100, -100, 14, 15])
        {
            Weights = [0, 0, 0, 0, 4, 5], Roles = [null, null, null, null, TokenRole.Boilerplate, TokenRole.Reasoning],
        };
        var cut = TuneData.Truncate(sample, 4, keepFirst: true)!;
        Assert.Multiple(() =>
        {
            Assert.That(cut.InputIds, Is.EqualTo(new[] { 1, 13, 14, 15 }));
            Assert.That(cut.Labels, Is.EqualTo(new[] { -100, -100, 14, 15 }));
            Assert.That(cut.Weights, Is.EqualTo(new[] { 0f, 0, 4, 5 }));
            Assert.That(cut.Roles, Is.EqualTo(new TokenRole?[] { null, null, TokenRole.Boilerplate, TokenRole.Reasoning }));
            Assert.That(TuneData.Truncate(sample, 4, keepFirst: false)!.InputIds, Is.EqualTo(new[] { 12, 13, 14, 15 }));
        });
    }

    [Test]
    public void A_response_that_does_not_fit_is_not_cut()
    {
        var sample = new TokenizedSample("a", [1, 11, 12, 13, 14], [-100, -100, 12, 13, 14]);
        foreach (bool keepFirst in (bool[])[true, false])
        {
            Assert.That(
                TuneData.Truncate(sample, 4, keepFirst)!.InputIds, Is.EqualTo(new[] { keepFirst ? 1 : 11, 12, 13, 14 }));
            Assert.That(TuneData.Truncate(sample, 3, keepFirst), Is.Null);
        }
    }
}
