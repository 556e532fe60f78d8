// SPDX-License-Identifier: MIT
#include "optimizer/lists/lists.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "optimizer/base/images.h"
#include "optimizer/lists/resolver.h"
#include "traces/descriptors.h"
#include "uapi/syscalls.h"

namespace sysvm {
namespace {

constexpr size_t kItemsLeast = 32;         // fewer are read before anybody knows that the program waits
constexpr size_t kItemsMost = 32768;       // of one list
constexpr size_t kWalkLeast = 2048;        // items of what may be a walk
constexpr double kWalkShare = 0.9;         // of its items lie in directories that were read before
constexpr uint64_t kMappedMost = 8 << 20;  // of a mapping: who knows what of it was touched
constexpr size_t kPartsMost = 16;
constexpr uint64_t kMappedWhole = 64 << 20;  // the same, if memory tells

// What one program touched, as it named it.
struct Touched {
  std::string path;
  svp_item_kind kind = SVP_ITEM_NAME;
  bool follow = true;
  bool mapped = false;  // and not read: which pages were touched, the recording does not say
  uint64_t from = 0, end = 0;
};

class Program {
 public:
  Touched& touch(const std::string& path) {
    const auto [at, fresh] = index_.try_emplace(path, touched_.size());
    if (fresh) {
      touched_.push_back({path});
      in_read_ += read_.count(path.substr(0, std::max<size_t>(path.rfind('/'), 1)));
    }
    return touched_[at->second];
  }
  void part(const std::string& path, uint64_t from, uint64_t length, bool mapped) {
    Touched& t = touch(path);
    t.mapped = t.end ? t.mapped && mapped : mapped;
    if (t.kind != SVP_ITEM_DIRECTORY) t.kind = SVP_ITEM_FILE;
    t.from = t.end ? std::min(t.from, from) : from;
    t.end = std::max(t.end, from + length);
  }
  void read_directory(const std::string& path) {
    touch(path).kind = SVP_ITEM_DIRECTORY;
    read_.insert(path);
  }
  bool walks() const {
    return touched_.size() >= kWalkLeast &&
           static_cast<double>(in_read_) >= kWalkShare * static_cast<double>(touched_.size());
  }

  std::vector<ListItem> items(const std::string& folder) const;

  const Process* process = nullptr;
  std::string folder;  // the working directory at its start
  uint64_t waited_ns = 0;

 private:
  std::vector<Touched> touched_;
  std::unordered_map<std::string, size_t> index_;
  std::unordered_set<std::string> read_;  // directories
  size_t in_read_ = 0;
};

bool is_listed(const std::string& path) {
  for (const char* no : {"/proc", "/sys", "/dev", "/run"})
    if (path == no || path.starts_with(std::string(no) + "/")) return false;
  return path != "/" && path.size() < SVP_PATH_MAX;
}

// Below the working directory a name counts from there, so that the list serves a copy elsewhere, too.
std::string named_from(const std::string& folder, const std::string& path) {
  if (folder.size() > 1 && path.size() > folder.size() + 1 && path.starts_with(folder + "/"))
    return path.substr(folder.size() + 1);
  return path;
}

// Of a mapped file: what lies in memory soon after it was recorded from cold caches.
std::vector<FilePart> touched_parts(const std::string& path, FilePart part) {
  std::vector<FilePart> parts = in_memory(path, part);
  uint64_t sum = 0;
  for (const FilePart& p : parts) sum += p.length;
  if (parts.empty() || parts.size() > kPartsMost || sum > part.length / 10 * 9)
    parts = {{part.from, std::min(part.length, kMappedMost)}};
  return parts;
}

std::vector<ListItem> Program::items(const std::string& folder) const {
  std::vector<ListItem> out;
  std::unordered_set<std::string> there;
  Resolver resolver;
  for (const Touched& t : touched_) {
    if (out.size() == kItemsMost) break;
    const auto file = resolver.resolve(t.path, t.follow);
    if (!file || !is_listed(file->path) || !there.insert(file->path).second) continue;
    ListItem item;
    item.path = named_from(folder, file->path);
    const bool regular = file->st && S_ISREG(file->st->st_mode);
    const uint64_t size = regular ? static_cast<uint64_t>(file->st->st_size) : 0;
    if (t.kind == SVP_ITEM_DIRECTORY && file->st && S_ISDIR(file->st->st_mode)) {
      item.kind = SVP_ITEM_DIRECTORY;
    } else if (t.kind == SVP_ITEM_FILE && regular && t.from < size) {
      item.kind = SVP_ITEM_FILE;
      item.size = size;
      item.mtime = file->st->st_mtim.tv_sec;
      item.mtime_ns = static_cast<uint32_t>(file->st->st_mtim.tv_nsec);
      const FilePart part{t.from, std::min({t.end - t.from, size - t.from, uint64_t{SVP_LENGTH_MAX}})};
      for (const FilePart& p : t.mapped ? touched_parts(file->path, part) : std::vector{part}) {
        item.from = p.from;
        item.length = p.length;
        out.push_back(item);
      }
      continue;
    }
    out.push_back(std::move(item));
  }
  return out;
}

// One recording, followed from call to call.
class Recording {
 public:
  Recording(const PackedTrace& trace, std::vector<Program>& programs)
      : trace_(trace), images_(trace), programs_(programs) {}

