// SIMD: one query per lane. A group of queries looks at the same candidates one after the other, so
// coordinates of a candidate are broadcast, and the lists of the nearest lie across the lanes, one
// vector for every place. Small events are looked at whole; large ones of few dimensions are sorted
// into a balanced k-d tree whose leaves are the groups, and boxes beyond every query's list are
// passed over.
// Floor: 3 n D FLOP of distances per point, and 5 n k / 2 comparisons and selections.
//
// The lists are float32, with an error of at most (D + 2) / 2^24 of a distance. Where two of them
// are too close to be told apart, the query starts again with the distances of the reference: the
// graph is the exact one.
#include "knn_graph/knn_graph.h"
#include "knn_graph/knn_graph_call.h"

#define UPS_SIMD_SOURCE "knn_graph/knn_graph.cpu.cc"
#include "lib/simd/each_isa.h"

UPS_SIMD_BEGIN

constexpr int64_t tree_points = 1000;  // from so many on a tree pays
constexpr int64_t max_tree_width = 12;  // boxes of more dimensions exclude next to nothing
constexpr int64_t window_rows = 256;  // whose groups are one task
constexpr int batch = 4;  // candidates at a time

// The largest distance that may be no larger than `distance`, as float32 knows them. Products that
// underflow lose up to 2^-150 a dimension.
Floats reach(Floats distance, int64_t width) {
  return distance * broadcast(1.0f + static_cast<float>(width + 4) * 0x1p-22f) + broadcast(1e-36f);
}

// A box takes 2 D floats: the lower corner, then the upper one.
struct Tree {
  int64_t leaves;
  float *inner, *leaf;  // boxes: of the node that is cut before leaf m at place m, and of the leaves

  const float* box(int64_t begin, int64_t end, int64_t width) const {
    return end - begin == 1 ? leaf + 2 * width * begin : inner + 2 * width * ((begin + end) / 2);
  }
};

// The points of an event in the order of the search, and who they are.
struct Event {
  int64_t begin, size, width;
  const float* x;
  const int32_t* ids;  // null: themselves
  Tree tree;  // without leaves: none

  int32_t id(int64_t point) const { return ids ? ids[point] : static_cast<int32_t>(point); }
};

// ---- the tree -----------------------------------------------------------------------------------

struct Coordinate {
  float value;
  int32_t id;
  bool operator<(const Coordinate& other) const { return value < other.value; }
};

bool wants_tree(int64_t size, int64_t width) { return size >= tree_points && width > 0 && width <= max_tree_width; }

struct TreeScratch {
  float *x = nullptr, *inner = nullptr, *leaf = nullptr;
  int32_t* ids = nullptr;
  Coordinate* coordinates = nullptr;

  // An event that begins at row r has its leaves from r / lanes + (events before it) on.
  TreeScratch(int64_t points, int64_t width, WorkspaceLayout& workspace) {
    if (!wants_tree(points, width)) return;
    const int64_t leaves = points / lanes + points / tree_points + 2;
    x = workspace.reserve<float>(points * width);
    ids = workspace.reserve<int32_t>(points);
    coordinates = workspace.reserve<Coordinate>(points);
    inner = workspace.reserve<float>(leaves * 2 * width);
    leaf = workspace.reserve<float>(leaves * 2 * width);
  }
};

void stretch(const float* point, int64_t width, float* box) {
  for (int64_t d = 0; d < width; ++d) {
    box[d] = std::min(box[d], point[d]);
    box[width + d] = std::max(box[width + d], point[d]);
  }
}

// Cuts the node of leaves begin .. end into two at the median of its longest side.
void cut_node(const float* x, int64_t size, int64_t width, int64_t begin, int64_t end, int32_t* ids,
              Coordinate* coordinates, float* box) {
  const int64_t first = begin * lanes, last = std::min(end * lanes, size), middle = (begin + end) / 2 * lanes;
  std::copy_n(x + ids[first] * width, width, box);
  std::copy_n(x + ids[first] * width, width, box + width);
  for (int64_t i = first + 1; i < last; ++i) stretch(x + ids[i] * width, width, box);
  int64_t longest = 0;
  for (int64_t d = 1; d < width; ++d)
    if (box[width + d] - box[d] > box[width + longest] - box[longest]) longest = d;
  for (int64_t i = first; i < last; ++i) coordinates[i] = {x[ids[i] * width + longest], ids[i]};
  std::nth_element(coordinates + first, coordinates + middle, coordinates + last);
  for (int64_t i = first; i < last; ++i) ids[i] = coordinates[i].id;
}

