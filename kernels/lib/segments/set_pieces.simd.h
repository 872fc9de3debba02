// Sets cut into pieces, and how pieces are pooled and joined.
//
// A set of more elements than a piece holds is cut from its own first element on, whatever lies around it: pieces are
// pooled by themselves and joined in order. So a set's bits do not depend on the batch it is in, a small event never
// knows of pieces, and one gigantic set keeps all threads busy.
#if defined(UPS_LIB_SEGMENTS_SET_PIECES_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_SEGMENTS_SET_PIECES_SIMD_H
#undef UPS_LIB_SEGMENTS_SET_PIECES_SIMD_H
#else
#define UPS_LIB_SEGMENTS_SET_PIECES_SIMD_H
#endif

#include "lib/segments/pool.h"
#include "lib/simd/simd.h"

UPS_SIMD_BEGIN

struct Piece {
  int64_t set, begin, end;  // elements
  int64_t index, count;     // which piece of the set's
};

struct SetPieces {
  const int32_t* offsets;
  int64_t sets, piece_elements;
  int64_t task_elements;  // elements (and sets, as empty ones take time too) per task

  // Increases strictly with the set.
  int64_t place(int64_t set) const { return offsets[set] - offsets[0] + set; }
  int64_t tasks() const { return ceil_div(place(sets), task_elements); }

  // Calls body(piece) for the pieces of a task: those that begin in its window of the places. They lie side by side.
  template <class Body>
  void each_of_task(int64_t task, Body&& body) const {
    const int64_t first = task * task_elements, end = first + task_elements;
    int64_t low = 0, high = sets;  // the first set that ends behind the window's begin
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (place(middle + 1) > first) high = middle;
      else low = middle + 1;
    }
    for (int64_t set = low; set < sets && place(set) < end; ++set) {
      const int64_t begin = offsets[set], size = offsets[set + 1] - begin;
      const int64_t count = std::max<int64_t>(1, ceil_div(size, piece_elements));
      // The place of piece i is place(set) + i piece_elements.
      const int64_t before = std::max<int64_t>(0, first - place(set));
      for (int64_t i = ceil_div(before, piece_elements); i < count && place(set) + i * piece_elements < end; ++i) {
        const int64_t here = begin + i * piece_elements;
        body(Piece{set, here, std::min(here + piece_elements, begin + size), i, count});
      }
    }
  }
  // The same for all pieces of all sets.
  template <class Body>
  void each(Threads& threads, Body&& body) const {
    threads.run(tasks(), [&](int64_t task, int32_t) { each_of_task(task, body); });
  }

  // What pieces of cut sets leave for the joining has a slot of its own: in every piece_elements elements at most one
  // cut set begins, and at most one later piece of another.
  static int64_t slots(int64_t elements, int64_t piece_elements) { return 2 * (elements / piece_elements + 1); }
  int64_t slot(const Piece& piece) const { return 2 * (piece.begin / piece_elements) + (piece.index == 0); }
  int64_t slot_of(int64_t set_begin, int64_t piece) const {
    return slot({0, set_begin + piece * piece_elements, 0, piece, 0});
  }

  // Calls body(set, begin, size) for the cut sets.
  template <class Body>
  void each_cut_set(Threads& threads, Body&& body) const {
    constexpr int64_t task_sets = 4096;
    threads.run(ceil_div(sets, task_sets), [&](int64_t task, int32_t) {
      const int64_t end = std::min(sets, (task + 1) * task_sets);
      for (int64_t set = task * task_sets; set < end; ++set) {
        const int64_t size = offsets[set + 1] - offsets[set];
        if (size > piece_elements) body(set, offsets[set], size);
      }
    });
  }
};

// body(set) for every set, on all threads.
template <class Body>
void each_set(Threads& threads, int64_t sets, Body&& body) {
  constexpr int64_t task_sets = 256;
  threads.run(ceil_div(sets, task_sets), [&](int64_t task, int32_t) {
    const int64_t last = std::min(sets, (task + 1) * task_sets);
    for (int64_t set = task * task_sets; set < last; ++set) body(set);
  });
}

// How a pool takes one more element. `beyond` is the mask of lanes where `next` is the new extreme.
struct Sum {
  static Floats join(Floats so_far, Floats next) { return so_far + next; }
};
struct Max {
  static Ints beyond(Floats next, Floats so_far) { return next > so_far; }
  static Floats join(Floats so_far, Floats next) { return next > so_far || next != next ? next : so_far; }
};
struct Min {
  static Ints beyond(Floats next, Floats so_far) { return next < so_far; }
  static Floats join(Floats so_far, Floats next) { return next < so_far || next != next ? next : so_far; }
};

// Calls run(pool) with the pool's struct.
template <class Run>
inline void with_pool(int32_t pool, Run&& run) {
  if (pool == UPS_POOL_MAX) run(Max{});
  else if (pool == UPS_POOL_MIN) run(Min{});
  else run(Sum{});
}

