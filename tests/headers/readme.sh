#!/usr/bin/env bash
# The C++ examples in README.md compile as they stand.
# usage: readme.sh <repository> <xsimd folder> <compiler>
set -euo pipefail
cd "$1"
flags=(-std=c++17 -fsyntax-only -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -Iinclude
  -Ikernels)
case $2 in
  /usr/include) ;;
  *) flags+=(-isystem "$2") ;;
esac
code=$(sed -n '/^```cpp$/,/^```$/{/^```/d;p}' README.md)
[ -n "$code" ] || { echo "no C++ example in README.md"; exit 1; }
"$3" "${flags[@]}" -x c++ - <<<"$code"
