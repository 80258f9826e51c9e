#!/usr/bin/env bash
# Object files compiled for one instruction set must not offer the linker a function that others
# may call: every weak symbol in them carries the name of the instruction set.
# usage: symbols.sh <nm> <isa>=<object>...
set -euo pipefail
nm=$1
shift
failed=0
for pair in "$@"; do
  isa=${pair%%=*}
  weak=$("$nm" -C --defined-only "${pair#*=}" | awk '$2 ~ /^[WVu]$/')
  if stray=$(grep -v "isa::$isa\b" <<<"$weak"); then
    [ -z "$stray" ] && continue
    printf '%s: weak symbols that others could be linked to:\n%s\n' "$isa" "$stray"
    failed=1
  fi
  echo "$isa: $(grep -c . <<<"$weak") weak symbols, all its own unless named above"
done
exit $failed
