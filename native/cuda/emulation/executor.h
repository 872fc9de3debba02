// What device code in the emulation calls.  One OS thread at a time runs one block; each of its
// device threads is a fiber that gives up the processor only inside these functions.
#pragma once

#include "config.h"

namespace ups::emu {

struct Thread {
  uint3 index{};
  unsigned lane = 0;
};

// Plain globals, not thread_local: the device runs one kernel at a time, under a lock, and reading
// them costs nothing in a shared library whatever TLS model it was built for.
[[gnu::visibility("hidden")]] extern constinit Thread* current_thread;
[[gnu::visibility("hidden")]] extern constinit uint3 current_block;
[[gnu::visibility("hidden")]] extern constinit dim3 current_block_dim;
[[gnu::visibility("hidden")]] extern constinit dim3 current_grid_dim;

// Ends the launch with cudaErrorLaunchFailure and this text.
[[noreturn, gnu::format(printf, 1, 2)]] void fail(const char* format, ...);

// A place where another thread may run: every atomic is one, so that spinning makes progress.
void maybe_yield();

// __syncthreads; returns how many threads came with a true predicate.
unsigned barrier(bool predicate, Site site);
void sync_warp(uint32_t mask, Site site);

void* shared_object(const void* key, size_t bytes, size_t alignment, const char* name);
void* shared_dynamic();

enum class ShuffleKind : uint8_t { index, up, down, exclusive_or };
struct Shuffle {
  uint64_t value, result;
  ShuffleKind kind;
  int operand, width;
  bool source_missing;
};
void shuffle(uint32_t mask, Shuffle& exchange, const char* operation, Site site);

uint32_t ballot(uint32_t mask, bool predicate, const char* operation, Site site);
uint32_t match_any(uint32_t mask, uint64_t value, Site site);

enum class Reduction : uint8_t { add, min_signed, min_unsigned, max_signed, max_unsigned, bit_and, bit_or, bit_xor };
uint32_t reduce(uint32_t mask, uint32_t value, Reduction reduction, const char* operation, Site site);

enum class MmaShape : uint8_t { tf32_m16n8k8, bf16_m16n8k16 };
void mma(MmaShape shape, const uint32_t* a, const uint32_t* b, float* c, Site site);
struct MatrixRow {
  uint16_t numbers[8];
};
void load_matrices(uint32_t* registers, const MatrixRow& row, int matrices, bool transposed, Site site);

struct AsyncCopy {
  void* shared;
  const void* global;
  unsigned bytes, wanted_bytes, group;
};
// True: the copy lands at the wait.  False: the caller lets it land now.
bool issue_copy(AsyncCopy copy);
void commit_copies();
// Hands out one copy that has to land so that at most `pending` groups are under way; false when
// there is none.
bool next_landing(unsigned pending, AsyncCopy& copy);

// A kernel and its arguments, as the executor calls it for every thread.
using Body = void (*)(const void* launch);
cudaError_t check_launch(dim3 grid, dim3 block, size_t shared_bytes);
cudaError_t run_grid(dim3 grid, dim3 block, size_t shared_bytes, Body body, const void* launch);

}  // namespace ups::emu
