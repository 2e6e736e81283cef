using BenchScoring.Contenders;
using Shad.Models;
using Shad.Models.Configuration;

namespace BenchScoring.Streaming;

/// <summary>A model of 0.8 million parameters with the bundled model's tokenizer: small enough that a million rows take minutes.</summary>
internal static class StreamModel
{
    /// <summary>Makes it where it is not there yet.</summary>
    /// <returns>Its folder.</returns>
    public static string Make(BenchPlaces places)
    {
        string folder = Path.Combine(places.Work, "models", "stream"), bundled = Bundled(places);
        if (Directory.Exists(folder)) return folder;
        using var model = ModelFolder.Open(bundled);
        DecoderConfig config = model.Config with
        {
            HiddenSize = 128, LayerCount = 2, AttentionHeads = 4, KeyValueHeads = 2, HeadSize = 32, IntermediateSize = 256, ContextLength = 2048,
        };
        ModelInitializer.Write(folder, config, companionsFrom: bundled);
        return folder;
    }

    public static string Bundled(BenchPlaces places) => Path.Combine(places.Root, "models", "shad-mini");
}
