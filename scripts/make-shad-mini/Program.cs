using System.Globalization;
using System.Text;
using System.Text.Json;
using MakeShadMini;
using MakeShadMini.Texts;
using MakeShadMini.Tokenizer;
using Shad.Core.Errors;

// make-shad-mini prepare|measure|sample --work DIR [--corpus FILE]… [--documents N] [--seed N]
try
{
    var options = Options.Parse(args);
    switch (options.Command)
    {
        case "sample": Preparation.PrintSamples(options); break;
        case "prepare": Preparation.Run(options); break;
        case "measure-data": Measurement.WriteData(options); break;
        case "measure": Measurement.WriteCard(options); break;
        default:
            throw new ShadException("make.command", $"unknown command '{options.Command}'", expected: "sample, prepare, measure-data or measure");
    }

    return 0;
}
catch (ShadException error)
{
    Console.Error.WriteLine(error.Message);
    return 1;
}

namespace MakeShadMini
{
    /// <summary>What the command line says.</summary>
    internal sealed record Options(string Command, string Work, IReadOnlyList<string> Corpora, int Documents, int Steps, ulong Seed)
    {
        public static Options Parse(string[] args)
        {
            string work = "work";
            var corpora = new List<string>();
            int documents = 120_000, steps = 5_000;
            ulong seed = 20_261;
            for (int i = 1; i + 1 < args.Length; i += 2)
            {
                switch (args[i])
                {
                    case "--work": work = args[i + 1]; break;
                    case "--corpus": corpora.Add(args[i + 1]); break;
                    case "--documents": documents = int.Parse(args[i + 1], CultureInfo.InvariantCulture); break;
                    case "--steps": steps = int.Parse(args[i + 1], CultureInfo.InvariantCulture); break;
                    case "--seed": seed = ulong.Parse(args[i + 1], CultureInfo.InvariantCulture); break;
                    default: throw new ShadException("make.option", $"unknown option '{args[i]}'", expected: "--work, --corpus, --documents, --steps or --seed");
                }
            }

            return new Options(args.Length == 0 ? "" : args[0], work, corpora, documents, steps, seed);
        }

        public string ModelFolder => Path.Combine(Work, "initial");
        public string TrainFile => Path.Combine(Work, "train.jsonl");
        public string HeldOutFile => Path.Combine(Work, "held-out.jsonl");
    }
}
