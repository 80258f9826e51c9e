# Sourced by ./test and ./demo: Debian and Ubuntu packages, installed only where they are missing.

missing=()

# want <package> <what for> <command that succeeds when it is there>...
want() {
  local package=$1 reason=$2
  shift 2
  if ! "$@" >/dev/null 2>&1; then
    missing+=("$package")
    echo "  missing: $package ($reason)"
  fi
}

has_program() { command -v "$1"; }
has_header() { [ -e "/usr/include/$1" ] || [ -e "/usr/local/include/$1" ]; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "Neither root nor sudo: please install these packages yourself: ${missing[*]}" >&2
    return 1
  fi
}

install_missing() {
  if [ ${#missing[@]} -eq 0 ]; then
    return 0
  fi
  if ! command -v apt-get >/dev/null; then
    echo "No apt-get here: please install what Debian calls ${missing[*]}" >&2
    return 1
  fi
  echo "Installing by apt: ${missing[*]}"
  local log
  log=$(mktemp)
  # A mirror that is being updated fails now and then; one more try is enough.
  if ! { as_root timeout 180 apt-get update -qq || as_root timeout 180 apt-get update -qq; } >"$log" 2>&1 ||
    ! as_root env DEBIAN_FRONTEND=noninteractive timeout 600 \
      apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    return 1
  fi
  rm -f "$log"
  missing=()
}

want_build_tools() {
  want g++ "the compiler" has_program g++
  want cmake "configures the build" has_program cmake
  want ninja-build "runs the build" has_program ninja
  want libxsimd-dev "SIMD headers, the only dependency of the library" has_header xsimd/xsimd.hpp
  want libcli11-dev "command lines of the programs" has_header CLI/CLI.hpp
  want nlohmann-json3-dev "JSON in the programs" has_header nlohmann/json.hpp
  want libbenchmark-dev "kinglet-bench kernels" has_header benchmark/benchmark.h
}
