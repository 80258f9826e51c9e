#!/usr/bin/env bash
# What the commands write: never over a file that they read.
# usage: outputs.sh <command that runs kinglet-weights> <command that runs kinglet-bench, or "">
#          <HiTUT fixture folder> <scratch folder>
set -euo pipefail
read -ra weights <<<"$1"
read -ra bench <<<"$2"
fixture=$3 scratch=$4
rm -rf "$scratch"
mkdir -p "$scratch/inputs"
cd "$scratch"

failed=0
fail() {
  echo "$*"
  failed=1
}

# The inputs, which may be lost here.
cp "$fixture"/{config.json,tables.safetensors} inputs
cp "$fixture/model_best_seen.safetensors" inputs/weights
cp "$fixture/golden_high_b3.safetensors" inputs/golden
seq 0 208 >inputs/corpus
printf '%s\n' '[PAD]' '[UNK]' {2..208} >inputs/vocab
"${weights[@]}" convert inputs/weights --arch hitut --config inputs/config.json \
  --tables inputs/tables.safetensors -o inputs/model >log
if [ ${#bench[@]} -gt 0 ]; then
  "${bench[@]}" model inputs/model --seconds 0 --no-limits --json >inputs/results 2>log
fi

# Every command that writes files: all its inputs, @<name>, and what is written.
declare -A weights_calls=(
  [convert]="@weights --arch hitut --config @config.json --tables @tables.safetensors --vocab @vocab -o"
  [export]="@model -o"
  [quantize]="@model --samples @golden -o"
  [keep-layers]="@model 0 -o"
  [prune-vocab]="@model --corpus @corpus @golden -o"
  [factorize]="@model --rank 2 -o")
declare -A bench_calls=(
  [model]="@model --accuracy @golden --seconds 0 --no-limits --html"
  [report]="@results -o")
cp -r inputs originals

# unharmed <arguments>... : the program refuses, and says why; nothing is changed
unharmed() {
  local code=0
  "$@" >log 2>&1 || code=$?
  [ $code -eq 1 ] || fail "${*: -$#+1}: exit code $code: $(head -3 log)"
  grep -q 'is another file of this command' log || fail "${*: -$#+1}: $(head -3 log)"
  diff -r originals inputs >log || fail "${*: -$#+1}: $(cat log)"
}
# all <command> <call> <run>...
all() {
  local name=$1 call=$2 word
  shift 2
  for option in $("$@" "$name" --help | sed -nE 's/^ +(-[a-z],)?(--[a-z-]+) FILE.*/\2/p'); do
    case $option in
      --output | --html | --report) ;;
      *) [[ " $call " == *" $option "* ]] || fail "$name: this test knows no $option" ;;
    esac
  done
  for word in $call; do
    [[ $word != @* ]] || unharmed "$@" "$name" ${call//@/inputs/} "inputs/${word#@}"
  done
}
for name in "${!weights_calls[@]}"; do all "$name" "${weights_calls[$name]}" "${weights[@]}"; done
if [ ${#bench[@]} -gt 0 ]; then
  for name in "${!bench_calls[@]}"; do all "$name" "${bench_calls[$name]}" "${bench[@]}"; done
fi
for file in inputs/model inputs/golden int8.gguf; do
  unharmed "${weights[@]}" quantize inputs/model --samples inputs/golden -o int8.gguf --report $file
done
[ ! -e int8.gguf ] || fail "quantize: writes before it looks at --report"
exit $failed
