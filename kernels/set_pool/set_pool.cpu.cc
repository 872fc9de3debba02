// SIMD: the channels lie across the vectors, the elements of a set stream through registers. Floor: memory, 4 C bytes
// per element (twice that for max and min backward).
#include "set_pool/set_pool.h"
#include "set_pool/set_pool_call.h"

#define UPS_SIMD_SOURCE "set_pool/set_pool.cpu.cc"
#include "common/each_isa.h"
#include "common/rows.simd.h"

UPS_SIMD_BEGIN

// A set of more elements than this is cut into pieces from its own first element on, whatever lies around it: pieces
// are pooled by themselves and joined in order. So a set's bits do not depend on the batch it is in, an event of ten
// particles never knows of pieces, and one gigantic set keeps all threads busy.
constexpr int64_t piece_elements = 1024;
// Elements (and sets, as empty ones take time too) per task.
constexpr int64_t task_elements = 2 * piece_elements;

struct Piece {
  int64_t set, begin, end;  // elements
  int64_t index, count;     // which piece of the set's
};

// Calls body(piece) for all pieces of all sets. A task owns the pieces that begin in its window of the elements.
template <class Body>
void each_piece(Threads& threads, const int32_t* offsets, int64_t sets, Body&& body) {
  const auto place = [&](int64_t set) { return offsets[set] - offsets[0] + set; };  // increases strictly
  threads.run(ceil_div(place(sets), task_elements), [&](int64_t task, int32_t) {
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
  });
}

// What pieces of cut sets leave for the joining has a slot of its own: in every piece_elements elements at most one cut
// set begins, and at most one later piece of another.
int64_t slots(int64_t elements) { return 2 * (elements / piece_elements + 1); }
int64_t slot(const Piece& piece) { return 2 * (piece.begin / piece_elements) + (piece.index == 0); }

