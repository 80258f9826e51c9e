#!/usr/bin/env bash
# What is planned is what is used, for every architecture, task, precision, batch and number of threads;
# and the ops that `kinglet-bench model --ops` names do all of the work that was counted.
# usage: bench_plans.sh <kinglet-bench> <kinglet-weights> <PABEE fixture folder> <scratch folder>
set -euo pipefail
bench=$1 weights=$2 pabee=$3 scratch=$4
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch"

fail() { echo "$1"; cat out err; exit 1; }

# check <argument>...: four points
check() {
  "$bench" model "$@" --batch 1,3 --threads 1,2 --seconds 0 --no-limits --ops --json >out 2>err ||
    fail "$*"
  awk -F'[:,]' '
    /"scratch_planned"/ { planned = $2 }
    /"scratch_used"/ { if ($2 != planned) { print "planned" planned ", used" $2; wrong = 1 } }
    /"ops": \[/ { inside = 1; op_flops = op_s8_flops = op_bytes = 0 }
    inside && /"flops"/ { op_flops += $2 }
    inside && /"s8_flops"/ { op_s8_flops += $2 }
    inside && /"bytes"/ { op_bytes += $2 }
    inside && /\]/ {
      inside = 0
      ++points
      if (op_flops != flops || op_s8_flops != s8_flops || op_bytes != bytes) {
        print "ops: " op_flops, op_s8_flops, op_bytes " of " flops, s8_flops, bytes
        wrong = 1
      }
    }
    !inside && /"flops"/ { flops = $2 + 0 }
    !inside && /"s8_flops"/ { s8_flops = $2 + 0 }
    !inside && /"bytes_moved"/ { bytes = $2 + 0 }
    END { exit wrong || points != 4 }' out || fail "$*"
}

# both <file> <argument>...: in fp32 and in int8
both() {
  check "$@"
  check "int8_$1" "${@:2}"
}

for sizes in "hitut --size minilm --layers 1 --vocab 200" "bert --size minilm --layers 1 --vocab 200" \
  "alfred-seq2seq --size small --vocab 200 --actions 7" "resnet --size small"; do
  arch=${sizes%% *}
  read -ra options <<<"$sizes"
  "$bench" synth --arch "${options[@]}" -o "$arch.gguf" >out 2>err || fail "synth $arch"
  attention=()
  case $arch in hitut | bert) attention=(--attention s8) ;; esac
  "$weights" quantize "$arch.gguf" ${attention[@]+"${attention[@]}"} -o "int8_$arch.gguf" >out 2>err ||
    fail "quantize $arch"
done
for task in high low_mani low_navi; do both hitut.gguf --task $task --seq 17; done
both hitut.gguf --all-rows --seq 40
both bert.gguf --seq 17
both bert.gguf --all-rows --seq 40
for task in language core whole; do both alfred-seq2seq.gguf --task $task --seq 9 --steps 3; done
both resnet.gguf --image 64

"$weights" convert "$pabee/pytorch_model.safetensors" --config "$pabee/config.json" -o pabee.gguf >out 2>err ||
  fail "convert pabee"
"$weights" quantize pabee.gguf -o int8_pabee.gguf >out 2>err || fail "quantize pabee"
both pabee.gguf --seq 9

# `plan` says what it is for, and refuses what a model does not read.
# planned <part of the text> <argument>...
planned() {
  "$weights" plan "${@:2}" >out 2>err || fail "plan ${*:2}"
  grep -qF -- "$1" out || fail "plan ${*:2}: not '$1'"
}
# refused <part of the message> <argument>...
refused() {
  local status=0
  "$weights" plan "${@:2}" >out 2>err || status=$?
  [ "$status" -eq 1 ] && grep -qF -- "$1" err || fail "plan ${*:2}: status $status"
}
planned "40 positions a sequence" hitut.gguf --live 40
planned "images of 224 x 224 pixels" resnet.gguf
planned "images of 64 x 64 pixels" resnet.gguf --image 64
planned "600 positions a sequence" alfred-seq2seq.gguf --live 600
refused "--live 9999: the model has " hitut.gguf --live 9999
refused "--live 9999: the model has " bert.gguf --live 9999
refused "the model reads images" resnet.gguf --live 40
refused "the model reads no images" bert.gguf --image 64
planned '"ram_bytes"' resnet.gguf --json
sum=$(awk -F'[:,]' '/"file_bytes"/ { file = $2 } /"scratch_bytes"/ && $2 > most { most = $2 } /"ram_bytes"/ { ram = $2 }
  END { print file + most - ram }' out)
[ "$sum" -eq 0 ] || fail "RAM is not the file and the scratch"
