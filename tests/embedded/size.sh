#!/usr/bin/env bash
# How large map, plan and step become in a program: the example, linked for size, with one
# instruction set, without exceptions and RTTI.
# usage: size.sh <repository> <xsimd folder> <most bytes of text> <compiler> [<flag>...]
set -euo pipefail
cd "$1"
xsimd=$2 most=$3 compiler=$4
shift 4
if ! command -v "$compiler" >/dev/null; then
  echo "skipped: $compiler is not installed"
  exit 77
fi
case $xsimd in
  /usr/include) ;;
  *) set -- "$@" -isystem "$xsimd" ;;
esac
program=$(mktemp)
trap 'rm -f "$program"' EXIT
"$compiler" -std=c++17 -Os -fno-exceptions -fno-rtti -ffunction-sections -fdata-sections \
  -Wl,--gc-sections -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -Iinclude -Ikernels "$@" \
  examples/hitut_agent.cpp -o "$program"
size -A "$program"
text=$(size -A "$program" | awk '$1 == ".text" { print $2 }')
echo "$compiler $*: $text bytes of text, limit $most"
[ "$text" -le "$most" ]
