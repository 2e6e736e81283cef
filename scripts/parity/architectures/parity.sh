#!/usr/bin/env bash
# Scores tiny random models of every architecture with ONNX Runtime (packed and padded), with the TorchSharp trainer, with a second
# implementation in double precision and with llama.cpp, and writes scripts/results/architectures.md: the largest difference of any
# token's loss. Needs node, npm and dotnet; what it installs and makes goes to work/ (or WORK=dir). LLAMA=dir names a folder where
# node-llama-cpp is installed already.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../../.." && pwd)"
work="${WORK:-$here/work}"
llama="${LLAMA:-$work/llama}"
mkdir -p "$work" "$root/scripts/results"
if [ ! -d "$llama/node_modules" ]; then
  mkdir -p "$llama"
  echo '{"private":true,"type":"module"}' > "$llama/package.json"
  (cd "$llama" && npm install --no-audit --no-fund --ignore-scripts --save-exact --omit=optional \
    node-llama-cpp@3.22.1 "@node-llama-cpp/$(node -p 'process.platform + "-" + process.arch')@3.22.1")
fi
[ -n "${SKIP_BUILD:-}" ] || dotnet build "$here/ArchitectureParity.csproj" -c Release -v q --nologo
dotnet "$root/artifacts/bin/ArchitectureParity/release/ArchitectureParity.dll" \
  "$work" "$llama" "$root/scripts/bench-scoring/peers/llama.mjs" "$root/artifacts/bin/Shad.Sidecar/release/Shad.Sidecar" \
  "$root/scripts/results/architectures.md"
