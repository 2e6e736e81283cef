namespace Shad.Data.Corpora;

/// <summary>
/// Makes the ids of a corpus unique: of rows with the same id the first keeps it, the next become <c>ID#2</c>, <c>ID#3</c> and so on,
/// passing over numbers already taken.
/// </summary>
/// <remarks>
/// It keeps 64-bit hashes, not texts, so that a row costs about 20 bytes. Two ids of the same hash (probability n²/2⁶⁵, one in
/// 3,700 for a hundred million rows) only mean that one of them gets a suffix it did not need.
/// </remarks>
internal sealed class SampleIds
{
    private readonly HashSet<ulong> _seen = [];
    private readonly Dictionary<ulong, int> _lastSuffix = [];

    internal string MakeUnique(string id)
    {
        ulong hash = Hash(id);
        if (_seen.Add(hash)) return id;
        int suffix = _lastSuffix.GetValueOrDefault(hash, 1);
        string unique;
        do
        {
            unique = $"{id}#{++suffix}";
        }
        while (!_seen.Add(Hash(unique)));

        _lastSuffix[hash] = suffix;
        return unique;
    }

    /// <summary>FNV-1a over UTF-16 units: the same in every process, so that ids are, too.</summary>
    private static ulong Hash(string text)
    {
        ulong hash = 14695981039346656037;
        foreach (char unit in text) hash = (hash ^ unit) * 1099511628211;
        return hash;
    }
}
