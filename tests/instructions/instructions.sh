#!/usr/bin/env bash
# The number of instructions that AVX2 kernels execute, counted by callgrind and so the same on any
# machine, against the numbers recorded in counts.txt. Fails where a kernel needs 3 % more.
# usage: instructions.sh <program> <how it was compiled> <counts.txt> [--record]
# The counts belong to one compiler: with another one they are not compared.
set -euo pipefail
program=$1 built=$2 recorded=$3 record=${4:-}
skip() {
  echo "skipped: instruction counts of the kernels: $1"
  exit 77
}
command -v valgrind >/dev/null || skip "valgrind is not installed"
[ "$program" != none ] || skip "built without valgrind/callgrind.h"
grep -qw avx2 /proc/cpuinfo || skip "valgrind runs AVX2 only on a processor that has it"
if [ "$record" != --record ]; then
  for_build=$(sed -n 's/^# built: //p' "$recorded")
  [ "$for_build" = "$built" ] || skip "recorded for $for_build, this is $built"
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
valgrind --tool=callgrind --callgrind-out-file="$scratch/counted" "$program" \
  >"$scratch/units" 2>"$scratch/log" || { cat "$scratch/log"; exit 1; }
# One file a count; its trigger is the name, its total the number.
for file in "$scratch"/counted.*; do
  awk '/^desc: Trigger: Client Request: / { sub(/^desc: Trigger: Client Request: /, ""); name = $0 }
       /^totals: / { total = $2 }
       END { if (name != "") print name "\t" total }' "$file"
done >"$scratch/counts"
[ "$(wc -l <"$scratch/counts")" -eq "$(wc -l <"$scratch/units")" ] ||
  { echo "$scratch: counts and names differ in number"; cat "$scratch/log"; exit 1; }

# In the order of the program: name, count, per unit.
table=$(awk -F '\t' 'NR == FNR { count[$1] = $2; next }
  { printf "%s\t%d\t%.4f per %s\n", $1, count[$1], count[$1] / $2, $3 }' "$scratch/counts" "$scratch/units")
if [ "$record" = --record ]; then
  {
    echo "# Instructions of one call on AVX2. Recorded by: ninja -C build/native record_instructions"
    echo "# built: $built"
    echo "$table"
  } >"$recorded"
  cat "$recorded"
  exit
fi
awk -F '\t' -v how="to record what is now right: ninja -C build/native record_instructions" '
  /^#/ { next }
  NR == FNR { before[$1] = $2; next }
  !($1 in before) { printf "%s: not recorded\n", $1; failed = 1; next }
  {
    change = 100 * ($2 / before[$1] - 1)
    printf "%-36s %12d  %s, %+.2f %%\n", $1, $2, $3, change
    if (change > 3) { worse = worse "  " $1; failed = 1 }
    if (change < -3) better = better "  " $1
    delete before[$1]
  }
  END {
    for (name in before) { printf "%s: recorded, but no longer counted\n", name; failed = 1 }
    if (worse != "") print "more instructions than recorded:" worse
    if (better != "") print "fewer instructions than recorded:" better
    if (failed || better != "") print how
    exit failed
  }' "$recorded" <(echo "$table")
