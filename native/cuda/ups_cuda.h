// The one header that kernel sources include.  nvcc sees CUDA; any other compiler sees an emulation
// of the same names in plain C++20, so that every kernel can be tested without a GPU.  The rules
// for kernels: README.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <type_traits>
#include <utility>

#if defined(__CUDACC__)
#include "nvcc/macros.h"
#else
#include "emulation/macros.h"
#include "emulation/types.h"
#include "emulation/runtime.h"
#include "emulation/config.h"
#include "emulation/thread.h"
#include "emulation/warp.h"
#include "emulation/atomics.h"
#include "emulation/math.h"
#endif

#include "portable/formats.h"
#include "portable/fragments.h"

#if defined(__CUDACC__)
#include "nvcc/async_copy.h"
#include "nvcc/tensor_core.h"
#include "nvcc/launch.h"
#else
#include "emulation/async_copy.h"
#include "emulation/tensor_core.h"
#include "emulation/launch.h"
#endif

#include "portable/tile.h"
#include "portable/launch.h"
