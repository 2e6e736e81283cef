using System.Text.Json;
using System.Text.Json.Nodes;
using Shad.Models.Configuration;
using Shad.Onnx.Graphs;

namespace Shad.Onnx.Export;

/// <summary>The <c>genai_config.json</c> that tells onnxruntime-genai what the generation graph is.</summary>
internal static class GenAiConfig
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>The file's content.</summary>
    /// <param name="config">The model.</param>
    /// <param name="graphFile">File name of the generation graph.</param>
    public static byte[] Create(DecoderConfig config, string graphFile)
    {
        var model = new JsonObject
        {
            ["type"] = config.ModelType,
            ["vocab_size"] = config.VocabularySize,
            ["context_length"] = config.ContextLength,
            ["decoder"] = new JsonObject
            {
                ["session_options"] = new JsonObject { ["provider_options"] = new JsonArray() },
                ["filename"] = graphFile,
                ["head_size"] = PaddedLayout.CacheHeadSize(config),
                ["hidden_size"] = config.HiddenSize,
                ["num_attention_heads"] = config.AttentionHeads,
                ["num_hidden_layers"] = config.LayerCount,
                ["num_key_value_heads"] = config.KeyValueHeads,
                ["inputs"] = new JsonObject
                {
                    ["input_ids"] = GenerationGraph.InputIds,
                    ["attention_mask"] = GenerationGraph.AttentionMask,
                    ["past_key_names"] = GenerationGraph.PastKeys,
                    ["past_value_names"] = GenerationGraph.PastValues,
                },
                ["outputs"] = new JsonObject
                {
                    ["logits"] = GenerationGraph.Logits,
                    ["present_key_names"] = GenerationGraph.PresentKeys,
                    ["present_value_names"] = GenerationGraph.PresentValues,
                },
            },
        };
        if (config.BeginningOfSequenceId is { } begin) model["bos_token_id"] = begin;
        if (config.EndOfSequenceIds is [var end, ..])
        {
            model["eos_token_id"] = config.EndOfSequenceIds.Count == 1
                ? end
                : new JsonArray([.. config.EndOfSequenceIds.Select(static id => (JsonNode)id)]);

            // Padding is masked; the id only has to exist.
            model["pad_token_id"] = end;
        }

        var document = new JsonObject
        {
            ["model"] = model,
            ["search"] = new JsonObject
            {
                ["do_sample"] = false,
                ["max_length"] = config.ContextLength,
                ["min_length"] = 0,
                ["num_beams"] = 1,
                ["num_return_sequences"] = 1,
                ["past_present_share_buffer"] = true,
                ["temperature"] = 1.0,
                ["top_k"] = 1,
                ["top_p"] = 1.0,
                ["repetition_penalty"] = 1.0,
            },
        };
        return JsonSerializer.SerializeToUtf8Bytes(document, Indented);
    }
}
