using System.Text.Json;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Shad.Core.Randomness;
using Shad.Core.Samples;
using Shad.Models;
using Shad.Models.Configuration;
using Shad.Onnx.Graphs;
using Shad.Onnx.Scoring;
using Shad.Onnx.Sessions;

namespace Shad.Onnx.Export;

/// <summary>Loads an export and compares it with what it should be.</summary>
internal static class ExportCheck
{
    /// <summary>
    /// Both graphs compute in float32 and differ in the order of their sums: about 1e-5 nats for logits of magnitude 30. A
    /// wrong mask, a shifted cache or a swapped weight shows at 1e-2 and above.
    /// </summary>
    private const double Tolerance = 1e-3;

    /// <summary>Lengths of the sequences compared: the shortest that has a target, and one of several steps.</summary>
    private static readonly int[] Lengths = [2, 9, 24];

    /// <summary>Tokens of a sequence that go through the cache one by one, after the others went in one pass.</summary>
    private const int CachedSteps = 3;

    private static readonly SessionSettings Cpu = new() { Device = ComputeDevice.Cpu };

    public static void Run(ModelFolder model)
    {
        CheckSettings(model);
        var samples = Samples(model.Config);

        // One after the other: a large model is held once.
        float[][] losses = ScoringLosses(model, samples);
        double[][] expected = GenerationLosses(model, samples);
        for (int s = 0; s < samples.Count; s++)
        {
            for (int i = 1; i < samples[s].Length; i++)
            {
                // Written so that NaN fails too.
                if (!(Math.Abs(losses[s][i] - expected[s][i]) <= Tolerance))
                {
                    throw OnnxErrors.ExportMismatch(
                        Path.Combine(model.Path, OnnxExport.ScoringFile),
                        $"Token {i} of a random sequence of {samples[s].Length} has a loss of {losses[s][i]} nats",
                        $"{expected[s][i]} from the logits of {OnnxExport.GenerationFile}, to {Tolerance}");
                }
            }
        }
    }

    private static List<TokenizedSample> Samples(DecoderConfig config)
    {
        var random = new SeededRandom(1);
        return [.. Lengths.Select(length => Math.Min(length, config.ContextLength)).Where(static length => length > 1).Select(length =>
        {
            int[] ids = [.. Enumerable.Range(0, length).Select(_ => random.NextInt32(config.VocabularySize))];
            int[] labels = [.. ids];
            labels[0] = TokenizedSample.IgnoredLabel;
            return new TokenizedSample($"random sequence of {length}", ids, labels);
        })];
    }

    private static float[][] ScoringLosses(ModelFolder model, List<TokenizedSample> samples)
    {
        string path = Path.Combine(model.Path, OnnxExport.ScoringFile);
        var loaded = DecoderSession.LoadFile(path, Cpu);
        using var session = ScoringSession.Wrap(loaded, SharedTrunk.Of(model));
        CheckValues(path, "input", loaded.InputMetadata, new()
        {
            [ScoringGraph.InputIds] = (TensorElementType.Int64, [-1, -1]),
            [ScoringGraph.Lengths] = (TensorElementType.Int32, [-1]),
            [ScoringGraph.TargetRows] = (TensorElementType.Int64, [-1]),
            [ScoringGraph.TargetIds] = (TensorElementType.Int64, [-1]),
        });
        CheckValues(path, "output", loaded.OutputMetadata, new() { [ScoringGraph.LossOf(0)] = (TensorElementType.Float, [-1]) });
        return [.. samples.Select(session.Score)];
    }

