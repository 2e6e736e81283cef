// Reads an annotation file in Parquet with DuckDB and the same rows in JSON lines with JSON.parse, and compares all of it:
//
//   node check.mjs ANNOTATIONS.parquet ANNOTATIONS.jsonl
//
// Prints a line of JSON, or what differs and exits with 1.
import { DuckDBInstance } from '@duckdb/node-api';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

const types = {
  id: 'VARCHAR', input_ids: 'INTEGER[]', labels: 'INTEGER[]', base_loss: 'FLOAT[]', probe_loss: 'FLOAT[]', control_loss: 'FLOAT[]',
  loss_difference: 'FLOAT[]', role: 'TINYINT[]', known_role: 'TINYINT[]', weight: 'FLOAT[]', offset_start: 'INTEGER[]', offset_end: 'INTEGER[]',
  text: 'VARCHAR',
};
const [parquet, jsonl] = process.argv.slice(2);
const fail = message => { console.error(message); process.exit(1); };
const same = (a, b, isFloat) => a === b || (isFloat && a !== null && b !== null && Math.fround(a) === Math.fround(b));

const connection = await (await DuckDBInstance.create(':memory:')).connect();
const reader = await connection.runAndReadAll('select * from read_parquet(?)', [parquet]);
const names = reader.columnNames();
reader.columnTypes().forEach((type, i) => {
  if (String(type) !== types[names[i]]) fail(`column ${names[i]} is ${type}, expected ${types[names[i]]}`);
});
for (const name of ['id', 'input_ids', 'labels', 'base_loss', 'offset_start', 'offset_end', 'text'])
  if (!names.includes(name)) fail(`there is no column ${name}`);

const rows = reader.getRowObjectsJson();
let at = 0, tokens = 0, targets = 0, values = 0;
for await (const line of createInterface({ input: createReadStream(jsonl) })) {
  const expected = JSON.parse(line), row = rows[at];
  if (row === undefined) fail(`the Parquet file ends before row ${at}`);
  for (const name of Object.keys(expected)) if (!names.includes(name)) fail(`row ${at}: ${name} is missing in the Parquet file`);
  for (const name of names) {
    const wanted = expected[name] ?? null, found = row[name] ?? null;
    if (!types[name].endsWith('[]') || wanted === null || found === null) {
      if (wanted !== found) fail(`row ${at}: ${name} is ${found}, expected ${wanted}`);
      continue;
    }
    if (found.length !== row.input_ids.length) fail(`row ${at}: ${name} has ${found.length} values for ${row.input_ids.length} tokens`);
    found.forEach((value, i) => {
      values++;
      if (!same(value, wanted[i], types[name] === 'FLOAT[]')) fail(`row ${at}: ${name}[${i}] is ${value}, expected ${wanted[i]}`);
    });
  }
  row.labels.forEach((label, i) => {
    if (label !== -100 && label !== row.input_ids[i]) fail(`row ${at}: labels[${i}] is ${label}, expected -100 or ${row.input_ids[i]}`);
    if (label !== -100) targets++;
    for (const name of ['base_loss', 'probe_loss', 'control_loss', 'loss_difference', 'role'])
      if (label === -100 && row[name] != null && row[name][i] !== null) fail(`row ${at}: ${name}[${i}] is ${row[name][i]} where there is no response token`);
  });
  tokens += row.input_ids.length;
  at++;
}
if (at !== rows.length) fail(`the Parquet file has ${rows.length} rows, expected ${at}`);

// What a user asks first, by SQL on the list columns.
const [{ n }] = (await connection.runAndReadAll(
  'select sum(len(list_filter(labels, label -> label <> -100)))::int as n from read_parquet(?)', [parquet])).getRowObjectsJson();
if ((n ?? 0) !== targets) fail(`SQL counts ${n} response tokens, expected ${targets}`);
const version = (await connection.runAndReadAll('select version() as v')).getRowObjectsJson()[0].v;
console.log(JSON.stringify({ reader: `DuckDB ${version}`, rows: at, tokens, targets, values, columns: names }));
