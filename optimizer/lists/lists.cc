// SPDX-License-Identifier: MIT
#include "optimizer/lists/lists.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>

#include "optimizer/base/images.h"
#include "optimizer/lists/resolver.h"
#include "optimizer/lists/touched.h"
#include "traces/descriptors.h"
#include "uapi/syscalls.h"

namespace sysvm {
namespace {

constexpr size_t kItemsLeast = 32;                   // fewer are read before the program is known to wait
constexpr uint64_t kMappedWhole = 64 << 20;          // of a mapping, if memory tells what of it was touched
constexpr size_t kItemsWaiting = 4 * SVP_MAX_ITEMS;  // of lists that may be kept in the end
constexpr int kForks = 64;

using Key = std::pair<std::string, uint64_t>;  // build-id, checksum of the command
using Keys = std::map<Key, size_t>;

enum class Outcome : uint8_t { kNothing, kWalks, kList, kFull };

struct Program {
  const Process* process = nullptr;
  size_t number = 0;  // in order of the first calls
  Key key;
  bool begun = false;
  uint64_t last = 0;   // number of its last call
  std::string folder;  // the working directory at its start
  uint64_t waited_ns = 0;
  std::unique_ptr<TouchedFiles> files;  // null: what it touches is not asked for (any more)
  Outcome outcome = Outcome::kNothing;
  std::vector<ListItem> items;
};

// One recording, followed from call to call. A program makes its list when its last call is over, so that
// what thousands of processes touch is in memory for those alone that run at the same time; and those that
// are started when a list for their command is there make none.
class Recording {
 public:
  // known: commands for which there is a list already.
  Recording(const PackedTrace& trace, Resolver& resolver, const Keys& known)
      : trace_(trace), images_(trace), resolver_(resolver), known_(known) {}

  std::deque<Program> programs() {
    find_programs();
    uint64_t number = 0;
    for (const PackedEvent& packed : trace_.events) {
      const Event e = packed.event();
      ++number;
      if (is_call(packed))
        if (Program* p = program(e.pid, e.ts_ns)) {
          call(*p, e);
          if (number == p->last) finish(*p);
        }
      fds_.add(trace_, e);
    }
    return std::move(programs_);
  }

 private:
  static bool is_call(const PackedEvent& e) {
    return !(e.flags() & (kSignal | kCompat | kForkChild | kUnknownRet)) && e.tid() == e.pid();
  }

  // In order of their first calls.
  void find_programs() {
    uint64_t number = 0;
    for (const PackedEvent& e : trace_.events) {
      ++number;
      if (!is_call(e)) continue;
      if (Program* p = program(e.pid(), e.ts_ns())) p->last = number;
    }
  }

  const std::string& string(uint32_t i) const {
    static const std::string none;
    return i < trace_.strings.size() ? trace_.strings[i] : none;
  }

  // What a process runs: a fork's child what its parent does.
  Program* program(int32_t pid, uint64_t ts) {
    if (!last_ || pid != last_pid_) last_ = &running_[last_pid_ = pid];
    if (last_->from <= ts && ts < last_->to) return last_->program;
    const std::vector<const Process*>& images = images_.of(pid);
    const auto next = std::partition_point(images.begin(), images.end(),
                                           [&](const Process* p) { return p->start_ns <= ts; });
    const Process* p = next == images.begin() ? nullptr : *std::prev(next);
    last_->from = p ? p->start_ns : 0;
    last_->to = next == images.end() ? UINT64_MAX : (*next)->start_ns;
    for (int depth = 0; p && !p->execed && depth < kForks; ++depth) p = images_.at(p->parent, p->start_ns);
    last_->program = nullptr;
    if (!p) return nullptr;
    const auto [at, fresh] = of_.try_emplace(p, programs_.size());
    if (fresh) {
      programs_.emplace_back();
      programs_.back().process = p;
      programs_.back().number = at->second;
      programs_.back().key = {p->build_id, command_checksum(p->argv)};
    }
    return last_->program = &programs_[at->second];
  }

  static uint64_t key(int32_t pid, int64_t fd) {
    return static_cast<uint64_t>(pid) << 32 | static_cast<uint32_t>(fd);
  }

