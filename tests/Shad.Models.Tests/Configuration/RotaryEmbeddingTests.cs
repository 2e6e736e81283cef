using Shad.Models.Configuration;

namespace Shad.Models.Tests.Configuration;

public sealed class RotaryEmbeddingTests
{
    [Test]
    public void Frequencies_fall_geometrically_from_one()
    {
        double[] frequencies = new RotaryEmbedding(10_000).InverseFrequencies(8);
        // 10000^(−2i/8) = 10^(−i)
        Assert.That(frequencies, Is.EqualTo(new[] { 1, 0.1, 0.01, 0.001 }).Within(1e-15));
    }

    [Test]
    public void Linear_scaling_divides_every_frequency()
    {
        double[] frequencies = new RotaryEmbedding(10_000, new LinearRotaryScaling(4)).InverseFrequencies(8);
        Assert.That(frequencies, Is.EqualTo(new[] { 0.25, 0.025, 0.0025, 0.00025 }).Within(1e-15));
    }

    [Test]
    public void Llama3_scaling_keeps_short_wavelengths_divides_long_ones_and_joins_them_without_a_step()
    {
        var scaling = new Llama3RotaryScaling(32, 1, 4, 8192);
        double keptBelow = 8192 / 4.0, dividedAbove = 8192 / 1.0;

        Assert.Multiple(() =>
        {
            Assert.That(ScaledWavelength(10), Is.EqualTo(10).Within(1e-9));
            Assert.That(ScaledWavelength(keptBelow * 0.999999), Is.EqualTo(keptBelow).Within(0.01));
            Assert.That(ScaledWavelength(keptBelow * 1.000001), Is.EqualTo(keptBelow).Within(0.05));
            Assert.That(ScaledWavelength(dividedAbove * 1.000001), Is.EqualTo(32 * dividedAbove).Within(1));
            Assert.That(ScaledWavelength(dividedAbove * 0.999999), Is.EqualTo(32 * dividedAbove).Within(15));
            Assert.That(ScaledWavelength(100_000), Is.EqualTo(3_200_000).Within(1e-3));
        });

        double previous = 0;
        for (double wavelength = 6; wavelength < 50_000; wavelength *= 1.01)
        {
            double scaled = ScaledWavelength(wavelength);
            Assert.That(scaled, Is.GreaterThan(previous), "order is kept");
            previous = scaled;
        }

        double ScaledWavelength(double wavelength) => 2 * Math.PI / scaling.Apply(2 * Math.PI / wavelength);
    }
}
