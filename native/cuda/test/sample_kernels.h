// Kernels of the kinds that the library has, each with the place where a fault can be put in: what
// finds these finds the same in ours.
#pragma once

#include "../ups_cuda.h"

namespace sample {

enum class Fault { none, barrier_after_store, barrier_in_loop, barrier_before_use, barrier_before_overwrite, wait };

UPS_KERNEL_LB(256) add(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ sum, int count) {
  const int threads = static_cast<int>(gridDim.x * blockDim.x);
  for (int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); i < count; i += threads) sum[i] = a[i] + b[i];
}

// The sum of each block's share, by a tree in shared memory.
template <int Threads, Fault fault = Fault::none>
UPS_KERNEL_LB(Threads)
block_sum(const float* __restrict__ values, float* __restrict__ sums, int count) {
  UPS_SHARED(float, partial, [Threads]);
  const int thread = static_cast<int>(threadIdx.x);
  float sum = 0.0f;
  for (int i = static_cast<int>(blockIdx.x) * Threads + thread; i < count; i += static_cast<int>(gridDim.x) * Threads)
    sum += values[i];
  partial[thread] = sum;
  if constexpr (fault != Fault::barrier_after_store) __syncthreads();
  UPS_UNROLL
  for (int distance = Threads / 2; distance > 0; distance /= 2) {
    if (thread < distance) partial[thread] += partial[thread + distance];
    if constexpr (fault != Fault::barrier_in_loop) __syncthreads();
  }
  if (thread == 0) sums[blockIdx.x] = partial[0];
}

// Running sums inside segments that begin where head is not 0, or where a warp begins.
UPS_KERNEL_LB(128)
segmented_scan(const float* __restrict__ values, const int* __restrict__ head, float* __restrict__ sums, int count) {
  constexpr unsigned full = 0xffffffffu;
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  const int lane = static_cast<int>(threadIdx.x % 32);
  float sum = i < count ? values[i] : 0.0f;
  const unsigned heads = __ballot_sync(full, i < count ? head[i] : 1) | 1u;
  const int first = 31 - __clz(static_cast<int>(heads & (full >> (31 - lane))));
  UPS_UNROLL
  for (int distance = 1; distance < 32; distance *= 2) {
    const float below = __shfl_up_sync(full, sum, static_cast<unsigned>(distance));
    if (lane - distance >= first) sum += below;
  }
  if (i < count) sums[i] = sum;
}

// One tile of eight lanes for each row.
UPS_KERNEL_LB(128) row_sums(const float* __restrict__ values, float* __restrict__ sums, int rows, int columns) {
  const auto tile = ups::Tile<8>::here();
  const int row = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) / 8;
  float sum = 0.0f;
  if (row < rows)
    for (int column = tile.rank; column < columns; column += 8)
      sum += values[static_cast<size_t>(row) * static_cast<size_t>(columns) + static_cast<size_t>(column)];
  sum = tile.sum(sum);
  if (row < rows && tile.rank == 0) sums[row] = sum;
}

UPS_ON_DEVICE void copy_four(float* shared, const float* matrix, int row, int column, int rows, int columns) {
  const bool inside = row < rows && column < columns;
  const size_t at = static_cast<size_t>(row) * static_cast<size_t>(columns) + static_cast<size_t>(column);
  ups::cp_async<16>(shared, inside ? matrix + at : matrix, inside);
}

constexpr int gemm_tile = 32, gemm_depth = 16;
constexpr size_t gemm_shared_bytes = 2 * 2 * gemm_tile * gemm_depth * sizeof(float);

