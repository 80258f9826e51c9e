#!/usr/bin/env bash
# Models of published size have the published numbers of parameters: shared ones counted once, heads
# that are never read and the pooler included.
# usage: published_sizes.sh <kinglet-bench> <kinglet-weights> <scratch folder>
set -euo pipefail
bench=$1 weights=$2 scratch=$3
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch"

# expect <parameters> <MiB> <what to make>...
expect() {
  "$bench" synth --arch "${@:3}" -o model.gguf >out
  "$weights" inspect model.gguf >out
  grep -qE "^parameters +[0-9]+ stored, $1 in the checkpoint, $2 MiB in fp32\$" out ||
    { echo "${*:3}"; head -n 8 out; exit 1; }
  rm model.gguf
}
expect 124764032 475.9 hitut
expect 82236800 313.7 hitut --layers 6
expect 45935308 175.2 alfred-seq2seq
