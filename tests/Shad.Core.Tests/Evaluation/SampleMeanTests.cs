using CsCheck;
using Shad.Core.Evaluation;

namespace Shad.Core.Tests.Evaluation;

public sealed class SampleMeanTests
{
    [Test]
    public void Mean_and_standard_error_are_those_of_the_two_pass_formulas() =>
        Gen.Double[-1e3, 1e3].Array[2, 50].Sample(values =>
        {
            var mean = SampleMean.Of(values);
            double expected = values.Average();
            double deviation = Math.Sqrt(values.Sum(value => (value - expected) * (value - expected)) / (values.Length - 1));
            Assert.That(mean.Count, Is.EqualTo(values.Length));
            Assert.That(mean.Mean, Is.EqualTo(expected).Within(1e-10 * 1e3));
            Assert.That(mean.StandardError, Is.EqualTo(deviation / Math.Sqrt(values.Length)).Within(1e-9 * 1e3));
        });

    [Test]
    public void A_share_of_successes_has_the_binomial_error()
    {
        var mean = SampleMean.Of([true, true, true, false]);
        Assert.That(mean.Mean, Is.EqualTo(0.75));
        Assert.That(mean.StandardError, Is.EqualTo(Math.Sqrt(0.75 * 0.25 / 3)).Within(1e-15));
    }

    [Test]
    public void Yes_and_no_are_one_and_zero() => Gen.Bool.Array[0, 40].Sample(values =>
    {
        SampleMean mean = SampleMean.Of(values), expected = SampleMean.Of(values.Select(static value => value ? 1.0 : 0.0));
        Assert.That(mean.Count, Is.EqualTo(expected.Count));
        Assert.That(mean.Mean, Is.EqualTo(expected.Mean).Within(1e-14));
        Assert.That(mean.StandardError, Is.EqualTo(expected.StandardError).Within(1e-14));
    });

    [Test]
    public void One_value_has_no_error_and_none_has_no_mean()
    {
        Assert.That(SampleMean.Of([5.0]), Is.EqualTo(new SampleMean(1, 5, double.NaN)));
        Assert.That(SampleMean.Of(Array.Empty<double>()), Is.EqualTo(new SampleMean(0, double.NaN, double.NaN)));
        Assert.That(SampleMean.Of([5.0]).HalfWidth95, Is.NaN);
    }

    // The usual table of t at 97.5 %.
    [TestCase(1, 12.706)]
    [TestCase(2, 4.303)]
    [TestCase(3, 3.182)]
    [TestCase(4, 2.776)]
    [TestCase(5, 2.571)]
    [TestCase(9, 2.262)]
    [TestCase(10, 2.228)]
    [TestCase(30, 2.042)]
    [TestCase(120, 1.980)]
    public void Quantiles_are_those_of_the_table(int degrees, double expected) =>
        Assert.That(StudentT.TwoSided95(degrees), Is.EqualTo(expected).Within(5.1e-4));

    /// <summary>The density, integrated by Simpson's rule.</summary>
    [Test]
    public void The_distribution_is_the_integral_of_its_density([Values(1, 2, 3, 4, 7, 8)] int degrees, [Values(0.3, 1.0, 2.5)] double t)
    {
        double Density(double x) => Math.Pow(1 + x * x / degrees, -(degrees + 1) / 2.0);
        static double Integral(Func<double, double> f, double to)
        {
            const int parts = 20_000;
            double width = to / parts, sum = f(0) + f(to);
            for (int i = 1; i < parts; i++) sum += f(i * width) * (i % 2 == 0 ? 2 : 4);
            return sum * width / 3;
        }

        // x = tan u takes the whole line to a finite interval.
        double whole = Integral(u => Density(Math.Tan(u)) / (Math.Cos(u) * Math.Cos(u)), Math.PI / 2 - 1e-9);
        Assert.That(StudentT.Within(t, degrees), Is.EqualTo(Integral(Density, t) / whole).Within(1e-5));
    }

    [Test]
    public void The_interval_is_t_standard_errors_wide()
    {
        var mean = SampleMean.Of([1.0, 2.0, 3.0, 4.0, 5.0]);
        Assert.That(mean.HalfWidth95, Is.EqualTo(2.776 * Math.Sqrt(2.5 / 5)).Within(1e-3));
    }
}
