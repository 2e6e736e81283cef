using CsCheck;

namespace Shad.Models.Tests.Support;

/// <summary>Generators for property tests.</summary>
internal static class Any
{
    /// <summary>One of the given values, all alike.</summary>
    public static Gen<T> Of<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(index => values[index]);
}