// Level by level, the nodes of a level side by side.
void build_tree(Threads& threads, const float* x, Event& event, float* sorted, int32_t* ids, Coordinate* coordinates) {
  const int64_t size = event.size, width = event.width, leaves = event.tree.leaves;
  for (int64_t i = 0; i < size; ++i) ids[i] = static_cast<int32_t>(i);
  for (int level = 0; int64_t{1} << level < 2 * leaves; ++level)
    threads.run(int64_t{1} << level, [&](int64_t path, int32_t) {
      int64_t begin = 0, end = leaves;
      for (int bit = level - 1; bit >= 0 && end - begin > 1; --bit) {
        const int64_t middle = (begin + end) / 2;
        if (path >> bit & 1) begin = middle;
        else end = middle;
      }
      if (end - begin > 1)
        cut_node(x, size, width, begin, end, ids, coordinates, event.tree.inner + 2 * width * ((begin + end) / 2));
    });
  constexpr int64_t piece = 64;
  threads.run(ceil_div(leaves, piece), [&](int64_t task, int32_t) {
    for (int64_t l = task * piece; l < std::min(leaves, (task + 1) * piece); ++l) {
      float* box = event.tree.leaf + 2 * width * l;
      for (int64_t i = l * lanes; i < std::min(size, (l + 1) * lanes); ++i) {
        std::copy_n(x + ids[i] * width, width, sorted + i * width);
        if (i == l * lanes) {
          std::copy_n(sorted + i * width, width, box);
          std::copy_n(sorted + i * width, width, box + width);
        }
        stretch(sorted + i * width, width, box);
      }
    }
  });
}

// Calls visit(first, count) for the points of every leaf whose box, and all boxes round it, are
// near(box); those around leaf `own` first. Without a tree that is all points at once.
template <class Near, class Visit>
void each_near(const Event& event, int64_t own, Near&& near, Visit&& visit) {
  if (event.tree.leaves == 0) return visit(int64_t{0}, event.size);
  struct Node {
    int64_t begin, end;
  } stack[64];
  int depth = 0;
  stack[depth++] = {0, event.tree.leaves};
  while (depth > 0) {
    const Node node = stack[--depth];
    if (!near(event.tree.box(node.begin, node.end, event.width))) continue;
    if (node.end - node.begin == 1) {
      visit(node.begin * lanes, std::min<int64_t>(lanes, event.size - node.begin * lanes));
      continue;
    }
    const int64_t middle = (node.begin + node.end) / 2;
    const Node lower{node.begin, middle}, upper{middle, node.end};
    stack[depth++] = own < middle ? upper : lower;
    stack[depth++] = own < middle ? lower : upper;
  }
}

// ---- a group of queries -------------------------------------------------------------------------

struct Group {
  float *query, *distance;  // [D][lanes], [places][lanes]
  int32_t* point;  // [places][lanes]
  Neighbour* exact;  // [K]

  Group(int64_t points, int64_t width, int64_t most, WorkspaceLayout& workspace) {
    query = workspace.reserve<float>(width * lanes);
    distance = workspace.reserve<float>((std::min(points, most) + 2) * lanes);
    point = workspace.reserve<int32_t>((std::min(points, most) + 2) * lanes);
    exact = workspace.reserve<Neighbour>(std::min(points, most));
  }
};

