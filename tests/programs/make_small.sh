#!/usr/bin/env bash
# The steps that make a model smaller, one after the other, each on what the last one left: the
# outputs that must stay are the same, the recipe names every step, faults leave no file behind.
# usage: make_small.sh <command that runs kinglet-weights> <fixture folder> <scratch folder>
set -euo pipefail
read -ra weights <<<"$1"
fixture=$2 scratch=$3
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch"
golden=$fixture/golden_high_b3.safetensors

fail() { echo "$*"; exit 1; }
# step <command> <in> <arguments>... <out>: without extension
step() {
  "${weights[@]}" "$1" "$2.gguf" "${@:3:$#-3}" -o "${*: -1}.gguf" >log 2>&1 || { cat log; fail "$*: failed"; }
}
verify() {
  "${weights[@]}" verify "$1.gguf" "$golden" --bounds "$fixture/config.json" "${@:2}" >log 2>&1 ||
    { cat log; fail "$1: wrong outputs"; }
}
# refused <exit code> <arguments>...
refused() {
  local code=0
  "${weights[@]}" "${@:2}" -o refused.gguf >log 2>&1 || code=$?
  [ "$code" = "$1" ] || { cat log; fail "${*:2}: exit code $code, not $1"; }
  [ ! -e refused.gguf ] || fail "${*:2}: left a file behind"
}
size_of() { stat -c %s "$1.gguf"; }

"${weights[@]}" convert "$fixture/model_best_seen.safetensors" --arch hitut --config "$fixture/config.json" \
  --tables "$fixture/tables.safetensors" -o whole.gguf >log
layers=$("${weights[@]}" inspect whole.gguf | sed -n 's/.*hitut.block_count  u32 //p')
all=$(seq -s, 0 $((layers - 1)))

# Pruned to a corpus: the same outputs on it, byte for byte, at another size.
step prune-vocab whole --corpus "$golden" pruned
verify pruned
[ "$(size_of pruned)" -lt "$(size_of whole)" ] || fail "pruned is not smaller"
step keep-layers pruned "$all" kept
"${weights[@]}" diff pruned.gguf kept.gguf >log || { cat log; fail "all layers kept: tensors differ"; }

# A full-rank product gives the outputs within the bounds; then a smaller one, in int8, of fewer layers.
width=$("${weights[@]}" inspect whole.gguf | sed -n 's/.*hitut.word_embedding_length  u32 //p')
rows=$("${weights[@]}" inspect pruned.gguf | sed -nE 's/.*token_embd.weight +float32 \[([0-9]+),.*/\1/p')
step factorize whole --rank "$width" factors
verify factors
step prune-vocab factors --corpus "$golden" factors_pruned
verify factors_pruned
step factorize pruned --rank $((rows < width ? rows : width)) pruned_factors
verify pruned_factors
step quantize factors_pruned int8
step prune-vocab int8 --corpus "$golden" int8_pruned
step factorize int8_pruned --energy 0.5 int8_factors
step keep-layers int8_factors 0 small
"${weights[@]}" plan small.gguf --json | grep -q '"weights_bytes"'
# It runs and gives numbers, if not always the same choice.
"${weights[@]}" verify small.gguf "$golden" --atol 10 --allow-missing 'hidden*' >log 2>&1 || [ $? -eq 1 ] ||
  { cat log; fail "the smallest model does not run"; }
[ "$(grep -cE '^  ok +(type|arg)_logits ' log)" -eq 2 ] && ! grep '^  FAIL' log | grep -qv '_pred ' ||
  { cat log; fail "the smallest model: wrong outputs"; }
recipe=$("${weights[@]}" inspect small.gguf | sed -n 's/.*kinglet.recipe  string //p')
case $recipe in
  "convert hitut; factorize "*"; prune-vocab "*"; quantize"*"; prune-vocab "*"; factorize "*"; keep-layers 0") ;;
  *) fail "the recipe is: $recipe" ;;
esac

# What cannot be done is said.
printf '999999\n' >beyond.txt
printf 'no piece\n' >pieces.txt
refused 1 prune-vocab whole.gguf --corpus beyond.txt
refused 1 prune-vocab whole.gguf --corpus pieces.txt
refused 1 prune-vocab whole.gguf --corpus "$fixture/tables.safetensors"
refused 1 prune-vocab "$golden" --corpus "$golden"
refused 1 keep-layers whole.gguf "$layers"
refused 1 keep-layers whole.gguf 0,0
refused 2 keep-layers whole.gguf 0,x
refused 2 keep-layers whole.gguf
refused 1 factorize whole.gguf --rank 100000
refused 2 factorize whole.gguf
refused 2 factorize whole.gguf --rank 4 --energy 0.5
refused 2 factorize whole.gguf --energy 1.5
if "${weights[@]}" keep-layers whole.gguf 0 -o whole.gguf >log 2>&1; then fail "the input was overwritten"; fi
echo "$(size_of whole) bytes, pruned $(size_of pruned), in the end $(size_of small): $recipe"
