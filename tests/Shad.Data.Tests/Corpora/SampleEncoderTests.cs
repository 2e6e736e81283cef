using CsCheck;
using Shad.Core.Errors;
using Shad.Core.Samples;
using Shad.Data.Chat;
using Shad.Data.Corpora;
using Shad.Data.Tests.Chat;
using Shad.Data.Tokenization;

namespace Shad.Data.Tests.Corpora;

internal sealed class SampleEncoderTests
{
    private static readonly TextSample Text = new(
        "x", [new("0123456789", false), new("abcdef", true), new("uvw", false), new("xyz", true)], "a.jsonl:1");

    [Test]
    public void Tokens_do_not_straddle_the_seam_and_targets_are_exactly_the_response()
    {
        Gen.Select(Conversations.Generate, Gen.Bool, Gen.Bool, Gen.OneOf([.. ChatLayout.Names])).Sample(
            (row, hasBeginning, hasEnd, layoutName) =>
            {
                var tokenizer = new PieceTokenizer(hasBeginning, hasEnd, "<|im_end|>", "<|eot_id|>");
                var layout = ChatLayout.Named(layoutName);
                var sample = layout.Render(row, hasEnd ? "</s>" : null);
                var encoded = Encoder(tokenizer, 100_000, layout: layout).Encode(row)!;
                var tokens = encoded.Tokens;
                Assert.That(encoded.Text, Is.EqualTo(string.Concat(sample.Segments.Select(s => s.Text))));
                Assert.That(tokens.InputIds[0] == 0, Is.EqualTo(hasBeginning));

                // Independent of the encoder: each character's kind by its segment, each token's by its characters.
                bool[] isResponse = [.. sample.Segments.SelectMany(s => Enumerable.Repeat(s.IsResponse, s.Text.Length))];
                bool[] isReasoning = new bool[isResponse.Length];
                foreach (var (start, end) in sample.KnownReasoning!) isReasoning.AsSpan(start, end - start).Fill(true);
                string responses = "", spanned = "";
                for (int i = 0; i < tokens.Length; i++)
                {
                    int start = encoded.OffsetStart![i], end = encoded.OffsetEnd![i];
                    Assert.That(isResponse[start..end].Distinct().Count(), Is.LessThanOrEqualTo(1));
                    Assert.That(tokens.IsTarget(i), Is.EqualTo(start < end && isResponse[start]));
                    TokenRole? role = !tokens.IsTarget(i) ? null
                        : isReasoning.AsSpan(start, end - start).Contains(true) ? TokenRole.Reasoning : TokenRole.Boilerplate;
                    Assert.That(encoded.KnownRoles![i], Is.EqualTo(role));
                    if (!tokens.IsTarget(i)) continue;
                    responses += tokenizer.Describe(tokens.InputIds[i]);
                    if (start != (i > 0 ? encoded.OffsetStart[i - 1] : -1)) spanned += encoded.Text![start..end];
                }

                string expected = string.Concat(sample.Segments.Where(s => s.IsResponse).Select(s => s.Text));
                Assert.That(responses, Is.EqualTo(expected));
                Assert.That(spanned, Is.EqualTo(expected));
            },
            iter: 500);
    }

    [Test]
    public void A_sample_that_fits_is_left_alone_and_one_token_more_cuts_one_token_of_the_prompt()
    {
        // 4 + 2 + 1 + 1 pieces and the beginning-of-sequence token.
        var tokenizer = new PieceTokenizer(hasBeginning: true, hasEnd: true);
        var report = new CorpusReport();
        var whole = Encoder(tokenizer, 9, report).Encode(Text)!;
        Assert.That((whole.Tokens.Length, whole.Truncated), Is.EqualTo((9, false)));
        var cut = Encoder(tokenizer, 8, report).Encode(Text)!;
        Assert.That(cut.Truncated);
        Assert.That(cut.Tokens.InputIds, Is.EqualTo((int[])[0, .. whole.Tokens.InputIds[2..]]));
        Assert.That(cut.Tokens.Labels, Is.EqualTo((int[])[-100, .. whole.Tokens.Labels[2..]]));
        Assert.That(cut.OffsetStart, Is.EqualTo((int[])[0, .. whole.OffsetStart![2..]]));
        Assert.That(cut.Text, Is.EqualTo(whole.Text));
        Assert.That((report.Encoded, report.Truncated, report.Skipped, report.Tokens, report.Targets), Is.EqualTo((2L, 1L, 0L, 17L, 6L)));
    }

