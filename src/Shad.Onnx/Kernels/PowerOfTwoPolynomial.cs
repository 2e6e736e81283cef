namespace Shad.Onnx.Kernels;

/// <summary>
/// Coefficients of the polynomial of degree 5 that is nearest to 2^x on [−½, ½] in relative error (at most 7.5e-8), found
/// with the exchange algorithm of Remez.
/// </summary>
internal static class PowerOfTwoPolynomial
{
    public const float C0 = 1.0000000716546822f;
    public const float C1 = 0.6931469670647331f;
    public const float C2 = 0.24022119723848476f;
    public const float C3 = 0.05550713273542586f;
    public const float C4 = 0.00967554133421605f;
    public const float C5 = 0.0013276471979478776f;

    /// <summary>Smallest exponent of a normal float32. Less is taken for it where the exponent's bits are computed.</summary>
    public const float LeastExponent = -126;
}
