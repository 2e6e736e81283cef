using System.Diagnostics;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using BenchScoring.Corpora;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Shad.Core.Samples;
using Shad.Models;
using Shad.Onnx.Export;

namespace BenchScoring.Contenders;

/// <summary>
/// ONNX Runtime the way most people use it: a graph that gives logits <c>[B,S,V]</c>, batches of a fixed number of samples sorted by length
/// and padded, log-softmax outside. The graph is our export for onnxruntime-genai, with an empty cache; session options are the runtime's
/// defaults.
/// </summary>
internal static class FullLogitsContender
{
    public static async Task<ContenderResult> RunAsync(string model, string corpus, string output, int batchSize)
    {
        var samples = await BenchCorpora.ReadAsync(corpus).ConfigureAwait(false);
        var clock = Stopwatch.StartNew();
        // Where the runtime finds fewer cores than there are, its default leaves some idle.
        using var options = new SessionOptions { IntraOpNumThreads = Environment.ProcessorCount };
        using var session = new InferenceSession(Path.Combine(model, OnnxExport.GenerationFile), options);
        double load = clock.Elapsed.TotalSeconds;
        using var folder = ModelFolder.Open(model);
        int keyValueHeads = folder.Config.KeyValueHeads, headSize = folder.Config.HeadSize, vocabulary = folder.Config.VocabularySize;
        Score([Warmup.Sample], [new float[Warmup.Sample.Length]]);

        float[][] losses = [.. samples.Select(static sample => new float[sample.Length])];
        clock.Restart();
        foreach (int[] batch in Enumerable.Range(0, samples.Length).OrderByDescending(i => samples[i].Length).Chunk(batchSize))
            Score([.. batch.Select(i => samples[i])], [.. batch.Select(i => losses[i])]);
        double seconds = clock.Elapsed.TotalSeconds;
        LossFile.Write(output, samples, [.. losses.Select(static loss => (IReadOnlyList<float[]>)[loss])]);
        return new ContenderResult(seconds, load)
        {
            Version = "ONNX Runtime " + OrtEnv.Instance().GetVersionString(), Notes = $"batches of {batchSize}",
        };

        unsafe void Score(TokenizedSample[] rows, float[][] rowLosses)
        {
            int width = rows.Max(static row => row.Length);
            long[] ids = new long[rows.Length * width], mask = new long[rows.Length * width];
            for (int b = 0; b < rows.Length; b++)
            {
                for (int i = 0; i < rows[b].Length; i++)
                {
                    ids[b * width + i] = rows[b].InputIds[i];
                    mask[b * width + i] = 1;
                }
            }

            var values = new List<OrtValue>();
            var names = session.InputNames;
            foreach (string name in names)
            {
                values.Add(name switch
                {
                    "input_ids" => OrtValue.CreateTensorValueFromMemory(ids, [rows.Length, width]),
                    "attention_mask" => OrtValue.CreateTensorValueFromMemory(mask, [rows.Length, width]),
                    _ => OrtValue.CreateAllocatedTensorValue(
                        OrtAllocator.DefaultInstance, TensorElementType.Float, [rows.Length, keyValueHeads, 0, headSize]),
                });
            }

            // Memory of our own: the runtime's cannot be read as a span from 2³¹ bytes on.
            long bytes = (long)rows.Length * width * vocabulary * sizeof(float);
            nint logits = (nint)NativeMemory.Alloc((nuint)bytes);
            try
            {
                using var run = new RunOptions();
                using var logitsValue = OrtValue.CreateTensorValueWithData(
                    OrtMemoryInfo.DefaultInstance, TensorElementType.Float, [rows.Length, width, vocabulary], logits, bytes);
                session.Run(run, names, values, ["logits"], [logitsValue]);
                for (int b = 0; b < rows.Length; b++)
                {
                    for (int i = 1; i < rows[b].Length; i++)
                    {
                        if (!rows[b].IsTarget(i)) continue;
                        var row = new ReadOnlySpan<float>((float*)logits + ((long)b * width + i - 1) * vocabulary, vocabulary);
                        rowLosses[b][i] = LossOf(row, rows[b].InputIds[i]);
                    }
                }
            }
            finally
            {
                NativeMemory.Free((void*)logits);
            }

            foreach (var value in values) value.Dispose();
        }
    }

    private static float LossOf(ReadOnlySpan<float> logits, int target)
    {
        float most = TensorPrimitives.Max(logits);
        float[] shifted = System.Buffers.ArrayPool<float>.Shared.Rent(logits.Length);
        var exponentials = shifted.AsSpan(0, logits.Length);
        TensorPrimitives.Subtract(logits, most, exponentials);
        TensorPrimitives.Exp(exponentials, exponentials);
        float loss = MathF.Log(TensorPrimitives.Sum(exponentials)) + most - logits[target];
        System.Buffers.ArrayPool<float>.Shared.Return(shifted);
        return loss;
    }
}
