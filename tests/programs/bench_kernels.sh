#!/usr/bin/env bash
# `kinglet-bench kernels` over a tiny case: its JSON parses and holds what a reader needs; bad input
# is refused. Without Google Benchmark: it says so.
# usage: bench_kernels.sh <command that runs kinglet-bench> <built with Google Benchmark: ON or OFF> <scratch folder>
set -euo pipefail
read -ra bench <<<"$1"
with=$2 scratch=$3
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch"

# refused <exit status> <part of the message> <argument>...
refused() {
  local status=0
  "${bench[@]}" kernels "${@:3}" >out 2>err || status=$?
  [ "$status" -eq "$1" ] && grep -qF -- "$2" err || {
    echo "kernels ${*:3}: status $status"
    cat err
    exit 1
  }
}

if [ "$with" != ON ]; then
  refused 1 "built without Google Benchmark"
  echo "skipped: kinglet-bench kernels: built without Google Benchmark"
  exit 0
fi

cat >tiny.txt <<'SHAPES'
# one of each
gemm       1,5  17  9      # a tail everywhere
gemm_cold  1    1024  1024
attention  7    5   3
softmax    2    9
layer_norm 2    9
gelu_erf   2    9
quantize   2    9
embedding  2    9   4
lstm       9    17
SHAPES
quick=(--shapes tiny.txt --benchmark_min_time=0.0001)
"${bench[@]}" kernels "${quick[@]}" --isa scalar --benchmark_format=json >all.json 2>summary ||
  { cat summary; exit 1; }
"${bench[@]}" kernels "${quick[@]}" '--benchmark_filter=^gemm_f32/.*m:5/' --threads 1 2 >table
# In a CSV file every line has every column.
"${bench[@]}" kernels "${quick[@]}" --isa scalar --benchmark_format=csv >all.csv 2>summary
[ "$(grep -c '/threads:1"' all.csv)" -eq "$(grep -c '"name": ".*/threads:1"' all.json)" ] ||
  { cat all.csv; exit 1; }
for key in '"name": "gemm_f32/scalar/m:5/n:17/k:9/threads:1"' '"GFLOP/s": ' '"GB/s": ' '"%peak": ' \
  '"peak": ' '"peak of scalar": ' '"label": "of the FMA peak"' '"label": "of the read loop"'; do
  grep -qF "$key" all.json || { echo "all.json lacks $key"; cat all.json; exit 1; }
done
for kernel in gemm_f32 gemm_s8 linear_s8 gemm_f32_cold gemm_s8_cold attention_f32 attention_s8 softmax_f32 \
  layer_norm_f32 layer_norm_s8 quantize_rows activate_f32_gelu_erf embedding_f32 embedding_s8 lstm_f32 lstm_s8; do
  grep -qF "\"name\": \"$kernel/scalar/" all.json || { echo "all.json lacks $kernel"; exit 1; }
  grep -qE "^$kernel +scalar " summary || { echo "the summary lacks $kernel"; cat summary; exit 1; }
done
grep -qE '^gemm_f32 +scalar +2 +m = 2\.\.11 ' table || { cat table; exit 1; }
if command -v python3 >/dev/null; then
  python3 -m json.tool all.json >parsed
else
  echo "skipped: parsing the JSON: python3 is not installed"
fi

echo "gemm 1 2" >short.txt
refused 1 "short.txt: line 1: gemm takes m n k" --shapes short.txt
echo "gemm 1 2 3x" >bad.txt
refused 1 "bad.txt: line 1: '3x' is not a size" --shapes bad.txt
refused 1 "nothing.txt: cannot be read" --shapes nothing.txt
refused 2 "nothing not in {" --isa nothing
refused 2 "--benchmark_nothing" --benchmark_nothing=1
