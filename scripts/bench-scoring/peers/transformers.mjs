// @huggingface/transformers on onnxruntime-node with the same exported graph: logits [B,S,V] of batches of a fixed number of samples,
// sorted by length and padded; log-softmax here.
//
//   node transformers.mjs --packages FOLDER --model FOLDER --corpus FILE --out FILE --batch N
import os from 'node:os';
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { options, readCorpus, tell, warmup, writeLosses } from './corpus.mjs';

const { packages, model: folder, corpus, out, batch: size } = options();
const require = createRequire(path.join(path.resolve(packages), 'package.json'));
const { AutoModelForCausalLM, Tensor, env } = await import(pathToFileURL(require.resolve('@huggingface/transformers')));
const version = (name) => JSON.parse(fs.readFileSync(path.join(packages, 'node_modules', name, 'package.json'))).version;

env.allowRemoteModels = false;
env.allowLocalModels = true;
env.localModelPath = path.dirname(path.resolve(folder));
const rows = readCorpus(corpus);
const config = JSON.parse(fs.readFileSync(path.join(folder, 'config.json')));
const keyValueHeads = config.num_key_value_heads;
const headSize = config.head_dim ?? config.hidden_size / config.num_attention_heads;
let start = performance.now();
const model = await AutoModelForCausalLM.from_pretrained(path.basename(folder), { dtype: 'fp32', device: 'cpu', subfolder: '', local_files_only: true, session_options: { intraOpNumThreads: os.cpus().length } });
const loadSeconds = (performance.now() - start) / 1000;
await score([warmup]);

const losses = new Array(rows.length);
start = performance.now();
const order = rows.map((_, i) => i).sort((a, b) => rows[b].ids.length - rows[a].ids.length);
for (let first = 0; first < order.length; first += Number(size)) {
  const batch = order.slice(first, first + Number(size));
  (await score(batch.map((i) => rows[i]))).forEach((loss, k) => { losses[batch[k]] = loss; });
}
const seconds = (performance.now() - start) / 1000;
writeLosses(out, losses);
tell({
  seconds, load_seconds: loadSeconds, notes: `batches of ${size}`,
  version: `@huggingface/transformers ${version('@huggingface/transformers')}, onnxruntime-node ${version('onnxruntime-node')}, Node ${process.version}`,
});

async function score(batch) {
  const width = Math.max(...batch.map((row) => row.ids.length));
  const ids = new BigInt64Array(batch.length * width);
  const mask = new BigInt64Array(batch.length * width);
  batch.forEach((row, b) => row.ids.forEach((id, i) => {
    ids[b * width + i] = BigInt(id);
    mask[b * width + i] = 1n;
  }));
  // An empty cache: the library would make one itself, but only where the graph's dimensions bear the names it knows.
  const cache = Object.fromEntries(model.sessions.model.inputNames.filter((name) => name.startsWith('past_key_values.'))
    .map((name) => [name, new Tensor('float32', new Float32Array(0), [batch.length, keyValueHeads, 0, headSize])]));
  const { logits, ...others } = await model({
    input_ids: new Tensor('int64', ids, [batch.length, width]), attention_mask: new Tensor('int64', mask, [batch.length, width]),
    past_key_values: cache,
  });
  const vocabulary = logits.dims[2];
  const values = logits.data;
  const result = batch.map((row, b) => row.targets.map((i) => {
    const from = (b * width + i - 1) * vocabulary;
    let most = -Infinity;
    for (let k = from; k < from + vocabulary; k++) if (values[k] > most) most = values[k];
    let sum = 0;
    for (let k = from; k < from + vocabulary; k++) sum += Math.exp(values[k] - most);
    return Math.log(sum) + most - values[from + row.ids[i]];
  }));
  logits.dispose?.();
  for (const value of Object.values(others)) value?.dispose?.();
  return result;
}