// c[rows,columns] = a[rows,inner] b[inner,columns]; inner and columns are multiples of 4.  Tiles of
// 32 x 32 x 16 in two stages, 64 threads with 4 x 4 sums each.
template <Fault fault = Fault::none>
UPS_KERNEL_LB(64)
gemm_cp_async(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c, int rows, int columns,
              int inner) {
  constexpr int tile = gemm_tile, depth = gemm_depth, stage = gemm_tile * gemm_depth;
  UPS_SHARED_DYN(float, shared);
  float* const shared_a = shared;
  float* const shared_b = shared + 2 * stage;
  const int thread = static_cast<int>(threadIdx.x), down = thread / 8, across = thread % 8;
  const int first_row = static_cast<int>(blockIdx.y) * tile, first_column = static_cast<int>(blockIdx.x) * tile;
  auto load = [&](int step) {
    const int first_inner = step * depth;
    float* const to_a = shared_a + step % 2 * stage;
    float* const to_b = shared_b + step % 2 * stage;
    for (int four = thread; four < stage / 4; four += 64) {
      const int row_a = four / (depth / 4), inner_a = four % (depth / 4) * 4;
      copy_four(to_a + four * 4, a, first_row + row_a, first_inner + inner_a, rows, inner);
      const int inner_b = four / (tile / 4), column_b = four % (tile / 4) * 4;
      copy_four(to_b + four * 4, b, first_inner + inner_b, first_column + column_b, inner, columns);
    }
  };
  float sums[4][4] = {};
  const int steps = (inner + depth - 1) / depth;
  load(0);
  ups::cp_async_commit();
  for (int step = 0; step < steps; ++step) {
    if (step + 1 < steps) load(step + 1);
    ups::cp_async_commit();  // an empty group at the end keeps the count of the wait right
    ups::cp_async_wait<fault == Fault::wait ? 2 : 1>();
    if constexpr (fault != Fault::barrier_before_use) __syncthreads();
    const float* const tile_a = shared_a + step % 2 * stage;
    const float* const tile_b = shared_b + step % 2 * stage;
    UPS_UNROLL
    for (int k = 0; k < depth; ++k) UPS_UNROLL
    for (int i = 0; i < 4; ++i) UPS_UNROLL
    for (int j = 0; j < 4; ++j) sums[i][j] += tile_a[(down * 4 + i) * depth + k] * tile_b[k * tile + across * 4 + j];
    if constexpr (fault != Fault::barrier_before_overwrite) __syncthreads();
  }
  ups::cp_async_wait<0>();
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j) {
      const int row = first_row + down * 4 + i, column = first_column + across * 4 + j;
      if (row < rows && column < columns)
        c[static_cast<size_t>(row) * static_cast<size_t>(columns) + static_cast<size_t>(column)] = sums[i][j];
    }
}

