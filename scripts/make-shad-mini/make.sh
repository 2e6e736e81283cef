#!/usr/bin/env bash
# Trains models/shad-mini from nothing with the project's own sidecar. Run it again after an interruption: it goes on from the last
# checkpoint. About an hour on 2 cores.
#
#   scripts/make-shad-mini/make.sh CORPUS.jsonl [CORPUS.jsonl …]
#
# The corpora give text to quote from and words (prompts only): the published model was made with bfcl.jsonl and gsm8k.jsonl.
# WORK=dir (default scripts/make-shad-mini/work) holds everything in between; STEPS=n shortens the training.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
work="${WORK:-$here/work}"
steps="${STEPS:-5000}"
[ $# -gt 0 ] || { echo "usage: make.sh CORPUS.jsonl [CORPUS.jsonl …]" >&2; exit 2; }
corpora=(); for file in "$@"; do corpora+=(--corpus "$file"); done

dotnet build "$here/MakeShadMini.csproj" -c Release -v q --nologo
dotnet build "$root/src/Shad.Sidecar/Shad.Sidecar.csproj" -c Release -v q --nologo
make="$root/artifacts/bin/MakeShadMini/release/MakeShadMini"
sidecar="$root/artifacts/bin/Shad.Sidecar/release/Shad.Sidecar"

if [ ! -d "$work/initial" ]; then
  rm -rf "$work.partial"
  "$make" prepare --work "$work.partial" --steps "$steps" "${corpora[@]}"
  sed -i "s|$work.partial|$work|g" "$work.partial"/*.json
  mv "$work.partial" "$work"
fi

# round JOB OUTPUT: runs a tune unless its output is there.
round() {
  [ -d "$work/$2" ] || "$sidecar" tune --job "$work/$1.json" >> "$work/$1.events.jsonl"
}
round warm-up warm
round train shad-mini

"$make" measure-data --work "$work" "${corpora[@]}"
for part in with without; do
  printf '{"model":"%s","data":"%s","output":"%s"}\n' "$work/shad-mini" "$work/copy-$part-prompt.jsonl" "$work/copy-$part-prompt.losses.jsonl" > "$work/score-$part.json"
  "$sidecar" score --job "$work/score-$part.json" > /dev/null
done
"$make" measure --work "$work" "${corpora[@]}"

rm -rf "$root/models/shad-mini"
cp -r "$work/shad-mini" "$root/models/shad-mini"
echo "models/shad-mini is made."
