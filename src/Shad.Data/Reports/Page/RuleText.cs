using Shad.Core.Classification;

namespace Shad.Data.Reports.Page;

/// <summary>The rules in words.</summary>
internal static class RuleText
{
    /// <summary>A rule's name for people.</summary>
    public static string Name(ClassificationRule rule) =>
        rule.Reference == ReferenceModel.AlignedControl ? "Aligned-control rule" : "The paper’s rule";

    /// <summary>What the rule subtracts from the probe's loss.</summary>
    public static string Formula(ClassificationRule rule) =>
        rule.Reference == ReferenceModel.AlignedControl ? "LD = loss of probe − loss of control" : "LD = loss of probe − loss of base model";

    /// <summary>What the rule calls reasoning.</summary>
    public static string Threshold(ClassificationRule rule) => rule.Margin == 0
        ? "reasoning where LD > 0"
        : $"reasoning where LD > {Numbers.Setting(rule.Margin)} nats";
}
