#include <limits>
#include <optional>

#include "lib/attention/one_head.h"

#define UPS_SIMD_SOURCE "lib/attention/one_head.cpu.cc"
#include "lib/simd/each_isa.h"
#include "lib/attention/one_head.simd.h"
#include "lib/attention/products.simd.h"
#include "lib/math/philox_block.simd.h"
#include "lib/simd/dot.simd.h"
#include "lib/simd/rows.simd.h"

UPS_SIMD_SHARED_BEGIN

namespace {

constexpr int64_t tile_keys = 128;  // a multiple of every pair of vectors
constexpr int64_t block_queries = 48;  // backward: scores and dscores of a block and a tile are 48 KiB
constexpr float minus_infinity = -std::numeric_limits<float>::infinity();

// exp for x <= 0, to 2 ulp; below -87 it is 0. NaN stays NaN.
// x = n ln 2 + r; the quartic r^2 (...) was fitted to exp(r) - 1 - r on |r| <= ln 2 / 2 for the
// least relative error, 1.1e-7.
[[gnu::always_inline]] inline Floats exp_below(Floats x) {
  const Floats bounded = x < broadcast(-88.0f) ? broadcast(-88.0f) : x;
  const Floats magic = broadcast(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer, in the lowest bits
  const Floats shifted = bounded * broadcast(1.44269504088896341f) + magic;
  const Floats n = shifted - magic;
  Floats r = bounded - n * broadcast(0.693359375f);  // ln 2 in two parts, the first exact in the product
  r = r - n * broadcast(-2.12194440e-4f);
  Floats p = broadcast(8.312501944601536e-3f);
  p = p * r + broadcast(4.189033433794975e-2f);
  p = p * r + broadcast(1.6667115688323975e-1f);
  p = p * r + broadcast(4.99992311000824e-1f);
  p = p * r + broadcast(1.0f);
  p = p * r + broadcast(1.0f);
  Ints power;
  std::memcpy(&power, &shifted, sizeof power);
  power = (power << 23) + 0x3f800000;  // 2^n
  Floats scale;
  std::memcpy(&scale, &power, sizeof scale);
  return x < broadcast(-87.0f) ? zero() : p * scale;
}

[[gnu::always_inline]] inline Ints lane_numbers() {
  Ints numbers;
  for (int i = 0; i < lanes; ++i) numbers[i] = i;
  return numbers;
}
// v in the first `count` lanes, `otherwise` in the others.
[[gnu::always_inline]] inline Floats in_first(int64_t count, Floats v, Floats otherwise) {
  return lane_numbers() < static_cast<int32_t>(count) - Ints{} ? v : otherwise;
}

// scale score + bias. A bias of -infinity masks whatever the product is.
[[gnu::always_inline]] inline Floats finish_score(Floats product, float scale, const float* bias, int64_t count) {
  const Floats score = product * broadcast(scale);
  if (!bias) return score;
  const Floats b = load_some(bias, count);
  return b == broadcast(minus_infinity) ? b : score + b;
}

// How many of the tile's keys a query sees.
int64_t seen_in(const Head<float>& f, int64_t query, int64_t tile, int64_t keys) {
  return std::clamp<int64_t>(f.seen(query) - tile, 0, keys);
}

// Applies dropout to the weights, or their gradients, of a query and the first `count` keys of a
// tile.
class Dropout {
 public:
  Dropout(const Head<float>& f, int64_t query, int64_t tile, int64_t count)
      : count_(count), p_(broadcast(f.keep.p)), scale_(broadcast(f.keep.scale)),
        drawn_(uniform_row(f.pair(query, tile), round_up(count, lanes), f.keep.stream, f.keep.seed, buffer_)) {}
  Dropout(const Dropout&) = delete;
  void apply(float* row) const {
    each_vector(count_,
                [&](int64_t j, int64_t) { store(row + j, load(drawn_ + j) < p_ ? zero() : load(row + j) * scale_); });
  }

 private:
  int64_t count_;
  Floats p_, scale_;
  alignas(64) float buffer_[tile_keys + row_room];
  const float* drawn_;
};

// The scores of `rows` queries from `query` on with a tile of keys become exp(score - largest);
// largest and total are updated, and earlier sums are rescaled to the new largest.
void take_scores(const Head<float>& f, const ForwardScratch& s, int64_t query, int64_t rows, int64_t tile, int64_t keys,
                 int64_t first) {
  float* const largest = s.largest + (query - first);
  float* const total = s.total + (query - first);
  float max_of[max_rows];
  for (int64_t r = 0; r < rows; ++r) {
    float* const row = s.scores + r * tile_keys;
    const float* bias = f.bias ? f.bias + (query + r) * f.keys + tile : nullptr;
    Floats most = broadcast(minus_infinity);
    each_vector(seen_in(f, query + r, tile, keys), [&](int64_t j, int64_t here) {
      Floats score = finish_score(load(row + j), f.scale, bias ? bias + j : nullptr, here);
      if (here < lanes) score = in_first(here, score, broadcast(minus_infinity));
      store(row + j, score);
      most = max(score, most);
    });
    max_of[r] = largest_lane(most);
  }
  for (int64_t r = 0; r < rows; ++r) {
    float* const row = s.scores + r * tile_keys;
    const int64_t count = seen_in(f, query + r, tile, keys);
    const float before = largest[r], now = max_of[r] > before ? max_of[r] : before;
    const Floats shift = broadcast(now == minus_infinity ? 0.0f : now);
    Floats sums = zero();
    each_vector(count, [&](int64_t j, int64_t) {
      const Floats p = exp_below(load(row + j) - shift);
      store(row + j, p);
      sums += p;
    });
    for (int64_t j = round_up(count, lanes); j < keys; j += lanes) store(row + j, zero());
    if (f.keep.drops()) Dropout(f, query + r, tile, count).apply(row);
    float sum = sum_pairwise(sums);
    if (before != minus_infinity) {
      float rescale = 1.0f;
      if (now != before) {
        rescale = exp_below(broadcast(before) - shift)[0];
        float* const out = s.sums + (query - first + r) * s.value_width;
        for (int64_t c = 0; c < s.value_width; c += lanes) store(out + c, load(out + c) * broadcast(rescale));
      }
      sum = total[r] * rescale + sum;
    } else if (total[r] != total[r]) {
      sum = total[r];  // NaN alone so far
    }
    largest[r] = now;
    total[r] = sum;
  }
}

// y of some queries of a head. False where numbers are not finite.
bool attend(const ForwardHead<float>& f, Range queries, const ForwardScratch& s) {
  const int64_t count = queries.end - queries.begin;
  std::fill_n(s.largest, count, minus_infinity);
  std::fill_n(s.total, count, 0.0f);
  Watch watch;
  for (int64_t i = queries.begin; i < queries.end; ++i)
    each_vector(f.width, [&](int64_t c, int64_t here) {
      const float* q = f.q + i * f.step + c;
      watch.see(load_some(q, here));
      __builtin_prefetch(q + f.to_next(f.width, f.step, count), 0, 2);
    });
  const int64_t keys_seen = count > 0 ? f.seen(queries.end - 1) : 0;
  for (int64_t tile = 0; tile < keys_seen; tile += tile_keys) {
    const int64_t keys = std::min(tile_keys, f.keys - tile), vectors = ceil_div(keys, lanes);
    pack_rows(f.k + tile * f.step, f.step, keys, f.width, f.to_next(f.width, f.step, keys), s.k, watch);
    pack_transposed(s.k, keys, f.width, s.k_panels);
    pack_rows(f.v + tile * f.value_step, f.value_step, keys, f.value_width,
              f.to_next(f.value_width, f.value_step, keys), s.v, watch);
    if (!watch.all_finite()) return false;
    for (int64_t i = queries.begin; i < queries.end; i += max_rows) {
      const int64_t rows = std::min<int64_t>(queries.end - i, max_rows);
      if (f.seen(i + rows - 1) <= tile) continue;
      multiply<false>({f.q + i * f.step, f.step, rows}, panels_of(s.k_panels, f.width, vectors), s.scores, tile_keys,
                      false);
      take_scores(f, s, i, rows, tile, keys, queries.begin);
      multiply<false>({s.scores, tile_keys, rows}, rows_of(s.v, keys, s.value_width / lanes),
                      s.sums + (i - queries.begin) * s.value_width, s.value_width, tile > 0);
    }
  }
  for (int64_t i = 0; i < count; ++i) {
    float* const y = f.y + (queries.begin + i) * f.value_step;
    const float total = s.total[i];
    if (total == 0.0f) {
      std::fill_n(y, f.value_width, 0.0f);
    } else {
      const Floats inverse = broadcast(1.0f / total);
      each_vector(f.value_width, [&](int64_t c, int64_t here) {
        store_some(y + c, load(s.sums + i * s.value_width + c) * inverse, here);
      });
    }
    if (!f.softmax) continue;
    f.softmax[(queries.begin + i) * f.softmax_step] = s.largest[i];
    f.softmax[(queries.begin + i) * f.softmax_step + 1] = total;
  }
  return true;
}

// Products of a block of queries with a tile of keys become p and dscore.
void differentiate_scores(const BackwardHead<float>& f, const BackwardScratch& s, int64_t query, int64_t rows,
                          int64_t tile, int64_t keys) {
  for (int64_t r = 0; r < rows; ++r) {
    float *const row = s.p + r * tile_keys, *const drow = s.dscores + r * tile_keys;
    const int64_t at = (query + r) * f.keys + tile, count = seen_in(f, query + r, tile, keys);
    const float largest = f.largest(query + r), total = f.total(query + r);
    const Floats shift = broadcast(largest == minus_infinity ? 0.0f : largest);
    const Floats inverse = broadcast(total == 0.0f ? 0.0f : 1.0f / total), mean = broadcast(s.mean[r]);
    std::optional<Dropout> dropout;
    if (f.keep.drops()) dropout.emplace(f, query + r, tile, count).apply(drow);
    each_vector(count, [&](int64_t j, int64_t here) {
      const Floats score = finish_score(load(row + j), f.scale, f.bias ? f.bias + at + j : nullptr, here);
      const Floats weight = exp_below(score - shift) * inverse;  // NaN where the sum is, which masks must not let pass
      Floats p = score == broadcast(minus_infinity) ? zero() : weight;
      if (here < lanes) p = in_first(here, p, zero());
      const Floats ds = p == zero() ? zero() : p * (load(drow + j) - mean);
      store(row + j, p);
      store(drow + j, ds);
      if (f.dbias) store_some(f.dbias + at + j, ds, here);
    });
    if (dropout) dropout->apply(row);
    for (int64_t j = round_up(count, lanes); j < keys; j += lanes) {
      store(row + j, zero());
      store(drow + j, zero());
    }
    if (f.dbias) std::fill_n(f.dbias + at + count, keys - count, 0.0f);
  }
}

// to = scale from, or to += scale from.
void put_rows(const float* from, int64_t padded, int64_t rows, int64_t columns, float scale, bool add, float* to,
              int64_t step) {
  for (int64_t r = 0; r < rows; ++r)
    each_vector(columns, [&](int64_t c, int64_t here) {
      float* const out = to + r * step + c;
      const Floats y = load(from + r * padded + c) * broadcast(scale);
      store_some(out, add ? load_some(out, here) + y : y, here);
    });
}

// False where numbers are not finite.
bool differentiate(const BackwardHead<float>& all, Range queries, Range keys, Wanted wanted, const BackwardScratch& s) {
  BackwardHead<float> f = all;
  if (!wanted.of_queries) f.dq = f.dbias = nullptr;
  if (!wanted.of_keys) f.dk = f.dv = nullptr;
  Watch watch;
  for (int64_t i = queries.begin; f.dq && i < queries.end && keys.begin == keys.end; ++i)
    std::fill_n(f.dq + i * f.step, f.width, 0.0f);
  for (int64_t tile = keys.begin; tile < keys.end; tile += tile_keys) {
    const int64_t count = std::min(tile_keys, keys.end - tile), vectors = ceil_div(count, lanes);
    pack_rows(f.k + tile * f.step, f.step, count, f.width, f.to_next(f.width, f.step, count), s.k, watch);
    pack_transposed(s.k, count, f.width, s.k_panels);
    pack_rows(f.v + tile * f.value_step, f.value_step, count, f.value_width,
              f.to_next(f.value_width, f.value_step, count), s.v, watch);
    pack_transposed(s.v, count, f.value_width, s.v_panels);
    std::fill_n(s.dk, count * s.width, 0.0f);
    std::fill_n(s.dv, count * s.value_width, 0.0f);
    for (int64_t i = queries.begin; i < queries.end; i += block_queries) {
      const int64_t rows = std::min(block_queries, queries.end - i);
      if (f.seen(i + rows - 1) <= tile) {
        for (int64_t r = 0; f.dbias && r < rows; ++r) std::fill_n(f.dbias + (i + r) * f.keys + tile, count, 0.0f);
        continue;
      }
      pack_rows(f.q + i * f.step, f.step, rows, f.width, f.to_next(f.width, f.step, rows), s.q, watch);
      pack_rows(f.dy + i * f.value_step, f.value_step, rows, f.value_width,
                f.to_next(f.value_width, f.value_step, rows), s.dy, watch);
      if (!watch.all_finite()) return false;
      for (int64_t r = 0; r < rows; ++r)
        s.mean[r] = dot(f.dy + (i + r) * f.value_step, f.y + (i + r) * f.value_step, f.value_width);
      multiply<false>({s.q, s.width, rows}, panels_of(s.k_panels, f.width, vectors), s.p, tile_keys, false);
      multiply<false>({s.dy, s.value_width, rows}, panels_of(s.v_panels, f.value_width, vectors), s.dscores, tile_keys,
                      false);
      differentiate_scores(f, s, i, rows, tile, count);
      if (f.dv)
        multiply<true>({s.p, tile_keys, count}, rows_of(s.dy, rows, s.value_width / lanes), s.dv, s.value_width, true);
      if (f.dk) multiply<true>({s.dscores, tile_keys, count}, rows_of(s.q, rows, s.width / lanes), s.dk, s.width, true);
      if (!f.dq) continue;
      multiply<false>({s.dscores, tile_keys, rows}, rows_of(s.k, count, s.width / lanes), s.dq, s.width, false);
      put_rows(s.dq, s.width, rows, f.width, f.scale, tile > keys.begin, f.dq + i * f.step, f.step);
    }
    if (f.dk) put_rows(s.dk, s.width, count, f.width, f.scale, false, f.dk + tile * f.step, f.step);
    if (f.dv)
      put_rows(s.dv, s.value_width, count, f.value_width, 1.0f, false, f.dv + tile * f.value_step, f.value_step);
  }
  return watch.all_finite();
}

}  // namespace

ForwardScratch::ForwardScratch(const Attention<float>& f, WorkspaceLayout& workspace)
    : k(workspace.reserve<float>(tile_keys * round_up(f.width, lanes))),
      k_panels(workspace.reserve<float>(tile_keys * f.width)),
      v(workspace.reserve<float>(tile_keys * round_up(f.value_width, lanes))),
      scores(workspace.reserve<float>(max_rows * tile_keys)),
      sums(workspace.reserve<float>(piece_queries * round_up(f.value_width, lanes))),
      largest(workspace.reserve<float>(piece_queries)), total(workspace.reserve<float>(piece_queries)),
      width(round_up(f.width, lanes)), value_width(round_up(f.value_width, lanes)) {}

void attend_somehow(const ForwardHead<float>& f, Range queries, const ForwardScratch& s) {
  if (!attend(f, queries, s)) f.define(queries);
}

BackwardScratch::BackwardScratch(const Attention<float>& f, WorkspaceLayout& workspace)
    : width(round_up(f.width, lanes)), value_width(round_up(f.value_width, lanes)) {
  k = workspace.reserve<float>(tile_keys * width);
  k_panels = workspace.reserve<float>(tile_keys * f.width);
  v = workspace.reserve<float>(tile_keys * value_width);
  v_panels = workspace.reserve<float>(tile_keys * f.value_width);
  dk = workspace.reserve<float>(tile_keys * width);
  dv = workspace.reserve<float>(tile_keys * value_width);
  q = workspace.reserve<float>(block_queries * width);
  dy = workspace.reserve<float>(block_queries * value_width);
  dq = workspace.reserve<float>(block_queries * width);
  p = workspace.reserve<float>(block_queries * tile_keys);
  dscores = workspace.reserve<float>(block_queries * tile_keys);
  mean = workspace.reserve<float>(block_queries);
}

void differentiate_somehow(const BackwardHead<float>& f, Range queries, Range keys, Wanted wanted,
                           const BackwardScratch& s) {
  if (differentiate(f, queries, keys, wanted, s)) return;
  if (wanted.of_queries) f.define_of_queries(queries);
  if (wanted.of_keys) f.define_of_keys(keys);
}

void clear_outside(const Call& call, float* rows, int64_t count, int64_t width, const int32_t* offsets, int64_t sets) {
  if (!rows) return;
  fill_zero(*call.threads, rows, offsets[0] * width);
  fill_zero(*call.threads, rows + offsets[sets] * width, (count - offsets[sets]) * width);
}

void clear_softmax_outside(float* softmax, int64_t queries, int64_t heads, const int32_t* offsets, int64_t sets) {
  for (int64_t i = 0; softmax && i < queries * heads; ++i) {
    if (i == offsets[0] * heads) i = offsets[sets] * heads;
    if (i == queries * heads) break;
    softmax[2 * i] = minus_infinity;
    softmax[2 * i + 1] = 0.0f;
  }
}

UPS_SIMD_SHARED_END
