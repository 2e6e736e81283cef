namespace Shad.Models.Adapters;

/// <summary>The values of a low-rank adapter, wherever they live.</summary>
public interface IAdapter
{
    /// <summary>What the adapter is.</summary>
    AdapterConfig Config { get; }

    /// <summary>Names of the model's matrices that it changes, in the order of the model.</summary>
    IReadOnlyList<string> AdaptedWeights { get; }

    /// <summary>A <c>[r, in]</c> of a matrix, row-major.</summary>
    /// <param name="weight">Name of the matrix.</param>
    float[] ReadDown(string weight);

    /// <summary>B <c>[out, r]</c> of a matrix, row-major.</summary>
    /// <param name="weight">Name of the matrix.</param>
    float[] ReadUp(string weight);
}
