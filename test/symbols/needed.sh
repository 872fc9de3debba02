#!/bin/sh
# Fails when the library needs more at run time than the C and C++ runtimes: a CUDA driver must
# never be wanted.
#   needed.sh <objdump> <shared library>
set -eu
"$1" -p "$2" | awk '
  $1 != "NEEDED" { next }
  { print "needs " $2 }
  $2 !~ /^(libc|libm|libdl|libpthread|libstdc\+\+|libgcc_s|ld-linux.*)\.so/ { print "  which is not allowed"; ++wrong }
  END { exit wrong > 0 }'
