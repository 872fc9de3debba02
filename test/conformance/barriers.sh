#!/bin/bash
# Is every barrier of the CUDA kernels needed, and would its loss be noticed? Each one in turn does
# not happen (UPSILON_EMULATION_SKIP, native/cuda/README.md), and the emulated conformance cases of
# its operation must fail then: in the first program by wrong results, or else in the second, built
# with UPSILON_SANITIZE=thread, by its data races.
#   test/conformance/barriers.sh build-tests/Release/upsilon_conformance \
#       [build-tsan/Release/upsilon_conformance [files]]
# `files` is a part of their names: only those are tried.
set -euo pipefail
program=$(realpath "$1")
sanitized=${2:+$(realpath "$2")}
cd "$(dirname "$0")/../../kernels"
export TSAN_OPTIONS='atexit_sleep_ms=0 halt_on_error=1'

# passes FILE:LINE PROGRAM SCHEDULES: nothing happens when that barrier does not
passes() {
  local folder filter=()
  folder=$(dirname "${1%%:*}")
  [[ $folder == lib/* ]] || filter=(--filter "$(basename "$folder")")
  UPSILON_EMULATION_SKIP=$(basename "$1") timeout 1200 "$2" --device emulated:0 --schedules "$3" --quick "${filter[@]}" \
    > /dev/null 2>&1
}

unnoticed=0
for place in $(grep -nE '^[^/]*(__sync(threads|warp)(_[a-z]+)?|\.sync)\(' -r --include='*.cu' --include='*.cuh' . |
  sed -E 's|^\./([^:]*:[0-9]+):.*|\1|' | grep -e "${3:-}" | sort -t: -k1,1 -k2,2n); do
  if passes "$place" "$program" 6 && { [ -z "$sanitized" ] || passes "$place" "$sanitized" 2; }; then
    echo "NOT NOTICED: $place: $(sed -n "${place##*:}p" "${place%%:*}" | sed 's/^ *//')"
    unnoticed=$((unnoticed + 1))
  else
    echo "noticed: $place"
  fi
done
echo "$unnoticed barriers were not missed"
[ $unnoticed -eq 0 ]
