using System.Runtime.InteropServices;
using Shad.Core.Errors;
using Shad.Core.Randomness;
using Shad.Core.Samples;

namespace Shad.Core.Shuffling;

/// <summary>Samples that keep their prompts and get another sample's responses: what the probe is tuned on.</summary>
public static class ShuffledSamples
{
    /// <summary>Shuffles the responses of samples by a random derangement.</summary>
    /// <param name="samples">At least two, each with a response.</param>
    /// <param name="random">Where the derangement comes from.</param>
    /// <returns>
    /// One sample for each, in the same order and under the same id: its prompt tokens bit for bit, its response turns replaced,
    /// turn by turn, by those of its partner; a partner with fewer turns begins again with its first, surplus turns of the
    /// partner are left out. Weights and roles belong to the replaced tokens and are not kept.
    /// </returns>
    /// <exception cref="ShadException">There are fewer than two samples, or one has no response.</exception>
    public static IReadOnlyList<TokenizedSample> Create(IReadOnlyList<TokenizedSample> samples, SeededRandom random)
    {
        int[] partners = ChoosePartners(samples, random);
        var shuffled = new TokenizedSample[samples.Count];
        for (int i = 0; i < shuffled.Length; i++) shuffled[i] = WithResponsesOf(samples[i], samples[partners[i]]);
        return shuffled;
    }

    /// <summary>
    /// Chooses whose responses each sample gets: a derangement, uniform where no two samples have the same responses. Where some
    /// do, as few samples as can be get a partner whose responses would leave the sample as it was.
    /// </summary>
    /// <param name="samples">At least two, each with a response.</param>
    /// <param name="random">Where the derangement comes from.</param>
    /// <returns><c>[samples.Count]</c>: the index of each sample's partner.</returns>
    /// <exception cref="ShadException">There are fewer than two samples, or one has no response.</exception>
    /// <remarks>
    /// Samples i with partner p(i) are mended one at a time by exchanging partners with a sample j, if neither is then left as
    /// it was. For samples of one turn each that is optimal. Let m samples share the response r, and c of them have a partner
    /// with r too. The samples that cannot serve as j have response r (m of them) or a partner with r (m of them), and c are
    /// both, so a j exists as long as 2m − c &lt; n. Exchanges never undo a mended sample, so they end with c = 0 if 2m ≤ n and with
    /// c = 2m − n otherwise, and no permutation does better: m samples have r, but only n − m partners have another response.
    /// </remarks>
    public static int[] ChoosePartners(IReadOnlyList<TokenizedSample> samples, SeededRandom random)
    {
        ArgumentNullException.ThrowIfNull(samples);
        ArgumentNullException.ThrowIfNull(random);
        int[] partners = Derangement.Create(samples.Count, random);
        ResponseNames names = new(samples);

        // Exchanges found impossible, by what the sample says and what it was given: not searched for again.
        var hopeless = new HashSet<(int, int)>();
        for (int i = 0; i < partners.Length; i++)
        {
            if (!names.LeavesUnchanged(i, partners[i])) continue;
            (int, int) situation = (names.Conversation(i), names.Conversation(partners[i]));
            if (hopeless.Contains(situation)) continue;

            int offset = random.NextInt32(partners.Length);
            int exchange = -1;
            for (int step = 0; step < partners.Length && exchange < 0; step++)
            {
                int j = (offset + step) % partners.Length;
                if (!names.LeavesUnchanged(i, partners[j]) && !names.LeavesUnchanged(j, partners[i])) exchange = j;
            }

            if (exchange < 0) hopeless.Add(situation);
            else (partners[i], partners[exchange]) = (partners[exchange], partners[i]);
        }

        return partners;
    }

    private static TokenizedSample WithResponsesOf(TokenizedSample sample, TokenizedSample partner)
    {
        IReadOnlyList<Range> own = sample.ResponseSpans();
        IReadOnlyList<Range> given = partner.ResponseSpans();
        var inputIds = new List<int>(sample.Length + partner.TargetCount);
        var labels = new List<int>(inputIds.Capacity);

        int promptStart = 0;
        for (int turn = 0; turn < own.Count; turn++)
        {
            AppendPrompt(promptStart, own[turn].Start.Value);
            ReadOnlySpan<int> response = partner.InputIds.AsSpan(given[turn % given.Count]);
            inputIds.AddRange(response);
            labels.AddRange(response);
            promptStart = own[turn].End.Value;
        }

        AppendPrompt(promptStart, sample.Length);
        return new TokenizedSample(sample.Id, [.. inputIds], [.. labels]);

        void AppendPrompt(int start, int end)
        {
            inputIds.AddRange(sample.InputIds.AsSpan(start..end));
            CollectionsMarshal.SetCount(labels, inputIds.Count);
            CollectionsMarshal.AsSpan(labels)[^(end - start)..].Fill(TokenizedSample.IgnoredLabel);
        }
    }

    /// <summary>
    /// Gives equal response turns equal numbers, and samples that say the same in all turns equal numbers, so that comparing
    /// responses does not mean comparing tokens.
    /// </summary>
    private sealed class ResponseNames
    {
        private readonly int[][] _turns;
        private readonly int[] _conversations;

        public ResponseNames(IReadOnlyList<TokenizedSample> samples)
        {
            var turnNumbers = new Dictionary<int[], int>(SequenceComparer.Instance);
            var conversationNumbers = new Dictionary<int[], int>(SequenceComparer.Instance);
            _turns = new int[samples.Count][];
            _conversations = new int[samples.Count];
            for (int i = 0; i < _turns.Length; i++)
            {
                TokenizedSample sample = samples[i];
                IReadOnlyList<Range> spans = sample.ResponseSpans();
                if (spans.Count == 0) throw CoreErrors.NoResponse(sample.Id);
                _turns[i] = [.. spans.Select(span => NumberOf(sample.InputIds[span], turnNumbers))];
                _conversations[i] = NumberOf(_turns[i], conversationNumbers);
            }
        }

        /// <summary>Equal for samples whose responses are equal in every turn.</summary>
        public int Conversation(int sample) => _conversations[sample];

        /// <summary>True where the sample would say with the partner's responses what it says now; true for itself.</summary>
        public bool LeavesUnchanged(int sample, int partner)
        {
            int[] own = _turns[sample];
            int[] given = _turns[partner];
            for (int turn = 0; turn < own.Length; turn++)
            {
                if (own[turn] != given[turn % given.Length]) return false;
            }

            return true;
        }

        private static int NumberOf(int[] sequence, Dictionary<int[], int> numbers)
        {
            ref int number = ref CollectionsMarshal.GetValueRefOrAddDefault(numbers, sequence, out bool known);
            if (!known) number = numbers.Count;
            return number;
        }
    }

    private sealed class SequenceComparer : IEqualityComparer<int[]>
    {
        public static readonly SequenceComparer Instance = new();

        public bool Equals(int[]? x, int[]? y) => x.AsSpan().SequenceEqual(y);

        public int GetHashCode(int[] obj)
        {
            var hash = new HashCode();
            hash.AddBytes(MemoryMarshal.AsBytes(obj.AsSpan()));
            return hash.ToHashCode();
        }
    }
}
