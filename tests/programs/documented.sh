#!/usr/bin/env bash
# The commands of docs/making-a-model-small.md, steps 1 to 8, on the model in models/: each as it
# stands there, but for the number of rows that `quantize` takes as samples.
# usage: documented.sh <folder of the programs> <document> <model folder> <scratch folder>
set -euo pipefail
programs=$1 document=$2 model=$3 scratch=$4
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch"
ln -s "$model" hitut6

sed -n '/^## 1\. /,/^## 9\. /s/^    \(kinglet-[a-z]* .*\)/\1/p' "$document" |
  sed -E '/^kinglet-weights quantize /{s/ --rows [0-9]+//; s/$/ --rows 4/}' >commands
[ "$(wc -l <commands)" -ge 12 ] || { echo "few commands:"; cat commands; exit 1; }
while read -r command; do
  PATH="$programs:$PATH" bash -c "$command" >out 2>&1 </dev/null || { echo "$command"; cat out; exit 1; }
done <commands
