// Independent items (events, rows) shared out among the threads in tasks of a fixed number.

UPS_SIMD_BEGIN

template <class Body>
void each_item(Threads& threads, int64_t items, int64_t of_task, Body&& body) {
  threads.run(ceil_div(items, of_task), [&](int64_t task, int32_t) {
    for (int64_t item = task * of_task; item < std::min((task + 1) * of_task, items); ++item) body(item);
  });
}

UPS_SIMD_END
