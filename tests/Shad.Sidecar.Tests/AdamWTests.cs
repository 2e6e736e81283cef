using Shad.Core.Tuning;
using Shad.Sidecar.Modules;
using Shad.Sidecar.Tuning;
using TorchSharp;
using static TorchSharp.torch;

namespace Shad.Sidecar.Tests;

public sealed class AdamWTests
{
    [Test]
    public void Steps_follow_the_definition_and_only_matrices_decay()
    {
        // Long enough for several pieces, with the border of decay within one.
        var config = TinyModels.LlamaUntiedGrouped with { VocabularySize = 5000 };
        using var parameters = new DecoderParameters(config, TunedPart.All, TunePrecision.Float32, CPU);
        var options = new AdamWOptions { Beta1 = 0.9, Beta2 = 0.98, WeightDecay = 0.3 };
        using var optimizer = new AdamW(parameters, options);
        manual_seed(1);
        using (no_grad()) parameters.Values.normal_();

        int count = (int)parameters.TunedCount;
        double[] values = Array.ConvertAll(parameters.Values.data<float>().ToArray(), static value => (double)value);
        var m = new double[count];
        var v = new double[count];
        for (int step = 1; step <= 4; step++)
        {
            using (no_grad()) parameters.Gradient.normal_(0, 0.1);
            float[] gradient = parameters.Gradient.data<float>().ToArray();
            double rate = 0.01 * step, clip = step == 2 ? 0.25 : 1;
            optimizer.Step(step, rate, clip);
            for (int i = 0; i < count; i++)
            {
                double g = gradient[i] * clip;
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.98 * v[i] + 0.02 * g * g;
                if (i < parameters.DecayedCount) values[i] *= 1 - rate * 0.3;
                values[i] -= rate * (m[i] / (1 - Math.Pow(0.9, step))) / (Math.Sqrt(v[i] / (1 - Math.Pow(0.98, step))) + 1e-8);
            }
        }

        float[] actual = parameters.Values.data<float>().ToArray();
        // Four steps of a handful of float32 roundings of values below 5.
        for (int i = 0; i < count; i++)
            if (Math.Abs(actual[i] - values[i]) > 5e-6) Assert.Fail($"value {i}: {actual[i]}, expected {values[i]}");
    }

    [Test]
    public void Decay_covers_projections_and_an_untied_head_and_nothing_else()
    {
        foreach (var config in TinyModels.Configs)
        {
            using var parameters = new DecoderParameters(config, TunedPart.All, TunePrecision.Float32, CPU);
            using (no_grad()) parameters.Values.narrow(0, 0, parameters.DecayedCount).fill_(1);
            foreach (var part in parameters.Parts)
            {
                bool decays = part.Name.Contains("_proj.weight", StringComparison.Ordinal) || part.Name == "lm_head.weight";
                Assert.That(parameters[part.Name].min().item<float>(), Is.EqualTo(decays ? 1 : 0), part.Name);
                Assert.That(parameters[part.Name].max().item<float>(), Is.EqualTo(decays ? 1 : 0), part.Name);
            }
        }
    }
}
