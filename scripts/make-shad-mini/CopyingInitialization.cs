using Shad.Core.Randomness;
using Shad.Data.Tokenization;
using Shad.Models;
using Shad.Models.Configuration;
using Shad.Models.Weights;

namespace MakeShadMini;

/// <summary>
/// Initial weights with a head start in copying: a few attention heads begin as previous-token and induction heads (Olsson et al.,
/// arXiv:2209.11895), all else is random. A trial from wholly random weights showed hardly any copying after 1,250 steps; started this
/// way, the training goes into learning to use the heads. Every weight is trained.
/// </summary>
/// <remarks>
/// <code>
/// layer 0, group 0   attends one token back (a constant component of the embeddings, turned by the rotary frequencies) and
///                    writes V·embedding of that token to the residual stream through U
/// layers 1 and 2     query: V·embedding of the current token; key: Uᵀ·residual, what the previous token was. They meet where
///                    the current token occurred before, one further on: the head then writes that token's embedding
/// </code>
/// Scores are set so that a match wins over some hundred other positions without saturating the softmax. The content of the
/// match lies on the slow half of the rotary pairs, which a distance of a few hundred tokens hardly turns.
/// </remarks>
internal static class CopyingInitialization
{
    private const float EmbeddingDeviation = 0.05f;

