namespace Shad.Onnx.Graphs;

/// <summary>
/// Which rows of a pass are which tokens, and so how they see one another. All else in a decoder is computed row by row, so this is
/// the one thing in which graphs differ: sequences padded to one length (<see cref="PaddedLayout"/>), or sequences one behind the
/// other without padding (<see cref="PackedLayout"/>).
/// </summary>
internal interface IRowLayout
{
    /// <summary>Token ids of all rows, <c>[N]</c>, int64.</summary>
    string TokenIds { get; }

    /// <summary>Position of each row in its sequence, <c>[N]</c>, int64.</summary>
    string Positions { get; }

    /// <summary>Blocks that rows are computed in between one attention and the next; null computes them together.</summary>
    RowBlocks? Blocks { get; }

    /// <summary>Numbers <c>[T]</c>, int64, of the rows whose hidden states are wanted; null is all.</summary>
    string? WantedRows { get; }

    /// <summary>Blocks that the wanted rows are computed in; null computes them together.</summary>
    RowBlocks? WantedBlocks { get; }

    /// <summary>True where the last attention takes the queries of the wanted rows alone.</summary>
    bool TakesWantedQueries { get; }

    /// <summary>Adds the attention of a layer, rotation included.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="path">What begins the names of its values.</param>
    /// <param name="query">Queries <c>[N, heads · head size]</c>; <c>[T, …]</c> where <paramref name="wanted"/>.</param>
    /// <param name="key">Keys of all rows, <c>[N, KV heads · head size]</c>.</param>
    /// <param name="value">Values of all rows, <c>[N, KV heads · head size]</c>.</param>
    /// <param name="wanted">True for the queries of the wanted rows alone; only where <see cref="TakesWantedQueries"/>.</param>
    /// <returns>What each query row attends to, of the shape of <paramref name="query"/>.</returns>
    string Attention(int layer, string path, string query, string key, string value, bool wanted);
}
