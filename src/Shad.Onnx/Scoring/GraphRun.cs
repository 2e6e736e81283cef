using Microsoft.ML.OnnxRuntime;

namespace Shad.Onnx.Scoring;

/// <summary>
/// Runs a scoring graph. On a device the values are bound: the inputs go to the device's memory as they are bound, everything between
/// stays there, and the losses are what comes back.
/// </summary>
/// <param name="session">The graph; disposed with this.</param>
/// <param name="bind">True to bind the values to the device.</param>
internal sealed class GraphRun(InferenceSession session, bool bind) : IDisposable
{
    private readonly OrtIoBinding? _binding = bind ? session.CreateIoBinding() : null;

    /// <summary>Runs the graph.</summary>
    /// <param name="run">Options of the run.</param>
    /// <param name="inputNames">Names of the inputs.</param>
    /// <param name="inputs">Their values, in the host's memory.</param>
    /// <param name="outputNames">Names of the outputs.</param>
    /// <param name="outputs">Where they go, in the host's memory.</param>
    /// <exception cref="OnnxRuntimeException">The runtime failed.</exception>
    public void Run(
        RunOptions run, IReadOnlyList<string> inputNames, IReadOnlyList<OrtValue> inputs, IReadOnlyList<string> outputNames,
        IReadOnlyList<OrtValue> outputs)
    {
        if (_binding is null)
        {
            session.Run(run, inputNames, inputs, outputNames, outputs);
            return;
        }

        try
        {
            for (int i = 0; i < inputs.Count; i++) _binding.BindInput(inputNames[i], inputs[i]);
            for (int i = 0; i < outputs.Count; i++) _binding.BindOutput(outputNames[i], outputs[i]);
            _binding.SynchronizeBoundInputs();
            session.RunWithBinding(run, _binding);
            _binding.SynchronizeBoundOutputs();
        }
        finally
        {
            // The values belong to the caller, who is free to let go of them after the run.
            _binding.ClearBoundInputs();
            _binding.ClearBoundOutputs();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _binding?.Dispose();
        session.Dispose();
    }
}
