// SPDX-License-Identifier: MIT
#include "tracer/images.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <fstream>

namespace sysvm {

namespace {

constexpr uint64_t kPageMask = 4095;

std::string real_path(const std::string& path) {
  char buffer[PATH_MAX];
  return realpath(path.c_str(), buffer) ? buffer : path;
}

}  // namespace

const ElfFile* Images::elf(const std::string& path) {
  auto it = elves_.find(path);
  if (it == elves_.end()) {
    auto read = read_elf(path);
    it = elves_.emplace(path, read ? *read : ElfFile{}).first;
  }
  return &it->second;
}

void Images::add_text(std::vector<Mapping>& out, int32_t pid, uint64_t ts, const std::string& path,
                      uint64_t bias) {
  const ElfFile* file = elf(path);
  for (const ElfFile::Segment& s : file->text) {
    const uint64_t start = (bias + s.vaddr) & ~kPageMask;
    const uint64_t end = (bias + s.vaddr + s.memsz + kPageMask) & ~kPageMask;
    out.push_back({pid, ts, start, end, s.offset & ~kPageMask, path, file->build_id});
  }
}

std::vector<Mapping> Images::exec(const ExecInfo& exec, std::string& exe, std::string& build_id) {
  std::vector<Mapping> out;
  opened_.erase(exec.pid);
  if (exec.exe.starts_with('/')) {
    exe = real_path(exec.exe);
  } else {
    char buffer[PATH_MAX];
    const std::string link = fmt::format("/proc/{}/exe", exec.pid);
    const ssize_t n = readlink(link.c_str(), buffer, sizeof buffer);
    exe = n > 0 ? std::string(buffer, static_cast<size_t>(n)) : real_path(exec.exe);
  }
  const ElfFile* file = elf(exe);
  build_id = file->build_id;
  if (exec.start_code && !file->text.empty()) {
    uint64_t first = file->text[0].vaddr;
    for (const ElfFile::Segment& s : file->text) first = std::min(first, s.vaddr);
    add_text(out, exec.pid, exec.ts_ns, exe, exec.start_code - first);
  }
  if (exec.interp_base && !file->interp.empty())
    add_text(out, exec.pid, exec.ts_ns, real_path(file->interp), exec.interp_base);
  return out;
}

std::vector<Mapping> Images::call(const Event& e, std::string_view path) {
  if (e.flags & (kCompat | kSignal) || e.ret < 0) return {};
  if ((e.nr == SYS_openat || e.nr == SYS_open) && path.data()) {
    RecentOpens& recent = opened_[e.pid];
    Opened& slot = recent.last[recent.next++ % recent.last.size()];
    slot.fd = e.ret;
    slot.path.assign(path);
    return {};
  }
  if (e.nr != SYS_mmap || !(e.args[2] & PROT_EXEC) || (e.args[3] & MAP_ANONYMOUS)) return {};
  const auto start = static_cast<uint64_t>(e.ret);
  const uint64_t end = start + ((e.args[1] + kPageMask) & ~kPageMask);
  const auto fd = static_cast<int32_t>(e.args[4]);
  const RecentOpens& recent = opened_[e.pid];
  for (size_t back = 1; back <= recent.last.size(); ++back) {
    const Opened& o = recent.last[(recent.next - back) % recent.last.size()];
    if (o.fd != fd) continue;
    if (!o.path.starts_with('/')) break;
    const std::string file = real_path(o.path);
    return {Mapping{e.pid, e.ts_ns, start, end, e.args[5], file, elf(file)->build_id}};
  }
  return scan(e.pid, e.ts_ns, start, end);
}

std::vector<Mapping> Images::scan(int32_t pid, uint64_t now_ns, uint64_t from, uint64_t to) {
  std::vector<Mapping> out;
  std::ifstream maps(fmt::format("/proc/{}/maps", pid));
  std::string line;
  while (std::getline(maps, line)) {
    unsigned long start, end, offset;
    char perms[5];
    int path_at = 0;
    if (sscanf(line.c_str(), "%lx-%lx %4s %lx %*s %*s %n", &start, &end, perms, &offset, &path_at) != 4)
      continue;
    if (perms[2] != 'x' || start < from || end > to) continue;
    std::string path = path_at > 0 && static_cast<size_t>(path_at) < line.size()
                           ? line.substr(static_cast<size_t>(path_at))
                           : "";
    out.push_back({pid, now_ns, start, end, offset, path, path.starts_with('/') ? elf(path)->build_id : ""});
  }
  return out;
}

}  // namespace sysvm