// y[c] = x[0, c] joined with all further elements, for `vectors` full vectors of channels, or one of `count` channels.
// `chains` of elements alternate, so that an addition need not wait for the one before it.
template <class Pool, int vectors, int chains>
void pool_columns(const float* x, int64_t channels, int64_t elements, int64_t count, float* y) {
  const auto value = [&](int64_t i, int v) {
    const float* from = x + i * channels + v * lanes;
    return vectors == 1 ? load_some(from, count) : load(from);
  };
  Floats pooled[chains][vectors];
#pragma GCC unroll 8
  for (int v = 0; v < vectors; ++v) pooled[0][v] = value(0, v);
  int64_t i = 1;
  if (chains > 1 && elements >= 2 * chains) {
#pragma GCC unroll 4
    for (int chain = 1; chain < chains; ++chain)
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) pooled[chain][v] = value(chain, v);
    for (i = chains; i + chains <= elements; i += chains)
#pragma GCC unroll 4
      for (int chain = 0; chain < chains; ++chain)
#pragma GCC unroll 8
        for (int v = 0; v < vectors; ++v) pooled[chain][v] = Pool::join(pooled[chain][v], value(i + chain, v));
#pragma GCC unroll 4
    for (int chain = 1; chain < chains; ++chain)
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) pooled[0][v] = Pool::join(pooled[0][v], pooled[chain][v]);
  }
  for (; i < elements; ++i)
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) pooled[0][v] = Pool::join(pooled[0][v], value(i, v));
#pragma GCC unroll 8
  for (int v = 0; v < vectors; ++v) store_some(y + v * lanes, pooled[0][v], vectors == 1 ? count : lanes);
}

// y[c] = pool of x[i, c] over `elements` > 0 rows.
template <class Pool>
void pool_rows(const float* x, int64_t channels, int64_t elements, float* y) {
  for (int64_t c = 0; c < channels;) {
    const int64_t full = (channels - c) / lanes, vectors = full >= 8 ? 8 : full >= 4 ? 4 : full >= 2 ? 2 : 1;
    const int64_t columns = std::min(channels - c, vectors * lanes);
    const auto pool = vectors == 8   ? pool_columns<Pool, 8, 1>
                      : vectors == 4 ? pool_columns<Pool, 4, 2>
                      : vectors == 2 ? pool_columns<Pool, 2, 4>
                                     : pool_columns<Pool, 1, 4>;
    pool(x + c, channels, elements, columns, y + c);
    c += columns;
  }
}

// y[c] = sum over the rows of weights[r] x[r, c].
inline void pool_weighted(const float* x, int64_t channels, int64_t elements, const float* weights, float* y) {
  int64_t c = 0;
  for (; c + 4 * lanes <= channels; c += 4 * lanes) {
    Floats sums[4] = {};
    for (int64_t r = 0; r < elements; ++r) {
      const Floats weight = broadcast(weights[r]);
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v) sums[v] += weight * load(x + r * channels + c + v * lanes);
    }
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) store(y + c + v * lanes, sums[v]);
  }
  each_vector(channels - c, [&](int64_t rest, int64_t here) {
    Floats sum = zero();
    for (int64_t r = 0; r < elements; ++r) sum += broadcast(weights[r]) * load_some(x + r * channels + c + rest, here);
    store_some(y + c + rest, sum, here);
  });
}

inline void multiply_row(const float* from, float factor, int64_t width, float* to) {
  each_vector(
      width, [&](int64_t c, int64_t here) { store_some(to + c, load_some(from + c, here) * broadcast(factor), here); });
}

inline void divide(const float* y, int64_t count, int64_t size, float* result) {
  const Floats divisor = broadcast(static_cast<float>(size));
  each_vector(count, [&](int64_t c, int64_t here) { store_some(result + c, load_some(y + c, here) / divisor, here); });
}

// The extreme of one vector of channels and the element it stands at.
struct Extreme {
  Floats value;
  Ints element;

  // The first of equal values stays, and the first NaN.
  template <class Pool>
  void take(Floats next, Ints next_element) {
    const Ints replaced = Pool::beyond(next, value) | ((next != next) & (value == value));
    value = replaced ? next : value;
    element = replaced ? next_element : element;
  }
};

inline Ints broadcast_element(int64_t element) { return static_cast<int32_t>(element) - Ints{}; }

// dx[extreme element, c] = dy[c] for `count` channels.
inline void scatter(const Extreme& extreme, const float* dy, int64_t channels, int64_t count, float* dx) {
  for (int64_t k = 0; k < count; ++k) dx[extreme.element[k] * channels + k] = dy[k];
}

// Calls found(extreme, channel, count) for `columns` channels of the elements [begin, end) from `first` on: several vectors at a time, so that one
// need not wait for the comparisons of another.
template <class Pool, int vectors, class Found>
void find_extremes(const float* x, int64_t channels, int64_t begin, int64_t end, int64_t first, int64_t columns,
                   Found&& found) {
  const int64_t count = vectors == 1 ? columns : lanes;
  Extreme extremes[vectors];
  for (int v = 0; v < vectors; ++v)
    extremes[v] = {load_some(x + begin * channels + first + v * lanes, count), broadcast_element(begin)};
  for (int64_t i = begin + 1; i < end; ++i) {
    const Ints element = broadcast_element(i);
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v)
      extremes[v].template take<Pool>(load_some(x + i * channels + first + v * lanes, count), element);
  }
  for (int v = 0; v < vectors; ++v) found(extremes[v], first + v * lanes, count);
}

// The same for all channels.
template <class Pool, class Found>
void find_all_extremes(const float* x, int64_t channels, int64_t begin, int64_t end, Found&& found) {
  int64_t c = 0;
  for (; c + 4 * lanes <= channels; c += 4 * lanes)
    find_extremes<Pool, 4>(x, channels, begin, end, c, 4 * lanes, found);
  each_vector(channels - c, [&](int64_t rest, int64_t here) {
    find_extremes<Pool, 1>(x, channels, begin, end, c + rest, here, found);
  });
}

UPS_SIMD_END

#endif
