#!/usr/bin/env bash
# Scoring, side by side: see README.md.
#
#   bench.sh prepare [--shape LIST]                     builds, installs the Node peers, makes models and corpora
#   bench.sh check   [--shape LIST] [--contenders LIST] do all agree in loss?
#   bench.sh run     [--shape LIST] [--contenders LIST] [--rounds N]
#   bench.sh table   [--engine COMMIT|all]              scripts/results/scoring*.{json,md}
#   bench.sh memory  [--length N] [--memory MB]
#   bench.sh stream  [--rows N] [--settled N]
#   bench.sh large
#   bench.sh peak
#
# Lists are separated by commas. WORK=dir (default scripts/bench-scoring/work) holds everything in between. Only prepare builds.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
work="${WORK:-$here/work}"
command="${1:-}"; [ $# -gt 0 ] && shift
mkdir -p "$work"

# Packages come from the registry that npm is configured for. Platform packages are many and large: of llama.cpp's only the one for the
# CPU of this system.
install() {
  local folder="$work/$1"; shift
  [ -d "$folder/node_modules" ] && return
  mkdir -p "$folder"
  echo '{"private":true,"type":"module"}' > "$folder/package.json"
  (cd "$folder" && npm install --no-audit --no-fund --ignore-scripts --save-exact "$@")
}

if [ "$command" = prepare ]; then
  dotnet build "$here/BenchScoring.csproj" -c Release -v q --nologo
  install transformers @huggingface/transformers@4.3.1
  install llama --omit=optional node-llama-cpp@3.22.1 "@node-llama-cpp/$(node -p 'process.platform + "-" + process.arch')@3.22.1"
fi

engine="$(git -C "$root" log -1 --format=%h -- src)"
[ -z "$(git -C "$root" status --porcelain -- src)" ] || engine="$engine+"
# table takes the engine of the last records unless told otherwise.
labels=(--engine "$engine"); [ "$command" = table ] && labels=()
exec "$root/artifacts/bin/BenchScoring/release/BenchScoring" "$command" --root "$root" --work "$work" --node "$(node --version)" "${labels[@]}" "$@"
