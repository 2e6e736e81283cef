// Compares Shad's renderings with those of Jinja2 (as transformers sets it up) and of @huggingface/jinja, and writes the counts.
//   node compare.mjs WORK RESULTS.json [--show N]
import fs from "node:fs";
import path from "node:path";

const [work, results] = process.argv.slice(2);
const show = Number(process.argv[process.argv.indexOf("--show") + 1] || 0) || 0;
const read = (name) => fs.readFileSync(path.join(work, name), "utf8").trim().split("\n").map((line) => JSON.parse(line));
const jobs = read("jobs.jsonl"), shad = read("shad.jsonl"), jinja2 = read("jinja2.jsonl"), huggingface = read("huggingface.jsonl");
if (new Set([jobs.length, shad.length, jinja2.length, huggingface.length]).size !== 1) throw new Error("not every engine has rendered every job");

const responses = read("responses.jsonl");
const refused = (result) => typeof result.text !== "string";
const agree = (a, b) => (refused(a) ? refused(b) : a.text === b.text);
const rows = new Map();
let shown = 0;
jobs.forEach((job, i) => {
  const template = path.basename(job.template);
  const row = rows.get(template) ?? { template, conversations: 0, rendered: 0, differs_from_jinja2: 0, differs_from_huggingface_jinja: 0, huggingface_jinja_differs_from_jinja2: 0, responses_found: 0, responses_unclear: 0 };
  rows.set(template, row);
  row.conversations++;
  if (!refused(shad[i])) row.rendered++;
  if (responses[i].segments) row.responses_found++;
  if (responses[i].code === "chat.unclear_response" || responses[i].code === "chat.text_lost") row.responses_unclear++;
  if (!agree(shad[i], jinja2[i])) {
    row.differs_from_jinja2++;
    if (shown++ < show) {
      const a = shad[i].text ?? "", b = jinja2[i].text ?? "";
      let at = 0;
      while (at < a.length && a[at] === b[at]) at++;
      console.log(`${template} ${job.name}\n  shad:   ${shad[i].error ?? JSON.stringify(a.slice(Math.max(0, at - 30), at + 60))}\n  jinja2: ${jinja2[i].error ?? JSON.stringify(b.slice(Math.max(0, at - 30), at + 60))}`);
    }
  }
  if (!agree(shad[i], huggingface[i])) row.differs_from_huggingface_jinja++;
  if (!agree(jinja2[i], huggingface[i])) row.huggingface_jinja_differs_from_jinja2++;
});

const list = [...rows.values()];
const sum = (key) => list.reduce((total, row) => total + row[key], 0);
const total = Object.fromEntries(Object.keys(list[0]).filter((key) => key !== "template").map((key) => [key, sum(key)]));
fs.writeFileSync(results, JSON.stringify({ templates: list.length, ...total, rows: 0 }, null, 2).replace('"rows": 0', `"rows": [\n    ${list.map((row) => JSON.stringify(row)).join(",\n    ")}\n  ]`) + "\n");
console.log(JSON.stringify({ templates: list.length, ...total }));
