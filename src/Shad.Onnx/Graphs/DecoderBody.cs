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
    public static string HeadTensor(DecoderConfig config) => config.TiedHead ? config.Naming.Embedding : config.Naming.Head;

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
        string embedded = Embedding(PathOf(models[0]), weightsOf(models[0]));
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

    private string Embedding(string path, DecoderWeights weights)
    {
        string embedded = weights.Rows(_config.Naming.Embedding, $"{path}embedding", layout.TokenIds);
        if (_config.EmbeddingScale != 1)
            embedded = graph.Node("Mul", $"{path}embedding/scaled", [embedded, weights.Scalar(_config.EmbeddingScale)]);
        if (!_config.LearnedPositions) return embedded;
        string positions = weights.Rows(_config.Naming.Positions, $"{path}embedding/positions", layout.Positions);
        return graph.Node("Add", $"{path}embedding/sum", [embedded, positions]);
    }

    private string FinalNorm(string path, ref Stream stream, DecoderWeights weights)
    {
        long width = _config.HiddenSize;
        string[] results = InRows(
            path, wanted: true, weights, InputsOf(stream), stream.Addend is null ? [width] : [width, width],
            (at, rows) =>
            {
                var (normed, sum) = Norm(at, path, rows, NormModule.Final(_config), weights);
                if (_config.LogitDivisor != 1) normed = at.Node("Mul", $"{path}/divided", [normed, weights.Scalar(1 / _config.LogitDivisor)]);
                return rows.Length == 1 ? [normed] : [normed, sum];
            });
        if (stream.Addend is not null) stream = new Stream(results[1], Addend: null);
        return results[0];
    }

    /// <param name="layer">The layer.</param>
    /// <param name="path">Its path.</param>
    /// <param name="stream">The stream before it; summed up afterwards, for the other branches that begin here.</param>
    /// <param name="weights">The model's tensors.</param>
    /// <returns>The stream behind it.</returns>
    private Stream Layer(int layer, string path, ref Stream stream, DecoderWeights weights)
    {
        var modules = LayerModules.Of(_config, layer);
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
                var (normed, sum) = Norm(at, $"{path}/input_norm", rows, modules.AttentionNorm, weights);
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
                (at, rows) => [Query(at, Norm(at, $"{path}/query_input_norm", rows, modules.AttentionNorm, weights).Normed)])[0];
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
                string output = Addend(at, $"{path}/attention/output", rows[0], modules.Output, modules.AfterAttentionNorm, weights);
                var (normed, sum) = Norm(at, $"{path}/post_attention_norm", [rows[1], output], modules.MlpNorm, weights);
                string mlp = Mlp(at, modules, $"{path}/mlp", normed, weights);

                // A block's sum is taken at once, while it is in the cache, and goes on as one value.
                return inBlocks ? [at.Node("Add", $"{path}/mlp/residual", [sum, mlp])] : [sum, mlp];
            });
        return new Stream(sums[0], sums.Length > 1 ? sums[1] : null);

        string Query(GraphBuilder at, string normed)
        {
            string projected = Linear(at, $"{path}/attention/query", normed, modules.Query, weights);
            return HeadNorm(at, $"{path}/attention/query_norm", projected, _config.AttentionHeads, modules.QueryNorm, weights);
        }

        string Key(GraphBuilder at, string normed)
        {
            string projected = Linear(at, $"{path}/attention/key", normed, modules.Key, weights);
            return HeadNorm(at, $"{path}/attention/key_norm", projected, _config.KeyValueHeads, modules.KeyNorm, weights);
        }

        string Value(GraphBuilder at, string normed) => Linear(at, $"{path}/attention/value", normed, modules.Value, weights);
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

    private string Mlp(GraphBuilder at, LayerModules modules, string path, string normed, DecoderWeights weights)
    {
        //   n ─┬─ gate ─ activation ─┐            n ─ up ─ activation ─ down
        //      └─ up ─────────────── × ─ down
        string? gate = modules.Gate is { } projection ? Linear(at, $"{path}/gate", normed, projection, weights) : null;
        string up = Linear(at, $"{path}/up", normed, modules.Up, weights);
        string inner = gate is null
            ? Activated(at, path, up)
            : at.Node("Mul", $"{path}/product", [Activated(at, path, gate), up]);
        return Addend(at, $"{path}/down", inner, modules.Down, modules.AfterMlpNorm, weights);
    }

    private string Activated(GraphBuilder at, string path, string input) => _config.Activation switch
    {
        // QuickGelu is x · sigmoid(alpha · x): SiLU where alpha is 1.
        Activation.Silu => at.MicrosoftNode("QuickGelu", $"{path}/silu", [input], ("alpha", 1f)),
        Activation.Gelu => at.MicrosoftNode("Gelu", $"{path}/gelu", [input]),
        _ => at.MicrosoftNode("FastGelu", $"{path}/gelu", [input]),
    };

    /// <summary>Adds a projection whose results are to be added to the residual stream, with the norm behind it and the stream's
    /// factor.</summary>
    private string Addend(GraphBuilder at, string path, string input, Projection projection, NormModule? norm, DecoderWeights weights)
    {
        if (norm is null) return Linear(at, path, input, projection, weights, _config.ResidualScale);
        string normed = Norm(at, $"{path}/norm", [Linear(at, path, input, projection, weights)], norm, weights).Normed;
        return _config.ResidualScale == 1 ? normed : at.Node("Mul", $"{path}/scaled", [normed, weights.Scalar(_config.ResidualScale)]);
    }

    private static string Linear(
        GraphBuilder at, string path, string input, Projection projection, DecoderWeights weights, double scale = 1)
    {
        if (weights.Int8Products)
        {
            string product = Int8Product.Add(
                at, scale == 1 ? path : $"{path}/unscaled", input, weights.Int8Matrix(projection), projection.Module.HasBias ? weights.Bias(projection) : null);
            return scale == 1 ? product : at.Node("Mul", path, [product, weights.Scalar(scale)]);
        }

        List<(string, object)> attributes = [("transB", projection.Module.InputsFirst ? 0 : 1)];
        if (scale != 1) attributes.AddRange([("alpha", (float)scale), ("beta", (float)scale)]);
        return projection.Module.HasBias
            ? at.Node("Gemm", path, [input, weights.Matrix(projection), weights.Bias(projection)], [.. attributes])
            : at.Node("Gemm", path, [input, weights.Matrix(projection)], [.. attributes]);
    }

    private string HeadNorm(GraphBuilder at, string path, string input, int heads, NormModule? norm, DecoderWeights weights)
    {
        switch (_config.QueryKeyNorm)
        {
            case QueryKeyNorm.EachHead:
                string split = at.Node("Reshape", $"{path}/heads", [input, at.Constant(-1L, (long)_config.HeadSize)]);
                string normed = Norm(at, $"{path}/each", [split], norm, weights).Normed;
                return at.Node("Reshape", path, [normed, at.Constant(-1L, (long)heads * _config.HeadSize)]);
            case QueryKeyNorm.WholeWidth:
                return Norm(at, path, [input], norm, weights).Normed;
            default:
                return input;
        }
    }

    /// <summary>Adds a norm of one value, or of the sum of two; without a norm only the sum.</summary>
    /// <returns>The norm, and what it is of.</returns>
    private (string Normed, string Sum) Norm(GraphBuilder at, string path, string[] of, NormModule? norm, DecoderWeights weights)
    {
        string sum = of[0];
        if (of.Length > 1)
        {
            sum = $"{path}/residual";
            if (norm is not null && _config.Norm != NormKind.LayerNorm)
            {
                at.Node(
                    GraphBuilder.MicrosoftDomain, "SkipSimplifiedLayerNormalization", path,
                    [of[1], of[0], weights.Scale(norm, _config.Norm)], [path, "", "", sum], [("epsilon", _config.NormEpsilon)]);
                return (path, sum);
            }

            at.Node("Add", sum, [of[1], of[0]]);
        }

        if (norm is null) return (sum, sum);
        string scale = weights.Scale(norm, _config.Norm);
        return (_config.Norm == NormKind.LayerNorm
            ? at.Node(
                "LayerNormalization", path, [sum, scale, weights.Get(norm.Bias!)],
                ("axis", -1), ("epsilon", _config.NormEpsilon), ("stash_type", 1))
            : at.Node(
                "SimplifiedLayerNormalization", path, [sum, scale],
                ("axis", -1), ("epsilon", _config.NormEpsilon), ("stash_type", 1)), sum);
    }
}
