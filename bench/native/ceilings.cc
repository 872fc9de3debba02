// What this machine can do at most, as JSON on standard output: float32 multiply-adds in registers,
// and bytes moved per second for working sets from the first cache to memory, by a given number of
// threads at once.
//
//   upsilon_ceilings [threads] [milliseconds per measurement]
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if !defined(_WIN32)
#include <sys/mman.h>
#endif

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Enough independent accumulators to cover latency times throughput of two multiply-add units, and
// still in registers.
constexpr int accumulators = 12;
constexpr int64_t iterations = 20'000;
constexpr double steps = 2.0 * accumulators * iterations;

std::atomic<float> kept_sum;
std::atomic<uint64_t> kept_bits;

// Multiply-adds in registers, and the sum of `bytes` bytes as words (bound by the loads), for one
// instruction set.
#define DEFINE_ROUTINES(name, attributes, Real, set, fma, Word, add_words)         \
  attributes void name##_arithmetic() {                                            \
    const Real factor = set(0.999f), term = set(1e-3f);                            \
    Real sums[accumulators];                                                       \
    for (int k = 0; k < accumulators; ++k) sums[k] = set(static_cast<float>(k));   \
    for (int64_t i = 0; i < iterations; ++i)                                       \
      for (int k = 0; k < accumulators; ++k) sums[k] = fma(sums[k], factor, term); \
    float total = 0;                                                               \
    for (int k = 0; k < accumulators; ++k) {                                       \
      float lanes[sizeof(Real) / sizeof(float)];                                   \
      std::memcpy(lanes, &sums[k], sizeof(Real));                                  \
      total += lanes[0];                                                           \
    }                                                                              \
    kept_sum = total;                                                              \
  }                                                                                \
  attributes void name##_read(const char* data, size_t bytes) {                    \
    const Word* words = reinterpret_cast<const Word*>(data);                       \
    Word a{}, b{}, c{}, d{};                                                       \
    for (size_t i = 0; i + 4 <= bytes / sizeof(Word); i += 4) {                    \
      a = add_words(a, words[i]);                                                  \
      b = add_words(b, words[i + 1]);                                              \
      c = add_words(c, words[i + 2]);                                              \
      d = add_words(d, words[i + 3]);                                              \
    }                                                                              \
    a = add_words(add_words(a, b), add_words(c, d));                               \
    uint64_t first;                                                                \
    std::memcpy(&first, &a, sizeof first);                                         \
    kept_bits = first;                                                             \
  }

struct Routines {
  const char* isa;
  double lanes;
  void (*arithmetic)();
  void (*read)(const char*, size_t);
};

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2,fma")))
#define AVX512 __attribute__((target("avx512f")))
#define SSE_MULTIPLY_ADD(a, b, c) _mm_add_ps(_mm_mul_ps(a, b), c)
DEFINE_ROUTINES(sse2, , __m128, _mm_set1_ps, SSE_MULTIPLY_ADD, __m128i, _mm_add_epi64)
DEFINE_ROUTINES(avx2, AVX2, __m256, _mm256_set1_ps, _mm256_fmadd_ps, __m256i, _mm256_add_epi64)
DEFINE_ROUTINES(avx512, AVX512, __m512, _mm512_set1_ps, _mm512_fmadd_ps, __m512i, _mm512_add_epi64)

Routines widest() {
  if (__builtin_cpu_supports("avx512f")) return {"avx512", 16, avx512_arithmetic, avx512_read};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {"avx2", 8, avx2_arithmetic, avx2_read};
  return {"sse2", 4, sse2_arithmetic, sse2_read};
}
#else
typedef float Real4 __attribute__((vector_size(16)));
typedef uint64_t Word2 __attribute__((vector_size(16)));
#define SET4(x) (Real4{x, x, x, x})
#define MULTIPLY_ADD4(a, b, c) ((a) * (b) + (c))
#define ADD2(a, b) ((a) + (b))
DEFINE_ROUTINES(vectors, , Real4, SET4, MULTIPLY_ADD4, Word2, ADD2)
Routines widest() { return {"128-bit vectors", 4, vectors_arithmetic, vectors_read}; }
#endif

// Every thread does `body` again and again for `seconds`; gives `amount` per time of each thread's
// fastest window, summed over the threads: others may use the machine too, and a ceiling is what it
// could do without them.
template <class Body>
double rate(int threads, double seconds, double amount, const Body& body) {
  constexpr double window = 2e-3;
  std::vector<double> rates(static_cast<size_t>(threads));
  std::atomic<int> ready{0};
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t)
    workers.emplace_back([&, t] {
      body(t);  // memory touched, clock raised
      ++ready;
      while (ready < threads) std::this_thread::yield();
      double best = 0;
      const auto begin = Clock::now();
      do {
        int64_t passes = 0;
        double elapsed = 0;
        const auto start = Clock::now();
        do {
          body(t);
          ++passes;
          elapsed = seconds_since(start);
        } while (elapsed < window);
        best = std::max(best, amount * static_cast<double>(passes) / elapsed);
      } while (seconds_since(begin) < seconds);
      rates[static_cast<size_t>(t)] = best;
    });
  for (std::thread& worker : workers) worker.join();
  double sum = 0;
  for (double r : rates) sum += r;
  return sum;
}

struct Free {
  void operator()(char* p) const { std::free(p); }
};

std::unique_ptr<char[], Free> pages(size_t bytes) {
  constexpr size_t huge_page = size_t{2} << 20;
  const size_t rounded = (bytes + huge_page - 1) / huge_page * huge_page;
  char* p = static_cast<char*>(std::aligned_alloc(huge_page, rounded));
  if (!p) std::exit(1);
#if defined(MADV_HUGEPAGE)
  madvise(p, rounded, MADV_HUGEPAGE);
#endif
  std::memset(p, 1, bytes);
  return std::unique_ptr<char[], Free>(p);
}

}  // namespace

int main(int count, char** words) {
  const int threads = count > 1 ? std::max(1, std::atoi(words[1])) : 1;
  const double seconds = (count > 2 ? std::max(1, std::atoi(words[2])) : 200) / 1000.0;
  const Routines routines = widest();
  const double flops = rate(threads, seconds, steps * routines.lanes, [&](int) { routines.arithmetic(); });
  std::printf("{\"threads\": %d, \"isa\": \"%s\", \"flops\": %.4g, \"bandwidth\": [", threads, routines.isa, flops);
  const char* separator = "";
  // Per thread: within the first cache, the second, the last one of most and of large processors,
  // and beyond all of them.
  for (const size_t bytes :
       {size_t{24} << 10, size_t{256} << 10, size_t{4} << 20, size_t{12} << 20, size_t{128} << 20}) {
    std::vector<std::unique_ptr<char[], Free>> memory;
    for (int t = 0; t < threads; ++t) memory.push_back(pages(bytes));
    const auto of = [&](int t) { return memory[static_cast<size_t>(t)].get(); };
    const double read = rate(threads, seconds, static_cast<double>(bytes), [&](int t) { routines.read(of(t), bytes); });
    const double copy = rate(threads, seconds, static_cast<double>(bytes),
                             [&](int t) { std::memcpy(of(t), of(t) + bytes / 2, bytes / 2); });
    std::printf("%s{\"bytes\": %.0f, \"read\": %.4g, \"copy\": %.4g}", separator, static_cast<double>(bytes) * threads,
                read, copy);
    separator = ", ";
  }
  std::puts("]}");
}
