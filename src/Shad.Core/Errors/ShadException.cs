using System.Text;

namespace Shad.Core.Errors;

/// <summary>
/// An error a user can cause and can mend. Its message says what is wrong, where, what was expected and how to mend it.
/// The CLI prints it without a stack trace and exits with a code other than 0.
/// </summary>
/// <remarks>
/// Create it through the named constructors of a component's own error file (for example <c>ModelErrors</c>), so that all
/// messages of one component are read in one place.
/// </remarks>
public sealed class ShadException : Exception
{
    /// <summary>Creates an error.</summary>
    /// <param name="code">Stable, dotted and lower case, for programs: <c>corpus.not_json</c>, <c>model.missing_file</c>.</param>
    /// <param name="what">What is wrong, with the offending value.</param>
    /// <param name="where">File, line, field or tensor name.</param>
    /// <param name="expected">What was expected.</param>
    /// <param name="mend">What the user can do about it.</param>
    /// <param name="inner">The exception that revealed it.</param>
    public ShadException(
        string code, string what, string? where = null, string? expected = null, string? mend = null, Exception? inner = null)
        : base(Compose(what, where, expected, mend), inner)
    {
        Code = code;
        What = what;
        Where = where;
        Expected = expected;
        Mend = mend;
    }

    /// <summary>Stable, dotted, lower-case code for programs.</summary>
    public string Code { get; }

    /// <summary>What is wrong.</summary>
    public string What { get; }

    /// <summary>File, line, field or tensor name; null where there is none.</summary>
    public string? Where { get; }

    /// <summary>What was expected.</summary>
    public string? Expected { get; }

    /// <summary>How to mend it.</summary>
    public string? Mend { get; }

    private static string Compose(string what, string? where, string? expected, string? mend)
    {
        var message = new StringBuilder();
        if (where is not null) message.Append(where).Append(": ");
        message.Append(what.TrimEnd('.')).Append('.');
        if (expected is not null) message.Append(" Expected ").Append(expected.TrimEnd('.')).Append('.');
        if (mend is not null) message.Append(' ').Append(mend.TrimEnd('.')).Append('.');
        return message.ToString();
    }
}
