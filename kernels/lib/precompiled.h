// What nearly every kernel source reads, compiled once by CMake: half of the time of a small source
// goes into these. Nobody includes it: sources include what they need, and compile without it
// (node-gyp has no precompiled headers).
#pragma once
#include "lib/kernel.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif
