// SPDX-License-Identifier: MIT
// What the calls cost that sysvm could save: an entry by itself, and the calls of the read-a-file family.
//
// "crossing" is getppid, the call that does next to nothing, made as programs make it: through the C library.
// The same call as one inline instruction is cheaper, because returns after a system call are mispredicted.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "bench/figures.h"
#include "bench/plain_file.h"
#include "common/unique_fd.h"

namespace sysvm::bench {

namespace {

using benchmark::State;

long inline_call(long nr) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(nr) : "rcx", "r11", "memory");
  return result;
}

// A program that cannot open its own file measures nothing: say so instead of a number.
template <typename Work>
void with_file(State& state, size_t size, Work work) {
  const PlainFile file(size);
  const UniqueFd fd(open(file.path(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    state.SkipWithError("the file to be read could not be made");
    return;
  }
  for (auto _ : state) work(file, fd.get());
}

void add(const char* name, void (*body)(State&)) { benchmark::RegisterBenchmark(name, body)->UseRealTime(); }

}  // namespace

void register_plain() {
  add("crossing", [](State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(getppid());
  });
  add("crossing_inline", [](State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(inline_call(SYS_getppid));
  });
  add("fstat", [](State& state) {
    struct stat st;
    with_file(state, 4096, [&](const PlainFile&, int fd) { benchmark::DoNotOptimize(fstat(fd, &st)); });
  });
  // Opened and closed in one go, else descriptors run out; close alone is the difference to a second open.
  add("openat_close", [](State& state) {
    with_file(state, 4096,
              [](const PlainFile& file, int) { close(openat(AT_FDCWD, file.path(), O_RDONLY)); });
  });
  add("close", [](State& state) {
    constexpr int kBatch = 64;
    const PlainFile file(4096);
    std::array<int, kBatch> fds{};
    while (state.KeepRunningBatch(kBatch)) {
      state.PauseTiming();
      for (int& fd : fds) fd = open(file.path(), O_RDONLY | O_CLOEXEC);
      state.ResumeTiming();
      for (const int fd : fds) close(fd);
    }
  });
  add("read_4k", [](State& state) {
    std::array<char, 4096> block;
    with_file(state, block.size(), [&](const PlainFile&, int fd) {
      benchmark::DoNotOptimize(pread(fd, block.data(), block.size(), 0));
    });
  });
  add("read_at_end", [](State& state) {
    std::array<char, 4096> block;
    with_file(state, 0, [&](const PlainFile&, int fd) {
      benchmark::DoNotOptimize(read(fd, block.data(), block.size()));
    });
  });
  add("copy_4k", [](State& state) {
    std::array<char, 4096> from{}, to;
    for (auto _ : state) {
      memcpy(to.data(), from.data(), from.size());
      benchmark::DoNotOptimize(to.data());
      benchmark::ClobberMemory();
    }
  });
  add("whole_file", [](State& state) {
    std::array<char, 8192> block;
    struct stat st;
    with_file(state, 4096, [&](const PlainFile& file, int) {
      const int fd = openat(AT_FDCWD, file.path(), O_RDONLY);
      benchmark::DoNotOptimize(fstat(fd, &st));
      while (read(fd, block.data(), block.size()) > 0) {
      }
      close(fd);
    });
  });
}

}  // namespace sysvm::bench
