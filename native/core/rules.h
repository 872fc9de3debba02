// Checks of what tensors contain, on the host. A kernel that runs afterwards need not look again.
#pragma once
#include <cstdint>
#include <string>

namespace upsilon {

// Each returns true when the rule holds; otherwise `problem` says what was found where.
bool check_splits(const int32_t* offsets, int64_t count, int64_t bound, const char* bound_name, std::string* problem);
bool check_below(const int32_t* indices, int64_t count, int64_t bound, const char* bound_name, std::string* problem);
// mother[i] is an index inside i's event or -1; following mothers always ends. `offsets` must have passed check_splits.
// Linear time.
bool check_forest(const int32_t* mother, const int32_t* offsets, int64_t events, std::string* problem);
// count = times the sum over the events of (elements of the one side) (elements of the other). Both boundaries must have
// passed check_splits and belong to `events` events.
bool check_pairs(int64_t count, int64_t times, const int32_t* offsets, const int32_t* others, int64_t events,
                 std::string* problem);
// No NaN, no infinity.
template <class T>
bool check_finite(const T* numbers, int64_t count, std::string* problem);
// No NaN.
template <class T>
bool check_numbers(const T* numbers, int64_t count, std::string* problem);
// Within each set `order` is what a stable sort of the keys gives: indices of the set, by key, equal keys by index.
// Every pair of neighbours being in order, no index can come twice. `offsets` must have passed check_splits.
template <class T>
bool check_sorts(const int32_t* order, const T* keys, const char* keys_name, const int32_t* offsets, int64_t sets,
                 std::string* problem);

}  // namespace upsilon
