// Every wrapper and intrinsic against an answer worked out on the host.  Nothing here knows the
// emulator: the same file is the test of the wrappers' PTX on a GPU.
#include "device.h"

namespace {

using test::DeviceArray;

constexpr unsigned full = 0xffffffffu;
constexpr unsigned lanes = 32;

template <class T>
std::vector<T> per_lane(T (*answer)(unsigned lane)) {
  std::vector<T> answers(lanes);
  for (unsigned lane = 0; lane < lanes; ++lane) answers[lane] = answer(lane);
  return answers;
}

// Runs a kernel of one warp that writes one number for each lane.
template <class T>
std::vector<T> of_warp(void (*kernel)(T*)) {
  DeviceArray<T> out(lanes);
  CHECK(test::run(kernel, 1, lanes, 0, out.data()) == cudaSuccess);
  return out.values();
}

// ---- shuffles

UPS_KERNEL_LB(32) shuffle_index(int* out) {
  const int lane = static_cast<int>(threadIdx.x);
  out[lane] = __shfl_sync(full, 100 + lane, lane * 3 + 40);  // the source is taken modulo the width
}
UPS_KERNEL_LB(32) shuffle_index_by_8(int* out) {
  const int lane = static_cast<int>(threadIdx.x);
  out[lane] = __shfl_sync(full, 100 + lane, 5, 8);
}
UPS_KERNEL_LB(32) shuffle_up(float* out) {
  const unsigned lane = threadIdx.x;
  out[lane] = __shfl_up_sync(full, static_cast<float>(lane), 3u, 16);
}
UPS_KERNEL_LB(32) shuffle_down(double* out) {
  const unsigned lane = threadIdx.x;
  out[lane] = __shfl_down_sync(full, static_cast<double>(lane) + 0.25, 5u, 8);
}
UPS_KERNEL_LB(32) shuffle_xor(unsigned* out) {
  const unsigned lane = threadIdx.x;
  out[lane] = __shfl_xor_sync(full, lane + 1000u, 11);
}
UPS_KERNEL_LB(32) shuffle_xor_by_8(int* out) {
  const int lane = static_cast<int>(threadIdx.x);
  out[lane] = __shfl_xor_sync(full, lane, 8, 8);  // a lower group may be read, a higher one gives the own value
}
UPS_KERNEL_LB(32) shuffle_of_half(unsigned long long* out) {
  const unsigned lane = threadIdx.x;
  unsigned long long value = (1ull << 40) + lane;
  if (lane < 16) value = __shfl_sync(0x0000ffffu, value, 15);
  else value = __shfl_sync(0xffff0000u, value, 16);
  out[lane] = value;
}

UPS_TEST(shuffles, every_schedule) {
  CHECK(of_warp(shuffle_index) == per_lane<int>([](unsigned l) { return static_cast<int>(100 + (l * 3 + 40) % 32); }));
  CHECK(of_warp(shuffle_index_by_8) == per_lane<int>([](unsigned l) { return static_cast<int>(105 + l / 8 * 8); }));
  CHECK(of_warp(shuffle_up) == per_lane<float>([](unsigned l) { return static_cast<float>(l % 16 < 3 ? l : l - 3); }));
  CHECK(of_warp(shuffle_down) ==
        per_lane<double>([](unsigned l) { return static_cast<double>(l % 8 < 3 ? l + 5 : l) + 0.25; }));
  CHECK(of_warp(shuffle_xor) == per_lane<unsigned>([](unsigned l) { return (l ^ 11u) + 1000u; }));
  CHECK(of_warp(shuffle_xor_by_8) == per_lane<int>([](unsigned l) { return static_cast<int>(l & 8 ? l ^ 8u : l); }));
  CHECK(of_warp(shuffle_of_half) ==
        per_lane<unsigned long long>([](unsigned l) { return (1ull << 40) + (l < 16 ? 15u : 16u); }));
}

// ---- votes, match, reductions

UPS_KERNEL_LB(32) votes(unsigned* out) {
  const unsigned lane = threadIdx.x;
  unsigned bits = __ballot_sync(full, lane % 3 == 0);
  if (__any_sync(full, lane == 31)) bits += 1u << 1;
  if (__any_sync(full, lane == 32)) bits += 1u << 2;
  if (__all_sync(full, lane < 32)) bits += 1u << 4;
  if (__all_sync(full, lane < 31)) bits += 1u << 5;
  if (lane < 4) bits = __ballot_sync(0xfu, lane != 2);
  out[lane] = bits;
}
UPS_KERNEL_LB(32) match_small(unsigned* out) {
  out[threadIdx.x] = __match_any_sync(full, static_cast<int>(threadIdx.x % 5));
}
UPS_KERNEL_LB(32) match_large(unsigned* out) {
  out[threadIdx.x] = __match_any_sync(full, static_cast<unsigned long long>(threadIdx.x / 16) << 40);
}

UPS_TEST(votes_and_matches, every_schedule) {
  CHECK(of_warp(votes) == per_lane<unsigned>([](unsigned l) { return l < 4 ? 0xbu : 0x49249249u + 0x12u; }));
  CHECK(of_warp(match_small) == per_lane<unsigned>([](unsigned l) {
          unsigned equal = 0;
          for (unsigned other = 0; other < lanes; ++other)
            if (other % 5 == l % 5) equal |= 1u << other;
          return equal;
        }));
  CHECK(of_warp(match_large) == per_lane<unsigned>([](unsigned l) { return l < 16 ? 0x0000ffffu : 0xffff0000u; }));
}

constexpr int reductions = 9;

UPS_KERNEL_LB(32) reduce_all(unsigned* out) {
  const unsigned lane = threadIdx.x;
  const int small = static_cast<int>(lane) - 7;
  const unsigned large = lane * 0x9e3779b9u;
  unsigned* mine = out + lane * reductions;
  mine[0] = __reduce_add_sync(full, large);
  mine[1] = static_cast<unsigned>(__reduce_add_sync(full, small));
  mine[2] = __reduce_min_sync(full, large | 1u);
  mine[3] = static_cast<unsigned>(__reduce_min_sync(full, small));
  mine[4] = __reduce_max_sync(full, static_cast<unsigned>(small));
  mine[5] = static_cast<unsigned>(__reduce_max_sync(full, small));
  mine[6] = __reduce_and_sync(full, large | 0x81u);
  mine[7] = __reduce_or_sync(full, 1u << (lane / 2));
  mine[8] = __reduce_xor_sync(full, large);
}

UPS_TEST(warp_reductions, every_schedule) {
  unsigned expected[reductions] = {0, 0, ~0u, static_cast<unsigned>(-7), ~0u, 24, ~0u, 0x0000ffffu, 0};
  for (unsigned lane = 0; lane < lanes; ++lane) {
    const unsigned large = lane * 0x9e3779b9u;
    expected[0] += large;
    expected[1] += lane - 7u;
    expected[2] = std::min(expected[2], large | 1u);
    expected[6] &= large | 0x81u;
    expected[8] ^= large;
  }
  DeviceArray<unsigned> out(lanes * reductions);
  CHECK(test::run(reduce_all, 1, lanes, 0, out.data()) == cudaSuccess);
  const auto values = out.values();
  for (unsigned lane = 0; lane < lanes; ++lane)
    for (int i = 0; i < reductions; ++i) CHECK(values[lane * reductions + static_cast<unsigned>(i)] == expected[i]);
}

// ---- tiles

UPS_KERNEL_LB(64) tile_operations(int* out) {
  const auto tile = ups::Tile<8>::here();
  const int thread = static_cast<int>(threadIdx.x + 16 * threadIdx.y);  // tiles follow the flat thread number
  int* mine = out + thread * 8;
  mine[0] = tile.rank;
  mine[1] = tile.sum(thread);
  mine[2] = tile.max(thread * (tile.rank == 3 ? 1 : -1));
  mine[3] = tile.min(100 - thread);
  mine[4] = static_cast<int>(tile.ballot(tile.rank == 2 || tile.rank == 7));
  mine[5] = tile.inclusive_sum(1 + tile.rank);
  mine[6] = tile.any(thread == 20) + 2 * tile.all(thread < 40);
  tile.sync();
  mine[7] = tile.shfl(thread, 6) + 1000 * tile.shfl_xor(tile.rank, 1) + 10000 * tile.shfl_up(tile.rank, 2) +
            100000 * tile.shfl_down(tile.rank, 2);
}

UPS_TEST(tiles, every_schedule) {
  DeviceArray<int> out(64 * 8);
  CHECK(test::run(tile_operations, 1, dim3(16, 4), 0, out.data()) == cudaSuccess);
  const auto values = out.values();
  for (int thread = 0; thread < 64; ++thread) {
    const int rank = thread % 8, first = thread - rank;
    const int* mine = &values[static_cast<size_t>(thread) * 8];
    CHECK(mine[0] == rank);
    CHECK(mine[1] == 8 * first + 28);
    CHECK(mine[2] == first + 3);
    CHECK(mine[3] == 100 - (first + 7));
    CHECK(mine[4] == 0x84);
    CHECK(mine[5] == (rank + 1) * (rank + 2) / 2);
    CHECK(mine[6] == (first == 16 ? 1 : 0) + (first < 40 ? 2 : 0));
    CHECK(mine[7] ==
          first + 6 + 1000 * (rank ^ 1) + 10000 * (rank < 2 ? rank : rank - 2) + 100000 * (rank > 5 ? rank : rank + 2));
  }
}

UPS_KERNEL_LB(32) whole_warp(float* out) {
  const float value = static_cast<float>(threadIdx.x);
  out[threadIdx.x] = ups::warp_sum(value) + 1000.0f * ups::warp_max(value) + 100000.0f * ups::warp_min(value + 2.0f);
}

UPS_TEST(warp_sums, every_schedule) {
  CHECK(of_warp(whole_warp) == per_lane<float>([](unsigned) { return 496.0f + 31000.0f + 200000.0f; }));
}

// ---- barriers that vote

UPS_KERNEL_LB(96) barrier_votes(int* out) {
  const int thread = static_cast<int>(threadIdx.x);
  int* mine = out + thread * 5;
  mine[0] = __syncthreads_count(thread % 4 == 0);
  mine[1] = __syncthreads_or(thread == 95) != 0;
  mine[2] = __syncthreads_or(thread == 96) != 0;
  mine[3] = __syncthreads_and(thread < 96) != 0;
  mine[4] = __syncthreads_and(thread < 95) != 0;
}

UPS_TEST(barriers_that_vote, every_schedule) {
  DeviceArray<int> out(96 * 5);
  CHECK(test::run(barrier_votes, 1, 96, 0, out.data()) == cudaSuccess);
  const auto values = out.values();
  for (size_t i = 0; i < values.size(); i += 5)
    CHECK(values[i] == 24 && values[i + 1] == 1 && values[i + 2] == 0 && values[i + 3] == 1 && values[i + 4] == 0);
}

// ---- atomics

struct AtomicTargets {
  int sum, least, most, bits_and, bits_or, bits_xor, difference;
  unsigned max_unsigned, exchanged, compared;
  unsigned long long wide_sum, wide_most;
  float float_sum;
  double double_sum;
};

UPS_KERNEL_LB(64) atomics(AtomicTargets* t) {
  const int thread = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  atomicAdd(&t->sum, thread);
  atomicSub(&t->difference, 2);
  atomicMin(&t->least, 50 - thread);
  atomicMax(&t->most, thread - 50);
  atomicMax(&t->max_unsigned, 3u + static_cast<unsigned>(thread));
  atomicAnd(&t->bits_and, ~(1 << (thread % 8)));
  atomicOr(&t->bits_or, 1 << (thread % 20));
  atomicXor(&t->bits_xor, thread);
  atomicAdd(&t->wide_sum, 1ull << 33);
  atomicMax(&t->wide_most, (1ull << 40) + static_cast<unsigned long long>(thread));
  atomicAdd(&t->float_sum, 0.5f);  // exact, so the order does not matter
  atomicAdd(&t->double_sum, 0.25);
  if (thread == 77) atomicExch(&t->exchanged, 5u);
  unsigned seen = atomicCAS(&t->compared, 0u, 0u), expected;  // one more, without atomicAdd
  do {
    expected = seen;
    seen = atomicCAS(&t->compared, expected, expected + 1);
  } while (seen != expected);
}

UPS_TEST(atomic_operations, every_schedule) {
  AtomicTargets start{};
  start.bits_and = 0xffff;
  start.least = 1000;
  start.most = -1000;
  DeviceArray<AtomicTargets> targets(std::vector<AtomicTargets>{start});
  CHECK(test::run(atomics, 2, 64, 0, targets.data()) == cudaSuccess);
  const AtomicTargets t = targets.values()[0];
  CHECK(t.sum == 127 * 128 / 2 && t.difference == -256 && t.least == 50 - 127 && t.most == 77);
  CHECK(t.max_unsigned == 130 && t.bits_and == 0xff00 && t.bits_or == 0xfffff && t.bits_xor == 0);
  CHECK(t.wide_sum == 1ull << 40 && t.wide_most == (1ull << 40) + 127);
  CHECK(t.float_sum == 64.0f && t.double_sum == 32.0 && t.exchanged == 5 && t.compared == 128);
}

// ---- bits and numbers

UPS_KERNEL_LB(32) bit_intrinsics(int* out) {
  const unsigned lane = threadIdx.x;
  int failures = 0;
  failures += __popc(0xf0f0u + lane - lane) != 8;
  failures += __popcll(~0ull << 20) != 44;
  failures += __clz(static_cast<int>(1u << lane)) != 31 - static_cast<int>(lane);
  failures += __clz(0) != 32 || __clzll(1ll << 40) != 23 || __clzll(0) != 64;
  failures += __ffs(static_cast<int>(3u << lane)) != static_cast<int>(lane) + 1 || __ffs(0) != 0;
  failures += __ffsll(1ll << 50) != 51 || __ffsll(0) != 0;
  failures += __brev(1u << lane) != 1u << (31 - lane) || __brev(0x12345678u) != 0x1e6a2c48u;
  failures += __umulhi(0xdeadbeefu, 0xcafebabeu) != 0xb092ab7bu;
  failures += __float_as_uint(1.5f) != 0x3fc00000u || __uint_as_float(0xc0000000u) != -2.0f;
  failures += __float_as_int(-0.0f) >= 0 || __int_as_float(0x40400000) != 3.0f;
  failures += fabsf(rsqrtf(4.0f) - 0.5f) > 1e-6f || fabs(rsqrt(16.0) - 0.25) > 1e-12;
  failures += __fadd_rn(1.0f, 2.0f) != 3.0f || __fsub_rn(1.0f, 2.0f) != -1.0f || __fmul_rn(3.0f, 2.0f) != 6.0f;
  failures += __fmaf_rn(2.0f, 3.0f, 1.0f) != 7.0f || fminf(1.0f, 2.0f) != 1.0f || expf(0.0f) != 1.0f;
  failures += ups::min(3, 2) != 2 || ups::max(3.0f, 2.0f) != 3.0f;
  out[lane] = failures;
}

UPS_TEST(bits_and_numbers, once) { CHECK(of_warp(bit_intrinsics) == std::vector<int>(lanes, 0)); }

// Values at the edges of the formats, rounded on the device and compared with their known bits.
constexpr int edges = 9;

UPS_KERNEL_LB(32) round_edges(const float* values, unsigned* as_tf32, unsigned* as_bf16) {
  const int i = static_cast<int>(threadIdx.x);
  if (i >= edges) return;
  as_tf32[i] = ups::to_tf32(values[i]);
  as_bf16[i] = ups::to_bf16(values[i]).bits;
}

UPS_TEST(roundings, once) {
  const unsigned bits[edges] = {0x3f800000, 0x3f801000, 0x3f800fff, 0xbf803000, 0x3f808000,
                                0x3f818000, 0x7f800000, 0x7f7fffff, 0x80000000};
  // tf32: ties away from zero; bf16: ties to even
  const unsigned tf32[edges] = {0x3f800000, 0x3f802000, 0x3f800000, 0xbf804000, 0x3f808000,
                                0x3f818000, 0x7f800000, 0x7f800000, 0x80000000};
  const unsigned bf16[edges] = {0x3f80, 0x3f80, 0x3f80, 0xbf80, 0x3f80, 0x3f82, 0x7f80, 0x7f80, 0x8000};
  std::vector<float> values(edges);
  for (int i = 0; i < edges; ++i) values[static_cast<size_t>(i)] = ups::float_of(bits[i]);
  const DeviceArray<float> in(values);
  const DeviceArray<unsigned> as_tf32(edges), as_bf16(edges);
  CHECK(test::run(round_edges, 1, 32, 0, in.data(), as_tf32.data(), as_bf16.data()) == cudaSuccess);
  CHECK(as_tf32.values() == std::vector<unsigned>(tf32, tf32 + edges));
  CHECK(as_bf16.values() == std::vector<unsigned>(bf16, bf16 + edges));
  CHECK(std::isnan(ups::to_f32(ups::to_bf16(ups::float_of(0x7f800001u)))));
}

// ---- mma: the result of one instruction, from matrices whose products no layout mistake can leave
//   alone

// Small different integers: exact in bf16 and tf32, and so are all sums.
float sample_a(int row, int k) { return static_cast<float>((row * 7 + k * 3) % 17 - 8); }
float sample_b(int k, int column) { return static_cast<float>((k * 5 + column * 11) % 13 - 6); }
float sample_c(int row, int column) { return static_cast<float>(row * 8 + column); }

std::vector<float> product(int depth) {
  std::vector<float> expected(16 * 8);
  for (int row = 0; row < 16; ++row)
    for (int column = 0; column < 8; ++column) {
      float sum = sample_c(row, column);
      for (int k = 0; k < depth; ++k) sum += sample_a(row, k) * sample_b(k, column);
      expected[static_cast<size_t>(row * 8 + column)] = sum;
    }
  return expected;
}

struct Operands {
  std::vector<float> a, b, c;
};
Operands operands(int depth) {
  Operands o;
  for (int row = 0; row < 16; ++row)
    for (int k = 0; k < depth; ++k) o.a.push_back(sample_a(row, k));
  for (int k = 0; k < depth; ++k)
    for (int column = 0; column < 8; ++column) o.b.push_back(sample_b(k, column));
  for (int row = 0; row < 16; ++row)
    for (int column = 0; column < 8; ++column) o.c.push_back(sample_c(row, column));
  return o;
}

template <int Depth>
UPS_KERNEL_LB(32)
one_mma(const float* a, const float* b, float* c) {
  const int lane = static_cast<int>(threadIdx.x), group = lane / 4, pair = lane % 4;
  ups::FragC sum;
  for (int i = 0; i < 4; ++i) sum.r[i] = c[(group + 8 * (i / 2)) * 8 + 2 * pair + i % 2];
  if constexpr (Depth == 8) {
    ups::FragA_tf32 left;
    ups::FragB_tf32 right;
    for (int i = 0; i < 4; ++i) left.r[i] = ups::to_tf32(a[(group + 8 * (i % 2)) * 8 + pair + 4 * (i / 2)]);
    for (int i = 0; i < 2; ++i) right.r[i] = ups::to_tf32(b[(pair + 4 * i) * 8 + group]);
    ups::mma(sum, left, right);
  } else {
    ups::FragA_bf16 left;
    ups::FragB_bf16 right;
    for (int i = 0; i < 4; ++i) {
      const float* first = a + (group + 8 * (i % 2)) * 16 + 2 * pair + 8 * (i / 2);
      left.r[i] = ups::pack(ups::to_bf16(first[0]), ups::to_bf16(first[1]));
    }
    for (int i = 0; i < 2; ++i) {
      const float* first = b + (2 * pair + 8 * i) * 8 + group;
      right.r[i] = ups::pack(ups::to_bf16(first[0]), ups::to_bf16(first[8]));
    }
    ups::mma(sum, left, right);
  }
  for (int i = 0; i < 4; ++i) c[(group + 8 * (i / 2)) * 8 + 2 * pair + i % 2] = sum.r[i];
}

template <int Depth>
void check_mma() {
  const Operands o = operands(Depth);
  const DeviceArray<float> a(o.a), b(o.b), c(o.c);
  CHECK(test::run(one_mma<Depth>, 1, 32, 0, a.data(), b.data(), c.data()) == cudaSuccess);
  CHECK(c.values() == product(Depth));
}

UPS_TEST(mma_tf32, every_schedule) { check_mma<8>(); }
UPS_TEST(mma_bf16, every_schedule) { check_mma<16>(); }

// ---- ldmatrix: number n of a table of 32 rows of 8 is n itself

template <int Matrices, bool Transposed>
UPS_KERNEL_LB(32)
load_matrices(unsigned* out) {
  UPS_SHARED(uint4, table, [32]);
  const unsigned lane = threadIdx.x;
  const unsigned first = lane * 8;
  table[lane] = make_uint4(first | (first + 1) << 16, (first + 2) | (first + 3) << 16, (first + 4) | (first + 5) << 16,
                           (first + 6) | (first + 7) << 16);
  __syncthreads();
  unsigned r[Matrices];
  if constexpr (Matrices == 4 && Transposed) ups::ldmatrix_x4_trans(r, &table[lane]);
  else if constexpr (Matrices == 4) ups::ldmatrix_x4(r, &table[lane]);
  else if constexpr (Transposed) ups::ldmatrix_x2_trans(r, &table[lane]);
  else ups::ldmatrix_x2(r, &table[lane]);
  for (int i = 0; i < Matrices; ++i) out[lane * Matrices + static_cast<unsigned>(i)] = r[i];
}

template <int Matrices, bool Transposed>
void check_ldmatrix() {
  const DeviceArray<unsigned> out(lanes * Matrices);
  CHECK(test::run(load_matrices<Matrices, Transposed>, 1, 32, 0, out.data()) == cudaSuccess);
  const auto values = out.values();
  for (unsigned lane = 0; lane < lanes; ++lane)
    for (unsigned matrix = 0; matrix < Matrices; ++matrix) {
      const unsigned group = lane / 4, place = 2 * (lane % 4), corner = matrix * 64;
      const unsigned low = Transposed ? corner + place * 8 + group : corner + group * 8 + place;
      const unsigned high = Transposed ? low + 8 : low + 1;
      CHECK(values[lane * Matrices + matrix] == (low | high << 16));
    }
}

UPS_TEST(ldmatrix, every_schedule) {
  check_ldmatrix<4, false>();
  check_ldmatrix<4, true>();
  check_ldmatrix<2, false>();
  check_ldmatrix<2, true>();
}

// ---- cp.async: all three sizes, groups that complete in order, zeros where nothing is wanted

template <int Floats>
UPS_KERNEL_LB(64)
copy_in_groups(const float* in, float* out) {
  UPS_SHARED(float4, aligned, [3 * 64]);
  float* const stage = reinterpret_cast<float*>(&aligned[0]);
  const int thread = static_cast<int>(threadIdx.x);
  for (int group = 0; group < 3; ++group) {
    const int at = (group * 64 + thread) * Floats;
    ups::cp_async<4 * Floats>(stage + at, in + at, thread % 5 != 4);
    ups::cp_async_commit();
  }
  ups::cp_async_wait<2>();
  for (int i = 0; i < Floats; ++i) out[thread * Floats + i] = stage[thread * Floats + i];
  ups::cp_async_wait<0>();
  __syncthreads();
  for (int group = 1; group < 3; ++group)  // from another thread's copies
    for (int i = 0; i < Floats; ++i)
      out[(group * 64 + thread) * Floats + i] = stage[(group * 64 + 63 - thread) * Floats + i];
}

template <int Floats>
void check_cp_async() {
  const size_t count = 3 * 64 * Floats;
  const std::vector<float> values = test::random_floats(count, 7);
  const DeviceArray<float> in(values), out(count);
  CHECK(test::run(copy_in_groups<Floats>, 1, 64, 0, in.data(), out.data()) == cudaSuccess);
  std::vector<float> expected(count);
  for (size_t group = 0; group < 3; ++group)
    for (size_t thread = 0; thread < 64; ++thread) {
      const size_t source = group == 0 ? thread : 63 - thread;
      for (size_t i = 0; i < Floats; ++i)
        expected[(group * 64 + thread) * Floats + i] =
            source % 5 == 4 ? 0.0f : values[(group * 64 + source) * Floats + i];
    }
  CHECK(out.values() == expected);
}

UPS_TEST(cp_async, every_schedule) {
  check_cp_async<1>();
  check_cp_async<2>();
  check_cp_async<4>();
}

// ---- launches

UPS_KERNEL_LB(64) where_am_i(unsigned* out) {
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  out[block * 24 + thread] = block * 100 + thread;
}

UPS_TEST(indices, every_schedule) {
  const dim3 grid(3, 2, 4), block(4, 3, 2);
  const DeviceArray<unsigned> out(24 * 24);
  CHECK(test::run(where_am_i, grid, block, 0, out.data()) == cudaSuccess);
  const auto values = out.values();
  for (unsigned i = 0; i < values.size(); ++i) CHECK(values[i] == i / 24 * 100 + i % 24);
}

UPS_KERNEL_LB(128) large_dynamic(float* out) {
  UPS_SHARED_DYN(float, reversed);
  const int thread = static_cast<int>(threadIdx.x);
  for (int i = thread; i < 20480; i += 128) reversed[20479 - i] = static_cast<float>(i);
  __syncthreads();
  out[thread] = reversed[thread * 160];
}

UPS_TEST(dynamic_shared_memory_beyond_48_kib, every_schedule) {
  const DeviceArray<float> out(128);
  CHECK(test::run(large_dynamic, 1, 128, 20480 * sizeof(float), out.data()) == cudaSuccess);
  const auto values = out.values();
  for (size_t i = 0; i < values.size(); ++i) CHECK(values[i] == static_cast<float>(20479 - i * 160));
}

UPS_TEST(refused_launches, once) {
  const DeviceArray<float> out(128);
  CHECK(test::run(large_dynamic, 1, 1025, 0, out.data()) == cudaErrorInvalidConfiguration);
  CHECK(cudaGetLastError() == cudaErrorInvalidConfiguration);
  CHECK(cudaGetLastError() == cudaSuccess);
  CHECK(test::run(large_dynamic, dim3(1, 65536), 128, 0, out.data()) != cudaSuccess);
  CHECK(test::run(large_dynamic, 1, 128, 1 << 20, out.data()) != cudaSuccess);
  (void)cudaGetLastError();
}

}  // namespace
