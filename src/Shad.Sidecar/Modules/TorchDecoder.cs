using Shad.Core.Tuning;
using Shad.Models.Configuration;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Shad.Sidecar.Modules;

/// <summary>
/// The forward pass of a decoder-only transformer of the Llama family, from token ids to the hidden states that score targets.
/// </summary>
/// <remarks>
/// Shapes: <c>B</c> samples, <c>S</c> the longest of them, <c>T</c> tokens packed without padding, <c>N</c> targets, <c>H</c> hidden
/// size, <c>D</c> head size. In a bfloat16 pass the products take bfloat16 operands; the residual stream, norms, rotation and
/// softmax statistics stay float32.
/// </remarks>
public sealed class TorchDecoder : IDisposable
{
    private readonly DecoderConfig config;
    private readonly Device device;
    private readonly RotaryTable rotary;

    /// <summary>Builds the decoder over its parameters, which it does not own.</summary>
    public TorchDecoder(DecoderParameters parameters, Device device)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        Parameters = parameters;
        config = parameters.Config;
        this.device = device;
        rotary = new RotaryTable(config, device);
    }

    /// <summary>The values.</summary>
    public DecoderParameters Parameters { get; }

    /// <summary>
    /// The hidden states whose products with the head are the logits of the targets: after the last norm, float32 <c>[N,H]</c>.
    /// Layers below the lowest tuned one run without a gradient graph.
    /// </summary>
    /// <param name="batch">At least one target.</param>
    /// <param name="precision">Number format of the products; bfloat16 only where the parameters were made for it.</param>
    public Tensor TargetStates(TokenBatch batch, TunePrecision precision)
    {
        ArgumentNullException.ThrowIfNull(batch);
        bool half = precision == TunePrecision.BFloat16;
        using var scope = NewDisposeScope();
        var (cosines, sines) = rotary.For(batch.MaximumLength);
        int lastLayer = config.LayerCount - 1;
        var x = Parameters.Embedding.Master.index_select(0, batch.InputIds);
        for (int i = 0; i <= lastLayer; i++)
        {
            // Above the attention of the last layer only the rows that score a target are needed.
            var rows = i == lastLayer ? batch.TargetRows : null;
            var input = x;
            x = Layer(Parameters.Layers[i], input, batch, rows, cosines, sines, config.WindowOf(i), half);
            input.Dispose();
        }

        return Norm(x, Parameters.FinalNorm).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose() => rotary.Dispose();

    private Tensor Layer(
        LayerParameters layer, Tensor x, TokenBatch batch, Tensor? rows, Tensor cosines, Tensor sines, int? window, bool half)
    {
        using var scope = NewDisposeScope();
        var attended = Attention(layer, Norm(x, layer.InputNorm), batch, cosines, sines, window, half);
        if (rows is not null)
        {
            attended = attended.index_select(0, rows);
            x = x.index_select(0, rows);
        }

        x = x + Linear(attended, layer.Output, layer.OutputBias, half);
        var gateUp = Linear(Norm(x, layer.PostAttentionNorm), layer.GateUp, layer.GateUpBias, half);
        var parts = gateUp.chunk(2, -1);
        var inner = functional.silu(parts[0]) * parts[1];
        x = x + Linear(inner, layer.Down, layer.DownBias, half);
        return x.MoveToOuterDisposeScope();
    }

    // x [T,H] ── qkv ── pad ── [B,S,heads+2·KV,D] ─┬─ q,k ── norm? ── rotate ──┐
    //                                              └─ v ───────────────────────┴── attention ── unpad ── [T,heads·D]
    private Tensor Attention(
        LayerParameters layer, Tensor x, TokenBatch batch, Tensor cosines, Tensor sines, int? window, bool half)
    {
        int heads = config.AttentionHeads, keyHeads = config.KeyValueHeads, size = config.HeadSize;
        var projected = batch.Pad(Linear(x, layer.QueryKeyValue, layer.QueryKeyValueBias, half));
        long count = projected.shape[0], length = projected.shape[1];
        projected = projected.view(count, length, heads + 2 * keyHeads, size);

        var turned = projected.narrow(2, 0, heads + keyHeads);
        if (layer.QueryNorm is not null) turned = NormHeads(turned, layer);
        turned = Rotate(turned, cosines, sines).to(projected.dtype);
        var query = turned.narrow(2, 0, heads);
        var key = Repeat(turned.narrow(2, heads, keyHeads));
        var value = Repeat(projected.narrow(2, heads + keyHeads, keyHeads));

        bool masked = window is { } w && w < length;
        var mixed = functional.scaled_dot_product_attention(
            query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2),
            attn_mask: masked ? WindowMask(length, window!.Value) : null,
            is_casual: !masked);
        return batch.Unpad(mixed.transpose(1, 2).reshape(count, length, (long)heads * size));
    }

    /// <summary>Rotary embedding, half-split layout: pairs <c>(x[i], x[i + D/2])</c> turn by the angle of their frequency.</summary>
    private static Tensor Rotate(Tensor x, Tensor cosines, Tensor sines)
    {
        long half = x.shape[^1] / 2;
        var first = x.narrow(-1, 0, half).to(float32);
        var second = x.narrow(-1, half, half).to(float32);
        return cat([first * cosines - second * sines, second * cosines + first * sines], -1);
    }

    /// <summary>Each key or value head once for every query head it serves: <c>[B,S,KV,D]</c> → <c>[B,S,heads,D]</c>.</summary>
    private Tensor Repeat(Tensor x)
    {
        int group = config.AttentionHeads / config.KeyValueHeads;
        if (group == 1) return x;
        long[] shape = x.shape;
        return x.unsqueeze(3).expand(shape[0], shape[1], shape[2], group, shape[3])
            .reshape(shape[0], shape[1], shape[2] * group, shape[3]);
    }

    /// <summary>True where a position may attend: itself and the <c>window − 1</c> before it, bool <c>[S,S]</c>.</summary>
    private Tensor WindowMask(long length, int window)
    {
        var all = ones([length, length], @bool, device);
        return all.tril(0).logical_and(all.triu(1 - window));
    }

    private Tensor NormHeads(Tensor x, LayerParameters layer)
    {
        var scale = cat([
            layer.QueryNorm!.Master.expand(config.AttentionHeads, config.HeadSize),
            layer.KeyNorm!.Master.expand(config.KeyValueHeads, config.HeadSize)], 0);
        return RootMeanSquare(x.to(float32)) * scale;
    }

    private Tensor Norm(Tensor x, ParameterBlock scale) => RootMeanSquare(x) * scale.Master;

    /// <summary><c>x / sqrt(mean(x²) + ε)</c> over the last dimension (Zhang &amp; Sennrich, arXiv:1910.07467), without its scale.</summary>
    private Tensor RootMeanSquare(Tensor x) => x * (x.square().mean([-1], keepdim: true) + config.NormEpsilon).rsqrt();

    private static Tensor Linear(Tensor x, ParameterBlock weight, ParameterBlock? bias, bool half) => half
        ? functional.linear(x.to(bfloat16), weight.Half!, bias?.Half)
        : functional.linear(x, weight.Master, bias?.Master);
}
