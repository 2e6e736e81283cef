using System.Globalization;

namespace Shad.Data.Corpora;

/// <summary>
/// Makes the ids of a corpus unique: of rows with the same id the first keeps it, the next become <c>ID#2</c>, <c>ID#3</c> and so on,
/// passing over numbers already taken.
/// </summary>
/// <remarks>
/// Of ids that rows bring along it keeps 64-bit hashes, not texts, so that a row costs about 20 bytes. Two ids of the same hash
/// (probability n²/2⁶⁵, one in 3,700 for a hundred million rows) only mean that one of them gets a suffix it did not need. Ids that rows
/// get from their place cost nothing: their numbers are kept as ranges.
/// </remarks>
internal sealed class SampleIds
{
    private readonly HashSet<ulong> _seen = [];
    private readonly Dictionary<ulong, int> _lastSuffix = [];
    private readonly Dictionary<string, Places> _places = new(StringComparer.Ordinal);

    /// <summary>The id of a row.</summary>
    /// <param name="id">The id it has.</param>
    /// <param name="source">Where it comes from; rows of a file come in order.</param>
    internal string MakeUnique(string id, RowSource source)
    {
        ulong hash = Hash(id);
        if (id == source.DefaultId && !_seen.Contains(hash) && AddPlace(source)) return id;
        if (Take(id, hash)) return id;
        int suffix = _lastSuffix.GetValueOrDefault(hash, 1);
        string unique;
        do
        {
            unique = $"{id}#{++suffix}";
        }
        while (!Take(unique, Hash(unique)));

        _lastSuffix[hash] = suffix;
        return unique;
    }

    private bool Take(string id, ulong hash) => !IsPlace(id) && _seen.Add(hash);

    /// <summary>Takes the default id of a place; false where another file of that name did before, or this one is read again.</summary>
    private bool AddPlace(RowSource source)
    {
        string name = Path.GetFileName(source.Path);
        if (!_places.TryGetValue(name, out var places)) _places[name] = places = new Places(source.Path);
        return places.Path == source.Path && places.Add(source.Number);
    }

    /// <summary>True where an id is the default id of a place that has it.</summary>
    private bool IsPlace(string id)
    {
        int colon = id.LastIndexOf(':');
        return colon > 0 && colon + 1 < id.Length && id[colon + 1] is >= '1' and <= '9'
            && long.TryParse(id.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            && _places.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(id.AsSpan(0, colon), out var places) && places.Contains(number);
    }

    /// <summary>FNV-1a over UTF-16 units: the same in every process, so that ids are, too.</summary>
    private static ulong Hash(string text)
    {
        ulong hash = 14695981039346656037;
        foreach (char unit in text) hash = (hash ^ unit) * 1099511628211;
        return hash;
    }

    /// <summary>Rows of a file whose default ids are taken, as ascending ranges.</summary>
    private sealed class Places(string path)
    {
        private readonly List<(long First, long Last)> _ranges = [];

        internal string Path { get; } = path;

        /// <summary>Adds a row behind all others; false where it is not.</summary>
        internal bool Add(long number)
        {
            if (_ranges.Count == 0 || number > _ranges[^1].Last + 1) _ranges.Add((number, number));
            else if (number == _ranges[^1].Last + 1) _ranges[^1] = (_ranges[^1].First, number);
            else return false;
            return true;
        }

        internal bool Contains(long number)
        {
            int low = 0, high = _ranges.Count - 1;
            while (low <= high)
            {
                int middle = (low + high) / 2;
                var (first, last) = _ranges[middle];
                if (number < first) high = middle - 1;
                else if (number > last) low = middle + 1;
                else return true;
            }

            return false;
        }
    }
}
