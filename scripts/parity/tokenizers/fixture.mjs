// Writes tests/Shad.Data.Tests/Tokenization/Data/reference-ids.json: small tokenizers of our own making, one for each construct, with
// the ids that @huggingface/tokenizers and Hugging Face's Rust crate both give. Run parity.sh first; it installs the two.
//
//   node fixture.mjs
import { readFileSync, writeFileSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(join(here, "work/"));
const { Tokenizer } = require("@huggingface/tokenizers");
const { Tokenizer: RustTokenizer } = require("@anush008/tokenizers");
const target = join(here, "../../../tests/Shad.Data.Tests/Tokenization/Data/reference-ids.json");

const samples = [
  "The quick brown fox jumps over the lazy dog, and the dog didn't mind; they'll say it's fine.",
  "{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Zürich\", \"days\": 12345}}\n",
  "Съешь же ещё этих мягких французских булок. 東京都は日本の首都です。 한국어 문장. नमस्ते दुनिया",
  "def f(x):\n    return  x**2 + 3*x - 1\r\n\r\n\t# done   \n\n the the the and and of of to to in in",
];

// Bytes as the printable characters of byte-level vocabularies.
const printable = [...Array(256).keys()].filter(b => (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae);
const alphabet = Array.from({ length: 256 }, (_, b) => String.fromCharCode(printable.includes(b) ? b : 0x100 + b - printable.filter(p => p < b).length));
const spell = text => [...Buffer.from(text)].map(b => alphabet[b]);

// The most frequent pair first, ties in order.
function learn(words, count) {
  const merges = [];
  while (merges.length < count) {
    const pairs = new Map();
    for (const word of words) for (let i = 0; i + 1 < word.length; i++) {
      const pair = JSON.stringify([word[i], word[i + 1]]);
      pairs.set(pair, (pairs.get(pair) ?? 0) + 1);
    }
    const [best] = [...pairs].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))[0];
    const [left, right] = JSON.parse(best);
    merges.push([left, right]);
    for (const word of words) for (let i = 0; i + 1 < word.length; i++)
      if (word[i] === left && word[i + 1] === right) word.splice(i, 2, left + right);
  }
  return merges;
}

const cut = text => text.match(/ ?[^ ]+| +/g);
const byteMerges = learn(samples.flatMap(cut).map(spell), 150);
const byteVocabulary = [...alphabet, ...byteMerges.map(merge => merge.join(""))];
const charWords = samples.flatMap(text => cut(" " + text)).map(word => [...word.replaceAll(" ", "▁")]);
const characters = [...new Set(charWords.flat())].sort();
const charMerges = [["▁", "▁"], ...learn(charWords, 120)];
const charVocabulary = ["<unk>", "<s>", "</s>", ...Array.from({ length: 256 }, (_, b) => `<0x${b.toString(16).toUpperCase().padStart(2, "0")}>`), ...characters, ...charMerges.map(merge => merge.join(""))];

const added = (first, tokens) => tokens.map((token, i) => ({ id: first + i, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true, ...token }));

function tokenizer(vocabulary, merges, rest, model = {}, tokens = []) {
  const vocab = Object.fromEntries([...new Set(vocabulary)].map((token, id) => [token, id]));
  return {
    version: "1.0", truncation: null, padding: null, added_tokens: added(Object.keys(vocab).length, tokens), normalizer: null, pre_tokenizer: null,
    post_processor: null, decoder: null, ...rest,
    model: { type: "BPE", dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: false, byte_fallback: false, ignore_merges: false, ...model, vocab, merges },
  };
}

const bytes = (pre, rest = {}, model = {}, tokens = [], more = []) => tokenizer([...byteVocabulary, ...more], byteMerges, { pre_tokenizer: pre, decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true }, ...rest }, model, tokens);
const byteLevel = (options = {}) => ({ type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false, ...options });
const split = (pattern, behavior = "Isolated", invert = false) => ({ type: "Split", pattern: typeof pattern === "string" ? { String: pattern } : pattern, behavior, invert });
const sequence = (...parts) => ({ type: "Sequence", pretokenizers: parts });
const pieces = (rest, tokens = []) => tokenizer(charVocabulary, charMerges, rest, { unk_token: "<unk>", fuse_unk: true, byte_fallback: true }, tokens);
const marks = [{ content: "<s>" }, { content: "</s>" }];
const llama3 = { Regex: "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+" };
const o200k = { Regex: "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+" };
const withIds = (definition, tokens) => ({ ...definition, added_tokens: tokens.map(token => ({ ...token, id: definition.model.vocab[token.content] ?? token.id })) });
const known = (definition, contents) => withIds(definition, added(0, contents.map(content => ({ content }))));

