using ExperimentRft;
using Shad.Core.Errors;

// experiment-rft run|report --settings FILE --work DIR --out DIR
string settingsFile = "scripts/experiment-rft/experiment.json", work = "scripts/experiment-rft/work", output = "scripts/results";
string command = args.Length > 0 ? args[0] : "";
try
{
    for (int i = 1; i < args.Length; i += 2)
    {
        string value = i + 1 < args.Length ? args[i + 1] : throw new ShadException("experiment.option", $"'{args[i]}' has no value");
        switch (args[i])
        {
            case "--settings": settingsFile = value; break;
            case "--work": work = value; break;
            case "--out": output = value; break;
            default: throw new ShadException("experiment.option", $"unknown option '{args[i]}'", expected: "--settings, --work or --out");
        }
    }

    if (command is not ("run" or "report")) throw new ShadException("experiment.command", $"unknown command '{command}'", expected: "run or report");
    var settings = Settings.Read(settingsFile);
    work = Path.GetFullPath(work);
    Directory.CreateDirectory(work);
    var results = new ResultFile(Path.Combine(work, "results.jsonl"));
    if (command == "run")
    {
        using var stop = new CancellationTokenSource();
        Console.CancelKeyPress += (_, pressed) =>
        {
            pressed.Cancel = true;
            stop.Cancel();
        };
        await new Experiment(settings, work, results).RunAsync(stop.Token);
    }

    new Report(settings, results).Write(output);
    return 0;
}
catch (OperationCanceledException)
{
    Console.Error.WriteLine("Interrupted. Run it again to go on.");
    return 130;
}
catch (ShadException error)
{
    Console.Error.WriteLine(error.Message);
    return 1;
}
