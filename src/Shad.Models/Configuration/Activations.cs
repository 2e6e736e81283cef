using Shad.Models.Families;

namespace Shad.Models.Configuration;

/// <summary>The names of activations in <c>config.json</c>.</summary>
internal static class Activations
{
    private static readonly (string Name, Activation Activation)[] Names =
    [
        ("silu", Activation.Silu), ("swish", Activation.Silu), ("gelu", Activation.Gelu), ("gelu_pytorch_tanh", Activation.GeluTanh),
        ("gelu_new", Activation.GeluTanh),
    ];

    /// <summary>The activation that a config names.</summary>
    public static Activation Read(ConfigFields fields, DecoderFamily family)
    {
        string field = family.FieldName("hidden_act");
        string name = fields.OptionalText(field) ?? family.DefaultActivation;
        foreach (var known in Names)
        {
            if (known.Name == name) return known.Activation;
        }

        throw fields.Invalid(
            field, fields.Find(field)!.Value, "one of the activations supported: " + string.Join(", ", Names.Select(static known => known.Name)));
    }

    /// <summary>The name to write for a config: the family's own, where that is what the config has.</summary>
    public static string NameOf(DecoderConfig config, DecoderFamily family)
    {
        var usual = Names.First(known => known.Name == family.DefaultActivation);
        return usual.Activation == config.Activation ? usual.Name : Names.First(known => known.Activation == config.Activation).Name;
    }
}
