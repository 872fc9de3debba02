// Released memory that is used again: the same size only, bounded, on any thread, and in a child
// after a fork.
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <thread>
#include <vector>

#include "core/context.h"
#include "core/recycled.h"
#include "support/check.h"
#include "upsilon/upsilon.h"

using namespace upsilon;

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool recycling = false;
#else
constexpr bool recycling = true;
#endif
constexpr size_t MiB = size_t{1} << 20;

int64_t recycled() { return ups_count().recycled_bytes; }

void sizes() {
  for (size_t bytes = 1; bytes < (size_t{1} << 32); bytes += bytes / 7 + 1) {
    const size_t size = recyclable_size(bytes);
    CHECK(size >= bytes && size <= bytes + bytes / 8 + 1);
    CHECK(recyclable_size(size) == size);
  }
  CHECK(recyclable_size(SIZE_MAX) == SIZE_MAX && allocate_host(SIZE_MAX) == nullptr);
}

void the_same_memory_again() {
  void* first = allocate_host(3 * MiB);
  release_host(first, 3 * MiB);
  CHECK(recycled() == (recycling ? static_cast<int64_t>(recyclable_size(3 * MiB)) : 0));
  void* other = allocate_host(5 * MiB);
  void* again = allocate_host(3 * MiB - 100);
  if (recycling) CHECK(again == first && other != first);
  CHECK(recycled() == 0);
  std::memset(again, 1, 3 * MiB - 100);
  std::memset(other, 1, 5 * MiB);
  release_host(again, 3 * MiB - 100);
  release_host(other, 5 * MiB);
  ups_trim();
  CHECK(recycled() == 0);
}

void bounded() {
  std::vector<void*> blocks;
  for (int i = 0; i < 100; ++i) blocks.push_back(allocate_host(MiB << i % 8));
  for (int i = 0; i < 100; ++i) {
    release_host(blocks[static_cast<size_t>(i)], MiB << i % 8);
    CHECK(recycled() >= 0 && recycled() <= 256 * static_cast<int64_t>(MiB));
  }
  const int64_t before = recycled();
  release_host(allocate_host(129 * MiB), 129 * MiB);  // too large to wait
  release_host(allocate_host(100), 100);
  CHECK(recycled() == before);
  ups_trim();
  CHECK(recycled() == 0);
}

// Each thread writes its own number all over its memory and finds it there: nobody gets what
// another one has.
void many_threads() {
  std::atomic<bool> mixed{false};
  std::vector<std::thread> threads;
  for (int number = 1; number <= 4; ++number)
    threads.emplace_back([number, &mixed] {
      for (int round = 0; round < 2000; ++round) {
        const size_t bytes = (64 + 8 * static_cast<size_t>(round % 5)) << 10;
        auto* data = static_cast<unsigned char*>(allocate_host(bytes));
        for (size_t i = 0; i < bytes; i += 512) data[i] = static_cast<unsigned char>(number);
        for (size_t i = 0; i < bytes; i += 512)
          if (data[i] != number) mixed = true;
        release_host(data, bytes);
        if (round % 500 == 0) ups_trim();
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(!mixed);
  ups_trim();
  CHECK(recycled() == 0);
}

void after_a_fork() {
  release_host(allocate_host(4 * MiB), 4 * MiB);
  const pid_t id = fork();
  if (id == 0) {
    alarm(20);
    void* data = allocate_host(4 * MiB);
    std::memset(data, 2, 4 * MiB);
    release_host(data, 4 * MiB);
    ups_trim();
    _exit(recycled() == 0 ? 0 : 1);
  }
  int status = 0;
  CHECK(waitpid(id, &status, 0) == id && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  ups_trim();
}

}  // namespace

int main() {
  sizes();
  the_same_memory_again();
  bounded();
  many_threads();
  after_a_fork();
  return finish_checks();
}
