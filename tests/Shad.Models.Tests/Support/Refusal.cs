using Shad.Core.Errors;

namespace Shad.Models.Tests.Support;

/// <summary>Asserts that something is refused with an error a user understands.</summary>
internal static class Refusal
{
    /// <summary>Asserts the error's code and that its message says each of the given parts.</summary>
    public static ShadException Of(Action action, string code, params string[] parts)
    {
        ShadException error = Assert.Throws<ShadException>(() => action())!;
        Assert.That(error.Code, Is.EqualTo(code), error.Message);
        foreach (string part in parts) Assert.That(error.Message, Does.Contain(part));
        return error;
    }
}
