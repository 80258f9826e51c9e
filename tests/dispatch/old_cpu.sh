#!/usr/bin/env bash
# The programs on a processor without AVX: they start, choose what it has, and give right results.
# usage: old_cpu.sh <emulator command> <qemu cpu> <isa it should get> <programs folder> <tests/data>
set -euo pipefail
emulator=$1 cpu=$2 isa=$3 programs=$4 data=$5
if ! command -v "$emulator" >/dev/null; then
  echo "skipped: $emulator is not installed"
  exit 77
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
on_old_cpu() { timeout 250 "$emulator" -cpu "$cpu" "$@"; }

weights=$programs/kinglet-weights
bench=$programs/kinglet-bench
on_old_cpu "$weights" --version
on_old_cpu "$bench" --version
fixture=$data/alfred/hitut_roberta
on_old_cpu "$weights" convert "$fixture"/model_best_seen.safetensors --arch hitut \
  --config "$fixture/config.json" --tables "$fixture/tables.safetensors" -o "$scratch/model.gguf"
on_old_cpu "$weights" verify "$scratch/model.gguf" "$fixture"/golden_*.safetensors \
  --bounds "$fixture/config.json" --isa "$isa"
# What this processor lacks is refused with an error, not with an illegal instruction.
status=0
on_old_cpu "$weights" verify "$scratch/model.gguf" "$fixture"/golden_*.safetensors \
  --bounds "$fixture/config.json" --isa avx512 || status=$?
[ $status -eq 1 ] || [ $status -eq 2 ] || { echo "--isa avx512 ended with $status"; exit 1; }