  void all() {
    for (const PackedEvent& packed : trace_.events) {
      const Event e = packed.event();
      if (!e.has(kSignal) && !e.has(kCompat) && !e.has(kForkChild) && !e.has(kUnknownRet)) call(e);
      fds_.add(trace_, e);
    }
  }

 private:
  const std::string& string(uint32_t i) const {
    static const std::string none;
    return i < trace_.strings.size() ? trace_.strings[i] : none;
  }

  const Process* executed(int32_t pid, uint64_t ts) const {
    const Process* p = images_.at(pid, ts);
    for (int depth = 0; p && !p->execed && depth < 64; ++depth) p = images_.at(p->parent, p->start_ns);
    return p;
  }

  Program* program(const Event& e) {
    const Process* process = executed(e.pid, e.ts_ns);
    if (!process) return nullptr;
    const auto [at, fresh] = of_.try_emplace(process, programs_.size());
    if (fresh) {
      programs_.emplace_back();
      programs_.back().process = process;
      programs_.back().folder = folder(e.pid, e.ts_ns);
    }
    return &programs_[at->second];
  }

  static uint64_t key(int32_t pid, int64_t fd) {
    return static_cast<uint64_t>(pid) << 32 | static_cast<uint32_t>(fd);
  }

  // A folder as it is kept. A program that goes down and up again and again (fts) would make it longer each
  // time, and each name in it.
  std::string settled(std::string path) {
    if (path.find("/..") == std::string::npos) return path;
    const auto there = resolver_.resolve(path, false);
    return there ? there->path : std::filesystem::path(path).lexically_normal().string();
  }

  // The working directory of a process.
  const std::string& folder(int32_t pid, uint64_t ts) {
    const auto known = folders_.find(pid);
    if (known != folders_.end()) return known->second;
    const Process* p = images_.at(pid, ts);
    std::string of_parent = trace_.header.cwd;
    if (p && p->parent != pid)
      if (const auto parent = folders_.find(p->parent); parent != folders_.end()) of_parent = parent->second;
    return folders_[pid] = of_parent;
  }

  // Of a descriptor that was opened here; "" if not known.
  std::string path_of(int32_t pid, uint64_t fd, uint64_t ts) {
    const std::string path(fds_.path(pid, static_cast<int32_t>(fd)));
    return path.empty() || path == "pipe" || path == "socket" ? "" : absolute(folder(pid, ts), path);
  }

  // What the call's first path stands for; "" if not known.
  std::string named(const Event& e) {
    const sysvm_syscall_info* row = sysvm_syscall_by_nr(static_cast<uint32_t>(e.nr));
    if (!row || e.path[0] == kNoString || string(e.path[0]).empty()) return "";
    std::string from = folder(e.pid, e.ts_ns);
    for (size_t i = 0; i < row->nargs; ++i) {
      const uint8_t kind = row->arg[i].kind;
      if (kind == SYSVM_KIND_PATH) return absolute(from, string(e.path[0]));
      if (kind == SYSVM_KIND_STR) return "";  // the first string is no path
      if (kind == SYSVM_KIND_DIRFD && static_cast<int32_t>(e.args[i]) != AT_FDCWD &&
          !string(e.path[0]).starts_with('/')) {
        from = path_of(e.pid, e.args[i], e.ts_ns);
        if (from.empty()) return "";
      }
    }
    return "";
  }

  uint64_t& position(const Event& e) {
    return positions_[static_cast<uint64_t>(e.pid) << 32 | static_cast<uint32_t>(e.args[0])];
  }

  void call(const Event& e) {
    if (e.tid != e.pid) return;
    Program* p = program(e);
    if (!p) return;
    const bool done = e.ret >= 0 && !e.has(kNoExit);
    std::string path = named(e);
    if (!path.empty()) {
      Touched& t = p->touch(path);
      t.follow = !((e.nr == SYS_openat && e.args[2] & O_NOFOLLOW) || e.nr == SYS_lstat ||
                   e.nr == SYS_readlink || e.nr == SYS_readlinkat || e.nr == SYS_lgetxattr ||
                   (e.nr == SYS_newfstatat && e.args[3] & AT_SYMLINK_NOFOLLOW) ||
                   (e.nr == SYS_statx && e.args[2] & AT_SYMLINK_NOFOLLOW));
      if (done && (e.nr == SYS_open || e.nr == SYS_openat))
        positions_[static_cast<uint64_t>(e.pid) << 32 | static_cast<uint32_t>(e.ret)] = 0;
      if (done && (e.nr == SYS_open || e.nr == SYS_openat)) named_at_open_[key(e.pid, e.ret)] = path;
      if (done && e.nr == SYS_chdir) folders_[e.pid] = settled(path);
    } else if (done) {
      path = content(*p, e);
    }
    if (!path.empty() && e.dur_ns > kWaitNs) p->waited_ns += e.dur_ns - kWaitNs;
  }

