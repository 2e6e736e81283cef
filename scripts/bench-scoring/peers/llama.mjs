// llama.cpp through node-llama-cpp. Two modes: "losses" reads what the API gives of the next token at each target (the logit of the
// given token, the largest logit and the sum of exponentials); "prefill" only evaluates the tokens, which gives no losses, and shows what
// llama.cpp itself does.
//
//   node llama.mjs --packages FOLDER --model FILE.gguf --corpus FILE --out FILE --mode losses|prefill --cache F32|F16 --context N
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { options, readCorpus, tell, warmup, writeLosses } from './corpus.mjs';

const { packages, model: file, corpus, out, mode, cache, context: contextSize } = options();
const require = createRequire(path.join(path.resolve(packages), 'package.json'));
const { getLlama, LlamaLogLevel } = await import(pathToFileURL(path.join(path.resolve(packages), 'node_modules/node-llama-cpp/dist/index.js')));
const version = JSON.parse(fs.readFileSync(path.join(packages, 'node_modules/node-llama-cpp/package.json'))).version;

const rows = readCorpus(corpus);
let start = performance.now();
const llama = await getLlama({ gpu: false, build: 'never', logLevel: LlamaLogLevel.error, maxThreads: os.cpus().length });
const model = await llama.loadModel({ modelPath: path.resolve(file), gpuLayers: 0 });
const context = await model.createContext({
  contextSize: Number(contextSize), batchSize: Math.min(Number(contextSize), 512), threads: { ideal: os.cpus().length, min: os.cpus().length },
  experimentalKvCacheKeyType: cache, experimentalKvCacheValueType: cache, flashAttention: cache === 'F16',
});
const sequence = context.getSequence();
const loadSeconds = (performance.now() - start) / 1000;
await score(warmup);

const losses = [];
start = performance.now();
for (const row of rows) losses.push(await score(row));
const seconds = (performance.now() - start) / 1000;
if (mode === 'losses') writeLosses(out, losses);
tell({
  seconds, load_seconds: loadSeconds, notes: mode === 'losses' ? 'the API reads one position after the other' : 'evaluates the tokens; gives no losses',
  version: `node-llama-cpp ${version}, llama.cpp ${llama.llamaCppRelease?.release ?? '?'}, Node ${process.version}`,
});
await llama.dispose();

async function score(row) {
  await sequence.clearHistory();
  const input = row.ids.slice(0, row.targets.at(-1));
  if (mode === 'prefill') {
    await sequence.evaluateWithoutGeneratingNewTokens(input);
    return [];
  }

  const wanted = new Set(row.targets);
  const result = await sequence.controlledEvaluate(input.map((id, i) => (wanted.has(i + 1)
    ? [id, { generateNext: { logits: { filter: { tokens: [row.ids[i + 1]], includeTop: 1 } }, totalLogitWeight: true } }]
    : id)));
  return row.targets.map((i) => {
    const { next } = result[i - 1];
    const logits = [...next.logits.values()];
    return Math.log(next.totalLogitWeight) + Math.max(...logits) - next.logits.get(row.ids[i]);
  });
}
