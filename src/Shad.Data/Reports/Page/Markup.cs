using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace Shad.Data.Reports.Page;

/// <summary>
/// A piece of HTML or SVG. In <c>Markup.Of($"&lt;p&gt;{text}&lt;/p&gt;")</c> the literal parts are markup and the holes are text, which is
/// escaped; only holes that are <see cref="Markup"/> themselves are written as they are.
/// </summary>
internal readonly record struct Markup(string Html)
{
    /// <summary>No markup.</summary>
    public static readonly Markup Empty = new("");

    /// <summary>Markup whose holes are escaped.</summary>
    public static Markup Of(Escaping content) => new(content.Html);

    /// <summary>Pieces one after another.</summary>
    public static Markup Join(IEnumerable<Markup> pieces) => new(string.Concat(pieces.Select(static piece => piece.Html)));

    /// <summary>The text escaped for HTML content and quoted attributes, its invisible characters made visible.</summary>
    public static string Escape(string? text)
    {
        if (string.IsNullOrEmpty(text)) return "";
        var escaped = new StringBuilder(text.Length + 16);
        foreach (char c in VisibleText.Of(text))
        {
            switch (c)
            {
                case '&': escaped.Append("&amp;"); break;
                case '<': escaped.Append("&lt;"); break;
                case '>': escaped.Append("&gt;"); break;
                case '"': escaped.Append("&quot;"); break;
                case '\'': escaped.Append("&#39;"); break;
                default: escaped.Append(c); break;
            }
        }

        return escaped.ToString();
    }

    /// <inheritdoc/>
    public override string ToString() => Html;

    /// <summary>Collects literals as markup and holes as text.</summary>
    [InterpolatedStringHandler]
    internal readonly ref struct Escaping
    {
        private readonly StringBuilder _html;

        public Escaping(int literalLength, int formattedCount) => _html = new StringBuilder(literalLength + 16 * formattedCount);

        public string Html => _html.ToString();

        public void AppendLiteral(string markup) => _html.Append(markup);

        public void AppendFormatted(string? text) => _html.Append(Escape(text));

        public void AppendFormatted(Markup markup) => _html.Append(markup.Html);

        public void AppendFormatted(IEnumerable<Markup> pieces) => _html.Append(Join(pieces).Html);

        public void AppendFormatted(int number) => _html.Append(number.ToString(CultureInfo.InvariantCulture));

        /// <summary>A coordinate: at most two decimals.</summary>
        public void AppendFormatted(double number) => _html.Append(number.ToString("0.##", CultureInfo.InvariantCulture));
    }
}
