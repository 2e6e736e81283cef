using Shad.Models.Configuration;
using Shad.Models.Weights;

namespace Shad.Onnx.Graphs;

/// <summary>
/// The decoder between the token ids and the LM head, the same for every graph. Activations are rows <c>[N,H]</c>, one a token, so
/// that the matrix products are <c>Gemm(transB = 1)</c> on the <c>[out, in]</c> weights as they are stored.
/// </summary>
/// <remarks>Models that begin alike go through one body, which branches where they part (<see cref="SharedTrunk"/>).</remarks>
/// <param name="graph">The graph built.</param>
/// <param name="trunk">The models of the graph.</param>
/// <param name="models">Those of them that begin alike, ascending.</param>
/// <param name="weightsOf">The tensors of a model.</param>
/// <param name="layout">Which rows are which tokens. What the last layer does for queries and after its attention, it does for the
/// wanted rows only.</param>
internal sealed class DecoderBody(
    GraphBuilder graph, SharedTrunk trunk, int[] models, Func<int, DecoderWeights> weightsOf, IRowLayout layout)
{
    private readonly DecoderConfig _config = trunk.ConfigOf(models[0]);

    /// <summary>What begins the names of a model's values. A value that models share bears the first one's name.</summary>
    public static string PathOf(int model) => model == 0 ? "" : $"models.{model}/";

    /// <summary>Name of the LM head's tensor, <c>[V,H]</c>.</summary>
    public static string HeadTensor(DecoderConfig config) => config.TiedHead ? TensorNames.Embedding : TensorNames.Head;

    /// <summary>Adds the decoder.</summary>
    /// <returns>By model, the hidden states after the final norm, <c>[T,H]</c> or <c>[N,H]</c>; models that are the same share
    /// them.</returns>
    public IReadOnlyDictionary<int, string> Add()
    {
        // The flow between the sublayers; h is the residual stream, n its norm:
        //
        //   ids ─ Gather ─┬───────── h ─────────┬── + ── h ──┬── + ── h … final norm
        //                 └ norm ─ n ─ attention ┘  └ norm ─ n ─ mlp ┘
        //
        // Every sum is followed by a norm, so both are one SkipSimplifiedLayerNormalization.
        string embedded = weightsOf(models[0]).Rows(
            TensorNames.Embedding, $"{PathOf(models[0])}embedding", layout.TokenIds);
        var hidden = new Dictionary<int, string>();
        Continue(models, 0, new Stream(embedded, Addend: null));
        return hidden;

        // What the models have in common ends before the norm of some layer: the sum in front of it is theirs together.
        void Continue(int[] alike, int layer, Stream stream)
        {
            bool end = layer == _config.LayerCount;
            foreach (int[] branch in trunk.Split(alike, layer))
            {
                var weights = weightsOf(branch[0]);
                if (end)
                {
                    string normed = FinalNorm($"{PathOf(branch[0])}final_norm", ref stream, weights);
                    foreach (int model in branch) hidden[model] = normed;
                    continue;
                }

                string path = $"{PathOf(branch[0])}layers.{layer}";
                Continue(branch, layer + 1, Layer(layer, path, ref stream, weights));
            }
        }
    }

    /// <summary>The residual stream between two sublayers.</summary>
    /// <param name="Residual">The stream.</param>
    /// <param name="Addend">What is still to be added to it; null for nothing.</param>
    private readonly record struct Stream(string Residual, string? Addend);

    private string FinalNorm(string path, ref Stream stream, DecoderWeights weights)
    {
        long width = _config.HiddenSize;
        string[] results = InRows(
            path, wanted: true, weights, InputsOf(stream), stream.Addend is null ? [width] : [width, width],
            (at, rows) => Outputs(Norm(at, path, rows, weights.Get(TensorNames.FinalNorm)), rows));
        if (stream.Addend is not null) stream = new Stream(results[1], Addend: null);
        return results[0];

        static string[] Outputs((string Normed, string Sum) norm, string[] rows) =>
            rows.Length == 1 ? [norm.Normed] : [norm.Normed, norm.Sum];
    }

    /// <param name="layer">The layer.</param>
    /// <param name="path">Its path.</param>
    /// <param name="stream">The stream before it; summed up afterwards, for the other branches that begin here.</param>
    /// <param name="weights">The model's tensors.</param>
    /// <returns>The stream behind it.</returns>
    private Stream Layer(int layer, string path, ref Stream stream, DecoderWeights weights)
    {
        var names = TensorNames.Layer(layer);
        string? wantedRows = layer == _config.LayerCount - 1 ? layout.WantedRows : null;
        bool wantedQueries = wantedRows is not null && layout.TakesWantedQueries;
        string query, key, value;
        {
            long inner = (long)_config.KeyValueHeads * _config.HeadSize;
            List<long> widths = [inner, inner];
            if (!wantedQueries) widths.Add((long)_config.AttentionHeads * _config.HeadSize);
            if (stream.Addend is not null) widths.Add(_config.HiddenSize);
            string[] results = InRows($"{path}/attention/inputs", wanted: false, weights, InputsOf(stream), [.. widths], (at, rows) =>
            {
                var (normed, sum) = Norm(at, $"{path}/input_norm", rows, weights.Get(names.InputNorm));
                List<string> outputs = [Key(at, normed), Value(at, normed)];
                if (!wantedQueries) outputs.Add(Query(at, normed));
                if (rows.Length > 1) outputs.Add(sum);
                return [.. outputs];
            });
            (key, value) = (results[0], results[1]);
            if (stream.Addend is not null) stream = new Stream(results[^1], Addend: null);
            query = wantedQueries ? "" : results[2];
        }

        string residual = stream.Residual;
        if (wantedRows is not null) residual = graph.Node("Gather", $"{path}/rows", [residual, wantedRows], ("axis", 0));
        if (wantedQueries)
        {
            // The norm of the wanted rows is taken again: it is one of many, and the other rows' need not be kept for it.
            query = InRows(
                $"{path}/attention/queries", wanted: true, weights, [(residual, _config.HiddenSize)],
                [(long)_config.AttentionHeads * _config.HeadSize],
                (at, rows) => [Query(at, Norm(at, $"{path}/query_input_norm", rows, weights.Get(names.InputNorm)).Normed)])[0];
        }

        string attended = layout.Attention(layer, $"{path}/attention", query, key, value, wantedQueries);
        if (wantedRows is not null && !wantedQueries)
            attended = graph.Node("Gather", $"{path}/attention/rows", [attended, wantedRows], ("axis", 0));

        bool inBlocks = BlocksOf(wantedRows is not null) is not null;
        string[] sums = InRows(
            $"{path}/after_attention", wantedRows is not null, weights,
            [(attended, (long)_config.AttentionHeads * _config.HeadSize), (residual, _config.HiddenSize)],
            inBlocks ? [_config.HiddenSize] : [_config.HiddenSize, _config.HiddenSize],
            (at, rows) =>
            {
                string output = Linear(at, $"{path}/attention/output", rows[0], names.Output, _config.OutputBias, weights);
                var (normed, sum) = Norm(at, $"{path}/post_attention_norm", [rows[1], output], weights.Get(names.PostAttentionNorm));
                string mlp = Mlp(at, layer, $"{path}/mlp", normed, weights);

                // A block's sum is taken at once, while it is in the cache, and goes on as one value.
                return inBlocks ? [at.Node("Add", $"{path}/mlp/residual", [sum, mlp])] : [sum, mlp];
            });
        return new Stream(sums[0], sums.Length > 1 ? sums[1] : null);

        string Query(GraphBuilder at, string normed)
        {
            string projected = Linear(at, $"{path}/attention/query", normed, names.Query, _config.QueryKeyValueBias, weights);
            return _config.QueryKeyNorm
                ? HeadNorm(at, $"{path}/attention/query_norm", projected, _config.AttentionHeads, names.QueryNorm, weights)
                : projected;
        }

        string Key(GraphBuilder at, string normed)
        {
            string projected = Linear(at, $"{path}/attention/key", normed, names.Key, _config.QueryKeyValueBias, weights);
            return _config.QueryKeyNorm
                ? HeadNorm(at, $"{path}/attention/key_norm", projected, _config.KeyValueHeads, names.KeyNorm, weights)
                : projected;
        }

        string Value(GraphBuilder at, string normed) =>
            Linear(at, $"{path}/attention/value", normed, names.Value, _config.QueryKeyValueBias, weights);
    }

    private (string Value, long Width)[] InputsOf(Stream stream) => stream.Addend is null
        ? [(stream.Residual, _config.HiddenSize)]
        : [(stream.Residual, _config.HiddenSize), (stream.Addend, _config.HiddenSize)];

    private RowBlocks? BlocksOf(bool wanted) => wanted && layout.WantedRows is not null ? layout.WantedBlocks : layout.Blocks;

    /// <summary>Adds what is computed row by row: in blocks, or for all rows together.</summary>
    private string[] InRows(
        string path, bool wanted, DecoderWeights weights, ReadOnlySpan<(string Value, long Width)> inputs, ReadOnlySpan<long> widths,
        Func<GraphBuilder, string[], string[]> part)
    {
        if (BlocksOf(wanted) is { } blocks) return blocks.Add(path, weights.ComputeType, inputs, widths, part);
        string[] rows = new string[inputs.Length];
        for (int i = 0; i < inputs.Length; i++) rows[i] = inputs[i].Value;
        return part(graph, rows);
    }

    private string Mlp(GraphBuilder at, int layer, string path, string normed, DecoderWeights weights)
    {
        //   n ─┬─ gate ─ SiLU ─┐
        //      └─ up ───────── × ─ down
        var names = TensorNames.Layer(layer);
        string gate = Linear(at, $"{path}/gate", normed, names.Gate, _config.MlpBias, weights);
        string up = Linear(at, $"{path}/up", normed, names.Up, _config.MlpBias, weights);

        // QuickGelu is x · sigmoid(alpha · x): SiLU where alpha is 1.
        string activated = at.MicrosoftNode("QuickGelu", $"{path}/silu", [gate], ("alpha", 1f));
        string product = at.Node("Mul", $"{path}/product", [activated, up]);
        return Linear(at, $"{path}/down", product, names.Down, _config.MlpBias, weights);
    }

    private static string Linear(
        GraphBuilder at, string path, string input, LinearTensorNames names, bool bias, DecoderWeights weights) => bias
        ? at.Node("Gemm", path, [input, weights.Get(names.Weight), weights.Get(names.Bias)], ("transB", 1))
        : at.Node("Gemm", path, [input, weights.Get(names.Weight)], ("transB", 1));

    private string HeadNorm(GraphBuilder at, string path, string input, int heads, string tensor, DecoderWeights weights)
    {
        string split = at.Node("Reshape", $"{path}/heads", [input, at.Constant(-1L, (long)_config.HeadSize)]);
        string normed = Norm(at, $"{path}/each", [split], weights.Get(tensor)).Normed;
        return at.Node("Reshape", path, [normed, at.Constant(-1L, (long)heads * _config.HeadSize)]);
    }

    /// <summary>Adds a norm of one value, or of the sum of two.</summary>
    /// <returns>The norm, and what it is of.</returns>
    private (string Normed, string Sum) Norm(GraphBuilder at, string path, string[] of, string weight)
    {
        if (of.Length == 1)
        {
            string normed = at.Node(
                "SimplifiedLayerNormalization", path, [of[0], weight],
                ("axis", -1), ("epsilon", _config.NormEpsilon), ("stash_type", 1));
            return (normed, of[0]);
        }

        string sum = $"{path}/residual";
        at.Node(
            GraphBuilder.MicrosoftDomain, "SkipSimplifiedLayerNormalization", path,
            [of[1], of[0], weight], [path, "", "", sum], [("epsilon", _config.NormEpsilon)]);
        return (path, sum);
    }
}
