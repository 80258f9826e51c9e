#!/usr/bin/env bash
# `kinglet-bench accuracy` over variants of a model: an equal one passes, a damaged one is told by
# name and fails; golden files are compared with what they record.
# usage: bench_accuracy.sh <kinglet-bench> <kinglet-weights> <model.gguf> <eval.safetensors> <fixture folder> <scratch folder>
set -euo pipefail
bench=$1 weights=$2 model=$3 set=$4 fixture=$5 scratch=$6
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch"

fail() { echo "$1"; cat out err; exit 1; }
# refused <exit status> <part of the message> <argument>...
refused() {
  local status=0
  "$bench" accuracy "${@:3}" >out 2>err || status=$?
  [ "$status" -eq "$1" ] && grep -qF -- "$2" err || fail "accuracy ${*:3}: status $status"
}

# A hole of zeros among the weights of the encoder.
cp "$model" damaged.gguf
chmod +w damaged.gguf
dd if=/dev/zero of=damaged.gguf bs=65536 seek=40 count=8 conv=notrunc 2>/dev/null

"$bench" accuracy "$model" "$model" "$set" --batch 8 --max-drop 0 >out 2>err || fail "equal models differ"
grep -qE 'gives ([0-9]+) of \1 answers as the first model does' out || fail "equal models differ"
refused 1 'damaged.gguf: low_mani type: -' "$model" damaged.gguf "$set" --batch 8 --max-drop 0.5
grep -qF 'points, allowed are -0.50' err || fail "no bound in the message"
grep -qE '^ +damaged.gguf +[0-9]+ ' out || fail "the table is missing"
"$bench" accuracy "$model" damaged.gguf "$set" --batch 8 >out 2>err || fail "fails without a bound"

"$weights" convert "$fixture/model_best_seen.safetensors" --arch hitut --config "$fixture/config.json" \
  --tables "$fixture/tables.safetensors" -o tiny.gguf >out 2>err || fail "convert"
"$bench" accuracy tiny.gguf "$fixture/golden_high_b3.safetensors" --json >out 2>err || fail "golden"
for key in '"group": "type_logits"' '"name": "same answer"' '"value": 1.0' '"agreed": 3' '"file_bytes": ' \
  '"scratch_bytes": ' '"ms_per_example": '; do
  grep -qF "$key" out || fail "the JSON lacks $key"
done

refused 2 'files' "$model"
refused 1 'none is recorded' "$model" "$set" --within 2 --batch 8 --recorded /dev/stdin <<<'{"accuracies": []}'
# Before anything is evaluated; and what is no number is not recorded.
refused 1 'no.json: open' "$model" damaged.gguf "$set" --recorded no.json
refused 1 'none is recorded' "$model" "$set" --within 2 --batch 8 --recorded /dev/stdin \
  <<<'{"accuracies": [{"mode": "fp32", "rows_per_task": 400, "accuracy": {"high": [], "low_mani": {"type": "?"}}}]}'
grep -qF 'low_mani' out || fail "the table is missing"
refused 1 "$set" tiny.gguf "$set"
