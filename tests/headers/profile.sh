#!/usr/bin/env bash
# The embedded profile, as far as the text of the headers shows it: no exceptions, RTTI, heap,
# streams, threads, owning containers or virtual calls in include/ and kernels/kinglet/.
# usage: profile.sh <repository>
set -euo pipefail
cd "$1"

words='throw|try|catch|new|delete|malloc|calloc|realloc|free|dynamic_cast|typeid|thread_local|virtual'
types='std::(string|vector|map|set|list|deque|unordered_map|function|unique_ptr|shared_ptr|thread|mutex|atomic|cout|cerr|any|regex|stringstream)'
includes='string|vector|map|set|list|deque|unordered_map|unordered_set|functional|memory|thread|mutex|atomic|future|condition_variable|iostream|istream|ostream|sstream|fstream|iomanip|locale|regex|stdexcept|exception|typeinfo|any|filesystem|new'

# Comments, literals and `= delete` go; lines keep their numbers.
code() {
  sed -E -e "s/'\\\\?.'/0/g" -e 's/"([^"\\]|\\.)*"/""/g' -e 's|//.*||' -e 's/=[[:space:]]*delete//' "$1" |
    awk '{ while (match($0, /\/\*([^*]|\*+[^*\/])*\*+\//))
             $0 = substr($0, 1, RSTART - 1) substr($0, RSTART + RLENGTH)
           if (inside && !sub(/.*\*\//, "")) { print ""; next }
           inside = sub(/\/\*.*/, "")
           print }'
}

failed=0
while read -r header; do
  hits=$(code "$header" |
    grep -nE "\b($words)\b|\b$types\b|#[[:space:]]*include[[:space:]]*<($includes)>") || continue
  sed "s|^|$header:|" <<<"$hits"
  failed=1
done < <(find include/kinglet kernels/kinglet -name '*.hpp' | sort)
exit $failed
