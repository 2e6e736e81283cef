// Writes the strings that the tokenizers are compared on, a JSON string a line: always the same ones.
//
//   node strings.mjs OUT.jsonl
//
// Words of some two hundred languages come from ICU (names of days, months, regions, languages, units, numbers in native digits);
// code and prose from the texts beside this script; the rest is put together at random from what is hard on tokenizers.
import { readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../../..");

let state = 0x9e3779b9;
function random() { // mulberry32
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const below = n => Math.floor(random() * n);
const pick = list => list[below(list.length)];

function* languages() {
  const letters = "abcdefghijklmnopqrstuvwxyz";
  for (const a of letters) for (const b of letters) {
    const code = a + b;
    if (Intl.DateTimeFormat.supportedLocalesOf([code]).length) yield code;
  }
  yield* ["zh-Hant", "sr-Latn", "uz-Cyrl", "pa-Arab", "ckb", "haw", "chr", "vai", "yue", "sat", "mni", "ff-Adlm", "shi", "zgh", "kok", "mai", "bho"];
}

function words(language) {
  const found = [];
  const regions = new Intl.DisplayNames([language], { type: "region", fallback: "none" });
  const tongues = new Intl.DisplayNames([language], { type: "language", fallback: "none" });
  const money = new Intl.DisplayNames([language], { type: "currency", fallback: "none" });
  for (const code of ["DE", "JP", "US", "IN", "BR", "EG", "CN", "RU", "ZA", "KR", "IR", "GR", "CH", "GB", "TH", "ET"]) found.push(regions.of(code));
  for (const code of ["de", "ja", "en", "hi", "pt", "ar", "zh", "ru", "ko", "fa", "el", "th", "am", "bn"]) found.push(tongues.of(code));
  for (const code of ["EUR", "JPY", "USD", "INR", "CNY"]) found.push(money.of(code));
  for (let month = 0; month < 12; month++)
    found.push(new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "medium", timeZone: "UTC" }).format(new Date(Date.UTC(2024, month, 1 + 2 * month, month, 3 * month))));
  for (const number of [0, 7, 12345.678, 9876543210, -0.5])
    found.push(new Intl.NumberFormat(language, { numberingSystem: "native" }).format(number), new Intl.NumberFormat(language, { style: "unit", unit: "kilometer-per-hour", unitDisplay: "long" }).format(number));
  found.push(new Intl.ListFormat(language).format(found.filter(Boolean).slice(0, 5)));
  return found.filter(Boolean);
}

function* texts(folder) {
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (["work", "bin", "obj", "artifacts", ".git", "models"].includes(name)) continue;
    if (statSync(path).isDirectory()) yield* texts(path);
    else if (/\.(cs|md|py|yaml|csproj|sh|js|css)$/.test(name) && !name.includes("Data.cs")) yield readFileSync(path, "utf8");
  }
}

const hard = [
  " ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", " \n ", "\u00a0", "\u3000", "\u2028", "\u0085", "\u200b", "\ufeff", "\u180e", "\u1680",
  "'s", "'RE", "'ll", "'ſ", "'", "’s", "don't", "I'M", "_", "__", "▁", "▁▁", "<0x41>", "|>", "<|", "Ġ", "Ċ",
  "0", "12", "1234567", "٣", "٣٤٥", "½", "Ⅷ", "𝟙", "𝟙𝟚𝟛𝟜", "²", "३४५", "①②", "1,234.56", "3.14e-10", "0xFF",
  "👍", "👍🏽", "👩‍👩‍👧", "🇨🇭", "🏳️‍🌈", "é", "e\u0301", "a\u0323\u0307", "\u0301", "가", "\u1100\u1161\u11a8", "\u212b", "\ufb01", "Å", "①", "ｶﾞ", "Ａ", "㍿", "ﷺ",
  "𠀋", "𐍈𐍈", "𝒜", "東京", "ひらがな", "カタカナ", "中文", "한국어", "ไทย", "ភាសា", "မြန်မာ", "हिन्दी", "বাংলা", "العربية", "עברית", "ქართული", "ᏣᎳᎩ", "𞤀𞤣𞤤", "ꦗꦮ",
  "the", "The", "THE", "camelCase", "HTTPServer", "snake_case", "x", "X", "function", "return", "https://example.org/a?b=c&d=%20", "user@host", "#### 72", "</div>",
  "{\"a\": [1, 2]}", "->", "==", "!=", "...", "…", "—", "–", "“quoted”", "«»", "()", "[];", "//", "/*", "\\n", "$x^2$", "\\frac{1}{2}",
];

function randomText() {
  const kind = below(4);
  let text = "";
  for (let n = 1 + below(14); n > 0; n--) {
    if (kind === 0 || random() < 0.7) text += pick(hard);
    else if (kind === 1) text += String.fromCharCode(0x20 + below(0x5f));
    else if (kind === 2) text += String.fromCharCode(pick([0xa0, 0x370, 0x530, 0x600, 0x900, 0xe00, 0x1000, 0x1e00, 0x2000, 0x2100, 0x3040, 0x4e00, 0xac00, 0xff00]) + below(0xe0));
    else {
      let code;
      do code = below(0x30000); while (code >= 0xd800 && code < 0xe000);
      text += String.fromCodePoint(code);
    }
    if (random() < 0.25) text += " ";
  }
  return text;
}

const special = [
  "<s>", "</s>", "<unk>", "<pad>", "<bos>", "<eos>", "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>",
  "<|end_header_id|>", "<start_of_turn>", "<end_of_turn>", "<｜begin▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>", "<think>", "</think>", "<tool_call>", "</tool_call>",
  "<|start|>", "<|message|>", "<|channel|>", "<|end|>", "[multimodal]", "<unused1>", "<META>", "<EOT>", "\n\nHuman:", "[INST]", "[/INST]",
];

const strings = [];
for (const language of languages()) {
  const found = words(language);
  for (let n = 0; n < 45; n++) {
    const some = [];
    for (let m = 1 + below(5); m > 0; m--) some.push(pick(found));
    strings.push(some.join(pick([" ", ", ", "\n", "", " – "])));
  }
}
const fromIcu = strings.length;
const lines = [...texts(join(root, "src")), ...texts(join(root, "scripts")), readFileSync(join(root, "README.md"), "utf8")].flatMap(text => text.split("\n"));
for (let n = 0; n < 5000; n++) {
  const at = below(lines.length);
  strings.push(lines.slice(at, at + 1 + below(6)).join("\n"));
}
for (let n = 0; n < 6000; n++) strings.push(randomText());
for (let n = 0; n < 2000; n++) strings.push([randomText(), pick(special), pick([" ", "", "\n"]), randomText(), pick(special), pick(["", randomText()])].join(""));
writeFileSync(process.argv[2], strings.map(text => JSON.stringify(text) + "\n").join(""));
console.log(`${strings.length} strings, ${fromIcu} of them in ${[...languages()].length} languages, ${Buffer.byteLength(strings.join("")) } bytes`);
