using System.Globalization;

namespace BenchScoring;

/// <summary>Options <c>--name value</c>.</summary>
internal sealed class CommandOptions
{
    private readonly Dictionary<string, string> _values = new(StringComparer.Ordinal);

    public CommandOptions(string[] arguments)
    {
        for (int i = 0; i < arguments.Length; i += 2)
        {
            if (!arguments[i].StartsWith("--", StringComparison.Ordinal) || i + 1 == arguments.Length)
                throw new ArgumentException($"'{arguments[i]}': expected --name value.");
            _values[arguments[i][2..]] = arguments[i + 1];
        }
    }

    public string Text(string name) => _values.TryGetValue(name, out string? value) ? value : throw new ArgumentException($"--{name} is missing.");

    [return: System.Diagnostics.CodeAnalysis.NotNullIfNotNull(nameof(absent))]
    public string? Text(string name, string? absent) => _values.GetValueOrDefault(name, absent!);

    public int Number(string name, int absent) =>
        _values.TryGetValue(name, out string? value) ? int.Parse(value, CultureInfo.InvariantCulture) : absent;

    public string[] List(string name, string[] absent) =>
        _values.TryGetValue(name, out string? value) ? value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) : absent;
}
