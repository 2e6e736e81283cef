using System.Diagnostics;
using System.Text.Json;
using Shad.Core.Samples;
using Shad.Core.Tuning;
using Shad.Data.Corpora;
using Shad.Data.Files;
using Shad.Models;
using Shad.Sidecar.Modules;
using Shad.Sidecar.Protocol;
using Shad.Sidecar.Tuning;
using static TorchSharp.torch;

namespace Shad.Sidecar.Commands;

/// <summary>The command <c>score</c>: per-token losses of a model, for comparison with ONNX Runtime.</summary>
public static class ScoreCommand
{
    /// <summary>Runs a job; the file appears when it is whole.</summary>
    /// <param name="job">The job.</param>
    /// <param name="events">Told when it is done.</param>
    /// <param name="cancellationToken">Ends it between two batches; nothing is written.</param>
    /// <exception cref="Core.Errors.ShadException">The job cannot be done.</exception>
    /// <exception cref="OperationCanceledException">It was ended.</exception>
    public static async Task RunAsync(ScoreJob job, EventWriter events, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(job);
        ArgumentNullException.ThrowIfNull(events);
        var clock = Stopwatch.StartNew();
        if (job.TokensPerBatch <= 0) throw SidecarErrors.JobValue("tokens_per_batch", job.TokensPerBatch, "at least 1");
        if (job.Threads <= 0) throw SidecarErrors.JobValue("threads", job.Threads, "at least 1, or null for all cores");
        if (!File.Exists(job.Data)) throw SidecarErrors.FileMissing("data", job.Data);
        using var model = ModelFolder.Open(job.Model);
        set_num_threads(job.Threads ?? Environment.ProcessorCount);
        var device = TorchDevice.Of(job.Device);
        using var parameters = new DecoderParameters(model.Config, TunedPart.None, TunePrecision.Float32, device);
        parameters.Load(model.Weights);
        using var decoder = new TorchDecoder(parameters, device);
        using var file = AtomicFile.Create(job.Output);

        long tokens = 0;
        var window = new List<TokenizedSample>(SampleLosses.Window);
        await foreach (var sample in TokenizedSampleReader.ReadAsync(job.Data, model.Config.VocabularySize, cancellationToken)
            .ConfigureAwait(false))
        {
            if (sample.Length > model.Config.ContextLength)
                throw SidecarErrors.LongerThanContext(job.Data, sample.Id, sample.Length, model.Config.ContextLength);
            window.Add(sample);
            tokens += sample.Length;
            if (window.Count == SampleLosses.Window) Score();
        }

        Score();
        file.Complete();
        events.Write(new TuneDone { Output = job.Output, Tokens = tokens, Seconds = clock.Elapsed.TotalSeconds });

        void Score()
        {
            var losses = SampleLosses.Of(decoder, window, job.TokensPerBatch, device, cancellationToken);
            try
            {
                for (int i = 0; i < window.Count; i++) WriteRow(file.Stream, job.Data, window[i], losses[i]);
            }
            catch (IOException failed)
            {
                throw file.CannotWrite(failed);
            }

            window.Clear();
        }
    }

    private static void WriteRow(Stream stream, string path, TokenizedSample sample, float[] losses)
    {
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            json.WriteString("id", sample.Id);
            json.WriteStartArray("loss");
            for (int i = 0; i < losses.Length; i++)
            {
                if (!sample.IsTarget(i)) json.WriteNullValue();
                else if (float.IsFinite(losses[i])) json.WriteNumberValue(losses[i]);
                else throw SidecarErrors.LossNotFinite(path, sample.Id, i);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
    }
}