// Calls body(set, begin, size) for the cut sets.
template <class Body>
void each_cut_set(Threads& threads, const int32_t* offsets, int64_t sets, Body&& body) {
  constexpr int64_t task_sets = 4096;
  threads.run(ceil_div(sets, task_sets), [&](int64_t task, int32_t) {
    const int64_t end = std::min(sets, (task + 1) * task_sets);
    for (int64_t set = task * task_sets; set < end; ++set) {
      const int64_t size = offsets[set + 1] - offsets[set];
      if (size > piece_elements) body(set, offsets[set], size);
    }
  });
}
int64_t slot_of(int64_t set_begin, int64_t piece) { return slot({0, set_begin + piece * piece_elements, 0, piece, 0}); }

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
void with_pool(int32_t pool, Run&& run) {
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

void divide(const float* y, int64_t count, int64_t size, float* result) {
  const Floats divisor = broadcast(static_cast<float>(size));
  each_vector(count, [&](int64_t c, int64_t here) { store_some(result + c, load_some(y + c, here) / divisor, here); });
}

size_t forward_workspace(const Call& call) {
  const int64_t elements = call.dims[0], channels = call.dims[1];
  return elements > piece_elements ? static_cast<size_t>(slots(elements) * channels) * sizeof(float) : 0;
}

ups_status forward(const Call& call) {
  const SetPoolForward<float> f(call);
  float* partials = static_cast<float*>(call.workspace);
  std::atomic<bool> any_cut{false};
  with_pool(f.pool, [&]<class Pool>(Pool) {
    each_piece(*call.threads, f.offsets, f.sets, [&](const Piece& piece) {
      float* y = f.y + piece.set * f.channels;
      const int64_t elements = piece.end - piece.begin;
      if (elements == 0) return std::fill_n(y, f.channels, 0.0f), void();
      if (piece.count > 1) {
        y = partials + slot(piece) * f.channels;
        any_cut.store(true, std::memory_order_relaxed);
      }
      pool_rows<Pool>(f.x + piece.begin * f.channels, f.channels, elements, y);
      if (f.pool == UPS_POOL_MEAN && piece.count == 1) divide(y, f.channels, elements, y);
    });
    if (!any_cut.load(std::memory_order_relaxed)) return;
    each_cut_set(*call.threads, f.offsets, f.sets, [&](int64_t set, int64_t begin, int64_t size) {
      float* y = f.y + set * f.channels;
      each_vector(f.channels, [&](int64_t c, int64_t here) {
        Floats pooled = load_some(partials + slot_of(begin, 0) * f.channels + c, here);
        for (int64_t piece = 1; piece < ceil_div(size, piece_elements); ++piece)
          pooled = Pool::join(pooled, load_some(partials + slot_of(begin, piece) * f.channels + c, here));
        store_some(y + c, pooled, here);
      });
      if (f.pool == UPS_POOL_MEAN) divide(y, f.channels, size, y);
    });
  });
  return UPS_OK;
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

Ints broadcast_element(int64_t element) { return static_cast<int32_t>(element) - Ints{}; }

// dx[extreme element, c] = dy[c] for `count` channels.
void scatter(const Extreme& extreme, const float* dy, int64_t channels, int64_t count, float* dx) {
  for (int64_t k = 0; k < count; ++k) dx[extreme.element[k] * channels + k] = dy[k];
}

// Calls found(extreme, channel, count) for `columns` channels from `first` on: several vectors at a time, so that one
// need not wait for the comparisons of another.
template <class Pool, int vectors, class Found>
void find_extremes(const float* x, int64_t channels, const Piece& piece, int64_t first, int64_t columns,
                   Found&& found) {
  const int64_t count = vectors == 1 ? columns : lanes;
  Extreme extremes[vectors];
  for (int v = 0; v < vectors; ++v)
    extremes[v] = {load_some(x + piece.begin * channels + first + v * lanes, count), broadcast_element(piece.begin)};
  for (int64_t i = piece.begin + 1; i < piece.end; ++i) {
    const Ints element = broadcast_element(i);
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v)
      extremes[v].template take<Pool>(load_some(x + i * channels + first + v * lanes, count), element);
  }
  for (int v = 0; v < vectors; ++v) found(extremes[v], first + v * lanes, count);
}

size_t backward_workspace(const Call& call) {
  const int64_t elements = call.dims[0], channels = call.dims[1];
  if (!is_extreme(call.option<ups_set_pool_options>().pool) || elements <= piece_elements) return 0;
  return static_cast<size_t>(slots(elements) * round_up(channels, lanes)) * (sizeof(float) + sizeof(int32_t));
}

template <class Pool>
void backward_extreme(const Call& call) {
  const SetPoolBackward<float> f(call);
  Extreme* partials = static_cast<Extreme*>(call.workspace);
  const int64_t vectors = ceil_div(f.channels, lanes);
  std::atomic<bool> any_cut{false};
  each_piece(*call.threads, f.offsets, f.sets, [&](const Piece& piece) {
    std::fill_n(f.dx + piece.begin * f.channels, (piece.end - piece.begin) * f.channels, 0.0f);
    if (piece.begin == piece.end) return;
    if (piece.count > 1) any_cut.store(true, std::memory_order_relaxed);
    const auto found = [&](const Extreme& extreme, int64_t c, int64_t here) {
      if (piece.count > 1) partials[slot(piece) * vectors + c / lanes] = extreme;
      else scatter(extreme, f.dy + piece.set * f.channels + c, f.channels, here, f.dx + c);
    };
    int64_t c = 0;
    for (; c + 4 * lanes <= f.channels; c += 4 * lanes)
      find_extremes<Pool, 4>(f.x, f.channels, piece, c, 4 * lanes, found);
    each_vector(f.channels - c, [&](int64_t rest, int64_t here) {
      find_extremes<Pool, 1>(f.x, f.channels, piece, c + rest, here, found);
    });
  });
  if (!any_cut.load(std::memory_order_relaxed)) return;
  each_cut_set(*call.threads, f.offsets, f.sets, [&](int64_t set, int64_t begin, int64_t size) {
    each_vector(f.channels, [&](int64_t c, int64_t here) {
      Extreme extreme = partials[slot_of(begin, 0) * vectors + c / lanes];
      for (int64_t piece = 1; piece < ceil_div(size, piece_elements); ++piece) {
        const Extreme& next = partials[slot_of(begin, piece) * vectors + c / lanes];
        extreme.take<Pool>(next.value, next.element);
      }
      scatter(extreme, f.dy + set * f.channels + c, f.channels, here, f.dx + c);
    });
  });
}

// y[1..rows) = y[0]: ever longer copies, of at most a few KiB that are still in L1.
void repeat_row(float* y, int64_t columns, int64_t rows) {
  const int64_t most = std::max<int64_t>(1, 2048 / std::max<int64_t>(columns, 1));
  for (int64_t filled = 1, more; filled < rows; filled += more) {
    more = std::min({filled, most, rows - filled});
    std::copy_n(y, more * columns, y + filled * columns);
  }
}

// Every element of a piece gets the set's gradient, or its share.
void backward_sum(const Call& call) {
  const SetPoolBackward<float> f(call);
  each_piece(*call.threads, f.offsets, f.sets, [&](const Piece& piece) {
    if (piece.begin == piece.end) return;
    const float* dy = f.dy + piece.set * f.channels;
    float* first = f.dx + piece.begin * f.channels;
    if (f.pool == UPS_POOL_MEAN) divide(dy, f.channels, f.offsets[piece.set + 1] - f.offsets[piece.set], first);
    else copy_row(dy, f.channels, first);
    repeat_row(first, f.channels, piece.end - piece.begin);
  });
}

ups_status backward(const Call& call) {
  const SetPoolBackward<float> f(call);
  const int64_t first = f.offsets[0], end = f.offsets[f.sets];
  fill_zero(*call.threads, f.dx, first * f.channels);
  fill_zero(*call.threads, f.dx + end * f.channels, (f.elements - end) * f.channels);
  if (f.pool == UPS_POOL_MAX) backward_extreme<Max>(call);
  else if (f.pool == UPS_POOL_MIN) backward_extreme<Min>(call);
  else backward_sum(call);
  return UPS_OK;
}

UPS_CPU_VARIANT(forward, "set_pool_forward", forward, forward_workspace)
UPS_CPU_VARIANT(backward, "set_pool_backward", backward, backward_workspace, set_pool_backward_supports)

UPS_SIMD_END