// c[rows,columns] = a[rows,inner] b[columns,inner]^T on the tensor cores; Number is float (as tf32)
// or bf16.  Two warps, a tile of 32 x 16.
template <class Number, Fault fault = Fault::none>
UPS_KERNEL_LB(64)
gemm_mma(const Number* __restrict__ a, const Number* __restrict__ b, float* __restrict__ c, int rows, int columns,
         int inner) {
  constexpr bool tf32 = sizeof(Number) == 4;
  constexpr int tile_rows = 32, tile_columns = 16, depth = tf32 ? 16 : 32, step_k = tf32 ? 8 : 16;
  constexpr int padding = tf32 ? 4 : 8;  // rows of 16 bytes more: no bank conflicts, and ldmatrix stays aligned
  UPS_SHARED(Number, shared_a, [tile_rows][depth + padding]);
  UPS_SHARED(Number, shared_b, [tile_columns][depth + padding]);
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32, lane = thread % 32;
  const int group = lane / 4, pair = lane % 4;
  const int first_row = static_cast<int>(blockIdx.y) * tile_rows;
  const int first_column = static_cast<int>(blockIdx.x) * tile_columns;
  const auto element = [inner](const Number* matrix, int row, int rows_of_it, int k) {
    const bool inside = row < rows_of_it && k < inner;
    return inside ? matrix[static_cast<size_t>(row) * static_cast<size_t>(inner) + static_cast<size_t>(k)] : Number{};
  };
  ups::FragC sums[tile_columns / 8] = {};
  for (int first_inner = 0; first_inner < inner; first_inner += depth) {
    for (int i = thread; i < tile_rows * depth; i += 64)
      shared_a[i / depth][i % depth] = element(a, first_row + i / depth, rows, first_inner + i % depth);
    for (int i = thread; i < tile_columns * depth; i += 64)
      shared_b[i / depth][i % depth] = element(b, first_column + i / depth, columns, first_inner + i % depth);
    if constexpr (fault != Fault::barrier_before_use) __syncthreads();
    UPS_UNROLL
    for (int k = 0; k < depth; k += step_k) {
      if constexpr (tf32) {
        ups::FragA_tf32 left;
        for (int i = 0; i < 4; ++i)
          left.r[i] = ups::to_tf32(shared_a[warp * 16 + group + 8 * (i % 2)][k + pair + 4 * (i / 2)]);
        for (int j = 0; j < tile_columns / 8; ++j) {
          ups::FragB_tf32 right;
          for (int i = 0; i < 2; ++i) right.r[i] = ups::to_tf32(shared_b[j * 8 + group][k + pair + 4 * i]);
          ups::mma(sums[j], left, right);
        }
      } else {
        ups::FragA_bf16 left;
        ups::ldmatrix_x4(left.r, &shared_a[warp * 16 + lane % 16][k + 8 * (lane / 16)]);
        for (int j = 0; j < tile_columns / 8; ++j) {
          ups::FragB_bf16 right;
          ups::ldmatrix_x2(right.r, &shared_b[j * 8 + lane % 8][k + 8 * (lane / 8 % 2)]);
          ups::mma(sums[j], left, right);
        }
      }
    }
    if constexpr (fault != Fault::barrier_before_overwrite) __syncthreads();
  }
  for (int j = 0; j < tile_columns / 8; ++j)
    for (int i = 0; i < 4; ++i) {
      const int row = first_row + warp * 16 + group + 8 * (i / 2);
      const int column = first_column + j * 8 + 2 * pair + i % 2;
      if (row < rows && column < columns)
        c[static_cast<size_t>(row) * static_cast<size_t>(columns) + static_cast<size_t>(column)] = sums[j].r[i];
    }
}

// The last block to finish adds up what all of them found: a ticket taken by an atomic.
template <bool faulty_ticket = false>
UPS_KERNEL_LB(64)
last_block_sums(const float* __restrict__ values, float* __restrict__ partial, unsigned* __restrict__ ticket,
                float* __restrict__ total, int count) {
  UPS_SHARED(float, sums, [2]);
  UPS_SHARED(bool, is_last);
  const int thread = static_cast<int>(threadIdx.x);
  float sum = 0.0f;
  for (int i = static_cast<int>(blockIdx.x) * 64 + thread; i < count; i += static_cast<int>(gridDim.x) * 64)
    sum += values[i];
  sum = ups::warp_sum(sum);
  if (thread % 32 == 0) sums[thread / 32] = sum;
  __syncthreads();
  if (thread == 0) {
    partial[blockIdx.x] = sums[0] + sums[1];
    __threadfence();
    unsigned mine;
    if constexpr (faulty_ticket) mine = (*ticket)++;
    else mine = atomicAdd(ticket, 1u);
    is_last = mine == gridDim.x - 1;
  }
  __syncthreads();
  if (is_last && thread == 0) {
    __threadfence();
    float all = 0.0f;
    for (unsigned block = 0; block < gridDim.x; ++block) all += partial[block];
    *total = all;
  }
}

// Neighbours exchange through shared memory inside a warp.
template <bool with_syncwarp = true>
UPS_KERNEL_LB(32)
exchange_in_warp(const float* __restrict__ in, float* __restrict__ out) {
  UPS_SHARED(float, values, [32]);
  const int lane = static_cast<int>(threadIdx.x);
  values[lane] = in[lane];
  if constexpr (with_syncwarp) __syncwarp();
  out[lane] = values[lane ^ 1];
}

UPS_KERNEL_LB(64) count_under_lock(int* lock, int* count) {
  bool done = false;
  while (!done) {
    if (atomicCAS(lock, 0, 1) != 0) continue;
    __threadfence();
    *count += 1;
    __threadfence();
    atomicExch(lock, 0);
    done = true;
  }
}

}  // namespace sample
