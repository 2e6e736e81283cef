using System.Text;
using System.Text.Json;

namespace ExperimentRft;

/// <summary>Which tune.</summary>
internal sealed record RunKey(string Split, int Size, ulong Seed, string Arm, int Steps)
{
    public override string ToString() => $"{Split}, {Size} samples, seed {Seed}, {Arm}, {Steps} steps";
}

/// <summary>What a tuned model does with the test samples; shares from 0 to 1, losses in nats.</summary>
/// <param name="Key">Which tune.</param>
/// <param name="Call">Whole calls that are right.</param>
/// <param name="Name">Calls with the right function.</param>
/// <param name="ArgumentNames">Calls with the right function and argument names.</param>
/// <param name="Values">Calls with the right values.</param>
/// <param name="Response">Responses that are right to the letter.</param>
/// <param name="RewordedCall">Whole calls that are right where the prompt is in other words.</param>
/// <param name="ReasoningLoss">Mean loss on the known reasoning tokens of the test format.</param>
/// <param name="BoilerplateLoss">Mean loss on its boilerplate tokens.</param>
/// <param name="CertainCall">Test samples of whose call every specific token has a probability above one half.</param>
/// <param name="TuneSeconds">Time of the tune.</param>
/// <param name="Seconds">Time of the whole run.</param>
/// <param name="Readable">Responses that a call can be read from; null in records of before it was noted.</param>
/// <param name="CallInFormat">Whole calls that are right where the first token of the response, and with it its format, is given; null in
/// records of before it was noted.</param>
internal sealed record ResultLine(
    RunKey Key, double Call, double Name, double ArgumentNames, double Values, double Response, double RewordedCall, double ReasoningLoss,
    double BoilerplateLoss, double CertainCall, double TuneSeconds, double Seconds, double? Readable = null,
    double? CallInFormat = null);

/// <summary>How well the roles of an arm agree with the known ones.</summary>
internal sealed record RolesLine(string Split, int Size, ulong Seed, string Arm, double Precision, double Recall, double Share);

/// <summary>The results so far, a line each; a line that a killed run left unfinished is dropped.</summary>
internal sealed class ResultFile
{
    public static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    private readonly Lock _lock = new();
    private readonly string _path;
    private readonly Dictionary<RunKey, ResultLine> _results = [];
    private readonly Dictionary<(string, int, ulong, string), RolesLine> _roles = [];

    public ResultFile(string path)
    {
        _path = path;
        if (!File.Exists(path)) return;
        string text = File.ReadAllText(path);
        int whole = text.LastIndexOf('\n') + 1;
        if (whole < text.Length) File.WriteAllText(path, text[..whole]);
        foreach (string line in text[..whole].Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.StartsWith("""{"key":""", StringComparison.Ordinal)) Keep(JsonSerializer.Deserialize<ResultLine>(line, Json)!);
            else Keep(JsonSerializer.Deserialize<RolesLine>(line, Json)!);
        }
    }

    public IEnumerable<ResultLine> Results => _results.Values;

    public IEnumerable<RolesLine> Roles => _roles.Values;

    public ResultLine this[RunKey key]
    {
        get
        {
            lock (_lock) return _results[key];
        }
    }

    public bool Has(RunKey key) => _results.ContainsKey(key);

    public void Add(ResultLine line)
    {
        lock (_lock)
        {
            Keep(line);
            Append(line);
        }
    }

    /// <summary>Adds a line unless it is there: roles are found anew when an experiment is resumed.</summary>
    public void AddRoles(RolesLine line)
    {
        lock (_lock)
        {
            if (Keep(line)) Append(line);
        }
    }

    private void Append<T>(T line) => File.AppendAllText(_path, JsonSerializer.Serialize(line, Json) + "\n", new UTF8Encoding(false));

    private void Keep(ResultLine line) => _results[line.Key] = line;

    private bool Keep(RolesLine line) => _roles.TryAdd((line.Split, line.Size, line.Seed, line.Arm), line);
}
