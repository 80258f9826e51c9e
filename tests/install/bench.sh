#!/usr/bin/env bash
# Installs a build tree into a fresh prefix: `kinglet-bench kernels` has there what it needs, and no
# program knows where it was built.
# usage: bench.sh <cmake> <build tree> <source tree> <built with Google Benchmark: ON or OFF> <scratch folder>
set -euo pipefail
cmake=$1 build=$2 source=$3 with=$4 scratch=$5
rm -rf "$scratch"
mkdir -p "$scratch/elsewhere"
"$cmake" --install "$build" --prefix "$scratch/prefix" >"$scratch/installed"
cd "$scratch/elsewhere"

find ../prefix -type f \( -perm -u+x -o -name '*.so' \) >programs
grep -q kinglet-bench programs || { echo "nothing is installed"; exit 1; }
while read -r program; do
  for folder in "$source" "$build"; do
    ! grep -qF "$folder" "$program" || { echo "$program: knows $folder"; exit 1; }
  done
done <programs

[ "$with" = ON ] || { echo "skipped: kinglet-bench kernels: built without Google Benchmark"; exit 0; }
quick=(--shapes peers --isa scalar '--benchmark_filter=^gemm_f32/.*/m:1/n:768/k:768/'
  --benchmark_min_time=0.0001)
"../prefix/bin/kinglet-bench" kernels "${quick[@]}" >out 2>err || { cat out err; exit 1; }
grep -q '^gemm_f32/scalar/m:1/n:768/k:768/threads:1' out || { cat out; exit 1; }
if grep -q '\.so$' programs; then
  ../prefix/bin/kinglet-bench kernels "${quick[@]}" --baselines >out 2>err || { cat out err; exit 1; }
else
  echo "skipped: --baselines: built without other libraries"
fi