    /// <summary>Twice an embedding's deviation, so that it is about 2 after the norm.</summary>
    private const float Constant = 2 * EmbeddingDeviation;
    private const float PreviousTokenSharpness = 2.5f;
    private const float PreviousTokenGain = 0.05f;
    private const float MatchSharpness = 1.6f;
    private const float CopyGain = 0.07f;
    private static readonly (int Layer, int Group)[] InductionHeads = [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1)];

    /// <summary>Writes a model folder with such weights.</summary>
    public static void Write(string folder, DecoderConfig config, ulong seed, string companionsFrom)
    {
        var options = new InitializationOptions { Seed = seed };
        using var scratch = new ScratchModel(config, options);
        var tensors = scratch.Read();
        Wire(config, tensors, TokenizerLoader.Load(companionsFrom), new SeededRandom(seed).Fork(1_000_000));
        ModelFolderWriter.Write(
            folder, config,
            TensorLayout.Expected(config).Select(spec => TensorToWrite.FromFloat32(spec.Name, TensorDtype.Float32, spec.Shape, () => tensors[spec.Name])),
            TensorDtype.Float32, companionsFrom);
    }

    /// <summary>
    /// The tokens of one word, with and without a space before it or a capital at its front, begin near each other: what is said of
    /// one of them then holds for all, and a value is found again whatever stands before it.
    /// </summary>
    private static void BringFormsTogether(Matrix embedding, DecoderConfig config, ITextTokenizer tokenizer, SeededRandom random)
    {
        const float Shared = 0.8f;
        float own = MathF.Sqrt(1 - Shared * Shared);
        var forms = Enumerable.Range(0, config.VocabularySize)
            .GroupBy(id => tokenizer.Decode([id]).TrimStart(' ').ToLowerInvariant(), StringComparer.Ordinal)
            .Where(group => group.Key.Length > 1 && group.Key.All(char.IsAsciiLetter) && group.Count() > 1)
            .OrderBy(group => group.Key, StringComparer.Ordinal);
        foreach (var group in forms)
        {
            for (int column = 0; column < config.HiddenSize; column++)
            {
                float common = EmbeddingDeviation * (float)random.NextGaussian();
                foreach (int token in group) embedding[token, column] = Shared * common + own * embedding[token, column];
            }
        }
    }

    private static void Wire(DecoderConfig config, Dictionary<string, float[]> tensors, ITextTokenizer tokenizer, SeededRandom random)
    {
        int hidden = config.HiddenSize, size = config.HeadSize, width = config.AttentionHeads * size;
        int queriesPerGroup = config.AttentionHeads / config.KeyValueHeads;
        Matrix Of(string name, int columns) => new(tensors[name], columns);
        float[][] Gaussian(int rows, int columns) => [.. Enumerable.Range(0, rows).Select(_ =>
            Enumerable.Range(0, columns).Select(_ => (float)random.NextGaussian() / 16f).ToArray())];

        var embedding = Of(TensorNames.Embedding, hidden);
        for (int i = 0; i < tensors[TensorNames.Embedding].Length; i++)
            tensors[TensorNames.Embedding][i] *= EmbeddingDeviation / 0.02f;
        BringFormsTogether(embedding, config, tokenizer, random);
        for (int token = 0; token < config.VocabularySize; token++) embedding[token, 0] = Constant;

        // Layer 0, key-value group 0: the previous token.
        float[][] content = Gaussian(size, hidden), outward = Gaussian(hidden, size);
        foreach (float[] row in content) row[0] = 0;
        var names = TensorNames.Layer(0);
        Matrix query = Of(names.Query.Weight, hidden), key = Of(names.Key.Weight, hidden), value = Of(names.Value.Weight, hidden), output = Of(names.Output.Weight, width);
        for (int row = 0; row < size; row++)
        {
            for (int column = 0; column < hidden; column++)
            {
                value[row, column] = content[row][column];
                key[row, column] = 0;
                for (int head = 0; head < queriesPerGroup; head++) query[head * size + row, column] = 0;
            }
        }

        double[] frequencies = config.Rotary.InverseFrequencies(size);
        for (int pair = 0; pair < 4; pair++)
        {
            for (int head = 0; head < queriesPerGroup; head++) query[head * size + pair, 0] = PreviousTokenSharpness;
            // A key turned forward by one position meets the query one position later.
            key[pair, 0] = PreviousTokenSharpness * (float)Math.Cos(frequencies[pair]);
            key[pair + size / 2, 0] = PreviousTokenSharpness * (float)Math.Sin(frequencies[pair]);
        }

        for (int row = 0; row < hidden; row++)
        {
            for (int head = 0; head < queriesPerGroup; head++)
            {
                for (int column = 0; column < size; column++) output[row, head * size + column] = PreviousTokenGain * outward[row][column];
            }
        }

        foreach (var (layer, group) in InductionHeads)
        {
            names = TensorNames.Layer(layer);
            query = Of(names.Query.Weight, hidden);
            key = Of(names.Key.Weight, hidden);
            value = Of(names.Value.Weight, hidden);
            output = Of(names.Output.Weight, width);
            int[] matched = Enumerable.Range(0, size).ToArray();
            random.Shuffle<int>(matched);
            // Dimensions of the slow half of the pairs (i, i + size/2).
            int[] slow = [.. Enumerable.Range(size / 4, size / 4), .. Enumerable.Range(3 * size / 4, size / 4)];
            for (int row = 0; row < size; row++)
            {
                int at = Array.IndexOf(slow, row);
                for (int column = 0; column < hidden; column++)
                {
                    key[group * size + row, column] = at < 0 ? 0 : MatchSharpness * outward[column][matched[at]];
                    for (int head = 0; head < queriesPerGroup; head++)
                        query[(group * queriesPerGroup + head) * size + row, column] = at < 0 ? 0 : MatchSharpness * content[matched[at]][column];
                    value[group * size + row, column] = column == 0 ? 0 : (float)random.NextGaussian() / 16f;
                }
            }

            for (int row = 0; row < hidden; row++)
            {
                for (int head = 0; head < queriesPerGroup; head++)
                {
                    for (int column = 0; column < size; column++)
                        output[row, (group * queriesPerGroup + head) * size + column] = CopyGain * value[group * size + column, row];
                }
            }
        }
    }

    private readonly record struct Matrix(float[] Values, int Columns)
    {
        public float this[int row, int column]
        {
            get => Values[row * Columns + column];
            set => Values[row * Columns + column] = value;
        }
    }

    /// <summary>A model of random weights in a folder of its own, gone with it.</summary>
    private sealed class ScratchModel : IDisposable
    {
        private readonly string _folder = Directory.CreateTempSubdirectory("shad-mini-").FullName;
        private readonly string _model;

        public ScratchModel(DecoderConfig config, InitializationOptions options)
        {
            _model = Path.Combine(_folder, "random");
            ModelInitializer.Write(_model, config, options);
        }

        public Dictionary<string, float[]> Read()
        {
            using var model = ModelFolder.Open(_model);
            return model.Weights.Tensors.Keys.ToDictionary(name => name, model.Weights.ReadFloat32);
        }

        public void Dispose() => Directory.Delete(_folder, recursive: true);
    }
}
