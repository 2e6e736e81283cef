using System.Diagnostics;
using Shad.Core.Evaluation;
using Shad.Core.Samples;
using Shad.Core.Tuning;
using Shad.Models;
using Shad.Models.Adapters;
using Shad.Models.Weights;
using Shad.Sidecar.Checkpoints;
using Shad.Sidecar.Modules;
using Shad.Sidecar.Objectives;
using Shad.Sidecar.Protocol;
using Shad.Sidecar.Tuning;
using TorchSharp;
using static TorchSharp.torch;

namespace Shad.Sidecar.Commands;

/// <summary>The command <c>tune</c>: from a model folder and samples to a tuned model folder.</summary>
public static class TuneCommand
{
    /// <summary>Key, in the metadata of the written weights, of the identity of the tune that wrote them.</summary>
    private const string IdentityKey = "shad_tune";

    /// <summary>Name, in the output folder, of the folder of the adapter that was tuned.</summary>
    public const string AdapterFolderName = "adapter";

    /// <summary>Runs a job; continues from its checkpoint where there is one.</summary>
    /// <param name="job">The job.</param>
    /// <param name="events">Told what happens.</param>
    /// <param name="cancellationToken">Ends the tune between two micro-batches, with a checkpoint.</param>
    /// <exception cref="Core.Errors.ShadException">The job cannot be done.</exception>
    /// <exception cref="OperationCanceledException">It was ended; the checkpoint is written.</exception>
    public static async Task RunAsync(TuneJob job, EventWriter events, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(job);
        ArgumentNullException.ThrowIfNull(events);
        var clock = Stopwatch.StartNew();
        TunePlan.Check(job);
        using var model = ModelFolder.Open(job.Model);
        if (job.LastLayers > model.Config.LayerCount)
            throw SidecarErrors.JobValue("last_layers", job.LastLayers, $"at most {model.Config.LayerCount}, the model's layers");
        using var from = job.Lora?.From is { } folder ? AdapterFolder.Open(folder, model.Config) : null;
        var adapter = TunePlan.AdapterOf(job, model.Config.LayerCount, from);
        string identity = TunePlan.Identity(job, model);
        CheckOutput(job.Output, identity);

        int maximumLength = Math.Min(job.MaximumLength ?? int.MaxValue, model.Config.ContextLength);
        var objective = TuneObjectives.For(job);
        Task<TuneData> Read(string file) => TuneData.ReadAsync(
            file, model.Config.VocabularySize, maximumLength, model.Config.BeginningOfSequenceId, cancellationToken);
        var data = await Read(job.Data).ConfigureAwait(false);
        foreach (var sample in data.Samples) objective.Check(sample, job.Data);
        Warn(events, job.Data, data, maximumLength);
        var heldOut = job.HeldOut is { } path ? await Read(path).ConfigureAwait(false) : null;
        if (heldOut is not null) Warn(events, job.HeldOut!, heldOut, maximumLength);

        new TuneRun(job, model, adapter, from, identity, objective, data, heldOut, events, clock).Run(cancellationToken);
    }

    private static void CheckOutput(string output, string identity)
    {
        if (File.Exists(output)) throw SidecarErrors.OutputExists(output);
        if (!Directory.Exists(output) || !Directory.EnumerateFileSystemEntries(output).Any()) return;
        string weights = Path.Combine(output, ModelWeights.FileName);
        if (!File.Exists(weights)) throw SidecarErrors.OutputExists(output);
        using var file = SafetensorsFile.Open(weights);
        if (!file.Metadata.TryGetValue(IdentityKey, out string? found) || found != identity)
            throw SidecarErrors.OutputExists(output);
    }

    private static void Warn(EventWriter events, string path, TuneData data, int maximumLength)
    {
        if (data.Truncated > 0)
        {
            events.Warn(
                "tune.truncated",
                $"{path}: {data.Truncated} samples are longer than {maximumLength} tokens; their prompts are cut from the left.");
        }

        if (data.Skipped > 0)
        {
            events.Warn(
                "tune.skipped", $"{path}: {data.Skipped} samples are left out: their responses do not fit in {maximumLength} tokens.");
        }
    }

