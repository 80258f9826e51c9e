#!/usr/bin/env bash
# From a checkpoint to right numbers with nothing but the program: every container of one fixture
# gives the same model file (the hash of its source aside), which passes every golden case on every
# instruction set usable here. The architecture is the one that the config names or the tensors show.
# usage: convert_verify.sh <command that runs kinglet-weights> <fixture folder> <scratch folder>
set -euo pipefail
shopt -s nullglob
read -ra weights <<<"$1"
fixture=$2 scratch=$3
rm -rf "$scratch"
mkdir -p "$scratch"

tables=()
[ ! -e "$fixture/tables.safetensors" ] || tables=(--tables "$fixture/tables.safetensors")
bounds=$fixture/model.json
[ -e "$bounds" ] || bounds=$fixture/config.json
first=
for checkpoint in "$fixture"/model_best_seen.* "$fixture"/best_seen.* "$fixture"/core.safetensors \
  "$fixture"/model.safetensors "$fixture"/model.*pth "$fixture"/pytorch_model.*; do
  [ -e "$checkpoint" ] || continue
  name=$(basename "$checkpoint")
  "${weights[@]}" convert "$checkpoint" --config "$fixture/config.json" \
    ${tables[@]+"${tables[@]}"} -o "$scratch/$name.gguf" >"$scratch/log" ||
    { cat "$scratch/log"; exit 1; }
  hash=$(sha256sum "$checkpoint" | cut -d' ' -f1)
  grep -q "$hash" "$scratch/$name.gguf" || { echo "$name: its SHA-256 is not in the file"; exit 1; }
  LC_ALL=C sed "s/$hash/${hash//?/0}/" "$scratch/$name.gguf" >"$scratch/$name.unhashed"
  [ -n "$first" ] || first=$name
  cmp "$scratch/$first.unhashed" "$scratch/$name.unhashed"
  echo "$name: $(stat -c %s "$scratch/$name.gguf") bytes"
done
[ -n "$first" ] || { echo "no checkpoint in $fixture"; exit 1; }

model=$scratch/$first.gguf
goldens=("$fixture"/golden_*.safetensors "$fixture"/cases/*.safetensors)
usable=$("${weights[@]}" --version | sed -n 's/^instruction sets usable here: //p')
[ -n "$usable" ] || { echo "cannot tell which instruction sets are usable"; exit 1; }
for isa in $usable; do
  "${weights[@]}" verify "$model" "${goldens[@]}" --bounds "$bounds" --isa "$isa" \
    >"$scratch/log" || { grep -B1 FAIL "$scratch/log"; echo "$isa: failed"; exit 1; }
  echo "$isa: ${#goldens[@]} golden files"
done
