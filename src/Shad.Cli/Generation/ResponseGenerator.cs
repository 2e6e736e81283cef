using System.Diagnostics;
using System.Globalization;
using Shad.Cli.Corpora;
using Shad.Cli.Recipes;
using Shad.Core.Errors;
using Shad.Core.Samples;
using Shad.Data.Corpora;
using Shad.Data.Tokenization;
using Shad.Data.ToolCalls;
using Shad.Models;
using Shad.Onnx.Generation;

namespace Shad.Cli.Generation;

/// <summary>
/// Lets a model answer every prompt of a corpus, greedily through ONNX Runtime, and compares with the corpus's responses. In a
/// conversation of several responses each is generated after the corpus's own earlier turns.
/// </summary>
public static class ResponseGenerator
{
    /// <summary>Generates and compares.</summary>
    /// <param name="name">Name of the model in the result.</param>
    /// <param name="modelFolder">The model.</param>
    /// <param name="corpus">The corpus.</param>
    /// <param name="maximumNewTokens">Most tokens of a response; null is half as many again as the corpus's longest has.</param>
    /// <param name="threads">Threads of an operator; null takes the runtime's default.</param>
    /// <param name="report">Takes the counts of the reading.</param>
    /// <param name="progress">Told responses done, responses in all, and responses a second.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <param name="generator">What generates: <c>own</c> or <c>genai</c>.</param>
    /// <exception cref="ShadException">The model or the corpus cannot be used.</exception>
    public static async Task<GeneratedResponses> GenerateAsync(
        string name, string modelFolder, CorpusRecipe corpus, int? maximumNewTokens, int? threads, CorpusReport report,
        Action<long, long, double>? progress, CancellationToken cancellationToken, string generator = TokenGenerators.Own)
    {
        using ModelFolder model = ModelFolder.Open(modelFolder);
        List<TokenizedSample> samples = [];
        await foreach (EncodedSample sample in CorpusEncoding.ReadAsync(corpus, model, report, cancellationToken).ConfigureAwait(false))
            samples.Add(sample.Tokens);
        return await Task.Run(
            () => Generate(name, model, samples, maximumNewTokens, threads, progress, cancellationToken, generator), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Generates for samples that are encoded already.</summary>
    /// <param name="name">Name of the model in the result.</param>
    /// <param name="model">The model.</param>
    /// <param name="samples">The samples.</param>
    /// <param name="maximumNewTokens">Most tokens of a response; null is half as many again as the samples' longest has.</param>
    /// <param name="threads">Threads of an operator; null takes the runtime's default.</param>
    /// <param name="progress">Told responses done, responses in all, and responses a second.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <param name="generator">What generates: <c>own</c> or <c>genai</c>.</param>
    /// <exception cref="ShadException">The model cannot be used.</exception>
    public static GeneratedResponses Generate(
        string name, ModelFolder model, IReadOnlyList<TokenizedSample> samples, int? maximumNewTokens, int? threads,
        Action<long, long, double>? progress, CancellationToken cancellationToken, string generator = TokenGenerators.Own)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(samples);
        ITextTokenizer? tokenizer = TokenizerLoader.TryLoad(model.Path);
        List<Request> requests = [.. samples.SelectMany(static sample => sample.ResponseSpans().Select((span, turn) => new Request(sample, turn, span)))];
        if (requests.Count == 0) return new GeneratedResponses(name, [], 0);
        HashSet<int> ends = EndsOf(model, tokenizer, requests);
        int most = maximumNewTokens ?? requests.Max(static request => request.Reference.Length) * 3 / 2 + 1;

        long started = Stopwatch.GetTimestamp();
        using ITokenGenerator loaded = TokenGenerators.Open(generator, model, threads);
        var generated = new int[requests.Count][];
        long done = 0;

        // Where the context leaves less room, the response may be as long as that.
        foreach (var group in Enumerable.Range(0, requests.Count).GroupBy(i => Math.Min(most, model.Config.ContextLength - requests[i].Prompt.Length)))
        {
            int[] members = [.. group];
            var options = new GenerationOptions { MaximumNewTokens = group.Key, EndOfSequence = ends };
            IReadOnlyList<int[]> responses = loaded.Generate([.. members.Select(i => requests[i].Prompt)], options, Report, cancellationToken);
            for (int i = 0; i < members.Length; i++) generated[members[i]] = responses[i];
        }

        double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        return new GeneratedResponses(name, [.. requests.Select((request, i) => Compare(request, generated[i], tokenizer, ends))], seconds);

        void Report(int completed)
        {
            done += completed;
            progress?.Invoke(done, requests.Count, done / Math.Max(1e-9, Stopwatch.GetElapsedTime(started).TotalSeconds));
        }
    }

    private static GeneratedResponse Compare(Request request, int[] generated, ITextTokenizer? tokenizer, HashSet<int> ends)
    {
        string reference = TextOf(request.Reference), text = TextOf(generated);
        bool ended = generated.Length > 0 && ends.Contains(generated[^1]);
        return new GeneratedResponse(request.Sample.Id, request.Turn, reference, text, generated.Length, ended, ResponseMatch.Of(reference, text));

        string TextOf(int[] ids)
        {
            int end = Array.FindIndex(ids, ends.Contains);
            int[] content = end < 0 ? ids : ids[..end];

            // Without a tokenizer the tokens themselves are compared.
            if (tokenizer is null) return string.Join(' ', content.Select(static id => id.ToString(CultureInfo.InvariantCulture)));

            // A model's vocabulary may be padded beyond its tokenizer's.
            int[] known = Array.FindAll(content, id => id < tokenizer.VocabularySize);
            return tokenizer.Decode(known) + (known.Length < content.Length ? "\uFFFD" : "");
        }
    }

    /// <summary>
    /// The tokens that end a response: the model's, the tokenizer's, and a marker such as <c>&lt;|im_end|&gt;</c> that ends every
    /// response of the corpus, as a chat format may have another than the model.
    /// </summary>
    private static HashSet<int> EndsOf(ModelFolder model, ITextTokenizer? tokenizer, List<Request> requests)
    {
        HashSet<int> ends = [.. model.Config.EndOfSequenceIds];
        if (tokenizer is null) return ends;
        if (tokenizer.EndOfSequenceId is { } end) ends.Add(end);
        int last = requests[0].Reference[^1];
        if (requests.TrueForAll(request => request.Reference[^1] == last) && tokenizer.Decode([last]) is ['<', _, .., '>']) ends.Add(last);
        return ends;
    }

    /// <summary>A response to generate.</summary>
    private sealed class Request(TokenizedSample sample, int turn, Range span)
    {
        public TokenizedSample Sample { get; } = sample;

        public int Turn { get; } = turn;

        public int[] Prompt { get; } = sample.InputIds[..span.Start];

        public int[] Reference { get; } = sample.InputIds[span];
    }
}
