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
    public static string Threshold(ClassificationRule rule)
    {
        string what = rule.Unit == EvidenceUnit.Word ? "the largest LD of a word" : "LD";
        string surprise = double.IsInfinity(rule.Surprise) ? "" : $", or the probe’s loss > {Numbers.Setting(rule.Surprise)}";
        return rule.Margin == 0 ? $"reasoning where {what} > 0{surprise}" : $"reasoning where {what} > {Numbers.Setting(rule.Margin)} nats{surprise}";
    }

    /// <summary>What the roles are called that the rules are compared with.</summary>
    public static string Roles(ReferenceRoles roles) =>
        roles == ReferenceRoles.Known ? "the roles known from the corpus" : "roles derived from the structure of the JSON responses";
}
