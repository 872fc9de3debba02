#!/bin/sh
# Fails when the symbols that a file shows are not those of a sorted list. docs/abi.md says which
# changes may be.
#   exported.sh <nm> <shared library or object> <list>            compares
#   exported.sh <nm> <shared library or object> <list> --update   writes the list anew
set -eu
nm=$1 file=$2 list=$3
case $file in
  *.o) dynamic= ;;
  *) dynamic=--dynamic ;;
esac
symbols=$("$nm" $dynamic --extern-only --defined-only --format=posix "$file" | awk 'NF && $2 != "A" { print $1 }' |
  LC_ALL=C sort)
if [ "${4-}" = --update ]; then
  printf '%s\n' "$symbols" > "$list"
else
  printf '%s\n' "$symbols" | diff -u "$list" -
fi
