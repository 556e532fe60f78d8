// SPDX-License-Identifier: MIT
// du_directory DIR: entries of a directory and the disk space that they use (its own files, not those below),
// as "ENTRIES BYTES". The whole directory is one run: it lists the entries, asks for each one's blocks, adds
// them up, and only the two sums come back.
//
//     c++ -std=c++17 du_directory.cc $(pkg-config --cflags --libs sysvm)
#include <fcntl.h>
#include <sys/stat.h>

#include <cstddef>
#include <cstdio>
#include <exception>
#include <sysvm.hpp>
#include <vector>

namespace {

constexpr size_t kNamesSize = 32768;
constexpr int kRecordLength = 16, kName = 19;  // of struct linux_dirent64

// r0: path. r1, r2: room for names and for a struct statx. Results in r3 (entries) and r4 (blocks of 512
// bytes).
void build(sysvm::Program& p) {
  const auto path = p.input(0), names = p.input(1), attributes = p.input(2);
  const auto entries = p.result(3, 0), blocks = p.result(4, 0);
  const auto dir = p.call.openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  p.loop([&] {
    const auto n = p.call.getdents64(dir, names, kNamesSize);
    p.if_(n == 0, [&] { p.break_(); });
    const auto entry = p.copy(names);
    const auto end = names + n;
    p.loop_while([&] { return below(entry, end); },
                 [&] {
                   const auto failed =
                       p.attempt.statx(dir, entry + kName, AT_SYMLINK_NOFOLLOW, STATX_BLOCKS, attributes);
                   p.if_(failed == 0, [&] {  // else it is gone
                     p.set(entries, entries + 1);
                     p.set(blocks, blocks + p.load<uint64_t>(attributes, offsetof(struct statx, stx_blocks)));
                   });
                   p.set(entry, entry + p.load<uint16_t>(entry, kRecordLength));
                 });
  });
  p.call.close(dir);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) {
    std::fprintf(stderr, "usage: du_directory DIR\n");
    return 2;
  }
  sysvm::Program p;
  build(p);
  sysvm::Machine machine;
  const uint32_t proc = machine.define(p);
  std::vector<char> names(kNamesSize);
  struct statx attributes;
  if (machine.run(proc, {uint64_t(argv[1]), uint64_t(names.data()), uint64_t(&attributes)}) != SYSVM_DONE) {
    std::fprintf(stderr, "du_directory: %s: %s\n", argv[1], machine.status_text().c_str());
    return 1;
  }
  std::printf("%llu %llu\n", (unsigned long long)machine.reg(3), (unsigned long long)machine.reg(4) * 512);
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "du_directory: %s\n", error.what());
  return 1;
}
