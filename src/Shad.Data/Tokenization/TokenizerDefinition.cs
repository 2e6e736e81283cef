namespace Shad.Data.Tokenization;

/// <summary>A merge of byte-pair encoding: two neighbours become one symbol.</summary>
/// <param name="Left">Id of the first.</param>
/// <param name="Right">Id of the second.</param>
/// <param name="Joined">Id of what they become.</param>
/// <param name="Rank">Lower ones come first; of equal ones the leftmost.</param>
internal readonly record struct TokenMerge(int Left, int Right, int Joined, int Rank);

/// <summary>What the files of a tokenizer say, checked: every id has one token, and every merge is of known tokens.</summary>
internal sealed class TokenizerDefinition
{
    /// <summary>The file, for messages.</summary>
    public required string File { get; init; }

    /// <summary>The ids of the model's tokens by their strings, as the file spells them. Added tokens may be among them.</summary>
    public required Dictionary<string, int> Vocabulary { get; init; }

    /// <summary>The merges. Where a pair is there twice, the later one counts.</summary>
    public required IReadOnlyList<TokenMerge> Merges { get; init; }

    /// <summary>The tokens found in text before anything else.</summary>
    public required IReadOnlyList<AddedToken> AddedTokens { get; init; }

    /// <summary>The string of each token, by id; null for an id without a token.</summary>
    public required string?[] Tokens { get; init; }

    /// <summary>True: symbols are bytes, spelled in the <see cref="ByteAlphabet"/>. False: symbols are characters.</summary>
    public required bool IsByteLevel { get; init; }

    /// <summary>True: a character without a token becomes its bytes, as tokens <c>&lt;0xE2&gt;</c>.</summary>
    public required bool HasByteFallback { get; init; }

    /// <summary>The id that stands for what has no token; null where there is none.</summary>
    public required int? UnknownId { get; init; }

    /// <summary>True: unknown symbols that follow each other become one token.</summary>
    public required bool FusesUnknown { get; init; }

    /// <summary>True: a word that is a token becomes that token, whatever the merges would make of it.</summary>
    public required bool IgnoresMergesOfWholeWords { get; init; }

    /// <summary>Rewriting before added tokens marked as normalized are looked for.</summary>
    public required IReadOnlyList<TextNormalizer> Normalizers { get; init; }

    /// <summary>Rewriting by the pre-tokenizer, after that.</summary>
    public required IReadOnlyList<TextNormalizer> Rewritings { get; init; }

    /// <summary>Cuts rewritten text into words.</summary>
    public required WordSplitter Splitter { get; init; }

    /// <summary>True where a space is put before a sequence, to be dropped when decoding.</summary>
    public required bool HasPrefixSpace { get; init; }

    /// <summary>True where a space is put before a text after an added token too.</summary>
    public required bool HasPrefixSpaceAfterAdded { get; init; }

    /// <summary>The character that stands for a space in tokens; null where a space stands for itself or tokens are bytes.</summary>
    public required char? SpaceSymbol { get; init; }

    /// <summary>The token that the post-processor puts first; null where it puts none.</summary>
    public required int? TemplateBeginningId { get; init; }
}
