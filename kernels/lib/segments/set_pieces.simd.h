// Sets cut into pieces.
//
// A set of more elements than a piece holds is cut from its own first element on, whatever lies
// around it: pieces are pooled by themselves and joined in order. So a set's bits do not depend on
// the batch it is in, a small event never knows of pieces, and one gigantic set keeps all threads
// busy.
#if defined(UPS_LIB_SEGMENTS_SET_PIECES_SIMD_H) == \
    defined(UPS_SIMD_TOGGLE)  // once per instruction set: see lib/simd/each_isa.h
#ifdef UPS_LIB_SEGMENTS_SET_PIECES_SIMD_H
#undef UPS_LIB_SEGMENTS_SET_PIECES_SIMD_H
#else
#define UPS_LIB_SEGMENTS_SET_PIECES_SIMD_H
#endif

#include "lib/simd/simd.h"

UPS_SIMD_SHARED_BEGIN

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

  // Calls body(piece) for the pieces of a task: those that begin in its window of the places. They
  // lie side by side.
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

  // The result of every piece of a cut set has a slot of its own until they are joined: in every
  // piece_elements elements at most one cut set begins, and at most one later piece of another.
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

UPS_SIMD_SHARED_END

#endif