  // A call on a descriptor that reads. The path, "" if it is none of these.
  std::string content(Program& p, const Event& e) {
    const size_t fd = e.nr == SYS_mmap ? 4 : e.nr == SYS_sendfile ? 1 : 0;
    const bool reads = e.nr == SYS_read || e.nr == SYS_pread64 || e.nr == SYS_readv ||
                       e.nr == SYS_copy_file_range || e.nr == SYS_sendfile;
    const bool maps = e.nr == SYS_mmap && !(e.args[3] & MAP_ANONYMOUS);
    if (e.nr == SYS_fchdir) {
      // "." and ".." are what they were when they were opened, wherever the program is now.
      const auto opened = named_at_open_.find(key(e.pid, static_cast<int64_t>(e.args[0])));
      std::string path = opened != named_at_open_.end() ? opened->second : path_of(e.pid, e.args[0], e.ts_ns);
      if (!path.empty()) folders_[e.pid] = settled(std::move(path));
      return "";
    }
    if (e.nr == SYS_close) named_at_open_.erase(key(e.pid, static_cast<int64_t>(e.args[0])));
    if (e.nr == SYS_dup2 || e.nr == SYS_dup3) named_at_open_.erase(key(e.pid, e.ret));
    if (e.nr == SYS_lseek) position(e) = static_cast<uint64_t>(e.ret);
    if (!reads && !maps && e.nr != SYS_getdents64) return "";
    const std::string path = path_of(e.pid, e.args[fd], e.ts_ns);
    if (path.empty()) return "";
    if (e.nr == SYS_getdents64) {
      p.read_directory(path);
    } else if (maps) {
      p.part(path, e.args[5], std::min(e.args[1], kMappedWhole), true);
    } else if (e.ret > 0) {
      const auto length = static_cast<uint64_t>(e.ret);
      if (e.nr == SYS_pread64) {
        p.part(path, e.args[3], length, false);
      } else if (e.nr == SYS_read || e.nr == SYS_readv) {
        p.part(path, position(e), length, false);
        position(e) += length;
      } else {
        p.part(path, 0, length, false);
      }
    }
    return path;
  }

  const PackedTrace& trace_;
  const Images images_;
  std::vector<Program>& programs_;
  std::unordered_map<const Process*, size_t> of_;
  Descriptors fds_;
  Resolver resolver_;
  std::unordered_map<uint64_t, std::string> named_at_open_;  // by process and descriptor
  std::unordered_map<int32_t, std::string> folders_;
  std::unordered_map<uint64_t, uint64_t> positions_;  // by process and descriptor
};

}  // namespace

uint64_t command_checksum(const std::vector<std::string>& argv) {
  uint64_t sum = SVP_CHECKSUM_START;
  for (const std::string& word : argv) sum = svp_checksum(word.c_str(), word.size() + 1, sum);
  return sum;
}

std::vector<PrefetchList> lists_of(const std::vector<const PackedTrace*>& traces,
                                   std::vector<DroppedList>* dropped) {
  std::vector<PrefetchList> out;
  std::map<std::pair<std::string, uint64_t>, size_t> there;
  size_t room = SVP_MAX_ITEMS;
  for (const PackedTrace* trace : traces) {
    std::vector<Program> programs;
    Recording(*trace, programs).all();
    for (const Program& p : programs) {
      const std::string name = p.process->exe.substr(p.process->exe.rfind('/') + 1);
      const uint64_t command = command_checksum(p.process->argv);
      auto drop = [&](const char* why) {
        if (dropped) dropped->push_back({name, why});
      };
      if (p.process->build_id.empty()) continue;
      if (const auto known = there.find({p.process->build_id, command}); known != there.end()) {
        ++out[known->second].seen;
        continue;
      }
      if (p.walks()) {
        drop("walks directories, which is guessed without a list");
        continue;
      }
      PrefetchList list{name, p.process->build_id, command, 1, p.waited_ns, p.items(p.folder)};
      if (list.items.size() < kItemsLeast) continue;
      if (list.items.size() > room || out.size() == SVP_MAX_LISTS) {
        drop("the file is full");
        continue;
      }
      room -= list.items.size();
      there[{p.process->build_id, command}] = out.size();
      out.push_back(std::move(list));
    }
  }
  return out;
}

}  // namespace sysvm
