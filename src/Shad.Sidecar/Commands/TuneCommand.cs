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
        var device = TorchDevice.Of(job.Device);
        // What it comes to belongs to the tune's identity: its checkpoints are of no use where it comes to something else.
        job = job with { Precision = Bfloat16Support.Resolve(job.Precision, device) };
        using var model = ModelFolder.Open(job.Model);
        if (job.LastLayers > model.Config.LayerCount)
            throw SidecarErrors.JobValue("last_layers", job.LastLayers, $"at most {model.Config.LayerCount}, the model's layers");
        using var from = job.Lora?.From is { } folder ? AdapterFolder.Open(folder, model.Config) : null;
        var adapter = TunePlan.AdapterOf(job, model.Config, from);
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

        var tuned = adapter is null ? TunedPart.Last(job.LastLayers) : TunedPart.Of(adapter);
        var plan = new MemoryPlan(model.Config, tuned, job, data.Samples);
        long? available = job.MemoryLimit ?? MemoryPlan.Available(device);
        events.Write(plan.Event(available));
        if (available is { } free) MemoryPlan.Require(model.Config, tuned, job, data.Samples, plan.Total, free);

        using var run = new TuneRun(job, model, tuned, from, identity, device, objective, data, heldOut, events, clock);
        run.Run(cancellationToken);
    }

    private static void CheckOutput(string output, string identity)
    {
        if (File.Exists(output)) throw SidecarErrors.OutputExists(output);
        if (!Directory.Exists(output) || !Directory.EnumerateFileSystemEntries(output).Any()) return;
        string? weights = Array.Find(
            [Path.Combine(output, ModelWeights.FileName), Path.Combine(output, BaseReference.ChangesFileName)], File.Exists);
        if (weights is null) throw SidecarErrors.OutputExists(output);
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
    private sealed class TuneRun : IDisposable
    {
        private readonly TuneJob _job;
        private readonly ModelFolder _model;
        private readonly string _identity;
        private readonly Device _device;
        private readonly TuneData _data;
        private readonly TuneData? _heldOut;
        private readonly EventWriter _events;
        private readonly Stopwatch _clock;
        private readonly SampleOrder _order;
        private readonly TuneCheckpoint _checkpoint;
        private readonly DecoderParameters _parameters;
        private readonly TorchDecoder _decoder;
        private readonly AdamW _optimizer;
        private readonly EarlyStopping _stopping;
        private readonly Trainer _trainer;
        private readonly TensorBoardWriter? _board;

        public TuneRun(
            TuneJob job, ModelFolder model, TunedPart tuned, AdapterFolder? from, string identity, Device device, ITuneObjective objective,
            TuneData data, TuneData? heldOut, EventWriter events, Stopwatch clock)
        {
            (_job, _model, _identity, _device, _data, _heldOut, _events, _clock) = (job, model, identity, device, data, heldOut, events, clock);
            set_num_threads(job.Threads ?? Environment.ProcessorCount);
            _order = new SampleOrder(data.Samples.Count, job.SamplesPerStep, job.Steps, job.Epochs, job.ShuffleData ? job.Seed : null);
            _checkpoint = new TuneCheckpoint(
                job.CheckpointFolder ?? Path.TrimEndingDirectorySeparator(job.Output) + ".checkpoints", identity, job.CheckpointsKept);
            _parameters = new DecoderParameters(model.Config, tuned, job.Precision, device);
            _parameters.Load(model.Weights);
            if (from is not null) _parameters.BeginAdapters(from);
            else if (tuned.Adapter is not null) _parameters.BeginAdapters(job.Seed);
            _decoder = new TorchDecoder(_parameters, device);
            _optimizer = new AdamW(
                _parameters, new AdamWOptions { Beta1 = job.Beta1, Beta2 = job.Beta2, WeightDecay = job.WeightDecay });
            _stopping = new EarlyStopping(job.EarlyStopping, _parameters);
            _trainer = new Trainer(
                _decoder, _optimizer, objective,
                new TrainerOptions
                {
                    Steps = _order.Steps, TokensPerBatch = job.TokensPerBatch, MaximumGradientNorm = job.MaximumGradientNorm, Precision = job.Precision,
                    Dropout = tuned.Adapter?.Dropout ?? 0, Seed = job.Seed, RecomputeLayers = job.GradientCheckpointing,
                },
                device);
            if (job.TensorBoard is { } folder) _board = new TensorBoardWriter(folder);
        }

        public void Run(CancellationToken cancellationToken)
        {
            int first = _checkpoint.Restore(_parameters, _optimizer, _stopping, _events.Warn);
            _events.Write(new TuneStarted
            {
                Samples = _data.Samples.Count, Skipped = _data.Skipped, Truncated = _data.Truncated, Steps = _order.Steps, FirstStep = first,
                TunedParameters = _parameters.TunedCount, Parameters = _parameters.TotalCount, Torch = torch.__version__,
                Device = TorchDevice.NameOf(_device), Precision = _job.Precision, BrokenCheckpoints = _checkpoint.BrokenCount,
            });

            var progress = new ProgressWindow(first, _order.Steps);
            long tokens = 0;
            double? loss = null;
            var schedule = new LearningRateSchedule(_job.LearningRate, _order.Steps, _job.WarmupRatio, _job.MinimumLearningRateRatio);
            int step = first;
            while (true)
            {
                // A checkpoint is older than the measurement of its step, which so is made again after a resume.
                MeasureIfDue(step, cancellationToken);
                if (step == _order.Steps || _stopping.HasStopped) break;
                var result = RunStep(step, schedule.At(step), cancellationToken);
                int done = step + 1;
                tokens += result.Tokens;
                progress.Add(result);
                if (done % _job.ReportEvery == 0 || done == _order.Steps)
                {
                    var report = progress.Report(done, schedule.At(step));
                    loss = report.Loss;
                    _events.Write(report);
                    _board?.Write(report);
                }

                // One after the last step, too: writing the model may fail, and what was tuned must not be lost by that.
                if (_job.CheckpointEvery > 0 && (done % _job.CheckpointEvery == 0 || done == _order.Steps))
                    _checkpoint.Write(_parameters, _optimizer, _stopping, done);
                step = done;
            }

            int? best = _stopping.TakeBest() ? _stopping.BestStep : null;
            Write(_parameters);
            _checkpoint.Remove();
            _events.Write(new TuneDone
            {
                Output = _job.Output, Steps = step, BestStep = best, Tokens = tokens, Seconds = _clock.Elapsed.TotalSeconds, Loss = loss,
            });
        }

        public void Dispose()
        {
            _board?.Dispose();
            _stopping.Dispose();
            _optimizer.Dispose();
            _decoder.Dispose();
            _parameters.Dispose();
        }

        private StepResult RunStep(int step, double learningRate, CancellationToken cancellationToken)
        {
            var samples = Array.ConvertAll(_order.Of(step), index => _data.Samples[index]);
            try
            {
                cancellationToken.ThrowIfCancellationRequested();
                return _trainer.Step(samples, step + 1, learningRate, cancellationToken);
            }
            catch (OperationCanceledException)
            {
                WriteInterrupted(step);
                throw;
            }
            catch (NonFiniteStepException failed)
            {
                throw SidecarErrors.NonFinite(step + 1, failed.What, samples.Select(static s => s.Id), _checkpoint.Newest);
            }
        }

        private void MeasureIfDue(int step, CancellationToken cancellationToken)
        {
            bool due = step == 0 || step == _order.Steps || (_job.EvaluateEvery > 0 && step % _job.EvaluateEvery == 0);
            if (_heldOut is null || !due || _stopping.MeasuredStep == step) return;
            LossByRole losses;
            try
            {
                losses = SampleLosses.ByRole(_decoder, _heldOut.Samples, _job.TokensPerBatch, _device, cancellationToken);
            }
            catch (OperationCanceledException)
            {
                WriteInterrupted(step);
                throw;
            }

            var measured = new HeldOutMeasured
            {
                Step = step, Loss = losses.Loss ?? double.NaN, BoilerplateLoss = losses.BoilerplateLoss, ReasoningLoss = losses.ReasoningLoss,
            };
            _stopping.Measured(step, measured.Loss);
            _events.Write(measured);
            _board?.Write(measured);
        }

        private void WriteInterrupted(int step)
        {
            if (step > 0) _checkpoint.Write(_parameters, _optimizer, _stopping, step);
        }

        private void Write(DecoderParameters parameters)
        {
            var dtype = _job.SaveDtype is { } name ? TensorDtypes.Parse(name) : _model.Weights.MainDtype;
            var metadata = new Dictionary<string, string> { [IdentityKey] = _identity };
            if (parameters.Tuned.Adapter is { } adapter)
            {
                var tunedAdapter = new TunedAdapter(parameters, adapter);
                ModelFolderWriter.Write(
                    _job.Output, _model.Config, AdapterMerge.Tensors(_model, tunedAdapter, dtype), dtype, _model.Path, replace: true, metadata,
                    folder => AdapterFolder.Write(Path.Combine(folder, AdapterFolderName), tunedAdapter, _model.Config));
                return;
            }

            var scalarType = dtype switch
            {
                TensorDtype.Float16 => float16,
                TensorDtype.BFloat16 => bfloat16,
                _ => float32,
            };
            IEnumerable<TensorToWrite> Tensors(IEnumerable<ParameterPart> parts) => parts.Select(part => new TensorToWrite(
                part.Name, dtype, part.StoredShape, stream => TensorMemory.Write(parameters[part.Name], scalarType, stream)));
            if (_job.ChangesOnly)
            {
                var tuned = parameters.Blocks.Where(static block => block.IsTuned).SelectMany(static block => block.Parts);
                ModelFolderWriter.WriteChanges(_job.Output, _model, Tensors(tuned), replace: true, metadata);
                return;
            }

            ModelFolderWriter.Write(
                _job.Output, _model.Config, Tensors(parameters.Parts), dtype, _model.Path, replace: true, metadata);
        }
    }
}
