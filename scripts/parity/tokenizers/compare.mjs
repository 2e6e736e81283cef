// Compares our ids with those of others on every string; see parity.sh.
//
//   node compare.mjs STRINGS.jsonl OUT-FOLDER SPEEDS.jsonl RESULTS.md [NAME…]
//
// With names only those tokenizers are compared; the table holds what earlier calls have found of the others.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { folderOf, json, jsonOf, sentencepiece, tiktoken } from "./models.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(join(here, "work/"));
const { Tokenizer } = require("@huggingface/tokenizers");
const { Tokenizer: RustTokenizer } = require("@anush008/tokenizers");
const { Tiktoken } = require("js-tiktoken/lite");
const { SentencePieceProcessor } = require("@agnai/sentencepiece-js");

const [stringsFile, out, speedsFile, resultsFile, ...only] = process.argv.slice(2);
const wanted = name => only.length === 0 || only.includes(name);
const rowFile = name => join(out, `${name}.row.json`);
const linesOf = file => readFileSync(file, "utf8").split("\n").filter(Boolean).map(line => JSON.parse(line));
const strings = linesOf(stringsFile);
const speeds = new Map(linesOf(speedsFile).map(speed => [speed.name, speed]));
const same = (a, b) => a.length === b.length && a.every((id, i) => id === b[i]);

async function compare(name, others) {
  const ours = linesOf(join(out, `${name}.ours.jsonl`));
  const counts = Object.fromEntries(Object.keys(others).map(other => [other, { compared: 0, differ: 0 }]));
  const examples = [];
  const kinds = {};
  let jsAlone = 0;
  for (let n = 0; n < strings.length; n++) {
    const ids = {};
    for (const [other, encode] of Object.entries(others)) {
      ids[other] = await encode(strings[n]);
      if (ids[other] === undefined) continue;
      counts[other].compared++;
      if (!same(ours[n], ids[other])) counts[other].differ++;
    }
    const different = Object.keys(ids).filter(other => ids[other] !== undefined && !same(ours[n], ids[other]));
    if (different.length === 1 && (different[0] === "js-tiktoken" || (different[0] === "js" && ids.rust !== undefined))) {
      if (different[0] === "js") jsAlone++;
      for (const [kind, pattern] of reasons) {
        if (!pattern.test(strings[n])) continue;
        kinds[kind] = (kinds[kind] ?? 0) + 1;
        break;
      }
    }
    if (different.length > 0 && examples.length < 200) examples.push({ text: strings[n], different, ours: ours[n], ...ids });
  }
  writeFileSync(join(out, `${name}.different.jsonl`), examples.map(example => JSON.stringify(example) + "\n").join(""));
  const row = { name, counts, jsAlone, kinds };
  writeFileSync(rowFile(name), JSON.stringify(row));
  console.log(JSON.stringify(row));
}

// Why a JavaScript tokenizer differs from the original, whose regular expressions are Rust's, the first that fits.
const reasons = [
  ["U+FEFF or U+0085, white space in one of JavaScript's and Oniguruma's regular expressions only", /[\ufeff\u0085]/],
  ["other", /[^]/],
];

for (const name of json.filter(wanted)) {
  const { tokenizer, config } = jsonOf(name);
  const js = new Tokenizer(tokenizer, config);
  const rust = RustTokenizer.fromFile(join(folderOf(name), "tokenizer.json"));
  await compare(name, {
    js: text => js.encode(text, { add_special_tokens: false }).ids,
    rust: async text => (await rust.encode(text, null, { addSpecialTokens: false })).getIds(),
  });
}

for (const name of tiktoken.filter(wanted)) {
  const { default: ranks } = await import(join(here, "work/node_modules/js-tiktoken/dist/ranks", `${name}.js`));
  const other = new Tiktoken(ranks);
  await compare(name, { "js-tiktoken": text => other.encode(text, "all") });
}

for (const name of sentencepiece.filter(name => wanted(`${name}-model`))) {
  const other = new SentencePieceProcessor();
  await other.load(join(folderOf(`${name}-model`), "tokenizer.model"));
  // The library takes no special tokens from text, and we do: such strings are left out.
  const special = jsonOf(name).tokenizer.added_tokens.map(token => token.content);
  await compare(`${name}-model`, { sentencepiece: text => special.some(token => text.includes(token)) || text.includes("\0") ? undefined : other.encodeIds(text) });
}

const rows = [...json, ...tiktoken, ...sentencepiece.map(name => `${name}-model`)].filter(name => existsSync(rowFile(name)))
  .map(name => ({ ...JSON.parse(readFileSync(rowFile(name), "utf8")), speed: speeds.get(name) }));
const kinds = {};
for (const row of rows) for (const [kind, count] of Object.entries(row.kinds)) kinds[kind] = (kinds[kind] ?? 0) + count;
const versionOf = name => JSON.parse(readFileSync(join(here, "work/node_modules", name, "package.json"), "utf8")).version;
const cell = (row, ...others) => {
  const count = others.map(other => row.counts[other]).find(Boolean);
  return count ? `${count.differ} of ${count.compared}` : "";
};
writeFileSync(resultsFile, `# Tokenizer parity

${strings.length.toLocaleString("en")} strings, ${(Buffer.byteLength(strings.join("")) / 1e6).toFixed(2)} MB of UTF-8. Written by \`scripts/parity/tokenizers/parity.sh\`; Node ${process.version} (Unicode ${process.versions.unicode}).
Mismatches are strings whose ids are not identical.

- **JS**: @huggingface/tokenizers ${versionOf("@huggingface/tokenizers")}, the tokenizers of @huggingface/transformers ${versionOf("@huggingface/transformers")}
- **Rust**: Hugging Face's tokenizers crate through @anush008/tokenizers ${versionOf("@anush008/tokenizers")}
- **MB/s**: of one core, of UTF-8. Words new and known: the strings above, of 164 languages and little that repeats, at first and once more. Text: a corpus of
  function calls and one of mathematics (2.8 MB) with a new tokenizer
- **own**: the format's own library: js-tiktoken ${versionOf("js-tiktoken")}, SentencePiece through @agnai/sentencepiece-js ${versionOf("@agnai/sentencepiece-js")}

| tokenizer | mismatches with JS | of these, JS differs from Rust and we do not | mismatches with Rust | mismatches with own | MB/s, words new | MB/s, words known | MB/s, text |
|---|---|---|---|---|---|---|---|
${rows.map(row => `| ${row.name} | ${cell(row, "js")} | ${row.counts.js ? row.jsAlone : ""} | ${cell(row, "rust")} | ${cell(row, "js-tiktoken", "sentencepiece")} | ${row.speed?.first_mb_s ?? ""} | ${row.speed?.again_mb_s ?? ""} | ${row.speed?.text_mb_s ?? ""} |`).join("\n")}

Where JS alone or js-tiktoken differs, over all tokenizers: ${Object.entries(kinds).map(([kind, count]) => `${count} strings with ${kind}`).join("; ") || "nowhere"}.

The two strings where claude differs from Rust hold U+1079B and U+107AF, letters of Unicode 14 that NFKC replaces: the crate's tables are older;
JavaScript and ours replace them.
`);
