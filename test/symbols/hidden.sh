#!/bin/sh
# Fails when an object defines a global symbol that a shared object it becomes part of would show,
# or defines none.
#   hidden.sh <readelf> <object>
set -eu
"$1" --symbols --wide "$2" | awk '
  $5 != "GLOBAL" && $5 != "WEAK" || $7 == "UND" { next }
  $6 == "HIDDEN" { ++hidden; next }
  { print "would be shown: " $8; ++shown }
  END {
    printf "%d symbols hidden, %d not\n", hidden, shown
    exit shown > 0 || hidden == 0
  }'