const tokenizers = {
  "byte level, words of GPT-2": bytes(byteLevel({ use_regex: true })),
  "byte level, prefix space": bytes(byteLevel({ use_regex: true, add_prefix_space: true }), {}, {}, marks),
  "words of Llama 3, ignore_merges": bytes(sequence(split(llama3), byteLevel()), {}, { ignore_merges: true }, marks, ["Ġlazy", "fox"]),
  "words of GPT-4, removed what is between": bytes(sequence(split(llama3, "Removed", true), byteLevel())),
  "words of GPT-4o": bytes(sequence(split(o200k), byteLevel())),
  "words of Qwen, NFC": bytes(sequence(split({ Regex: llama3.Regex.replace("{1,3}", "") }), byteLevel()), { normalizer: { type: "NFC" } }),
  "digits and ranges of DeepSeek": bytes(sequence(split({ Regex: "\\p{N}{1,3}" }), split({ Regex: "[一-龥぀-ゟ゠-ヿ]+" }), split({ Regex: "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+" }), byteLevel()), { normalizer: { type: "Sequence", normalizers: [] } }),
  "digits one by one, then words of GPT-2": bytes(sequence({ type: "Digits", individual_digits: true }, byteLevel({ use_regex: true }))),
  "punctuation, digits by threes": bytes(sequence({ type: "Punctuation", behavior: "Contiguous" }, { type: "Digits", individual_digits: false }, split({ Regex: "[0-9][0-9][0-9]" }), byteLevel({ use_regex: true }))),
  "NFKC": bytes(byteLevel({ use_regex: true }), { normalizer: { type: "NFKC" } }),
  "NFD, accents stripped, small letters": bytes(byteLevel({ use_regex: true }), { normalizer: { type: "Sequence", normalizers: [{ type: "NFD" }, { type: "StripAccents" }, { type: "Lowercase" }] } }),
  "NFKD, stripped, replaced": bytes(byteLevel({ use_regex: true }), { normalizer: { type: "Sequence", normalizers: [{ type: "NFKD" }, { type: "Strip", strip_left: true, strip_right: true }, { type: "Replace", pattern: { Regex: "\\s+" }, content: " " }] } }),
  "added tokens of every kind": bytes(byteLevel({ use_regex: true }), { normalizer: { type: "NFC" } }, {}, [
    { content: "<m>", lstrip: true }, { content: "<n>", rstrip: true }, { content: "<b>", lstrip: true, rstrip: true }, { content: "cat", single_word: true, special: false },
    { content: "café", normalized: true, special: false }, { content: "<m><n>" }, { content: "<|end|>" }, { content: "<|end|>of" },
  ]),
  "▁ prepended, byte fallback": known(pieces({ normalizer: { type: "Sequence", normalizers: [{ type: "Prepend", prepend: "▁" }, { type: "Replace", pattern: { String: " " }, content: "▁" }] } }), ["<unk>", "<s>", "</s>"]),
  "▁ without prefix, split at nothing": known(pieces({ normalizer: { type: "Replace", pattern: { String: " " }, content: "▁" }, pre_tokenizer: split(" ", "MergedWithPrevious") }), ["<unk>", "<s>", "</s>"]),
  "metaspace, first": known(pieces({ pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "first", split: false } }), ["<unk>", "<s>", "</s>"]),
  "metaspace, always, split": known(pieces({ pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true } }), ["<unk>", "<s>", "</s>"]),
  "metaspace, never": known(pieces({ pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "never", split: true } }), ["<unk>", "<s>", "</s>"]),
};

const texts = [
  ...samples, "", " ", "  two  spaces  ", "a", "The THE the", "they'll DON'T it's I'M 'RE", "12345678 1,234.56 ٣٤٥ ½ Ⅷ 𝟙𝟚𝟛𝟜", "e\u0301 é Å \u212b ﬁ ① Ａ ㍿ ｶﾞ \u1100\u1161\u11a8 각 a\u0323\u0307",
  "👍🏽 👩‍👩‍👧‍👦 🇨🇭 𠀋 𐍈𐍈 𝒜𝓑", "a\n\nb\r\n\r\n c\t\td   \n", "\u00a0\u3000x\u2028y\u200b", "snake_case __init__ camelCase <<48/2=24>>24 #### 72", "▁a▁▁b", "<0x41>",
  "<s>The fox</s> the dog</s>", "the<s> the", " <s> a </s>\n", "x <m> y <n> z <b> w", " \n<m><n> \n<b>\t", "cat cats (cat) concat cat_ 猫cat cat", "a cafe\u0301! café", "<|end|>of<|end|> of", "İstanbul ÄÖÜ ΣΑΣ ǅ",
  "東京都は日本の首都です。中文字符12", "한국어 문장도 있습니다.", "नमस्ते दुनिया, यह परीक्षण", "مرحبا بالعالم שלום עולם", "ไทย မြန်မာ ქართული",
];

const cases = [];
for (const [name, definition] of Object.entries(tokenizers)) {
  const js = new Tokenizer(definition, {});
  const rust = RustTokenizer.fromString(JSON.stringify(definition));
  const ids = [];
  for (const text of texts) {
    const one = js.encode(text, { add_special_tokens: false }).ids;
    const two = (await rust.encode(text, null, { addSpecialTokens: false })).getIds();
    const agree = JSON.stringify(one) === JSON.stringify(two);
    if (!agree) console.log(`${name}: ${JSON.stringify(text)}\n  JavaScript ${one}\n  Rust       ${two}`);
    ids.push(two);
  }
  cases.push({ name, tokenizer: definition, ids });
}
mkdirSync(dirname(target), { recursive: true });
const lines = cases.map(c => `{"name":${JSON.stringify(c.name)},"tokenizer":${JSON.stringify(c.tokenizer)},\n"ids":${JSON.stringify(c.ids)}}`);
writeFileSync(target, `{"texts":${JSON.stringify(texts)},\n"cases":[\n${lines.join(",\n")}\n]}\n`);
console.log(`${cases.length} tokenizers, ${texts.length} texts, ${readFileSync(target).length} bytes`);
