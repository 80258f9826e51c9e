#!/usr/bin/env bash
# `kinglet-bench model`: a grid over several models as table, JSON and CSV, memory as planned, errors,
# and what Ctrl-C leaves.
# usage: bench_model.sh <kinglet-bench> <model.gguf> <int8.gguf> <eval.safetensors> <scratch folder> [<sanitizers>]
set -euo pipefail
bench=$1 model=$2 int8=$3 set=$4 scratch=$5 sanitizers=${6-}
rm -rf "$scratch"
mkdir -p "$scratch/sys/devices/system/cpu"
cd "$scratch"

fail() { echo "$1"; cat out err; exit 1; }
# refused <exit status> <part of the message> <argument>...
refused() {
  local status=0
  "$bench" model "${@:3}" >out 2>err || status=$?
  [ "$status" -eq "$1" ] && grep -qF -- "$2" err || fail "${*:3}: status $status"
}
# value <key>: of the first point in the JSON in out
value() { sed -nE "s/^ *\"$1\": ([0-9.e+-]+),?\$/\\1/p" out | head -n 1; }

# A grid: models side by side, each place a line on stderr.
grid="--batch 1,2 --seq 10,20 --threads 1 --seconds 0"
"$bench" model "$model" "$int8" $grid >out 2>err || fail table
[ "$(grep -cE '^  hitut6_small(_int8)? +[12] +[12]0 ' out)" -eq 8 ] || fail "not 8 lines"
[ "$(grep -cE '^[1-4]/4  hitut6_small, hitut6_small_int8: ' err)" -eq 4 ] || fail "not 4 stages"
"$bench" model "$model" "$int8" $grid --csv --label desk >out 2>err || fail csv
grep -q '^# label: desk$' out || fail "no label"
[ "$(grep -vc '^#' out)" -eq 9 ] || fail "not a header and 8 lines"

# What was planned is what was used, and the process holds little beside it.
for threads in 1 2; do
  "$bench" model "$model" --seq 40 --threads $threads --runs 20 --warmup 2 --cold 2 --json >out 2>err ||
    fail json
  if command -v python3 >json.path; then python3 -m json.tool out >parsed || fail "no JSON"; fi
  [ "$(value runs)" -eq 20 ] || fail "not 20 runs"
  [ "$(value scratch_planned)" -eq "$(value scratch_used)" ] || fail "uses other memory than planned"
  grep -q '"cold": {' out || fail "no cold starts"
  [ -z "$sanitizers" ] || continue # they hold memory of their own
  [ "$(value resident_growth)" -le 16384 ] || fail "memory grows"
  beside=$(($(value peak_resident) - $(value program_resident) - $(value peak_planned)))
  [ "$beside" -le 2097152 ] || fail "$beside bytes more than planned"
done
"$bench" model "$model" --no-limits --seconds 0 --json >out 2>err || fail "no limits"
grep -q '"limits": \[\]' out || fail "limits"

# The clock comes from the tree that is named; without one the reason is told.
"$bench" model "$model" --seconds 0 --sysfs . >out 2>err || fail sysfs
grep -qF "not available: ./sys/devices/system/cpu/cpu" out || fail "a clock from elsewhere"
for cpu in $(seq 0 "$(($(getconf _NPROCESSORS_CONF) - 1))"); do
  mkdir -p "sys/devices/system/cpu/cpu$cpu/cpufreq"
  echo 1479000 >"sys/devices/system/cpu/cpu$cpu/cpufreq/scaling_cur_freq"
done
"$bench" model "$model" --seconds 0 --sysfs . >out 2>err || fail sysfs
grep -q 'frequency    1479 MHz at first, 1479 at last, 1479 at least; not throttled' out || fail clock

# Accuracy beside time and size.
"$bench" model "$model" "$int8" --seq 40 --seconds 0 --accuracy "$set" >out 2>err || fail accuracy
grep -qE '^  model +file MB +ms a row, fastest +high type ' out || fail "no accuracies"
[ "$(grep -cE '^  hitut6_small(_int8)? +[0-9.]+ +[0-9.]+ +0\.[0-9]{4} ' out)" -eq 2 ] || fail accuracies

refused 1 'the model has 160 positions' "$model" --seq 40,161
refused 1 '--image: no model here reads images' "$model" --image 96
refused 1 '--steps: no model here' "$model" --steps 3
refused 1 'no.gguf: open: No such file' "$model" no.gguf
refused 1 'HiTUT has high, low_mani, low_navi' "$model" --task core
# What can be known before is told before: not even the first place is measured.
for wrong in "--accuracy no.safetensors" "--accuracy $int8" "--html no/x.html" "--svg out/x" \
  "--html $set --accuracy $set"; do
  refused 1 "${wrong##* }: " "$model" --seq 20,40 $wrong
  ! grep -q ', batch ' err || fail "measures before it looks at $wrong"
done
refused 2 '--batch' "$model" --batch 1,0
refused 2 '--batch' "$model" --batch one
refused 2 'best not in {' "$model" --isa scalar,best
refused 2 'excludes' "$model" --runs 5 --seconds 1
refused 2 'excludes' "$model" --json --csv
refused 2 'files' --json

# Ctrl-C in the middle: what there is until then, and exit status 1.
set -m # else a process in the background ignores it
# interrupted <place at which it comes> <seconds after its begin> <argument>...
interrupted() {
  local status=0
  "$bench" model "$model" "${@:3}" >out 2>err &
  for _ in $(seq 300); do
    grep -q ", $1\$" err && break
    sleep 0.1
  done
  sleep "$2"
  kill -INT $!
  wait $! || status=$?
  [ "$status" -eq 1 ] || fail "interrupted: status $status"
}
interrupted 'size 40' 5 --seq 40 --seconds 600 --json
grep -q '"interrupted": true' out && [ "$(value runs)" -ge 1 ] || fail "nothing is left"
interrupted 'size 40' 0 --seq 40 --seconds 600 --json # perhaps before the first run
grep -q '"interrupted": true' out || fail "nothing is said"
# In a grid the places before it are whole, and the page tells of them.
interrupted 'size 40' 0.5 --seq 20,40 --seconds 3 --html page.html
grep -q 'interrupted: points are missing' out || fail "says nothing of the interrupt"
grep -qE '^ +20 ' out || fail "the first place is lost"
grep -q '</html>' page.html || fail "no page"
[ -z "$(ls page.html.* 2>/dev/null)" ] || fail "a temporary file is left"
