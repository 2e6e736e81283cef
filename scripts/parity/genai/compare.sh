#!/usr/bin/env bash
# Greedy generation by onnxruntime-genai against our own, token for token, and the losses of exported variants; writes scripts/results/genai.md.
# Needs node, npm and dotnet on Linux x64.
#
#   scripts/parity/genai/compare.sh [MODEL…]      default: models/shad-mini
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../../.." && pwd)"
[ $# -gt 0 ] || set -- "$root/models/shad-mini"
ls "$root"/scripts/make-genai-package/work/feed/*.nupkg > /dev/null 2>&1 || "$root/scripts/make-genai-package/make.sh"
dotnet build "$here/GenAIParity.csproj" -c Release -v q --nologo
mkdir -p "$here/work" "$root/scripts/results"
"$root/artifacts/bin/GenAIParity/release/GenAIParity" "$root/scripts/results/genai.md" "$here/work" "$@"
