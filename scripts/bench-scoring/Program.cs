// The scoring benchmark of maintainers; bench.sh starts it, README.md says how.
using System.Globalization;
using BenchScoring;
using BenchScoring.Contenders;
using BenchScoring.Corpora;
using BenchScoring.Large;
using BenchScoring.Measurement;
using BenchScoring.Models;
using BenchScoring.Streaming;
using Shad.Models;
using Shad.Onnx.Sessions;

if (args.Length == 0) return Usage();
var options = new CommandOptions(args[1..]);
var places = new BenchPlaces(options.Text("root", Environment.CurrentDirectory), options.Text("work", Path.Combine(Environment.CurrentDirectory, "scripts", "bench-scoring", "work")));
var shapes = options.List("shape", ["shad-mini", "135m", "0.5b"]).Select(BenchShape.Of).ToArray();
switch (args[0])
{
    case "prepare":
        foreach (var shape in shapes) Prepare(shape, peers: true);
        return 0;

    case "check":
        bool agree = true;
        foreach (var shape in shapes) agree &= await AgreementCheck.RunAsync(places, shape, Contenders()).ConfigureAwait(false);
        return agree ? 0 : 1;

    case "run":
        foreach (var shape in shapes)
            await TimedRounds.RunAsync(places, shape, Contenders(), options.Number("rounds", 3), options.Text("engine", "unknown")).ConfigureAwait(false);
        return 0;

    case "table":
        ResultTable.Write(places, options.Text("engine", null), options.Text("node", "unknown"));
        return 0;

    case "memory":
        Prepare(BenchShape.Of("135m-256k"), peers: false);
        return await MemoryMode.RunAsync(places, options.Number("length", 32_768), options.Text("memory", null), options.Text("engine", "unknown")).ConfigureAwait(false);

    case "stream":
        return await StreamMode.RunAsync(places, options.Number("rows", 1_000_000), options.Number("settled", 50_000), options.Text("engine", "unknown")).ConfigureAwait(false);

    case "large":
        return await LargeMode.RunAsync(places, options.Text("engine", "unknown")).ConfigureAwait(false);

    case "peak":
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{PeakProduct.Measure(options.Number("seconds", 3), options.Number("threads", Environment.ProcessorCount)):0.0} GFLOP/s"));
        return 0;

    // What follows runs in processes of its own.
    case "score-ours":
        Console.WriteLine(ContenderRun.Line(await OursContender.RunAsync(
            options.Text("models").Split(','), options.Text("corpus"), options.Text("out"),
            options.Text("memory", null) is { } megabytes ? long.Parse(megabytes, CultureInfo.InvariantCulture) << 20 : null,
            options.Text("reuse", null) is { } reuse ? reuse == "on" : null,
            Enum.Parse<ScoringPrecision>(options.Text("precision", "auto"), ignoreCase: true)).ConfigureAwait(false)));
        return 0;

    case "score-full-logits":
        Console.WriteLine(ContenderRun.Line(await FullLogitsContender.RunAsync(
            options.Text("model"), options.Text("corpus"), options.Text("out"), options.Number("batch", 4)).ConfigureAwait(false)));
        return 0;

    default:
        return Usage();
}

Contender[] Contenders() =>
    [.. options.List("contenders", [.. Contender.All.Where(static contender => contender.Corpus != BenchCorpora.SharedPrefix).Select(static contender => contender.Id)]).Select(Contender.Of)];

void Prepare(BenchShape shape, bool peers)
{
    BenchModels.Make(places.Work, shape, Path.Combine(places.Root, "models", "shad-mini"), peers);
    using var model = ModelFolder.Open(BenchModels.Base(places.Work, shape));
    BenchCorpora.Make(places.Work, shape, model.Config.VocabularySize, model.Config.ContextLength);
    Console.WriteLine($"{shape.Name}: models and corpora are there");
}

static int Usage()
{
    Console.Error.WriteLine("usage: bench.sh prepare | check | run | table | memory | stream | large | peak   (see README.md)");
    return 2;
}
