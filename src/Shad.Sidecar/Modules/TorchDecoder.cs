using Shad.Core.Tuning;
using Shad.Models.Configuration;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Shad.Sidecar.Modules;

/// <summary>
/// The forward pass of a decoder-only transformer, from token ids to the hidden states that score targets.
/// </summary>
/// <remarks>
/// Shapes: <c>B</c> samples, <c>S</c> the longest of them, <c>T</c> tokens packed without padding, <c>N</c> targets, <c>H</c> hidden
/// size, <c>D</c> head size. In a bfloat16 pass the products take bfloat16 operands; the residual stream, norms, rotation and
/// softmax statistics stay float32.
/// </remarks>
public sealed class TorchDecoder : IDisposable
{
    private readonly DecoderConfig _config;
    private readonly Device _device;
    private readonly Dictionary<RotaryEmbedding, RotaryTable> _rotary = [];

    /// <summary>Builds the decoder over its parameters, which it does not own.</summary>
    public TorchDecoder(DecoderParameters parameters, Device device)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        Parameters = parameters;
        _config = parameters.Config;
        _device = device;
        foreach (var rotary in Enumerable.Range(0, _config.LayerCount).Select(_config.RotaryOf).Distinct())
            _rotary[rotary] = new RotaryTable(rotary, _config, device);
    }

    /// <summary>The values.</summary>
    public DecoderParameters Parameters { get; }

    /// <summary>
    /// The hidden states whose products with the head are the logits of the targets: after the last norm, float32 <c>[N,H]</c>.
    /// Layers below the lowest tuned one run without a gradient graph.
    /// </summary>
    /// <param name="settings">How; the batch has at least one target.</param>
    public Tensor TargetStates(PassSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        using var scope = NewDisposeScope();
        var x = Embed(settings.Batch);
        for (int i = 0; i < _config.LayerCount; i++)
        {
            var input = x;
            x = Layer(i, input, settings);
            input.Dispose();
        }

        return FinalStates(x).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var table in _rotary.Values) table.Dispose();
    }

    /// <summary>The embedded tokens of a batch, float32 <c>[T,H]</c>.</summary>
    internal Tensor Embed(TokenBatch batch)
    {
        using var scope = NewDisposeScope();
        var x = Parameters.Embedding.Master.index_select(0, batch.InputIds);
        if (_config.EmbeddingScale != 1) x = Times(x, _config.EmbeddingScale);
        if (Parameters.Positions is { } positions) x = x + positions.Master.index_select(0, batch.Positions);
        return x.MoveToOuterDisposeScope();
    }

    /// <summary>The last norm, and the divisor of the logits.</summary>
    internal Tensor FinalStates(Tensor x)
    {
        var normed = Norm(x, Parameters.FinalNorm);
        return _config.LogitDivisor == 1 ? normed : Times(normed, 1 / _config.LogitDivisor);
    }

    /// <summary>One layer: <c>[T,H]</c> → <c>[T,H]</c>, or <c>[N,H]</c> of the last one.</summary>
    internal Tensor Layer(int index, Tensor x, PassSettings settings)
    {
        using var scope = NewDisposeScope();
        var layer = Parameters.Layers[index];
        var batch = settings.Batch;
        var place = new Place(settings, index, TargetsOnly: false);
        var projected = Linear(Norm(x, layer.AttentionNorm), layer.QueryKeyValue, layer.QueryKeyValueBias, place, 0);
        var attended = Attention(index, layer, projected, batch);
        if (index == _config.LayerCount - 1)
        {
            // Above the attention of the last layer only the rows that score a target are needed.
            attended = attended.index_select(0, batch.TargetRows);
            x = x.index_select(0, batch.TargetRows);
            place = place with { TargetsOnly = true };
        }

        x = x + Addend(Linear(attended, layer.Output, layer.OutputBias, place, 1), layer.AfterAttentionNorm);
        var inner = Linear(Norm(x, layer.MlpNorm), layer.Inner, layer.InnerBias, place, 2);
        if (_config.GatedMlp)
        {
            var parts = inner.chunk(2, -1);
            inner = Activated(parts[0]) * parts[1];
        }
        else
        {
            inner = Activated(inner);
        }

        x = x + Addend(Linear(inner, layer.Down, layer.DownBias, place, 3), layer.AfterMlpNorm);
        return x.MoveToOuterDisposeScope();
    }

    private Tensor Activated(Tensor x) => _config.Activation switch
    {
        Activation.Silu => functional.silu(x),
        Activation.Gelu => functional.gelu(x),
        _ => GeluTanh(x),
    };

    private static Tensor GeluTanh(Tensor x)
    {
        // TorchSharp's gelu is the exact one only.
        using Scalar root = Math.Sqrt(2 / Math.PI), cubic = 0.044715, half = 0.5, one = 1.0;
        return x * half * ((x + x * x * x * cubic) * root).tanh().add(one);
    }

    /// <summary>What a projection adds to the residual stream.</summary>
    private Tensor Addend(Tensor x, NormParameters? norm)
    {
        if (norm is not null) x = Norm(x.to(float32), norm);
        return _config.ResidualScale == 1 ? x : Times(x.to(float32), _config.ResidualScale);
    }

    private static Tensor Times(Tensor x, double factor)
    {
        using Scalar scalar = factor;
        return x * scalar;
    }

    private Tensor Attention(int index, LayerParameters layer, Tensor projected, TokenBatch batch)
    {
        var (cosines, sines) = _rotary[_config.RotaryOf(index)].For(batch.MaximumLength);
        int? window = _config.WindowOf(index);
        if (batch.Groups is [var only]) return Attend(layer, projected, only, cosines, sines, window);
        var slices = projected.split(batch.Groups.Select(static group => (long)group.TokenCount).ToArray(), 0);
        return cat(slices.Zip(batch.Groups, (slice, group) => Attend(layer, slice, group, cosines, sines, window)).ToList(), 0);
    }

    // [tokens, W] ── pad ── [B,S,heads + 2·KV,D] ─┬─ q,k ── norm? ── rotate ──┬── attention ── unpad ── [tokens, heads·D]
    //                                             └─ v ───────────────────────┘
    private Tensor Attend(LayerParameters layer, Tensor projected, AttentionGroup group, Tensor cosines, Tensor sines, int? window)
    {
        int heads = _config.AttentionHeads, keyHeads = _config.KeyValueHeads, size = _config.HeadSize;
        long length = group.MaximumLength;
        var padded = group.Pad(projected);
        long count = padded.shape[0];
        var parts = padded.view(count, length, heads + 2 * keyHeads, size).split([heads + keyHeads, keyHeads], 2);

        var turned = parts[0].to(float32);
        turned = _config.QueryKeyNorm switch
        {
            QueryKeyNorm.EachHead => NormHeads(turned, layer),
            QueryKeyNorm.WholeWidth => NormWidth(turned, layer),
            _ => turned,
        };
        turned = Rotate(turned, cosines.narrow(0, 0, length), sines.narrow(0, 0, length));
        // The CPU's fused attention is faster in float32 than in bfloat16, CUDA's is not.
        var dtype = _device.type == DeviceType.CPU ? float32 : projected.dtype;
        var queryKey = turned.to(dtype).split([heads, keyHeads], 2);
        var query = queryKey[0].transpose(1, 2);
        var key = Repeat(queryKey[1]).transpose(1, 2);
        var value = Repeat(parts[1].to(dtype)).transpose(1, 2);
        var mixed = _config.ScoreCap is { } cap
            ? CappedAttention(query, key, value, cap, WindowMask(length, window ?? (int)length))
            : FusedAttention(query, key, value, length, window);
        return group.Unpad(mixed.transpose(1, 2).reshape(count, length, (long)heads * size));
    }

    private Tensor FusedAttention(Tensor query, Tensor key, Tensor value, long length, int? window)
    {
        // The fused attention scales by 1/√D; another scale is worked into the query.
        if (_config.ScoreScale is { } scale) query = Times(query, scale * Math.Sqrt(_config.HeadSize));
        bool masked = window is { } w && w < length;
        return functional.scaled_dot_product_attention(
            query, key, value, attn_mask: masked ? WindowMask(length, window!.Value) : null, is_casual: !masked);
    }

    /// <summary>Attention whose scores are bounded, <c>c·tanh(score/c)</c>: no fused operation has it.</summary>
    private Tensor CappedAttention(Tensor query, Tensor key, Tensor value, double cap, Tensor mask)
    {
        using Scalar unseen = double.NegativeInfinity;
        var scores = Times(query.matmul(key.transpose(-2, -1)).to(float32), _config.AttentionScale / cap);
        var weights = Times(scores.tanh(), cap).masked_fill(mask.logical_not(), unseen).softmax(-1);
        return weights.to(value.dtype).matmul(value);
    }

    /// <summary>Rotary embedding, half-split layout: pairs <c>(x[i], x[i + R/2])</c> turn by the angle of their frequency; coordinates
    /// from R on stay.</summary>
    private static Tensor Rotate(Tensor x, Tensor cosines, Tensor sines)
    {
        long size = x.shape[^1], rotated = 2 * cosines.shape[^1];
        if (rotated == 0) return x;
        var halves = (rotated == size ? x : x.narrow(-1, 0, rotated)).chunk(2, -1);
        Tensor first = halves[0] * cosines - halves[1] * sines, second = halves[1] * cosines + halves[0] * sines;
        return cat(rotated == size ? [first, second] : [first, second, x.narrow(-1, rotated, size - rotated)], -1);
    }

    /// <summary>Each key or value head once for every query head it serves: <c>[B,S,KV,D]</c> → <c>[B,S,heads,D]</c>.</summary>
    private Tensor Repeat(Tensor x)
    {
        int group = _config.AttentionHeads / _config.KeyValueHeads;
        if (group == 1) return x;
        long[] shape = x.shape;
        return x.unsqueeze(3).expand(shape[0], shape[1], shape[2], group, shape[3])
            .reshape(shape[0], shape[1], shape[2] * group, shape[3]);
    }

    /// <summary>True where a position may attend: itself and the <c>window − 1</c> before it, bool <c>[S,S]</c>.</summary>
    private Tensor WindowMask(long length, int window)
    {
        var all = ones([length, length], @bool, _device);
        return all.tril(0).logical_and(all.triu(1 - window));
    }

    private Tensor NormHeads(Tensor x, LayerParameters layer)
    {
        var scale = cat([
            Scale(layer.QueryNorm!).expand(_config.AttentionHeads, _config.HeadSize),
            Scale(layer.KeyNorm!).expand(_config.KeyValueHeads, _config.HeadSize)], 0);
        return RootMeanSquare(x) * scale;
    }

    private Tensor NormWidth(Tensor x, LayerParameters layer)
    {
        var parts = x.split([_config.AttentionHeads, _config.KeyValueHeads], 2);
        return cat([Whole(parts[0], layer.QueryNorm!), Whole(parts[1], layer.KeyNorm!)], 2);

        Tensor Whole(Tensor heads, NormParameters norm) => Norm(heads.flatten(2), norm).view(heads.shape);
    }

    private Tensor Norm(Tensor x, NormParameters? norm)
    {
        if (norm is null) return x;
        return _config.Norm == NormKind.LayerNorm
            ? functional.layer_norm(x, [x.shape[^1]], norm.Scale.Master, norm.Bias!.Master, _config.NormEpsilon)
            : RootMeanSquare(x) * Scale(norm);
    }

    private Tensor Scale(NormParameters norm)
    {
        if (_config.Norm != NormKind.RootMeanSquareOfOnePlus) return norm.Scale.Master;
        using Scalar one = 1.0;
        return norm.Scale.Master + one;
    }

    /// <summary><c>x / sqrt(mean(x²) + ε)</c> over the last dimension (Zhang &amp; Sennrich, arXiv:1910.07467), without its scale.</summary>
    private Tensor RootMeanSquare(Tensor x) => x * (x.square().mean([-1], keepdim: true) + _config.NormEpsilon).rsqrt();

    private static Tensor Linear(Tensor x, ParameterBlock weight, ParameterBlock? bias, Place place, int product)
    {
        bool half = place.Settings.Precision == TunePrecision.BFloat16;
        var y = half
            ? functional.linear(x.to(bfloat16), weight.Half!, bias?.Half)
            : functional.linear(x, weight.Master, bias?.Master);
        return weight.Adapter is { } adapter ? y + LowRank(x, weight, adapter, half, place, product) : y;
    }

    //            ┌─ A of part 0 ─ B of part 0 ─┐
    // x ─ drop ──┤                             ├─ side by side, 0 where a part is not adapted
    //            └─ A of part 1 ─ B of part 1 ─┘
    private static Tensor LowRank(Tensor x, ParameterBlock weight, BlockAdapter adapter, bool half, Place place, int product)
    {
        if (place.Settings.Dropout is { } dropout)
            x = dropout.Apply(x.to(float32), place.Settings.Batch, place.TargetsOnly, place.Layer * 4 + product);
        using Scalar scale = adapter.Scale;
        var down = functional.linear(half ? x.to(bfloat16) : x.to(float32), half ? adapter.Down.Half! : adapter.Down.Master) * scale;
        if (adapter.Up is [{ } single]) return functional.linear(down, half ? single.Half! : single.Master);
        var parts = new List<Tensor>(adapter.Up.Count);
        long at = 0;
        for (int i = 0; i < adapter.Up.Count; i++)
        {
            if (adapter.Up[i] is not { } up)
            {
                parts.Add(zeros([x.shape[0], weight.Parts[i].Shape[0]], down.dtype, down.device));
                continue;
            }

            parts.Add(functional.linear(down.narrow(1, at, adapter.Rank), half ? up.Half! : up.Master));
            at += adapter.Rank;
        }

        return cat(parts, 1);
    }

    /// <summary>Where in the model a product is.</summary>
    private readonly record struct Place(PassSettings Settings, int Layer, bool TargetsOnly);
}
