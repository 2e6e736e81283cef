namespace Shad.Core.Samples;

/// <summary>The role of a response token. The numbers are those of the annotation column <c>role</c>.</summary>
public enum TokenRole
{
    /// <summary>Format, template, connecting phrases: what repeats from sample to sample.</summary>
    Boilerplate = 0,

    /// <summary>What is specific to this sample and decides the answer.</summary>
    Reasoning = 1,
}
