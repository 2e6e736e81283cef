using System.Text.RegularExpressions;
using Shad.Core.Errors;

namespace Shad.Models.Hub;

/// <summary>A model on a hub at a revision.</summary>
/// <param name="Id"><c>ORG/MODEL</c>, or <c>MODEL</c> for the few without an owner.</param>
/// <param name="Revision">Branch, tag or commit.</param>
public sealed partial record HubRepository(string Id, string Revision)
{
    /// <summary>The branch that is meant where no revision is named.</summary>
    public const string DefaultRevision = "main";

    /// <summary>The name without its owner.</summary>
    public string Name => Id[(Id.IndexOf('/') + 1)..];

    /// <summary>True where the revision is a commit, which never comes to mean anything else.</summary>
    public bool IsPinned => IsCommit(Revision);

    /// <summary>Checks the words of a user.</summary>
    /// <exception cref="ShadException">The id or the revision cannot be one.</exception>
    public static HubRepository Parse(string id, string revision = DefaultRevision)
    {
        ArgumentNullException.ThrowIfNull(id);
        ArgumentNullException.ThrowIfNull(revision);
        if (!IdPattern().IsMatch(id) || id.Contains("..", StringComparison.Ordinal)) throw HubErrors.BadRepository(id);
        if (revision.Length == 0 || revision.Any(char.IsControl)) throw HubErrors.BadRevision(revision);
        return new HubRepository(id, revision);
    }

    /// <summary>True for a full commit hash.</summary>
    internal static bool IsCommit(string text) => text.Length == 40 && text.All(char.IsAsciiHexDigitLower);

    [GeneratedRegex(@"\A[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?\z", RegexOptions.ECMAScript | RegexOptions.CultureInvariant)]
    private static partial Regex IdPattern();
}
