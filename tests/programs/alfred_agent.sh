#!/usr/bin/env bash
# The example's episode: an action a frame, masks for actions on objects only, nothing resident that
# was not there at the start.
# usage: alfred_agent.sh <alfred_agent> <kinglet-bench> <kinglet-weights> <seq2seq fixture folder> <scratch folder>
set -euo pipefail
agent=$1 bench=$2 weights=$3 fixture=$4 scratch=$5
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch"

checkpoint=$(ls "$fixture"/best_seen*.pth | head -n 1)
"$weights" convert "$checkpoint" --arch alfred-seq2seq --config "$fixture/config.json" -o agent.gguf
"$bench" synth --arch resnet --size small -o eye.gguf
# picture <name> <bytes that repeat>
picture() {
  {
    printf 'P6\n# made up\n300 300\n255\n'
    head -c 270000 < <(yes "$2" 2>/dev/null)
  } >"$1"
}
picture 0.ppm abc
picture 1.ppm xyz0
picture 2.ppm "$(printf '\1\7\33')"
"$agent" agent.gguf eye.gguf "<<goal>> put the red apple in microwave wordlessness" 0.ppm 1.ppm 2.ppm | tee out
grep -q '^7 words, ' out || { echo "unknown words are left out"; exit 1; }
[ "$(grep -cE '^ +[0-2] +[A-Z<][A-Za-z_0-9<>]+ +[0-9.]+ ms ' out)" -ge 1 ] || { echo "no action"; exit 1; }
! grep -E '^ +[0-9]+ +(Look|Move|Rotate)[A-Za-z_0-9]+ .*mask' out || { echo "a mask for nothing"; exit 1; }
# But for pages of the C library's own: embedded.seq2seq counts those of an agent exactly.
sed -nE 's/.* ([0-9]+) kB.*/\1/p' out |
  awk 'NR == 1 { first = $1 } $1 > first + 64 { exit 1 }' || { echo "memory grows"; exit 1; }
# The peak is the plan.
grep -qE '^([0-9]+) of \1 bytes of scratch used at most$' out || { echo "not what was planned"; exit 1; }
echo P6 >bad.ppm
! "$agent" agent.gguf eye.gguf "pick up the apple" bad.ppm 2>err || { echo "takes no picture"; exit 1; }
grep -q 'bad.ppm: no PPM picture' err
