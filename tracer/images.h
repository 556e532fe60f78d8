// SPDX-License-Identifier: MIT
// Which file lies where in a traced process, so that a call site can be named by build-id and offset.
//
// Reading /proc/PID/maps would come too late for a process of a millisecond. So the mappings are derived from
// the trace itself: executable and ld.so from the exec (their bases) and their program headers, libraries
// from open-then-mmap(PROT_EXEC). /proc is asked only where that fails (a library opened by a relative path),
// and when a process is attached to. Best effort: a file replaced between its exec and our reading gives the
// new build-id. Tested by tests/tracer/.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tracer/elf.h"
#include "tracer/stream.h"

namespace sysvm {

class Images {
 public:
  // The executable's absolute path and build-id, and the mappings that the kernel made.
  std::vector<Mapping> exec(const ExecInfo& exec, std::string& exe, std::string& build_id);
  // Looks at open and mmap; nonempty if the call mapped code.
  std::vector<Mapping> call(const Event& event, std::string_view path);
  // What /proc says now. from, to: only mappings that lie there.
  std::vector<Mapping> scan(int32_t pid, uint64_t now_ns, uint64_t from = 0, uint64_t to = ~0ull);
  void exit(int32_t pid) { opened_.erase(pid); }

 private:
  struct Opened {
    int64_t fd = -1;
    std::string path;
  };
  struct RecentOpens {
    std::array<Opened, 8> last;  // 8: ld.so and dlopen map a file right after they opened it
    size_t next = 0;
  };
  const ElfFile* elf(const std::string& path);
  void add_text(std::vector<Mapping>& out, int32_t pid, uint64_t ts, const std::string& path, uint64_t bias);

  std::unordered_map<int32_t, RecentOpens> opened_;
  std::unordered_map<std::string, ElfFile> elves_;  // by path; a file changed during a recording is read once
};

}  // namespace sysvm
