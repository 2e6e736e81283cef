namespace Shad.Data.Annotations;

/// <summary>
/// Columns of an annotation file beyond those it always has (<c>id</c>, <c>input_ids</c>, <c>labels</c>, <c>base_loss</c>,
/// <c>offset_start</c>, <c>offset_end</c>, <c>text</c>).
/// </summary>
[Flags]
public enum AnnotationColumns
{
    /// <summary>None: the file of one model's losses.</summary>
    None = 0,

    /// <summary><c>probe_loss</c>: nats, list of float32.</summary>
    ProbeLoss = 1,

    /// <summary><c>loss_difference</c>: nats, list of float32.</summary>
    LossDifference = 2,

    /// <summary><c>role</c>: list of int8, 0 boilerplate, 1 reasoning.</summary>
    Role = 4,

    /// <summary><c>weight</c>: factor on the token's loss, list of float32.</summary>
    Weight = 8,

    /// <summary><c>control_loss</c>: the aligned control probe's, nats, list of float32.</summary>
    ControlLoss = 16,

    /// <summary><c>known_role</c>: as <c>role</c>, from the corpus.</summary>
    KnownRole = 32,

    /// <summary>The columns every annotated corpus has.</summary>
    Annotated = ProbeLoss | LossDifference | Role | Weight,

    /// <summary>All of them.</summary>
    All = Annotated | ControlLoss | KnownRole,
}
