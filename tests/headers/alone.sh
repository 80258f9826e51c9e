#!/usr/bin/env bash
# Each header of include/ and kernels/ compiles alone and twice, without exceptions and RTTI,
# without a warning, and leaves nothing in the object file: no static initialiser, no mutable data.
# With xsimd: each of kernels/, and all of include/ as one; nothing there asks for an instruction set.
# usage: alone.sh <repository> <xsimd folder, or "none": must not be included> <compiler> [<flag>...]
set -euo pipefail
cd "$1"
xsimd=$2
compiler=$3
shift 3
if ! command -v "$compiler" >/dev/null; then
  echo "skipped: $compiler is not installed"
  exit 77
fi
flags=(-std=c++17 -O1 -fno-exceptions -fno-rtti -Wall -Wextra -Wpedantic -Wconversion -Wshadow
  -Werror -Iinclude -Ikernels "$@")
# The compilers search /usr/include anyway; naming it again would change the order.
case $xsimd in
  none | /usr/include) ;;
  *) flags+=(-isystem "$xsimd") ;;
esac

headers() {
  find kernels/kinglet -name '*.hpp'
  if [ "$xsimd" = none ]; then find include -name '*.hpp'; else echo include/kinglet/kinglet.hpp; fi
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0
count=0
fail() {
  echo "$*"
  failed=1
}
while read -r header; do
  name=${header#*/}
  count=$((count + 1))
  if ! printf '#include <%s>\n#include <%s>\n' "$name" "$name" |
    "$compiler" "${flags[@]}" -MD -MF "$scratch/used" -x c++ -c - -o "$scratch/object"; then
    fail "$header: does not compile alone with $compiler $*"
    continue
  fi
  if left=$(nm -C "$scratch/object" | grep -E ' [bBdDuV] |_GLOBAL__sub_I'); then
    fail "$header: leaves in the object file of whoever includes it: $left"
  fi
  if [ "$xsimd" = none ] && grep -q '/xsimd/' "$scratch/used"; then
    fail "$header: includes xsimd in a scalar build"
  fi
done < <(headers | sort)
echo "$count headers compiled with $compiler $*"
exit $failed
