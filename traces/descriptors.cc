// SPDX-License-Identifier: MIT
#include "traces/descriptors.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include <cstring>

namespace sysvm {

namespace {

constexpr uint64_t kCloneFiles = 0x400;  // CLONE_FILES

bool makes_descriptor(int32_t nr) {
  return nr == SYS_open || nr == SYS_openat || nr == SYS_openat2 || nr == SYS_creat;
}

}  // namespace

int descriptor_argument(const CallInfo& call) {
  for (size_t i = 0; i < call.args.size() && i < 6; ++i)
    if (call.args[i] == "FD" || call.args[i] == "DIRFD") return static_cast<int>(i);
  return -1;
}

Descriptors::Table& Descriptors::table(int32_t pid) {
  std::shared_ptr<Table>& t = tables_[pid];
  if (!t) t = std::make_shared<Table>();
  return *t;
}

std::string_view Descriptors::path(int32_t pid, int32_t fd) const {
  auto it = tables_.find(pid);
  if (it == tables_.end()) return {};
  auto file = it->second->find(fd);
  return file == it->second->end() ? std::string_view() : std::string_view(file->second.path);
}

std::string Descriptors::resolved(std::string_view folder, std::string path) {
  if (folder.empty() || path.starts_with('/')) return path;
  if (path.empty()) return std::string(folder);
  return std::string(folder) + (folder.ends_with('/') ? "" : "/") + path;
}

// What ".." leads to from a folder that is no link.
std::string Descriptors::parent_of(std::string_view folder) {
  const size_t slash = folder.rfind('/');
  const std::string_view last = folder.substr(slash == std::string_view::npos ? 0 : slash + 1);
  if (last.empty() || last == "." || last == "..") return resolved(folder, "..");
  if (slash == std::string_view::npos) return ".";
  return std::string(folder.substr(0, slash ? slash : 1));
}

std::string_view Descriptors::path_of(const TraceInfo& info, const Event& e) const {
  if (e.has(kSignal) || e.has(kCompat) || e.has(kForkChild)) return {};
  const CallInfo* call = info.call(e.nr);
  const int at = call ? descriptor_argument(*call) : -1;
  if (at < 0 || !e.knows(static_cast<size_t>(at))) return {};
  return path(e.pid, static_cast<int32_t>(e.args[static_cast<size_t>(at)]));
}

void Descriptors::open(int32_t pid, int32_t fd, std::string path, bool closes_at_exec) {
  table(pid)[fd] = {std::move(path), closes_at_exec};
}

void Descriptors::add(const TraceInfo& info, const Event& e) {
  if (e.has(kSignal) || e.has(kCompat)) return;
  if (e.has(kForkChild)) {
    if (e.tid != e.pid) return;  // a thread has its process's
    for (size_t i = info.processes.size(); i-- > 0;) {
      const Process& p = info.processes[i];
      if (p.pid != e.pid || p.execed || p.start_ns > e.ts_ns) continue;
      auto parent = tables_.find(p.parent);
      if (parent == tables_.end())
        tables_.erase(e.pid);
      else if (e.nr == SYS_clone && e.args[0] & kCloneFiles)
        tables_[e.pid] = parent->second;
      else
        tables_[e.pid] = std::make_shared<Table>(*parent->second);
      return;
    }
    return;
  }
  if (e.has(kNoExit) || e.has(kUnknownRet) || e.ret < 0) return;
  const auto fd = static_cast<int32_t>(e.ret);
  auto argument = [&](size_t i) { return static_cast<int32_t>(e.args[i]); };
  if (makes_descriptor(e.nr)) {
    std::string path =
        e.path[0] != kNoString && e.path[0] < info.strings.size() ? info.strings[e.path[0]] : std::string();
    const bool at = e.nr == SYS_openat || e.nr == SYS_openat2;
    const uint64_t flags = e.nr == SYS_open ? e.args[1] : e.nr == SYS_openat ? e.args[2] : 0;
    if (at && argument(0) != AT_FDCWD) {
      const std::string_view folder = this->path(e.pid, argument(0));
      // A walk that follows no link comes back so from each folder: paths would grow with its length.
      const bool back = path == ".." && flags & O_NOFOLLOW && !folder.empty();
      path = back ? parent_of(folder) : resolved(folder, std::move(path));
    }
    return open(e.pid, fd, std::move(path), flags & O_CLOEXEC);
  }
  switch (e.nr) {
    case SYS_close: table(e.pid).erase(argument(0)); break;
    case SYS_close_range: {
      Table& t = table(e.pid);
      const uint32_t first = static_cast<uint32_t>(e.args[0]), last = static_cast<uint32_t>(e.args[1]);
      if (!(e.args[2] & 4))  // CLOSE_RANGE_CLOEXEC
        std::erase_if(t, [&](const auto& one) {
          return static_cast<uint32_t>(one.first) >= first && static_cast<uint32_t>(one.first) <= last;
        });
      break;
    }
    case SYS_dup:
    case SYS_dup2:
    case SYS_dup3:
      if (fd != argument(0))
        open(e.pid, fd, std::string(path(e.pid, argument(0))), e.nr == SYS_dup3 && e.args[2] & O_CLOEXEC);
      break;
    case SYS_fcntl:
      if (e.args[1] == F_DUPFD || e.args[1] == F_DUPFD_CLOEXEC)
        open(e.pid, fd, std::string(path(e.pid, argument(0))), e.args[1] == F_DUPFD_CLOEXEC);
      else if (e.args[1] == F_SETFD)
        if (auto it = table(e.pid).find(argument(0)); it != table(e.pid).end())
          it->second.closes_at_exec = e.args[2] & FD_CLOEXEC;
      break;
    case SYS_pipe:
    case SYS_pipe2:
    case SYS_socketpair:
      if (e.has(kHasData) && e.data_kind == DataKind::kFds && e.data < info.strings.size() &&
          info.strings[e.data].size() >= 8) {
        int32_t fds[2];
        memcpy(fds, info.strings[e.data].data(), sizeof fds);
        for (const int32_t one : fds)
          open(e.pid, one, e.nr == SYS_socketpair ? "socket" : "pipe",
               e.nr == SYS_pipe2 && e.args[1] & O_CLOEXEC);
      }
      break;
    case SYS_execve:
    case SYS_execveat: {
      std::shared_ptr<Table>& t = tables_[e.pid];
      t = t ? std::make_shared<Table>(*t) : std::make_shared<Table>();  // shared no more
      std::erase_if(*t, [](const auto& one) { return one.second.closes_at_exec; });
      break;
    }
    default:
      // Whatever else makes a descriptor: what it is of is not known, but the number no longer stands for
      // what it did.
      if (const CallInfo* call = info.call(e.nr); call && call->result == "FD")
        open(e.pid, fd, e.nr == SYS_socket || e.nr == SYS_accept || e.nr == SYS_accept4 ? "socket" : "",
             false);
  }
}

}  // namespace sysvm