    [Test]
    public void The_whole_prompt_may_go_but_one_token_stays_before_the_response()
    {
        foreach (bool hasBeginning in (bool[])[true, false])
        {
            var tokenizer = new PieceTokenizer(hasBeginning, hasEnd: true);
            var report = new CorpusReport();
            var encoded = Encoder(tokenizer, 5, report).Encode(Text)!;
            Assert.That(encoded.Tokens.Length, Is.EqualTo(5));
            Assert.That(encoded.Tokens.TargetCount, Is.EqualTo(3));
            Assert.That(encoded.Tokens.InputIds[0] == 0, Is.EqualTo(hasBeginning));
            Assert.That(Encoder(tokenizer, 4, report).Encode(Text), Is.Null);
            Assert.That(report.Skipped, Is.EqualTo(1));
            Assert.That(report.SkippedList.Single().Message, Does.StartWith("a.jsonl:1: ").And.Contains("4"));
            Assert.That(report.CountsByCode["corpus.too_long"], Is.EqualTo(1));
        }
    }

    [Test]
    public void The_skip_policy_skips_what_is_too_long_and_counts_it()
    {
        var report = new CorpusReport();
        var options = new EncoderOptions { ContextLength = 8, Overlength = OverlengthPolicy.Skip };
        var encoder = new SampleEncoder(new PieceTokenizer(true, true), ChatLayout.Plain, options, report);
        Assert.That(encoder.Encode(Text), Is.Null);
        Assert.That((report.Encoded, report.Skipped), Is.EqualTo((0L, 1L)));
    }

    [Test]
    public void Truncation_keeps_all_responses_the_start_and_the_tokens_right_before_the_response()
    {
        Gen.Select(Conversations.Generate, Gen.Bool, Gen.Int[2, 60]).Sample(
            (row, hasBeginning, context) =>
            {
                var tokenizer = new PieceTokenizer(hasBeginning, hasEnd: true);
                var whole = Encoder(tokenizer, 100_000).Encode(row)!;
                var report = new CorpusReport();
                var cut = Encoder(tokenizer, context, report).Encode(row);
                int first = Array.FindIndex(whole.Tokens.Labels, label => label != -100);
                int needed = whole.Tokens.Length - first + 1;
                Assert.That(cut is null, Is.EqualTo(context < needed));
                Assert.That(report.Encoded + report.Skipped, Is.EqualTo(1));
                if (cut is null) return;
                Assert.That(cut.Tokens.Length, Is.EqualTo(Math.Min(context, whole.Tokens.Length)));
                Assert.That(cut.Tokens.TargetCount, Is.EqualTo(whole.Tokens.TargetCount));
                int start = hasBeginning ? 1 : 0;
                int tail = cut.Tokens.Length - start;
                Assert.That(cut.Tokens.InputIds[start..], Is.EqualTo(whole.Tokens.InputIds[^tail..]));
                Assert.That(cut.KnownRoles![start..], Is.EqualTo(whole.KnownRoles![^tail..]));
                Assert.That(cut.OffsetEnd![start..], Is.EqualTo(whole.OffsetEnd![^tail..]));
                Assert.That(cut.Truncated, Is.EqualTo(context < whole.Tokens.Length));
            },
            iter: 500);
    }

    [Test]
    public void Tokenized_rows_need_no_tokenizer_keep_weights_and_roles_and_are_cut_by_the_same_rule()
    {
        var tokens = new TokenizedSample("x", [5, 6, 7, 8], [-100, -100, 7, 8])
        {
            Weights = [0, 0, 1, 2],
            Roles = [null, null, TokenRole.Reasoning, null],
        };
        var encoded = Encoder(null, 3).Encode(new TokenizedRow("x", new RowSource("a", 1), tokens))!;
        Assert.That(encoded.Tokens.InputIds, Is.EqualTo(new[] { 6, 7, 8 }));
        Assert.That(encoded.Tokens.Weights, Is.EqualTo(new[] { 0f, 1f, 2f }));
        Assert.That(encoded.KnownRoles, Is.EqualTo(new TokenRole?[] { null, TokenRole.Reasoning, null }));
        Assert.That(encoded.Text, Is.Null);
        Assert.That(Encoder(null, 2).Encode(new TokenizedRow("x", new RowSource("a", 1), tokens)), Is.Null);
    }

