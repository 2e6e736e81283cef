namespace Shad.Data.Reports.Page;

/// <summary>A section of the report.</summary>
/// <param name="Id">Its anchor.</param>
/// <param name="Title">Its heading.</param>
/// <param name="Lead">One or two sentences on what to read from it.</param>
/// <param name="Body">Its content.</param>
internal sealed record Section(string Id, string Title, Markup Lead, Markup Body)
{
    /// <summary>Its short name in the navigation.</summary>
    public required string Short { get; init; }

    /// <summary>The section as HTML.</summary>
    public Markup Draw() => Markup.Of($"""
        <section id="{Id}" aria-labelledby="{Id}-title">
        <h2 id="{Id}-title">{Title}</h2>
        <p class="lead">{Lead}</p>
        {Body}
        </section>

        """);
}
