using System.Globalization;
using System.Text.Json;
using MakeShadMini.Texts;
using Shad.Core.Errors;
using Shad.Core.Randomness;
using Shad.Core.Samples;
using Shad.Data.Corpora;
using Shad.Data.Tokenization;

namespace MakeShadMini;

/// <summary>
/// Has the model learned to use its prompt? The loss on values copied from the prompt, on unseen documents, with the prompt and
/// with the prompt removed.
/// </summary>
internal static class Measurement
{
    private const int Documents = 500;

    private static string WithPrompt(Options options) => Path.Combine(options.Work, "copy-with-prompt.jsonl");

    private static string WithoutPrompt(Options options) => Path.Combine(options.Work, "copy-without-prompt.jsonl");

    public static void WriteData(Options options)
    {
        var tokenizer = TokenizerLoader.Load(options.ModelFolder);
        ulong seed = options.Seed + 4;
        var generator = new DocumentGenerator(seed, Harvest.Read(options.Corpora));
        var random = new SeededRandom(seed);
        using var with = TokenizedSampleWriter.Create(WithPrompt(options));
        using var without = TokenizedSampleWriter.Create(WithoutPrompt(options));
        for (int i = 0; i < Documents; i++)
        {
            var document = generator.Next();
            string separator = Preparation.Separator(random);
            if (CopiedOnly($"{i}", document, tokenizer, separator) is not { } sample) continue;
            with.Write(sample);
            int response = sample.Length - tokenizer.Encode(document.Response, isContinuation: true).Ids.Length;
            int[] ids = [sample.InputIds[0], .. sample.InputIds[response..]];
            int[] labels = [TokenizedSample.IgnoredLabel, .. sample.Labels[response..]];
            without.Write(new TokenizedSample(sample.Id, ids, labels));
        }

        with.Complete();
        without.Complete();
    }

    /// <summary>The document with targets only where a token lies within a copied value; null where there is none or it is too long.</summary>
    private static TokenizedSample? CopiedOnly(string id, TrainingDocument document, ITextTokenizer tokenizer, string separator)
    {
        var prompt = tokenizer.Encode(document.Prompt + separator).Ids;
        var response = tokenizer.Encode(document.Response, isContinuation: true);
        int[] ids = [tokenizer.BeginningOfSequenceId!.Value, .. prompt, .. response.Ids];
        if (ids.Length > 1024) return null;
        var labels = new int[ids.Length];
        Array.Fill(labels, TokenizedSample.IgnoredLabel);
        bool any = false;
        for (int i = 0; i < response.Ids.Length; i++)
        {
            int start = response.OffsetStart[i], end = response.OffsetEnd[i];
            if (!document.CopiedSpans.Any(span => start < span.End && end > span.Start)) continue;
            labels[1 + prompt.Length + i] = response.Ids[i];
            any = true;
        }

        return any ? new TokenizedSample(id, ids, labels) : null;
    }

    public static void WriteCard(Options options)
    {
        var with = MeanLoss(Path.ChangeExtension(WithPrompt(options), ".losses.jsonl"));
        var without = MeanLoss(Path.ChangeExtension(WithoutPrompt(options), ".losses.jsonl"));
        var events = File.ReadLines(Path.Combine(options.Work, "train.events.jsonl"))
            .Select(line => JsonDocument.Parse(line).RootElement).ToList();
        int steps = events.First(line => Event(line) == "started").GetProperty("steps").GetInt32();
        string F(double value) => value.ToString("0.000", CultureInfo.InvariantCulture);
        string curve = string.Join("\n", Curve(events));
        File.WriteAllText(Path.Combine(options.Work, "shad-mini", "README.md"), $$"""
            # shad-mini

            The base model of the demo: a Llama-architecture language model of 4.0 M parameters (hidden size 256, 5 layers, 8 heads, 4 KV heads,
            MLP 512, byte-level BPE vocabulary of 4,096, tied head, context 1,024, bf16), made to be small, quick, and able to use its prompt.
            It is no assistant and knows nothing of the world.

            ## How it was made
            `scripts/make-shad-mini/make.sh` trains it with the project's own sidecar (objective `sft`, AdamW, cosine schedule) on two CPU cores; the run
            is resumable and seeded (seed {{options.Seed}}). The start is random but for two things (`CopyingInitialization.cs`): six key-value groups of
            attention heads in layers 0 to 2 begin as previous-token and induction heads, since a trial from wholly random weights showed hardly any
            copying after 1,250 steps; and the embeddings of one word with and without its leading space or capital begin near each other. All
            weights are trained from there.

            **Tokenizer.** Byte-level BPE, cut before a capital inside a word and at every digit. A quarter of the vocabulary is made by merges; the
            rest are whole words, those of the demo corpus's values among them, as the vocabulary of a larger model has them.

            **Data.** {{Preparation.SamplesPerStep * steps:N0}} samples, three quarters of them generated documents (`scripts/make-shad-mini/Texts`): repeated word lists, look-ups,
            records rewritten from one randomly drawn layout into another, requests turned into records, tool choice with and without words
            before it, quotes, answers, retellings. The values are names, codes, numbers, dates and words, those that the demo corpus makes its
            values of among them. The *prompts* (never the responses) of two public corpora serve as plain text to quote from and as a source of
            words: the Berkeley Function Calling Leaderboard (Apache-2.0) and GSM8K (MIT). The formats of the demo corpus are not in it: the
            script stops at a document that holds two marker strings of one of them.

            ## Losses
            {{steps:N0}} steps of {{Preparation.SamplesPerStep}} samples in bfloat16, after a warm-up of 200 steps on repeated runs of random tokens. Held-out documents,
            nats per target:

            | step | loss |
            |---|---|
            {{curve}}

            **Use of the prompt**, mean loss on values copied from the prompt, {{with.Count:N0}} tokens of unseen documents:
            {{F(with.Mean)}} nats with the prompt, {{F(without.Mean)}} nats with the prompt removed.

            Licence: MIT, as the project.

            """.Replace("\r", "", StringComparison.Ordinal));
        Console.WriteLine($"copied values: {F(with.Mean)} nats with the prompt, {F(without.Mean)} without, {with.Count} tokens");
        if (with.Mean > 1.5 || without.Mean - with.Mean < 1.5)
            throw new ShadException("make.not_copying", $"the model does not use its prompt enough ({F(with.Mean)} and {F(without.Mean)} nats)",
                expected: "at most 1.5 nats with the prompt and at least 1.5 more without it", mend: "train it for more steps");
    }

    /// <summary>About a dozen of the held-out losses, the last among them, as rows of a table.</summary>
    private static IEnumerable<string> Curve(IEnumerable<JsonElement> events)
    {
        var measured = events.Where(line => Event(line) == "held_out").ToList();
        int every = Math.Max(1, measured.Count / 12);
        return measured.Where((_, i) => i % every == 0 || i == measured.Count - 1)
            .Select(line => $"| {line.GetProperty("step").GetInt32()} | {line.GetProperty("loss").GetDouble().ToString("0.000", CultureInfo.InvariantCulture)} |");
    }

    private static string Event(JsonElement line) => line.GetProperty("event").GetString()!;

    private static (double Mean, int Count) MeanLoss(string path)
    {
        double sum = 0;
        int count = 0;
        foreach (string line in File.ReadLines(path))
        {
            using var row = JsonDocument.Parse(line);
            foreach (var loss in row.RootElement.GetProperty("loss").EnumerateArray())
            {
                if (loss.ValueKind == JsonValueKind.Null) continue;
                sum += loss.GetDouble();
                count++;
            }
        }

        return (sum / count, count);
    }
}
