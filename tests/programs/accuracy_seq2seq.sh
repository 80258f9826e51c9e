#!/usr/bin/env bash
# A trained Seq2Seq over recorded episodes: fp32 as PyTorch, int8 within half a point of it.
# usage: accuracy_seq2seq.sh <kinglet-bench> <kinglet-weights> <folder of the trained model> <scratch folder>
set -euo pipefail
bench=$1 weights=$2 trained=$3 scratch=$4
mkdir -p "$scratch"
cd "$scratch"
"$weights" convert "$trained/best_seen.pth" --arch alfred-seq2seq --config "$trained/config.json" \
  -o fp32.gguf
"$weights" quantize fp32.gguf -o int8.gguf
"$bench" accuracy fp32.gguf "$trained/eval.safetensors" --recorded "$trained/metrics.json" \
  --within-points 0.1 --max-difference 1e-4
"$bench" accuracy fp32.gguf int8.gguf "$trained/eval.safetensors" --max-drop 0.5