Ints load_points(const int32_t* from) {
  Ints v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

// The nearest so far of each lane: `wanted` places and one more, the first that is too far.
struct Lists {
  float* distance;
  int32_t* point;
  int64_t wanted, width;
  Floats limit;  // nothing beyond it can matter

  void clear() {
    for (int64_t place = 0; place <= wanted; ++place) {
      const Floats far = broadcast(INFINITY);
      const Ints nobody = Ints{} - 1;
      store(distance + place * lanes, far);
      std::memcpy(point + place * lanes, &nobody, sizeof nobody);
    }
    limit = broadcast(INFINITY);
  }

  // A whole batch passes through the places: each keeps the nearest and hands on the others.
  void insert(Floats (&d)[batch], int64_t first) {
    Ints who[batch];
    for (int c = 0; c < batch; ++c) who[c] = static_cast<int32_t>(first + c) - Ints{};
    for (int64_t place = 0; place <= wanted; ++place) {
      Floats nearest = load(distance + place * lanes);
      Ints here = load_points(point + place * lanes);
#pragma GCC unroll 4
      for (int c = 0; c < batch; ++c) {
        const Ints nearer = d[c] < nearest;
        const Floats pushed = nearer ? nearest : d[c];
        const Ints pushed_out = nearer ? here : who[c];
        nearest = nearer ? d[c] : nearest;
        here = nearer ? who[c] : here;
        d[c] = pushed;
        who[c] = pushed_out;
      }
      store(distance + place * lanes, nearest);
      std::memcpy(point + place * lanes, &here, sizeof here);
    }
    limit = reach(load(distance + (wanted - 1) * lanes), width);
  }
};

// Candidates first .. first + count enter the lists. `fixed` > 0: the width, known to the compiler.
template <int fixed>
void take(const Event& event, const float* query, int64_t first, int64_t count, Lists& lists) {
  const int64_t width = fixed > 0 ? fixed : event.width;
  for (int64_t i = 0; i < count; i += batch) {
    const int64_t here = std::min<int64_t>(batch, count - i);
    const float* x = event.x + (first + i) * width;
    const float* rows[batch];
    for (int c = 0; c < batch; ++c) rows[c] = x + std::min<int64_t>(c, here - 1) * width;
    Floats d[batch] = {};
    for (int64_t k = 0; k < width; ++k) {
      const Floats q = load(query + k * lanes);
#pragma GCC unroll 4
      for (int c = 0; c < batch; ++c) {
        const Floats difference = q - broadcast(rows[c][k]);
        d[c] = difference * difference + d[c];
      }
    }
    for (int64_t c = here; c < batch; ++c) d[c] = broadcast(INFINITY);
    if (any(min(min(d[0], d[1]), min(d[2], d[3])) <= lists.limit)) lists.insert(d, first + i);
  }
}

// The query's neighbours by the distances that decide. Nothing beyond `limit` is among them.
void search_exactly(const Event& event, int64_t query, float limit, bool loop, int64_t length, Neighbour* found,
                    int32_t* sources) {
  const float* q = event.x + query * event.width;
  int64_t count = 0;
  const auto near = [&](const float* box) {
    float distance = 0;
    for (int64_t d = 0; d < event.width; ++d) {
      const float gap = std::max({box[d] - q[d], q[d] - box[event.width + d], 0.0f});
      distance += gap * gap;
    }
    return !(distance > limit);
  };
  each_near(event, query / lanes, near, [&](int64_t first, int64_t points) {
    for (int64_t i = first; i < first + points; ++i) {
      if (!loop && i == query) continue;
      const Neighbour candidate{squared_distance(q, event.x + i * event.width, event.width), event.id(i)};
      if (count == length) {
        if (!(candidate < found[0])) continue;
        std::pop_heap(found, found + count);
        found[count - 1] = candidate;
      } else {
        found[count++] = candidate;
      }
      std::push_heap(found, found + count);
    }
  });
  std::sort_heap(found, found + count);
  for (int64_t e = 0; e < length; ++e) sources[e] = static_cast<int32_t>(event.begin) + found[e].index;
}

// Queries first .. first + count of an event.
void search(const KnnGraph<float>& f, const Event& event, int64_t first, int64_t count, const Group& group) {
  const int64_t length = row_length(event.size, f.most, f.loop), itself = f.loop ? 0 : 1, width = event.width;
  for (int64_t d = 0; d < width; ++d)
    for (int64_t lane = 0; lane < lanes; ++lane)
      group.query[d * lanes + lane] = event.x[(first + std::min(lane, count - 1)) * width + d];

  // Every query finds itself; where it should not, the first place is dropped.
  Lists lists{group.distance, group.point, length + itself, width, {}};
  lists.clear();
  const auto near = [&](const float* box) {
    Floats distance = zero();
    for (int64_t d = 0; d < width; ++d) {
      const Floats q = load(group.query + d * lanes);
      const Floats gap = max(max(broadcast(box[d]) - q, q - broadcast(box[width + d])), zero());
      distance = gap * gap + distance;
    }
    return any(distance <= lists.limit);
  };
  each_near(event, first / lanes, near, [&](int64_t candidates, int64_t points) {
    if (width == 2) take<2>(event, group.query, candidates, points, lists);
    else if (width == 3) take<3>(event, group.query, candidates, points, lists);
    else take<0>(event, group.query, candidates, points, lists);
  });

  Ints doubtful{};
  for (int64_t place = 0; place < lists.wanted; ++place)
    doubtful |= ~(load(lists.distance + (place + 1) * lanes) > reach(load(lists.distance + place * lanes), width));
  for (int64_t lane = 0; lane < count; ++lane) {
    const int64_t query = first + lane;
    int32_t* sources = f.sources + f.row_offsets[event.begin + event.id(query)];
    if (doubtful[lane]) {
      search_exactly(event, query, lists.limit[lane], f.loop, length, group.exact, sources);
      continue;
    }
    for (int64_t e = 0; e < length; ++e)
      sources[e] = static_cast<int32_t>(event.begin) + event.id(lists.point[(itself + e) * lanes + lane]);
  }
}

// ---- all events ---------------------------------------------------------------------------------

struct Scratch {
  TreeScratch tree;
  int64_t group_bytes;
  char* groups;  // one a worker

  Scratch(const KnnGraph<float>& f, int32_t workers, WorkspaceLayout& workspace) : tree(f.points, f.width, workspace) {
    WorkspaceLayout group(nullptr);
    (void)Group(f.points, f.width, f.most, group);
    group_bytes = static_cast<int64_t>(group.bytes());
    groups = workspace.reserve<char>(group_bytes * workers);
  }
};

ups_status run(const Call& call) {
  const KnnGraph<float> f(call);
  Threads& threads = *call.threads;
  const auto scratch = scratch_of<Scratch>(call, f);
  lay_out_rows(f);
  if (f.most == 0) return UPS_OK;

  const auto describe = [&](int64_t event) {
    Event e{f.offsets[event], f.offsets[event + 1] - f.offsets[event], f.width, nullptr, nullptr, {}};
    e.x = f.x + e.begin * f.width;
    if (!wants_tree(e.size, f.width)) return e;
    const int64_t leaf = e.begin / lanes + e.begin / tree_points;
    e.x = scratch.tree.x + e.begin * f.width;
    e.ids = scratch.tree.ids + e.begin;
    e.tree = {ceil_div(e.size, lanes), scratch.tree.inner + leaf * 2 * f.width, scratch.tree.leaf + leaf * 2 * f.width};
    return e;
  };
  for (int64_t event = 0; event < f.events; ++event) {
    if (!wants_tree(f.offsets[event + 1] - f.offsets[event], f.width)) continue;
    Event e = describe(event);
    build_tree(threads, f.x + e.begin * f.width, e, scratch.tree.x + e.begin * f.width, scratch.tree.ids + e.begin,
               scratch.tree.coordinates + e.begin);
  }
  // A task has the groups that begin in its window of the rows.
  const int64_t begin = f.offsets[0];
  threads.run(ceil_div(f.offsets[f.events] - begin, window_rows), [&](int64_t task, int32_t worker) {
    WorkspaceLayout own(scratch.groups + worker * scratch.group_bytes);
    const Group group(f.points, f.width, f.most, own);
    const int64_t first = begin + task * window_rows, end = first + window_rows;
    int64_t event = std::upper_bound(f.offsets, f.offsets + f.events + 1, first) - f.offsets - 1;
    for (; event < f.events && f.offsets[event] < end; ++event) {
      const Event e = describe(event);
      if (row_length(e.size, f.most, f.loop) == 0) continue;
      const int64_t before = std::max<int64_t>(0, first - e.begin);
      for (int64_t g = round_up(before, lanes); g < e.size && e.begin + g < end; g += lanes)
        search(f, e, g, std::min<int64_t>(lanes, e.size - g), group);
    }
  });
  return UPS_OK;
}

UPS_CPU_VARIANT(knn_graph, KnnGraphCall, run, workspace_of<KnnGraph<float>, Scratch>)

UPS_SIMD_END