    private static double[][] GenerationLosses(ModelFolder model, List<TokenizedSample> samples)
    {
        string path = Path.Combine(model.Path, OnnxExport.GenerationFile);
        var config = model.Config;
        using var session = DecoderSession.LoadFile(path, Cpu);
        var inputs = new Dictionary<string, (TensorElementType, int[])>
        {
            [GenerationGraph.InputIds] = (TensorElementType.Int64, [-1, -1]),
            [GenerationGraph.AttentionMask] = (TensorElementType.Int64, [-1, -1]),
        };
        var outputs = new Dictionary<string, (TensorElementType, int[])>
        {
            [GenerationGraph.Logits] = (TensorElementType.Float, [-1, -1, config.VocabularySize]),
        };
        for (int layer = 0; layer < config.LayerCount; layer++)
        {
            var names = GenerationGraph.CacheOf(layer);
            int[] shape = [-1, config.KeyValueHeads, -1, PaddedLayout.CacheHeadSize(config)];
            inputs[names.PastKey] = inputs[names.PastValue] = (TensorElementType.Float, shape);
            outputs[names.PresentKey] = outputs[names.PresentValue] = (TensorElementType.Float, shape);
        }

        CheckValues(path, "input", session.InputMetadata, inputs);
        CheckValues(path, "output", session.OutputMetadata, outputs);
        return [.. samples.Select(sample => LossesFromLogits(session, config, sample.InputIds))];
    }

    private static double[] LossesFromLogits(InferenceSession session, DecoderConfig config, int[] ids)
    {
        double[] losses = new double[ids.Length];
        int first = Math.Max(1, ids.Length - 1 - CachedSteps);
        using var cache = new KeyValueCache(config, 1, ids.Length);
        using var run = new RunOptions();
        for (int start = 0, end = first; start < ids.Length - 1; start = end++)
        {
            float[] logits = new float[(end - start) * config.VocabularySize];
            long[] step = [.. ids[start..end].Select(static id => (long)id)];
            using var logitsValue = OrtValue.CreateTensorValueFromMemory(logits, [1, end - start, config.VocabularySize]);
            cache.Run(session, run, step, [end], logitsValue);
            for (int position = start; position < end; position++)
            {
                var row = logits.AsSpan((position - start) * config.VocabularySize, config.VocabularySize);
                losses[position + 1] = LogSumExp(row) - row[ids[position + 1]];
            }
        }

        return losses;
    }

    public static double LogSumExp(ReadOnlySpan<float> logits)
    {
        double maximum = double.NegativeInfinity;
        foreach (float logit in logits) maximum = Math.Max(maximum, logit);
        double sum = 0;
        foreach (float logit in logits) sum += Math.Exp(logit - maximum);
        return maximum + Math.Log(sum);
    }

    private static void CheckValues(
        string path, string kind, IReadOnlyDictionary<string, NodeMetadata> actual,
        Dictionary<string, (TensorElementType Type, int[] Shape)> expected)
    {
        if (!actual.Keys.ToHashSet(StringComparer.Ordinal).SetEquals(expected.Keys))
        {
            throw OnnxErrors.ExportMismatch(
                path, $"The {kind}s are {string.Join(", ", actual.Keys)}", string.Join(", ", expected.Keys));
        }

        foreach (var (name, (type, shape)) in expected)
        {
            var metadata = actual[name];
            if (metadata.ElementDataType != type || !metadata.Dimensions.AsSpan().SequenceEqual(shape))
            {
                throw OnnxErrors.ExportMismatch(
                    path, $"The {kind} {name} is {metadata.ElementDataType} [{string.Join(",", metadata.Dimensions)}]",
                    $"{type} [{string.Join(",", shape)}]");
            }
        }
    }

    // What onnxruntime-genai relies on to allocate its buffers.
    private static void CheckSettings(ModelFolder model)
    {
        string path = Path.Combine(model.Path, OnnxExport.GenAiFile);
        byte[] expected = GenAiConfig.Create(model.Config, OnnxExport.GenerationFile);
        try
        {
            using var actual = JsonDocument.Parse(File.ReadAllBytes(path));
            using var wanted = JsonDocument.Parse(expected);
            foreach (var property in wanted.RootElement.GetProperty("model").EnumerateObject())
            {
                if (!actual.RootElement.GetProperty("model").TryGetProperty(property.Name, out var value)
                    || !JsonElement.DeepEquals(value, property.Value))
                {
                    throw OnnxErrors.ExportMismatch(path, $"model.{property.Name} does not fit the model", property.Value.ToString());
                }
            }
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw OnnxErrors.ExportMismatch(path, $"The file is not readable: {error.Message}", "the settings that were written");
        }
    }
}
