#!/usr/bin/env bash
# Does RFT beat SFT? Tunes shad-mini on the demo corpus in many ways and seeds and compares what the tuned models answer: see
# experiment.json, which says what is run. Run it again after an interruption: it goes on after the last result. About 7 hours on 2 cores
# as it stands (an arm's 40 and 80 steps with one training set take 110 s, 220 times; the probes of 20 training sets half an hour).
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
