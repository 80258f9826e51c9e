#!/usr/bin/env bash
# `kinglet-bench synth`: the sizes that were asked for, the same bytes again, and files that run.
# usage: bench_synth.sh <command that runs kinglet-bench> <command that runs kinglet-weights> <scratch folder>
set -euo pipefail
read -ra bench <<<"$1"
read -ra weights <<<"$2"
scratch=$3
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch"

# sizes <architecture> <options>: the options for synth, in the order in which the recipe has them
for sizes in "hitut --size minilm --layers 1 --vocab 200" "bert --size minilm --layers 1 --vocab 200" \
  "alfred-seq2seq --size small --vocab 200 --actions 7"; do
  arch=${sizes%% *}
  read -ra small <<<"--arch $sizes"
  "${bench[@]}" synth "${small[@]}" -o "$arch.gguf" >out
  "${bench[@]}" synth "${small[@]}" -o again.gguf >out
  cmp "$arch.gguf" again.gguf
  "${bench[@]}" synth "${small[@]}" --seed 2 -o again.gguf >out
  cmp -s "$arch.gguf" again.gguf && { echo "$arch: another seed gives the same bytes"; exit 1; }
  "${weights[@]}" inspect "$arch.gguf" >out
  lines=("kinglet.recipe  string synth $sizes --seed 1" "$arch.vocab_size  u32 200")
  if [ "$arch" = alfred-seq2seq ]; then
    lines+=("$arch.action_count  u32 7" "$arch.hidden_length  u32 24")
  else
    lines+=("$arch.block_count  u32 1" "$arch.feed_forward_length  u32 1536")
  fi
  for line in "${lines[@]}"; do
    grep -qF "$line" out || { echo "$arch: not $line"; cat out; exit 1; }
  done
  steps=
  [ "$arch" != alfred-seq2seq ] || steps="--steps 3"
  "${bench[@]}" model "$arch.gguf" --seq 5 $steps --batch 2 --seconds 0 --no-limits >out
  grep -qE 'batch 2, 5 live positions(, 3 steps)?$' out || { cat out; exit 1; }
  grep -qE 'logits +[0-9a-f]{16}$' out || { cat out; exit 1; }
done
