// Renders jobs with @huggingface/jinja.
//   node render-huggingface.mjs WORK
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";

const work = path.resolve(process.argv[2]);
const { Template } = createRequire(path.join(work, "package.json"))("@huggingface/jinja");
const RealDate = Date;
const out = fs.openSync(path.join(work, "huggingface.jsonl"), "w");
for (const line of fs.readFileSync(path.join(work, "jobs.jsonl"), "utf8").trim().split("\n")) {
  const job = JSON.parse(line);
  globalThis.Date = class extends RealDate {
    constructor(...args) { super(...(args.length ? args : [job.now])); }
  };
  let result;
  try {
    result = { text: new Template(fs.readFileSync(job.template, "utf8")).render(job.variables) };
  } catch (e) {
    result = { error: String(e.message ?? e) };
  }
  fs.writeSync(out, JSON.stringify(result) + "\n");
}