  // A folder as it is kept. A program that goes down and up again and again (fts) would make it longer each
  // time, and each name in it.
  std::string settled(const std::string& path) {
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
  const std::string& path_of(int32_t pid, uint64_t fd, uint64_t ts, std::string& to) {
    const std::string_view path = fds_.path(pid, static_cast<int32_t>(fd));
    if (path.empty() || path == "pipe" || path == "socket")
      to.clear();
    else
      absolute(folder(pid, ts), path, to);
    return to;
  }

  // What the call's first path stands for; "" if not known.
  const std::string& named(const Event& e) {
    static const std::string none;
    const sysvm_syscall_info* row = sysvm_syscall_by_nr(static_cast<uint32_t>(e.nr));
    if (!row || e.path[0] == kNoString || string(e.path[0]).empty()) return none;
    const std::string* from = &folder(e.pid, e.ts_ns);
    for (size_t i = 0; i < row->nargs; ++i) {
      const uint8_t kind = row->arg[i].kind;
      if (kind == SYSVM_KIND_PATH) {
        absolute(*from, string(e.path[0]), path_);
        return path_;
      }
      if (kind == SYSVM_KIND_STR) return none;  // the first string is no path
      if (kind == SYSVM_KIND_DIRFD && static_cast<int32_t>(e.args[i]) != AT_FDCWD &&
          !string(e.path[0]).starts_with('/')) {
        from = &path_of(e.pid, e.args[i], e.ts_ns, from_);
        if (from->empty()) return none;
      }
    }
    return none;
  }

  uint64_t& position(const Event& e) { return positions_[key(e.pid, static_cast<int64_t>(e.args[0]))]; }

  bool is_wanted(const Key& key) const {
    return !key.first.empty() && !known_.contains(key) && !made_.contains(key);
  }

  void call(Program& p, const Event& e) {
    if (!p.begun) {
      p.begun = true;
      p.folder = folder(e.pid, e.ts_ns);
      if (is_wanted(p.key)) p.files = std::make_unique<TouchedFiles>();
    }
    const bool done = e.ret >= 0 && !e.has(kNoExit), opens = e.nr == SYS_open || e.nr == SYS_openat;
    if (!p.files) {  // only what its children are told
      if (!done) return;
      if (!opens && e.nr != SYS_chdir) return follow(e);
    }
    const std::string& path = named(e);
    if (path.empty()) {
      if (!done) return;
      follow(e);
      if (p.files) content(p, e);
      return;
    }
    if (p.files) {
      Touched& t = p.files->touch(path);
      t.follow = !((e.nr == SYS_openat && e.args[2] & O_NOFOLLOW) || e.nr == SYS_lstat ||
                   e.nr == SYS_readlink || e.nr == SYS_readlinkat || e.nr == SYS_lgetxattr ||
                   (e.nr == SYS_newfstatat && e.args[3] & AT_SYMLINK_NOFOLLOW) ||
                   (e.nr == SYS_statx && e.args[2] & AT_SYMLINK_NOFOLLOW));
      wait(p, e);
    }
    if (done && opens) {
      positions_[key(e.pid, e.ret)] = 0;
      named_at_open_[key(e.pid, e.ret)] = path;
    }
    if (done && e.nr == SYS_chdir) folders_[e.pid] = settled(path);
    if (p.files && p.files->full() && p.files->walks()) {
      p.outcome = Outcome::kWalks;
      p.files.reset();
    }
  }

  static void wait(Program& p, const Event& e) {
    if (e.dur_ns > kWaitNs) p.waited_ns += e.dur_ns - kWaitNs;
  }

  // A call on a descriptor that says where the process is.
  void follow(const Event& e) {
    if (e.nr == SYS_fchdir) {
      // "." and ".." are what they were when they were opened, wherever the program is now.
      const auto opened = named_at_open_.find(key(e.pid, static_cast<int64_t>(e.args[0])));
      const std::string& path =
          opened != named_at_open_.end() ? opened->second : path_of(e.pid, e.args[0], e.ts_ns, path_);
      if (!path.empty()) folders_[e.pid] = settled(path);
    }
    if (e.nr == SYS_close) named_at_open_.erase(key(e.pid, static_cast<int64_t>(e.args[0])));
    if (e.nr == SYS_dup2 || e.nr == SYS_dup3) named_at_open_.erase(key(e.pid, e.ret));
  }

  // A call on a descriptor that reads.
  void content(Program& p, const Event& e) {
    const size_t fd = e.nr == SYS_mmap ? 4 : e.nr == SYS_sendfile ? 1 : 0;
    const bool reads = e.nr == SYS_read || e.nr == SYS_pread64 || e.nr == SYS_readv ||
                       e.nr == SYS_copy_file_range || e.nr == SYS_sendfile;
    const bool maps = e.nr == SYS_mmap && !(e.args[3] & MAP_ANONYMOUS);
    if (e.nr == SYS_lseek) position(e) = static_cast<uint64_t>(e.ret);
    if (!reads && !maps && e.nr != SYS_getdents64) return;
    const std::string& path = path_of(e.pid, e.args[fd], e.ts_ns, path_);
    if (path.empty()) return;
    if (e.nr == SYS_getdents64) {
      p.files->read_directory(path);
    } else if (maps) {
      p.files->part(path, e.args[5], std::min(e.args[1], kMappedWhole), true);
    } else if (e.ret > 0) {
      const auto length = static_cast<uint64_t>(e.ret);
      if (e.nr == SYS_pread64) {
        p.files->part(path, e.args[3], length, false);
      } else if (e.nr == SYS_read || e.nr == SYS_readv) {
        p.files->part(path, position(e), length, false);
        position(e) += length;
      } else {
        p.files->part(path, 0, length, false);
      }
    }
    wait(p, e);
  }

  void finish(Program& p) {
    const std::unique_ptr<TouchedFiles> files = std::move(p.files);
    if (!files) return;
    if (files->walks()) {
      p.outcome = Outcome::kWalks;
      return;
    }
    // Of those that ran at the same time the one that was begun first has the list.
    const auto made = made_.find(p.key);
    if (made != made_.end() && made->second < p.number) return;
    p.items = files->items(p.folder, resolver_);
    if (p.items.size() < kItemsLeast) {
      p.items = {};
      return;
    }
    p.outcome = Outcome::kList;
    made_[p.key] = p.number;
    waiting_ += p.items.size();
    if (waiting_ > kItemsWaiting) make_room();
  }

  // What would not fit into the file together with what is there already, in order.
  void make_room() {
    size_t room = SVP_MAX_ITEMS, lists = 0;
    waiting_ = 0;
    for (Program& p : programs_) {
      if (p.outcome != Outcome::kList) continue;
      if (p.items.size() > room || lists == SVP_MAX_LISTS) {
        p.items = {};
        p.outcome = Outcome::kFull;
        continue;
      }
      room -= p.items.size();
      waiting_ += p.items.size();
      ++lists;
    }
  }

  struct Running {  // what a process number stands for at a time
    uint64_t from = 1, to = 0;
    Program* program = nullptr;
  };

  const PackedTrace& trace_;
  const Images images_;
  Resolver& resolver_;
  const Keys& known_;
  Keys made_;  // with the number of the first program that has made a list for it
  std::deque<Program> programs_;
  size_t waiting_ = 0;  // items in them
  std::unordered_map<const Process*, size_t> of_;
  std::unordered_map<int32_t, Running> running_;
  int32_t last_pid_ = 0;
  Running* last_ = nullptr;
  Descriptors fds_;
  std::string path_, from_;                                  // of the present call
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
  Keys there;
  Resolver resolver;
  size_t room = SVP_MAX_ITEMS;
  for (const PackedTrace* trace : traces) {
    for (Program& p : Recording(*trace, resolver, there).programs()) {
      if (p.key.first.empty()) continue;
      if (const auto known = there.find(p.key); known != there.end()) {
        ++out[known->second].seen;
        continue;
      }
      const std::string name = p.process->exe.substr(p.process->exe.rfind('/') + 1);
      auto drop = [&](const char* why) {
        if (dropped) dropped->push_back({name, why});
      };
      if (p.outcome == Outcome::kNothing) continue;
      if (p.outcome == Outcome::kWalks) {
        drop("walks directories, which is guessed without a list");
      } else if (p.outcome == Outcome::kFull || p.items.size() > room || out.size() == SVP_MAX_LISTS) {
        drop("the file is full");
      } else {
        room -= p.items.size();
        there[p.key] = out.size();
        out.push_back({name, p.key.first, p.key.second, 1, p.waited_ns, std::move(p.items)});
      }
    }
  }
  return out;
}

}  // namespace sysvm
