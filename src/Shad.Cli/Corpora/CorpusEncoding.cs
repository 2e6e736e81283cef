using System.Runtime.CompilerServices;
using Shad.Cli.Recipes;
using Shad.Cli.Runs;
using Shad.Core.Errors;
using Shad.Data.Chat;
using Shad.Data.Corpora;
using Shad.Data.Tokenization;
using Shad.Models;

namespace Shad.Cli.Corpora;

/// <summary>A corpus as a recipe describes it, encoded for a model while it is read.</summary>
public static class CorpusEncoding
{
    /// <summary>Streams the samples of a corpus as tokens.</summary>
    /// <param name="corpus">Files, layout and limits.</param>
    /// <param name="model">The model whose tokenizer, vocabulary and context count.</param>
    /// <param name="report">Takes the counts of bad, truncated and skipped rows.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="ShadException">A file is missing or damaged, there is no usable row, or the tokenizer does not fit.</exception>
    public static async IAsyncEnumerable<EncodedSample> ReadAsync(
        CorpusRecipe corpus, ModelFolder model, CorpusReport report,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(corpus);
        ArgumentNullException.ThrowIfNull(model);
        var encoder = new SampleEncoder(
            TokenizerOf(model),
            FormatOf(corpus.Layout, model.Path),
            new EncoderOptions
            {
                ContextLength = ContextOf(corpus, model), VocabularySize = model.Config.VocabularySize, MaximumBadRows = corpus.MaxBadRows,
            },
            report);
        var options = new CorpusOptions
        {
            MaximumBadRows = corpus.MaxBadRows, VocabularySize = model.Config.VocabularySize, Sample = corpus.Sample, SampleSeed = corpus.SampleSeed,
        };
        int count = 0;
        IAsyncEnumerable<CorpusRow> rows = CorpusReader.ReadAsync(corpus.Files, report, options, cancellationToken);
        await foreach (EncodedSample sample in encoder.EncodeAsync(rows, cancellationToken: cancellationToken).ConfigureAwait(false))
        {
            yield return sample;
            if (++count == corpus.Limit) yield break;
        }
    }

    /// <summary>How conversations become text: <c>auto</c> takes the model's own template, or the layout <c>plain</c> where it has none.</summary>
    /// <exception cref="ShadException">The template cannot be used, or there is none of that name.</exception>
    public static IChatFormat FormatOf(string layout, string modelFolder) => layout switch
    {
        RecipeDefaults.Layout => (IChatFormat?)ChatTemplate.Open(modelFolder) ?? ChatLayout.Plain,
        RecipeDefaults.TemplateLayout => ChatTemplate.Require(modelFolder),
        _ => ChatLayout.Named(layout),
    };

    /// <summary>Longest sequence, tokens: the model's context, or less where the recipe says so.</summary>
    public static int ContextOf(CorpusRecipe corpus, ModelFolder model)
    {
        ArgumentNullException.ThrowIfNull(corpus);
        ArgumentNullException.ThrowIfNull(model);
        return Math.Min(corpus.MaxLength ?? int.MaxValue, model.Config.ContextLength);
    }

    /// <summary>Passes on what a corpus report counted.</summary>
    public static void Warn(CorpusReport report, WorkContext context)
    {
        ArgumentNullException.ThrowIfNull(report);
        ArgumentNullException.ThrowIfNull(context);
        const int shown = 3;
        if (report.BadRows > 0)
        {
            context.Warn(
                "corpus.bad_rows", $"{report.BadRows:N0} bad rows were left out", report.BadRows,
                [.. report.BadRowList.Take(shown).Select(issue => issue.Message)]);
        }

        if (report.Skipped > 0)
        {
            context.Warn(
                "corpus.skipped", $"{report.Skipped:N0} samples were skipped: their responses do not fit the context", report.Skipped,
                [.. report.SkippedList.Take(shown).Select(issue => issue.Source)]);
        }

        if (report.Truncated > 0)
        {
            context.Warn(
                "corpus.truncated", $"{report.Truncated:N0} samples were longer than the context; the left of their prompt was cut off",
                report.Truncated);
        }

        if (report.DuplicateIds > 0)
        {
            context.Warn(
                "corpus.duplicate_ids", $"{report.DuplicateIds:N0} rows had the id of an earlier one and were renamed", report.DuplicateIds);
        }
    }

    // Corpora of token ids need no tokenizer, so its absence counts only where a text row comes.
    private static ITextTokenizer? TokenizerOf(ModelFolder model) =>
        TokenizerLoader.TryLoad(model.Path);
}
