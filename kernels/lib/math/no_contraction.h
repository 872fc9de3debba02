// Included first by sources whose results must keep their bits on every instruction set: a product
// and a sum stay two roundings from here to the end of the source.
#pragma once

#if defined(__CUDACC__)  // device code says so at every product, host code computes nothing
#elif defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif
