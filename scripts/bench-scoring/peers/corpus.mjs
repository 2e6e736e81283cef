// What the Node contenders share: options, the corpus, the losses, and the line that says how it went.
import fs from 'node:fs';

/** Options `--name value` as an object. */
export function options() {
  const result = {};
  for (let i = 2; i < process.argv.length; i += 2) result[process.argv[i].slice(2)] = process.argv[i + 1];
  return result;
}

/** Rows of a corpus: `ids`, and the indices of the tokens that are `targets`. */
export function readCorpus(file) {
  return fs.readFileSync(file, 'utf8').trim().split('\n').map((line) => {
    const { input_ids: ids, labels } = JSON.parse(line);
    return { ids, targets: labels.flatMap((label, i) => (label === -100 ? [] : [i])) };
  });
}

/** What is scored once before anything is timed. */
export const warmup = { ids: Array.from({ length: 16 }, (_, i) => i + 3), targets: [8, 9, 10, 11, 12, 13, 14, 15] };

/** Writes float32 losses: a list for each row, one loss for each of its targets. */
export function writeLosses(file, losses) {
  fs.writeFileSync(file, new Uint8Array(Float32Array.from(losses.flat()).buffer));
}

/** The last line of a contender. */
export function tell(result) {
  console.log(JSON.stringify(result));
}