    /// <summary>The tune proper, once everything is read and checked.</summary>
    private sealed class TuneRun(
        TuneJob job, ModelFolder model, AdapterConfig? adapter, AdapterFolder? from, string identity, ITuneObjective objective,
        TuneData data, TuneData? heldOut, EventWriter events, Stopwatch clock)
    {
        private readonly SampleOrder _order = new(
            data.Samples.Count, job.SamplesPerStep, job.Steps, job.Epochs, job.ShuffleData ? job.Seed : null);

        private readonly TuneCheckpoint _checkpoint = new(
            job.CheckpointFolder ?? Path.TrimEndingDirectorySeparator(job.Output) + ".checkpoints", identity);

        public void Run(CancellationToken cancellationToken)
        {
            set_num_threads(job.Threads ?? Environment.ProcessorCount);
            var device = TorchDevice.Best();
            var tuned = adapter is null ? TunedPart.Last(job.LastLayers) : TunedPart.Of(adapter);
            using var parameters = new DecoderParameters(model.Config, tuned, job.Precision, device);
            parameters.Load(model.Weights);
            if (from is not null) parameters.BeginAdapters(from);
            else if (adapter is not null) parameters.BeginAdapters(job.Seed);
            using var decoder = new TorchDecoder(parameters, device);
            using var optimizer = new AdamW(
                parameters, new AdamWOptions { Beta1 = job.Beta1, Beta2 = job.Beta2, WeightDecay = job.WeightDecay });
            int first = _checkpoint.Restore(parameters, optimizer, events.Warn);
            events.Write(new TuneStarted
            {
                Samples = data.Samples.Count, Skipped = data.Skipped, Truncated = data.Truncated, Steps = _order.Steps, FirstStep = first,
                TunedParameters = parameters.TunedCount, Parameters = parameters.TotalCount, Torch = torch.__version__,
            });

            var trainer = new Trainer(
                decoder, optimizer, objective,
                new TrainerOptions
                {
                    TokensPerBatch = job.TokensPerBatch, MaximumGradientNorm = job.MaximumGradientNorm, Precision = job.Precision,
                    Dropout = adapter?.Dropout ?? 0, Seed = job.Seed, RecomputeLayers = job.GradientCheckpointing,
                },
                device);
            var progress = new ProgressWindow(first, _order.Steps);
            long tokens = 0;
            double? loss = null;
            if (first == 0) MeasureHeldOut(decoder, device, 0, cancellationToken);
            var schedule = new LearningRateSchedule(job.LearningRate, _order.Steps, job.WarmupRatio, job.MinimumLearningRateRatio);
            for (int step = first; step < _order.Steps; step++)
            {
                var samples = Array.ConvertAll(_order.Of(step), index => data.Samples[index]);
                StepResult result;
                try
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    result = trainer.Step(samples, step + 1, schedule.At(step), cancellationToken);
                }
                catch (OperationCanceledException)
                {
                    if (step > 0) _checkpoint.Write(parameters, optimizer, step);
                    throw;
                }
                catch (NonFiniteStepException failed)
                {
                    throw SidecarErrors.NonFinite(step + 1, failed.What, samples.Select(static s => s.Id), _checkpoint.Newest);
                }

                int done = step + 1;
                tokens += result.Tokens;
                progress.Add(result);
                if (done % job.ReportEvery == 0 || done == _order.Steps)
                {
                    var report = progress.Report(done, schedule.At(step));
                    loss = report.Loss;
                    events.Write(report);
                }

                // One after the last step, too: writing the model may fail, and what was tuned must not be lost by that.
                if (job.CheckpointEvery > 0 && (done % job.CheckpointEvery == 0 || done == _order.Steps))
                    _checkpoint.Write(parameters, optimizer, done);
                if (job.EvaluateEvery > 0 && done % job.EvaluateEvery == 0 && done < _order.Steps)
                    MeasureBetweenSteps(decoder, parameters, optimizer, device, done, cancellationToken);
            }

            MeasureBetweenSteps(decoder, parameters, optimizer, device, _order.Steps, cancellationToken);
            Write(parameters);
            _checkpoint.Remove();
            events.Write(new TuneDone
            {
                Output = job.Output, Steps = _order.Steps, Tokens = tokens, Seconds = clock.Elapsed.TotalSeconds, Loss = loss,
            });
        }

        private void MeasureBetweenSteps(
            TorchDecoder decoder, DecoderParameters parameters, AdamW optimizer, Device device, int done,
            CancellationToken cancellationToken)
        {
            try
            {
                MeasureHeldOut(decoder, device, done, cancellationToken);
            }
            catch (OperationCanceledException)
            {
                _checkpoint.Write(parameters, optimizer, done);
                throw;
            }
        }

        private void MeasureHeldOut(TorchDecoder decoder, Device device, int step, CancellationToken cancellationToken)
        {
            if (heldOut is null) return;
            LossByRole losses = SampleLosses.ByRole(decoder, heldOut.Samples, job.TokensPerBatch, device, cancellationToken);
            events.Write(new HeldOutMeasured
            {
                Step = step, Loss = losses.Loss ?? double.NaN, BoilerplateLoss = losses.BoilerplateLoss, ReasoningLoss = losses.ReasoningLoss,
            });
        }

        private void Write(DecoderParameters parameters)
        {
            var dtype = job.SaveDtype is { } name ? TensorDtypes.Parse(name) : model.Weights.MainDtype;
            var metadata = new Dictionary<string, string> { [IdentityKey] = identity };
            if (adapter is not null)
            {
                var tunedAdapter = new TunedAdapter(parameters, adapter);
                ModelFolderWriter.Write(
                    job.Output, model.Config, AdapterMerge.Tensors(model, tunedAdapter, dtype), dtype, model.Path, replace: true, metadata,
                    folder => AdapterFolder.Write(Path.Combine(folder, AdapterFolderName), tunedAdapter, model.Config));
                return;
            }

            var scalarType = dtype switch
            {
                TensorDtype.Float16 => float16,
                TensorDtype.BFloat16 => bfloat16,
                _ => float32,
            };
            var tensors = parameters.Parts.Select(part => new TensorToWrite(
                part.Name, dtype, part.Shape, stream => TensorMemory.Write(parameters[part.Name], scalarType, stream)));
            ModelFolderWriter.Write(job.Output, model.Config, tensors, dtype, model.Path, replace: true, metadata);
        }
    }
}
