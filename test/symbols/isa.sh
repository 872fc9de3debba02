#!/bin/sh
# Fails when an AVX or AVX-512 instruction lies in a function that is not one of the dispatched
# ones, recognised by the namespace in its mangled name (upsilon::avx2, upsilon::lanes16,
# upsilon::avx512): such a function would run on, and crash, a processor without these instructions.
# Also fails when no AVX instruction is found at all, because then nothing was tested.
#   isa.sh <objdump> <library with its symbol table>
set -eu
"$1" --disassemble --no-show-raw-insn "$2" | awk '
  /^[0-9a-f]+ <.*>:$/ {
    name = $2
    dispatched = name ~ /(4avx2|7lanes16|6avx512)/
    avx512 = name ~ /6avx512/
    next
  }
  $1 ~ /^[0-9a-f]+:$/ {
    # VEX and EVEX instructions begin with v, all others that do (verr, verw, vm*) are for operating
    # systems; the mask instructions of AVX-512 begin with k.
    wide = $2 ~ /^v/ || $2 ~ /^k(mov|and|andn|or|xor|xnor|not|ortest|test|add|unpck|shift)/
    if (!wide) next
    if (dispatched && !avx512 && ($0 ~ /%zmm|%k[0-7]|%[xy]mm(1[6-9]|2[0-9]|3[01])/)) {
      if (!(name in narrow)) print "AVX-512 in a function for AVX2: " name $0
      narrow[name] = 1
      ++wrong
    }
    if (dispatched) { ++inside; next }
    if (!(name in outside)) print "AVX outside the dispatched functions: " name $0
    outside[name] = 1
    ++wrong
  }
  END {
    printf "%d AVX instructions in dispatched functions, %d elsewhere\n", inside, wrong
    exit wrong > 0 || inside == 0
  }'
