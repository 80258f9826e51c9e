#!/usr/bin/env bash
# Installs a build tree into a fresh prefix and builds a project that only says
# find_package(kinglet).
# usage: consumer.sh <cmake> <build tree> <scratch folder> <c++ compiler> [<cmake argument>...]
set -euo pipefail
cmake=$1 build=$2 scratch=$3 compiler=$4
shift 4
here=$(cd "$(dirname "$0")" && pwd)
rm -rf "$scratch"
"$cmake" --install "$build" --prefix "$scratch/prefix" >/dev/null
"$cmake" -S "$here" -B "$scratch/build" -DCMAKE_CXX_COMPILER="$compiler" \
  -DCMAKE_PREFIX_PATH="$scratch/prefix" "$@"
"$cmake" --build "$scratch/build"
"$scratch/build/consumer"
