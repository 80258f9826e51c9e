#!/usr/bin/env bash
# kinglet-bench over ALFRED's Seq2Seq: parts of an episode are timed, recorded masks and episodes are
# judged.
# usage: bench_seq2seq.sh <kinglet-bench> <kinglet-weights> <seq2seq fixture folder> <scratch folder>
set -euo pipefail
bench=$1 weights=$2 fixture=$3 scratch=$4
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch"

fail() { echo "$1"; cat out err; exit 1; }
# refused <exit status> <part of the message> <argument>...
refused() {
  local status=0
  "$bench" "${@:3}" >out 2>err || status=$?
  [ "$status" -eq "$1" ] && grep -qF -- "$2" err || fail "${*:3}: status $status"
}

"$bench" synth --arch alfred-seq2seq --size small -o small.gguf >out
for task in language core whole; do
  "$bench" model small.gguf --task $task --seq 5 --steps 3 --batch 2 --seconds 0 --json >out 2>err ||
    fail "$task"
  for key in "\"task\": \"$task\"" '"length": 5' '"weight_reads": ' '"state_bytes": '; do
    grep -qF "$key" out || fail "$task: the JSON lacks $key"
  done
  # What was planned is what was used.
  bytes=$(sed -nE 's/^ *"scratch_(planned|used)": ([0-9]+),$/\2/p' out | sort -u | wc -l)
  [ "$bytes" -eq 1 ] || fail "$task: uses other memory than was planned"
done
refused 1 'Seq2Seq has language, core, whole' model small.gguf --task high

# Recorded masks: all pixels as PyTorch had them.
checkpoint=$(ls "$fixture"/best_seen*.pth | head -n 1)
"$weights" convert "$checkpoint" --arch alfred-seq2seq --config "$fixture/config.json" \
  -o recorded.gguf >out 2>err || fail convert
"$bench" accuracy recorded.gguf "$fixture/golden_b1.safetensors" --json >out 2>err || fail golden
grep -qF '"group": "forced.mask_logits_every_16th_row"' out || fail "no masks"
tr -d '\n ' <out | grep -qF '"name":"worstIoU","value":1.0' || fail "other masks"

# Two episodes of three and two steps, one object of no features in each frame; numbers are bytes.
tensors='lang_ids:4:01 02 03 04,lang_offsets:3:00 03 04,actions:5:03 04 02 05 02'
tensors+=',step_offsets:3:00 03 05,object_class:5:00 00 00 00 00,frame_object_offsets:6:00 01 02 03 04 05'
tensors+=',object_cells:20:00 00 06 06 00 00 06 06 00 00 06 06 00 00 06 06 00 00 06 06'
tensors+=',unseen_scene:2:00 01'
header= at=0
: >data
IFS=, read -ra list <<<"$tensors"
for tensor in "${list[@]}"; do
  IFS=: read -r name count bytes <<<"$tensor"
  header+="\"$name\":{\"dtype\":\"U8\",\"shape\":[$count],\"data_offsets\":[$at,$((at += count))]},"
  printf "\\x${bytes// /\\x}" >>data
done
header+="\"class_features_x8\":{\"dtype\":\"U8\",\"shape\":[1,512],\"data_offsets\":[$at,$((at + 512))]}"
head -c 512 /dev/zero >>data
header="{$header}"
{
  printf "\\x$(printf %02x $((${#header} % 256)))\\x$(printf %02x $((${#header} / 256)))\\0\\0\\0\\0\\0\\0"
  printf %s "$header"
  cat data
} >episodes.safetensors
"$bench" accuracy small.gguf small.gguf episodes.safetensors --max-drop 0 >out 2>err || fail episodes
grep -qE 'gives 5 of 5 answers as the first model does' out || fail "equal models differ"
grep -qE '^ +all +seen +unseen +step$' out || fail "other scores"
echo '{"accuracies": [{"what": "fp32", "steps": 5, "action_low_f1": 2}]}' >metrics.json
refused 1 'F1 all: ' accuracy small.gguf episodes.safetensors --recorded metrics.json --within-points 99
refused 1 'none is recorded in this set' accuracy small.gguf episodes.safetensors --max-difference 1
"$bench" synth --arch alfred-seq2seq --size small --actions 5 -o few.gguf >out
refused 1 'action 5 of the expert' accuracy few.gguf episodes.safetensors
