using System.Runtime.CompilerServices;
using Shad.Core.Errors;
using Shad.Core.Samples;
using Shad.Data.Files;

namespace Shad.Data.Corpora;

/// <summary>
/// Streams a corpus, one row at a time: <c>.jsonl</c>, <c>.ndjson</c> or <c>.json</c>, each also with <c>.gz</c> or <c>.zst</c>, and <c>.parquet</c>.
/// </summary>
/// <remarks>
/// <para>The format of a row is told by its fields, the first that fits; a field that is null counts as absent:</para>
/// <list type="number">
/// <item><description><c>input_ids</c>, <c>labels</c> (optionally <c>weight</c>, <c>role</c>): already tokenized, labels unshifted and −100 where
/// no loss is taken.</description></item>
/// <item><description><c>messages</c>: objects with <c>role</c> (<c>system</c> or <c>developer</c>, <c>user</c>, <c>assistant</c>, <c>tool</c> or
/// <c>function</c>) and <c>content</c> (text, or a list of text parts, which are joined by line ends). An assistant's <c>tool_calls</c> (OpenAI; also
/// as JSON in a string, or the older <c>function_call</c>) are written by the model's chat template; a layout writes them behind the content,
/// after a line end where that is not empty, as one line of compact JSON <c>[{"name":…,"arguments":…}]</c>: keys in this order,
/// <c>arguments</c> given as JSON in a string taken apart, call ids left out since nothing decides them. Content may then be null. Other
/// fields (<c>name</c>, <c>tool_call_id</c>, <c>reasoning_content</c>, …) are passed on to the template.</description></item>
/// <item><description><c>conversations</c> (ShareGPT, ToolBench): objects with <c>from</c> (<c>human</c>, <c>gpt</c>, <c>system</c>, <c>tool</c>,
/// <c>observation</c>, <c>function_call</c> and the roles above) and <c>value</c>; <c>role</c> and <c>content</c> are taken as well. The value of a
/// <c>function_call</c> that is a call, or a list of calls, as JSON is written by the template; a layout takes it as it stands.</description></item>
/// <item><description><c>query</c> and <c>answers</c> (xLAM, APIGen): a user turn and a turn of calls; <c>answers</c> and <c>tools</c> may be lists or
/// JSON in a string.</description></item>
/// <item><description><c>prompt</c> and <c>response</c> or <c>completion</c>: a user and an assistant turn, or both lists of messages.</description></item>
/// <item><description><c>instruction</c>, <c>output</c> and optionally <c>input</c> (Alpaca): the user turn is the instruction and, where the
/// input is not empty, a blank line and the input.</description></item>
/// </list>
/// <para>Text rows may have <c>tools</c> (a list of JSON objects, or a string that holds one), <c>system</c> (text; not beside
/// <c>messages</c>), <c>id</c> (text or number; <c>FILE:LINE</c> where absent) and <c>reasoning_spans</c>: what is known to be reasoning, in
/// UTF-16 units, end exclusive. Pairs <c>[[start,end],…]</c> are relative to the last assistant message's content or the response; triples
/// <c>[[message,start,end],…]</c> name the assistant message by its index in <c>messages</c> or <c>conversations</c>. An empty list says that nothing is
/// reasoning; without the field the roles are unknown.</para>
/// <para>Of rows with the same id the first keeps it, the next become <c>ID#2</c>, <c>ID#3</c>, and are counted. Blank lines are no rows.</para>
/// </remarks>
public static class CorpusReader
{
    /// <summary>Reads files one after the other.</summary>
    /// <param name="paths">The files.</param>
    /// <param name="report">Takes the counts and the bad rows.</param>
    /// <param name="options">How bad rows are met; null takes the defaults.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="ShadException">A file is missing, of unknown format or damaged (found before the first row where it can be);
    /// there are more bad rows than accepted; or there is no good row at all (<c>corpus.empty</c>).</exception>
    public static async IAsyncEnumerable<CorpusRow> ReadAsync(
        IReadOnlyList<string> paths,
        CorpusReport report,
        CorpusOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(paths);
        ArgumentNullException.ThrowIfNull(report);
        options ??= new CorpusOptions();
        foreach (string path in paths)
        {
            InputFile.FormatOf(path);
            InputFile.CheckExists(path);
        }

        RowSample? sample = null;
        if (options.Sample is { } wanted)
        {
            sample = new RowSample(wanted, options.SampleSeed);
            foreach (string path in paths) sample.AddRows(await JsonRowReader.CountAsync(path, cancellationToken).ConfigureAwait(false));
        }

        var parser = new CorpusRowParser(options.VocabularySize);
        long place = 0;
        var ids = new SampleIds();
        long good = 0;
        long bad = 0;
        ShadException? firstBad = null;
        foreach (string path in paths)
        {
            using var rows = JsonRowReader.Open(path, CorpusRowParser.Columns);
            while (await rows.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                if (sample?.Holds(place++) == false) continue;
                var source = new RowSource(path, rows.Number);
                CorpusRow row;
                try
                {
                    row = parser.Parse(rows.Row, source);
                }
                catch (ShadException e)
                {
                    report.AddBadRow(source, e);
                    firstBad ??= e;
                    if (++bad > options.MaximumBadRows)
                        throw options.MaximumBadRows == 0 ? e : CorpusErrors.TooManyBadRows(options.MaximumBadRows.Value, firstBad);
                    continue;
                }

                string id = ids.MakeUnique(row.Id, source);
                bool renamed = !ReferenceEquals(id, row.Id);
                good++;
                report.AddRow(renamed);
                yield return renamed ? Rename(row, id) : row;
            }
        }

        if (good == 0) throw CorpusErrors.Empty(paths, bad, firstBad);
    }

    private static CorpusRow Rename(CorpusRow row, string id) => row switch
    {
        TokenizedRow { Tokens: var tokens } tokenized => tokenized with
        {
            Id = id,
            Tokens = new TokenizedSample(id, tokens.InputIds, tokens.Labels) { Weights = tokens.Weights, Roles = tokens.Roles },
        },
        _ => row with { Id = id },
    };
}
