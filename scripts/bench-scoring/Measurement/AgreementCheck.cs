using System.Globalization;
using System.Text.Json;
using BenchScoring.Contenders;
using BenchScoring.Corpora;
using BenchScoring.Models;

namespace BenchScoring.Measurement;

/// <summary>Whether the contenders agree in loss, token by token, on a few samples. Those that do not are not timed.</summary>
internal static class AgreementCheck
{
    /// <param name="Mean">Mean absolute difference, in nats.</param>
    /// <param name="Most">Largest absolute difference, in nats.</param>
    /// <param name="Tolerance">Largest <paramref name="Mean"/> that is agreement.</param>
    /// <param name="With">What it was compared with.</param>
    internal sealed record Agreement(double Mean, double Most, double Tolerance, string With)
    {
        public bool Agrees => Mean <= Tolerance;
    }

    public static string File(BenchPlaces places, BenchShape shape) => Path.Combine(places.Work, "checks", $"{shape.Name}.json");

    public static Dictionary<string, Agreement> Read(BenchPlaces places, BenchShape shape) => System.IO.File.Exists(File(places, shape))
        ? JsonSerializer.Deserialize<Dictionary<string, Agreement>>(System.IO.File.ReadAllText(File(places, shape)))!
        : [];

    /// <summary>Runs and compares contenders.</summary>
    /// <returns>True where all agree.</returns>
    public static async Task<bool> RunAsync(BenchPlaces places, BenchShape shape, IReadOnlyList<Contender> contenders)
    {
        string corpus = BenchCorpora.File(places.Work, shape, BenchCorpora.Check);
        var known = Read(places, shape);
        float[] ours = await LossesAsync(Contender.Of("ours")).ConfigureAwait(false);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{shape.Name}: {ours.Length} targets, mean loss {ours.Average():0.0000}, standard deviation {Deviation(ours):0.000} nats"));

        // Ours against another implementation, not against itself.
        float[] torch = await LossesAsync(Contender.Of("torch")).ConfigureAwait(false);
        Tell("ours", Compare(ours, torch, 1e-3, "torch"));
        foreach (var contender in contenders.Where(static contender => contender.HasLosses && contender.CheckedBy is null && contender.Id != "ours"))
        {
            if (contender.Corpus == BenchCorpora.SharedPrefix)
            {
                float[] without = await LossesAsync(Contender.Of("ours-no-reuse"), BenchCorpora.SharedPrefix).ConfigureAwait(false);
                float[] with = await LossesAsync(contender, BenchCorpora.SharedPrefix).ConfigureAwait(false);
                Tell(contender.Id, Compare(with, without, contender.Tolerance, "ours-no-reuse"));
                continue;
            }

            try
            {
                float[] losses = contender.Id == "torch" ? torch : await LossesAsync(contender).ConfigureAwait(false);
                Tell(contender.Id, Compare(losses.AsSpan(0, Math.Min(ours.Length, losses.Length)), ours, contender.Tolerance, "ours"));
                for (int probe = 1; probe <= contender.Probes; probe++)
                {
                    string output = places.LossesOf(shape, BenchCorpora.Check, $"torch.probe{probe}");
                    await TorchContender.RunAsync(
                        places, BenchModels.Probe(places.Work, shape, probe), BenchCorpora.File(places.Work, shape, BenchCorpora.Least), corpus, output)
                        .ConfigureAwait(false);
                    var probeLosses = losses.AsSpan(probe * ours.Length, ours.Length);
                    var agreement = Compare(probeLosses, LossFile.Read(output), contender.Tolerance, $"torch, probe {probe}");
                    if (!agreement.Agrees || agreement.Mean > known[contender.Id].Mean) Tell(contender.Id, agreement);
                }
            }
            catch (InvalidOperationException failed)
            {
                Console.WriteLine($"  {contender.Id}: failed: {failed.Message}");
                known[contender.Id] = new Agreement(double.MaxValue, double.MaxValue, contender.Tolerance, "failed");
            }
        }

        Directory.CreateDirectory(Path.GetDirectoryName(File(places, shape))!);
        await System.IO.File.WriteAllTextAsync(File(places, shape), JsonSerializer.Serialize(known)).ConfigureAwait(false);
        return contenders.All(contender => known.GetValueOrDefault(contender.CheckedBy ?? contender.Id)?.Agrees ?? false);

        async Task<float[]> LossesAsync(Contender contender, string name = BenchCorpora.Check)
        {
            string output = places.LossesOf(shape, name, contender.Id);
            await contender.RunAsync(places, shape, BenchCorpora.File(places.Work, shape, name), output).ConfigureAwait(false);
            return LossFile.Read(output);
        }

        void Tell(string contender, Agreement agreement)
        {
            known[contender] = agreement;
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"  {contender}: {(agreement.Agrees ? "agrees" : "DOES NOT AGREE")} with {agreement.With}: mean |Δ| {agreement.Mean:0.0e0}, most {agreement.Most:0.0e0} nats (tolerance {agreement.Tolerance:0.0e0})"));
        }
    }

    /// <summary>Compares losses; other counts are never agreement.</summary>
    public static Agreement Compare(ReadOnlySpan<float> losses, ReadOnlySpan<float> others, double tolerance, string with)
    {
        if (losses.Length != others.Length || losses.IsEmpty) return new Agreement(double.MaxValue, double.MaxValue, tolerance, with);
        double sum = 0, most = 0;
        for (int i = 0; i < losses.Length; i++)
        {
            double difference = Math.Abs((double)losses[i] - others[i]);
            if (!double.IsFinite(difference)) return new Agreement(double.MaxValue, double.MaxValue, tolerance, with);
            sum += difference;
            most = Math.Max(most, difference);
        }

        return new Agreement(sum / losses.Length, most, tolerance, with);
    }

    private static double Deviation(float[] values)
    {
        double mean = values.Average();
        return Math.Sqrt(values.Average(value => (value - mean) * (value - mean)));
    }
}
