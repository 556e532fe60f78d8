// SPDX-License-Identifier: MIT
// copy_metadata FROM TO: gives every file below TO the mode, owner and times of the one of the same name
// below FROM, as the last step of a backup does. One run for each directory makes all of its calls (statx,
// fchownat, fchmodat, utimensat for each entry); the only thing that is left to this program is which
// directory comes next.
//
//     c++ -std=c++17 copy_metadata.cc $(pkg-config --cflags --libs sysvm)
#include <fcntl.h>
#include <sys/stat.h>

#include <cstddef>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <sysvm.hpp>
#include <vector>

namespace {

constexpr size_t kNamesSize = 65536;
constexpr int kRecordLength = 16, kType = 18, kName = 19;  // of struct linux_dirent64

struct Work {  // what the program knows, in one piece
  char names[kNamesSize];
  char directories[kNamesSize];  // out: names of directories, each with its 0
  struct statx attributes;
  struct timespec times[2];
};

// r0, r1: paths of the two directories. r2: Work. Results in r3 (entries), r4 (bytes of Work::directories),
// r5 (1 if there are more entries: run again with r6 and r7, the open directories).
void build(sysvm::Program& p) {
  const auto from_path = p.input(0), to_path = p.input(1), work = p.input(2);
  const auto entries = p.result(3, 0), used = p.result(4, 0), more = p.result(5, 0);
  const auto from = p.input(6), to = p.input(7);
  const auto attributes = work + offsetof(Work, attributes), times = work + offsetof(Work, times);
  const auto directories = work + offsetof(Work, directories);
  p.if_(from < 0, [&] {
    p.set(from, p.call.openat(AT_FDCWD, from_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0));
    p.set(to, p.call.openat(AT_FDCWD, to_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0));
  });
  const auto n = p.call.getdents64(from, work, kNamesSize);
  p.if_(n == 0, [&] {
    p.call.close(from);
    p.call.close(to);
    p.end();
  });
  p.set(more, 1);
  const auto entry = p.copy(work);
  const auto end = work + n;
  p.loop_while(
      [&] { return below(entry, end); },
      [&] {
        const auto name = entry + kName, length = p.load<uint16_t>(entry, kRecordLength);
        const auto type = p.load<uint8_t>(entry, kType);
        p.set(entry, entry + length);
        // "." and "..", with the zero that ends them.
        p.if_((p.load<uint16_t>(name) == '.'), [&] { p.next_(); });
        p.if_((p.load<uint16_t>(name) == ('.' | '.' << 8)),
              [&] { p.if_(p.load<uint8_t>(name, 2) == 0, [&] { p.next_(); }); });
        const auto failed = p.attempt.statx(from, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, attributes);
        p.if_(failed < 0, [&] { p.next_(); });
        for (int i = 0; i < 2; i++) {  // access, modification
          const int16_t at = i ? offsetof(struct statx, stx_mtime) : offsetof(struct statx, stx_atime);
          p.store<uint64_t>(times, 16 * i, p.load<uint64_t>(attributes, at));
          p.store<uint64_t>(times, 16 * i + 8, p.load<uint32_t>(attributes, at + 8));
        }
        const auto uid = p.load<uint32_t>(attributes, offsetof(struct statx, stx_uid));
        const auto gid = p.load<uint32_t>(attributes, offsetof(struct statx, stx_gid));
        const auto mode = p.load<uint16_t>(attributes, offsetof(struct statx, stx_mode));
        // The owner first: a change of owner clears the set-user-id bit. Who may not change it may still do
        // the rest.
        p.attempt.fchownat(to, name, uid, gid, AT_SYMLINK_NOFOLLOW);
        p.if_((mode & S_IFMT) != S_IFLNK, [&] { p.attempt.fchmodat(to, name, mode & 07777); });
        const auto done = p.attempt.utimensat(to, name, times, AT_SYMLINK_NOFOLLOW);
        p.if_(done == 0, [&] { p.set(entries, entries + 1); });
        p.if_(type == 4 /* DT_DIR */, [&] {  // a name for the caller, byte by byte
          const auto byte = p.copy(name);
          p.loop([&] {
            const auto c = p.load<uint8_t>(byte);
            p.store<uint8_t>(directories + used, 0, c);
            p.set(used, used + 1);
            p.set(byte, byte + 1);
            p.if_(c == 0, [&] { p.break_(); });
          });
        });
      });
}

class Copier {
 public:
  Copier() {
    sysvm::Program p;
    build(p);
    proc_ = machine_.define(p);
  }

  bool copy(const std::string& from, const std::string& to) {
    std::vector<std::string> below;
    uint64_t from_fd = -1, to_fd = -1;
    do {
      if (machine_.run(proc_, {uint64_t(from.c_str()), uint64_t(to.c_str()), uint64_t(work_.get()), 0, 0, 0,
                               from_fd, to_fd}) != SYSVM_DONE) {
        std::fprintf(stderr, "copy_metadata: %s: %s\n", from.c_str(), machine_.status_text().c_str());
        return false;
      }
      from_fd = machine_.reg(6);
      to_fd = machine_.reg(7);
      entries_ += machine_.reg(3);
      for (uint64_t at = 0; at < machine_.reg(4); at += std::strlen(work_->directories + at) + 1)
        below.emplace_back(work_->directories + at);
    } while (machine_.reg(5));
    for (const std::string& name : below)
      if (!copy(from + "/" + name, to + "/" + name)) return false;
    return true;
  }

  unsigned long long entries() const { return entries_; }
  const struct sysvm_page& page() { return machine_.page(); }

 private:
  sysvm::Machine machine_;
  uint32_t proc_;
  std::unique_ptr<Work> work_ = std::make_unique<Work>();
  unsigned long long entries_ = 0;
};

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::fprintf(stderr, "usage: copy_metadata FROM TO\n");
    return 2;
  }
  Copier copier;
  if (!copier.copy(argv[1], argv[2])) return 1;
  std::printf("%llu entries, %llu calls in %llu runs\n", copier.entries(),
              (unsigned long long)copier.page().calls, (unsigned long long)copier.page().runs);
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "copy_metadata: %s\n", error.what());
  return 1;
}