    [Test]
    public void Errors_say_where_and_what()
    {
        var row = new TokenizedRow("x", new RowSource("a.jsonl", 7), new TokenizedSample("x", [5, 60], [-100, 60]));
        var options = new EncoderOptions { ContextLength = 10, VocabularySize = 50 };
        var encoder = new SampleEncoder(null, ChatLayout.Plain, options, new CorpusReport());
        AssertError(() => encoder.Encode(row), "corpus.outside_vocabulary", "a.jsonl:7");
        AssertError(() => encoder.Encode(Text), "corpus.tokenizer_needed", "a.jsonl:1");
        var conversation = new ConversationRow("x", new RowSource("a.jsonl", 9), [new(ChatRole.User, "a"), new(ChatRole.Assistant, "b")], []);
        AssertError(() => encoder.Encode(conversation), "corpus.tokenizer_needed", "a.jsonl:9");
        var small = new SampleEncoder(new PieceTokenizer(true, true), ChatLayout.Plain, options, new CorpusReport());
        AssertError(() => small.Encode(Text), "corpus.tokenizer_outside_vocabulary", "a.jsonl:1");
        AssertError(
            () => Encoder(new PieceTokenizer(false, true), 10).Encode(Text with { Segments = [new("", false), new("a", true)] }),
            "corpus.nothing_before", "a.jsonl:1");
        AssertError(
            () => Encoder(new PieceTokenizer(true, true), 10).Encode(Text with { Segments = [new("a", false), new("", true)] }),
            "corpus.no_response", "a.jsonl:1");
    }

    [Test]
    public async Task Encoding_on_several_threads_keeps_the_order_and_loses_nothing()
    {
        var rows = Enumerable.Range(0, 2000).Select(i => (CorpusRow)new ConversationRow(
            $"{i}", new RowSource("a", i), [new(ChatRole.User, new string('q', i % 50)), new(ChatRole.Assistant, $"{i}")], [])).ToList();
        var report = new CorpusReport();
        var encoder = Encoder(new PieceTokenizer(true, true), 20, report);
        var ids = new List<string>();
        await foreach (var sample in encoder.EncodeAsync(rows.ToAsyncEnumerable(), threads: 4)) ids.Add(sample.Tokens.Id);
        Assert.That(report.Encoded + report.Skipped, Is.EqualTo(2000));
        Assert.That(ids, Has.Count.EqualTo(report.Encoded));
        Assert.That(ids.Select(int.Parse), Is.Ordered);
    }

    [Test]
    public void An_error_in_the_stream_reaches_the_reader_and_leaving_early_ends_the_stream()
    {
        bool ended = false;
        async IAsyncEnumerable<CorpusRow> Endless(bool fails)
        {
            try
            {
                for (int i = 0; ; i++)
                {
                    await Task.Yield();
                    if (fails && i == 100) throw new ShadException("test.error", "Broken");
                    yield return new ConversationRow($"{i}", new RowSource("a", i), [new(ChatRole.User, "q"), new(ChatRole.Assistant, "a")], []);
                }
            }
            finally
            {
                ended = true;
            }
        }

        var encoder = Encoder(new PieceTokenizer(true, true), 20);
        var error = Assert.Throws<ShadException>(() => encoder.EncodeAsync(Endless(fails: true)).ToBlockingEnumerable().Count())!;
        Assert.That(error.Code, Is.EqualTo("test.error"));
        ended = false;
        Assert.That(encoder.EncodeAsync(Endless(fails: false)).ToBlockingEnumerable().Take(3).Count(), Is.EqualTo(3));
        Assert.That(ended);
    }

    [Test]
    public void Real_tool_calls_are_encoded_with_a_real_tokenizer()
    {
        string corpus = SharedData.PathOf("data", "bfcl.jsonl");
        var tokenizer = TokenizerLoader.Load(SharedData.PathOf("models", "stories260k"));
        var report = new CorpusReport();
        var encoder = Encoder(tokenizer, 8192, report);
        foreach (var row in CorpusReader.ReadAsync([corpus], report).ToBlockingEnumerable().Take(100).Cast<ConversationRow>())
        {
            var encoded = encoder.Encode(row)!;
            var tokens = encoded.Tokens;
            var span = tokens.ResponseSpans().Single();
            int[] response = tokens.InputIds[span];
            Assert.That(response[^1], Is.EqualTo(tokenizer.EndOfSequenceId));
            Assert.That(tokenizer.Decode(response.AsSpan(..^1)), Is.EqualTo(row.Messages[^1].Content));
            Assert.That(encoded.Text![encoded.OffsetStart![span.Start]..encoded.OffsetEnd![span.End.Value - 2]], Is.EqualTo(row.Messages[^1].Content));
        }

        Assert.That((report.Encoded, report.Skipped), Is.EqualTo((100L, 0L)));
    }

    private static SampleEncoder Encoder(
        ITextTokenizer? tokenizer, int context, CorpusReport? report = null, ChatLayout? layout = null) =>
        new(tokenizer, layout ?? ChatLayout.Plain, new EncoderOptions { ContextLength = context }, report ?? new CorpusReport());

    private static void AssertError(Action action, string code, string where)
    {
        var error = Assert.Throws<ShadException>(() => action())!;
        Assert.That(error.Code, Is.EqualTo(code));
        Assert.That(error.Where, Is.EqualTo(where));
    }
}
