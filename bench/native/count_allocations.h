// How often memory was asked for in this program, by anyone. Counted where the C library is glibc.
#pragma once
#include <cstdint>

int64_t allocations_so_far();
bool allocations_are_counted();
