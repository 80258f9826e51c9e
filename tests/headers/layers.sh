#!/usr/bin/env bash
# Who may include whom, as drawn in README.md ("Layers"): nothing points up.
# usage: layers.sh <repository>
set -euo pipefail
cd "$1"

# layer -> what it may include, itself apart.
may_include() {
  case $1 in
    kernels) echo "" ;;
    core) echo "" ;;
    io) echo "core" ;;
    backend) echo "core kernels" ;;
    blocks) echo "backend core kernels" ;;
    models) echo "blocks backend io core kernels" ;;
    kinglet.hpp) echo "models blocks backend io core kernels" ;;
    *) return 1 ;;
  esac
}

failed=0
fail() {
  echo "$*"
  failed=1
}

headers=$(find include/kinglet kernels/kinglet -name '*.hpp' | sort)
for header in $headers; do
  layer=${header#include/kinglet/}
  layer=${layer#kernels/kinglet/}
  layer=${layer%%/*}
  if ! allowed=$(may_include "$layer"); then
    fail "$header: no such layer: $layer"
    continue
  fi
  while IFS=: read -r line target; do
    case $target in
      \<kinglet/*)
        to=${target#<kinglet/}
        to=${to%%[/>]*}
        [ "$to" = "$layer" ] || [[ " $allowed " == *" $to "* ]] ||
          fail "$header:$line: $layer may not include $target"
        ;;
      \<xsimd/* | \<*intrin.h\> | \<arm_neon.h\>)
        [[ $header == kernels/kinglet/kernels/@(isa|simd).hpp ]] ||
          fail "$header:$line: only isa.hpp and simd.hpp may include $target"
        ;;
      \<*/*) fail "$header:$line: $target is neither kinglet, xsimd nor the standard library" ;;
      \"*) fail "$header:$line: write <kinglet/...>, not $target" ;;
    esac
  done < <(sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*([<"][^>"]+[>"]).*/\1/;T;=;p' "$header" |
    paste -d: - -)
  if grep -q 'xsimd::' "$header" && [[ $header != kernels/kinglet/kernels/@(isa|simd).hpp ]]; then
    fail "$header: only isa.hpp and simd.hpp may name xsimd"
  fi
done

# Programs: the library never includes them, and none of them the next one up. Headers of the same
# name in both folders are told apart by the compiler, which looks beside the includer first.
names() { find "$1" -maxdepth 1 -name '*.hpp' -printf '%f\n' | sort; }
pattern() { paste -sd'|'; }
forbid() {  # <folder> <header names, alternatives of a pattern>
  [ -n "$2" ] || return 0
  local hits
  hits=$(grep -rnE "#[[:space:]]*include[[:space:]]*\"([^\"]*/)?($2)\"" "$1" \
    --include='*.hpp' --include='*.cpp') || return 0
  fail "$1 may not include these: $hits"
}
forbid weights_tools "$(comm -13 <(names weights_tools) <(names bench) | pattern)"
forbid examples "$(comm -13 <(names examples) <({ names bench; names weights_tools; } | sort -u) | pattern)"

echo "$(wc -w <<<"$headers") headers looked at"
exit $failed
