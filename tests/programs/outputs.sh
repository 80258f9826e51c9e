#!/usr/bin/env bash
# What the commands write: never over a file that they read; what cannot be written is an error; a
# signal leaves nothing behind; names of files come out as text, whatever bytes they are.
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

# Every command: its inputs, @<name>, and last the option that names what it writes.
declare -A weights_calls=(
  [convert]="@weights --arch hitut --config @config.json --tables @tables.safetensors --vocab @vocab -o"
  [export]="@model -o"
  [quantize]="@model --samples @golden -o"
  [keep-layers]="@model 0 -o"
  [prune-vocab]="@model --corpus @corpus @golden -o"
  [factorize]="@model --rank 2 -o"
  [inspect]="@model" [diff]="@model @model" [plan]="@model" [completion]="bash" [man]=""
  [verify]="@model @golden --atol 1e-3")
declare -A bench_calls=(
  [model]="@model --accuracy @golden --seconds 0 --no-limits --html"
  [report]="@results -o"
  [synth]="--arch resnet --size small -o"
  [accuracy]="@model @golden" [kernels]="--benchmark_list_tests" [completion]="bash" [man]="")
cp -r inputs originals

# unharmed <arguments>... : the program refuses, and says why; nothing is changed
unharmed() {
  local code=0
  "$@" >log 2>&1 || code=$?
  [ $code -eq 1 ] || fail "${*: -$#+1}: exit code $code: $(head -3 log)"
  grep -q 'is another file of this command' log || fail "${*: -$#+1}: $(head -3 log)"
  diff -r originals inputs >log || fail "${*: -$#+1}: $(cat log)"
}
# writes <call>: whether its last word is an option without its value
writes() { [[ $1 =~ --?[a-z]+$ && $1 != --benchmark* ]]; }

# never_over_inputs <command> <call> <run>...
never_over_inputs() {
  local name=$1 call=$2 word option
  shift 2
  writes "$call" || return 0
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

# full <argument>...: with nowhere to print to
full() {
  local code=0
  "$@" >/dev/full 2>log || code=$?
  [ $code -eq 1 ] || fail "$* > /dev/full: exit code $code"
  grep -q ': standard output: cannot be written$' log || fail "$* > /dev/full: $(head -3 log)"
}
# says_so <command> <call> <run>...: when it cannot print
says_so() {
  local name=$1 call=$2
  shift 2
  full "$@" "$name" --help
  ! "$@" "$name" --help | grep -q '^Not in this build' || return 0
  ! writes "$call" || call+=" written"
  [ "$name" = report ] || full "$@" "$name" ${call//@/inputs/}  # which prints nothing
  rm -f written
}

# each <what to do> <run>...: with every command
each() {
  local what=$1 name
  local -n calls=$2
  shift 2
  for name in $("$@" man | sed -n 's/^\.SS //p' | sed 's/\\-/-/g'); do
    if [ -v "calls[$name]" ]; then $what "$name" "${calls[$name]}" "$@"; else fail "this test knows no $name"; fi
  done
}
for what in never_over_inputs says_so; do
  if [ $what = says_so ] && [ ! -w /dev/full ]; then
    echo "skipped: what cannot be printed: there is no /dev/full"
    continue
  fi
  each $what weights_calls "${weights[@]}"
  [ ${#bench[@]} -eq 0 ] || each $what bench_calls "${bench[@]}"
  [ $what != says_so ] || full "${weights[@]}" --version
done
for file in inputs/model inputs/golden int8.gguf; do
  unharmed "${weights[@]}" quantize inputs/model --samples inputs/golden -o int8.gguf --report $file
done
[ ! -e int8.gguf ] || fail "quantize: writes before it looks at --report"

# A signal, while much is written.
if [ ${#bench[@]} -gt 0 ]; then
  for signal in TERM HUP; do
    mkdir big
    "${bench[@]}" synth --arch bert --size minilm -o big/out.gguf >log 2>&1 &
    process=$!
    for ((i = 0; i < 1000; ++i)); do
      [ -z "$(ls -A big)" ] || break
      sleep 0.02
    done
    kill -$signal $process
    code=0
    wait $process 2>/dev/null || code=$?
    [ $code -gt 128 ] || fail "$signal: exit code $code"
    [ -z "$(ls -A big)" ] || fail "$signal leaves $(ls -A big)"
    rm -r big
  done
fi

# Names that would colour a terminal, or end JSON.
escape=$'inputs/esc\e[31m' broken=$'inputs/bad\xff'
for name in "$escape" "$broken"; do
  cp inputs/model "$name.gguf"
  cp inputs/golden "$name.golden"
done
# clean <argument>...
clean() {
  "$@" >out 2>&1 || fail "$(printf %q "$*"): $(head -3 out)"
  ! grep -q $'\e' out || fail "$(printf %q "$*"): prints an escape"
  iconv -f UTF-8 -t UTF-8 out >log 2>&1 || fail "$(printf %q "$*"): prints bytes that are no UTF-8"
}
for name in "$escape" "$broken"; do
  for option in "" --json; do
    clean "${weights[@]}" inspect "$name.gguf" $option
    clean "${weights[@]}" plan "$name.gguf" $option
    [ ${#bench[@]} -eq 0 ] || clean "${bench[@]}" accuracy "$name.gguf" "$name.golden" $option
    [ ${#bench[@]} -eq 0 ] || clean "${bench[@]}" model "$name.gguf" --seconds 0 --no-limits $option
  done
  clean "${weights[@]}" verify "$name.gguf" "$name.golden" --atol 1e-3
  clean "${weights[@]}" export "$name.gguf" -o "$name.safetensors"
  clean "${weights[@]}" quantize "$name.gguf" --samples "$name.golden" -o "$name.int8" --report report
  clean cat report
  clean "${weights[@]}" keep-layers "$name.gguf" 0,1 -o "$name.kept"
  "${weights[@]}" diff "$name.gguf" "$name.int8" >out 2>&1 || true
  clean cat out
done
exit $failed
