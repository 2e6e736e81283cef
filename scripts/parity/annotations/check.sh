#!/usr/bin/env bash
# Reads annotation files with DuckDB and compares them with the same rows as JSON lines; writes scripts/results/annotations.json. Needs node, npm
# and dotnet. After it has run once, the tests read random annotations with DuckDB too (AnnotationReadersTests).
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../../.." && pwd)"
mkdir -p "$here/work" "$root/scripts/results"
cd "$here/work"
[ -f package.json ] || echo '{"private":true,"type":"module"}' > package.json
npm install --no-audit --no-fund --ignore-scripts --save-exact @duckdb/node-api@1.5.6-r.1
cp "$here/check.mjs" .
dotnet build "$root/src/Shad.Cli/Shad.Cli.csproj" -c Release -v q --nologo
shad="$root/artifacts/bin/Shad.Cli/release/shad"
rm -rf run && mkdir run
"$shad" demo --samples "${SAMPLES:-400}" --steps 2 --runs run --json > run/demo.json
losses="$(ls run/demo/score/*.parquet | head -1)"
"$shad" annotate --scored "$losses" --out run/annotations.parquet --json > /dev/null
"$shad" annotate --scored "$losses" --out run/annotations.jsonl --json > /dev/null
node check.mjs run/annotations.parquet run/annotations.jsonl | tee "$root/scripts/results/annotations.json"
