#!/usr/bin/env bash
# Does RFT beat SFT? Tunes shad-mini on the demo corpus in many ways and seeds and compares what the tuned models answer: see
# experiment.json, which says what is run. Run it again after an interruption: it goes on after the last result. 8 to 9 hours on 2 cores
# as it stands (with two side by side, a tune of 240 steps and its answers take 2 minutes, one of 120 a bit over 1, one of 80 a bit under;
# the probes of 29 training sets an hour and a half).
#
#   scripts/experiment-rft/experiment.sh [SETTINGS.json]
#
# WORK=dir (default scripts/experiment-rft/work) holds results.jsonl and what is in between; OUT=dir (default scripts/results) gets
# experiment-rft.md, .svg and .json.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
cd "$root"
dotnet build "$here/ExperimentRft.csproj" -c Release -v q --nologo
exec "$root/artifacts/bin/ExperimentRft/release/ExperimentRft" run \
  --settings "${1:-$here/experiment.json}" --work "${WORK:-$here/work}" --out "${OUT:-$root/scripts/results}"
