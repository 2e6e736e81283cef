using System.Globalization;

namespace Shad.Onnx.Sessions;

/// <summary>
/// Where to compute, as people write it: <c>auto</c>, <c>cpu</c>, <c>cuda</c> (the first CUDA device), <c>cuda:2</c>, <c>cuda:0,1</c>
/// (both devices, the work divided between them).
/// </summary>
public sealed class DeviceChoice
{
    private DeviceChoice(ComputeDevice device, IReadOnlyList<int> indices) => (Device, Indices) = (device, indices);

    /// <summary>How it may be written, for messages.</summary>
    public const string Expected = "auto, cpu, cuda, cuda:N or cuda:N,M,… with different device numbers";

    /// <summary>The kind of device.</summary>
    public ComputeDevice Device { get; }

    /// <summary>Numbers of the CUDA devices, in the order given; <c>[0]</c> where none is named.</summary>
    public IReadOnlyList<int> Indices { get; }

    /// <summary>Reads a choice; null where the text is none.</summary>
    public static DeviceChoice? Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        switch (text)
        {
            case "auto": return new DeviceChoice(ComputeDevice.Auto, [0]);
            case "cpu": return new DeviceChoice(ComputeDevice.Cpu, [0]);
            case "cuda": return new DeviceChoice(ComputeDevice.Cuda, [0]);
        }

        const string prefix = "cuda:";
        if (!text.StartsWith(prefix, StringComparison.Ordinal)) return null;
        var indices = new List<int>();
        foreach (string number in text[prefix.Length..].Split(','))
        {
            if (!int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int index) || indices.Contains(index)) return null;
            indices.Add(index);
        }

        return new DeviceChoice(ComputeDevice.Cuda, indices);
    }

    /// <inheritdoc/>
    public override string ToString() => Device switch
    {
        ComputeDevice.Auto => "auto",
        ComputeDevice.Cpu => "cpu",
        _ => $"cuda:{string.Join(',', Indices)}",
    };
}
