#!/usr/bin/env bash
# Throughput and peak memory of a training step, batch 8 × 256 tokens, against PyTorch eager: full and LoRA tuning, fp32 and bf16.
# Debian: apt install python3-torch libopenblas0-pthread (without the latter its matrix products run at a twentieth of the speed). PYTHON=path
# names another interpreter that has torch.
#
#   scripts/bench-training/bench.sh [MODE …]        modes: full-fp32 full-bf16 lora-fp32 lora-bf16; default all
#
# SHAPE=135m (default) or small; STEPS=5, the first of which warms up; THREADS=2; WORK=dir (default scripts/bench-training/work).
# PREPARE_ONLY=1 stops before the measurement.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
shape="${SHAPE:-135m}"
work="${WORK:-$here/work/$shape}"
bin="$root/artifacts/bin"
if [ -z "${NO_BUILD:-}" ]; then dotnet build "$here/BenchTraining.csproj" -c Release -v q --nologo; fi
"$bin/BenchTraining/release/BenchTraining" "$work" "$shape" "${STEPS:-5}" "${THREADS:-2}"
if [ -n "${PREPARE_ONLY:-}" ]; then exit 0; fi
export OMP_NUM_THREADS="${THREADS:-2}" OPENBLAS_NUM_THREADS="${THREADS:-2}"
exec "${PYTHON:-/usr/bin/python3}" "$here/bench.py" "$work" "$bin/Shad.Sidecar/release/Shad.Sidecar" "$root/scripts/results" "$@"
