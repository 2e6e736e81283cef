#!/usr/bin/env bash
# Makes a local NuGet package Microsoft.ML.OnnxRuntimeGenAI 0.15.2 (Linux x64) from the C# sources and the library that the npm package
# com.github.asus4.onnxruntime-genai 0.4.9 holds (MIT), for feeds that do not have it. Builds with -p:ShadGenAI=true find it in work/feed.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p work
cd work
[ -f package.json ] || echo '{"private":true}' > package.json
npm install --no-audit --no-fund --ignore-scripts --save-exact com.github.asus4.onnxruntime-genai@0.4.9
cd ..
dotnet pack Microsoft.ML.OnnxRuntimeGenAI.csproj -c Release -v q --nologo
ls work/feed/*.nupkg
