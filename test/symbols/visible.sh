#!/bin/sh
# Fails when a file defines a visible symbol whose name does not match, or none that does.
#   visible.sh <nm> <shared library or object> <pattern>
set -eu
nm=$1 file=$2 pattern=$3
case $file in
  *.o) symbols=$("$nm" --extern-only --defined-only --format=posix "$file") ;;
  *) symbols=$("$nm" --dynamic --extern-only --defined-only --format=posix "$file") ;;
esac
printf '%s\n' "$symbols" | awk -v pattern="$pattern" -v file="$file" '
  NF == 0 || $2 == "A" { next }
  $1 ~ pattern { ++expected; next }
  { print "visible, but should not be: " $1; ++wrong }
  END {
    printf "%d symbols as expected, %d others in %s\n", expected, wrong, file
    exit wrong > 0 || expected == 0
  }'
