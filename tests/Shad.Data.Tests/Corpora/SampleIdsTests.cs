using CsCheck;
using Shad.Data.Corpora;

namespace Shad.Data.Tests.Corpora;

internal sealed class SampleIdsTests
{
    // Few files, two of them of one name, and ids that look like those of places: everything that can meet does.
    private static readonly string[] Files = ["a/x.jsonl", "b/x.jsonl", "a/y.jsonl"];
    private static readonly string[] Given = ["x.jsonl:1", "x.jsonl:2", "x.jsonl:3", "x.jsonl:03", "x.jsonl:2#2", "y.jsonl:1", "y.jsonl:1#2", "x", ":1", "x.jsonl:"];

    [Test]
    public void Ids_are_made_unique_as_a_set_of_texts_would()
    {
        // A file and the ids that its rows bring along; null for those that bring none.
        var rows = Gen.Int[-5, Given.Length - 1].Select(static i => i < 0 ? null : Given[i]).List[0, 8];
        Gen.Select(Gen.Int[0, Files.Length - 1].Select(static i => Files[i]), rows).List[0, 5].Sample(
            static files =>
            {
                var ids = new SampleIds();
                var texts = new HashSet<string>();
                var lastSuffix = new Dictionary<string, int>();
                foreach (var (file, rows) in files)
                {
                    for (int i = 0; i < rows.Count; i++)
                    {
                        var source = new RowSource(file, i + 1);
                        string id = rows[i] ?? source.DefaultId;
                        Assert.That(ids.MakeUnique(id, source), Is.EqualTo(Expected(id)));
                    }
                }

                string Expected(string id)
                {
                    if (texts.Add(id)) return id;
                    int suffix = lastSuffix.GetValueOrDefault(id, 1);
                    while (!texts.Add($"{id}#{++suffix}"))
                    {
                    }

                    lastSuffix[id] = suffix;
                    return $"{id}#{suffix}";
                }
            },
            iter: 2_000, threads: 1);
    }
}
