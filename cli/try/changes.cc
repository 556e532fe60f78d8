// SPDX-License-Identifier: MIT
// What a recorded run changed in the file system. An open for writing alone changes nothing: databases are
// opened so by programs that only ask. So descriptors are followed, through copies and forks, to the first
// call that writes; a file without a name (O_TMPFILE) matters to nobody unless it is linked. A file that
// O_CREAT may have made counts unless the recording shows that it had been there: a call that found it,
// content before the first write. Where the recording cannot show all writes (calls missing, io_uring, aio),
// every open for writing counts.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <memory>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "cli/try/writes.h"
#include "optimizer/base/calls.h"

namespace sysvm {
namespace {

constexpr uint64_t kFileClone = 0x40049409, kFileCloneRange = 0x4020940d;  // ioctl: FICLONE, FICLONERANGE
constexpr uint64_t kTmpFile = O_TMPFILE;

// Calls that change what a path names; opens are decided by what follows.
bool changes_a_path(const Event& e) {
  switch (e.nr) {
    case SYS_creat:
    case SYS_unlink:
    case SYS_unlinkat:
    case SYS_rename:
    case SYS_renameat:
    case SYS_renameat2:
    case SYS_mkdir:
    case SYS_mkdirat:
    case SYS_rmdir:
    case SYS_link:
    case SYS_linkat:
    case SYS_symlink:
    case SYS_symlinkat:
    case SYS_mknod:
    case SYS_mknodat:
    case SYS_truncate:
    case SYS_chmod:
    case SYS_fchmodat:
    case SYS_chown:
    case SYS_lchown:
    case SYS_fchownat:
    case SYS_setxattr:
    case SYS_lsetxattr:
    case SYS_removexattr:
    case SYS_lremovexattr:
    case SYS_mount:
    case SYS_umount2: return true;
    case SYS_utimensat: return e.args[1];
    default: return false;
  }
}

// Which argument is the descriptor that the call writes to; 6: it writes to none.
size_t written_to(const Event& e) {
  switch (e.nr) {
    case SYS_write:
    case SYS_pwrite64:
    case SYS_writev:
    case SYS_pwritev:
    case SYS_pwritev2:
    case SYS_sendfile: return e.ret > 0 ? 0 : 6;
    case SYS_ftruncate:
    case SYS_fallocate:
    case SYS_fchmod:
    case SYS_fchown:
    case SYS_fsetxattr:
    case SYS_fremovexattr: return 0;
    case SYS_utimensat: return e.args[1] ? 6 : 0;
    case SYS_copy_file_range:
    case SYS_splice: return e.ret > 0 ? 2 : 6;
    case SYS_mmap: return (e.args[3] & MAP_TYPE) != MAP_PRIVATE && e.args[2] & PROT_WRITE ? 4 : 6;
    case SYS_ioctl:
      return (e.args[1] & 0xffffffffu) == kFileClone || (e.args[1] & 0xffffffffu) == kFileCloneRange ? 0 : 6;
    default: return 6;
  }
}

class Changes {
 public:
  explicit Changes(const Trace& trace) : trace_(trace) {
    for (const Event& e : trace.events) unseen_ |= e.nr == SYS_io_uring_setup || e.nr == SYS_io_submit;
    unseen_ |= !trace.losses.empty() || !trace.header.filter.empty() || !trace.damage.empty();
  }

  std::vector<std::string> all() {
    for (const Event& e : trace_.events) {
      ++at_;
      if (!e.has(kSignal) && !e.has(kCompat) && !e.has(kNoExit) && !e.has(kForkChild) && e.ret >= 0) see(e);
    }
    for (const auto& open : opens_)
      if (open->maybe_made) write(*open);
    std::vector<std::string> out;
    std::set<std::string> seen;
    std::stable_sort(found_.begin(), found_.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [at, line] : found_)
      if (seen.insert(line).second) out.push_back(std::move(line));
    return out;
  }

 private:
  struct Open {
    std::string path;
    uint64_t at = 0;
    bool maybe_made = false;  // O_CREAT, and nothing shows that the file had been there
    bool written = false;
  };
  using Descriptors = std::unordered_map<int32_t, std::shared_ptr<Open>>;

  void see(const Event& e) {
    const auto nr = static_cast<uint32_t>(e.nr);
    if (nr == SYS_fork || nr == SYS_vfork || nr == SYS_clone || nr == SYS_clone3) {
      // of a thread: never asked for
      fds_.insert_or_assign(static_cast<int32_t>(e.ret), Descriptors(fds_[e.pid]));
      return;
    }
    if (is_open(nr)) {
      opened(e, open_flags(nr, e.args));
      return;
    }
    Descriptors& fds = fds_[e.pid];
    const auto of = [&](size_t arg) {
      const auto found = fds.find(static_cast<int32_t>(e.args[arg]));
      return found == fds.end() ? nullptr : found->second;
    };
    if (const size_t fd = written_to(e); fd < 6) {
      if (const auto open = of(fd)) write(*open);
      return;
    }
    if (changes_a_path(e)) {
      there_.erase(e.path[0]);
      note(at_, trace_.call_name(e.nr), trace_.strings[e.path[0]]);
      return;
    }
    const CallTraits& traits = traits_of(e);
    if (traits.effect == SYSVM_EFFECT_FD && traits.result == SYSVM_RESULT_FD) {
      if (const auto copied = of(0))
        fds.insert_or_assign(static_cast<int32_t>(e.ret), copied);
      else
        fds.erase(static_cast<int32_t>(e.ret));
    } else if (nr == SYS_close) {
      fds.erase(static_cast<int32_t>(e.args[0]));
    } else if (e.path[0] != kNoString && !trace_.strings[e.path[0]].empty()) {
      there_.insert(e.path[0]);  // a call that found it
    } else if (const auto open = of(0); open && !open->written) {
      const bool read = (nr == SYS_read || nr == SYS_pread64) && e.ret > 0;
      if (read || (e.has(kHasStat) && e.st_size)) open->maybe_made = false;
    }
  }

  void opened(const Event& e, uint64_t flags) {
    Descriptors& fds = fds_[e.pid];
    const auto fd = static_cast<int32_t>(e.ret);
    fds.erase(fd);
    if ((flags & kTmpFile) == kTmpFile) return;
    const bool was_there = !there_.insert(e.path[0]).second;
    if ((flags & O_ACCMODE) == O_RDONLY && !(flags & (O_CREAT | O_TRUNC))) return;
    auto open = std::make_shared<Open>(Open{trace_.strings[e.path[0]], at_, false, false});
    open->maybe_made = flags & O_CREAT && !was_there;
    if (unseen_ || flags & O_TRUNC || (flags & O_CREAT && flags & O_EXCL)) write(*open);
    fds[fd] = open;
    opens_.push_back(std::move(open));
  }

  void write(Open& open) {
    if (!open.written) note(open.at, "open for writing", open.path);
    open.written = true;
  }

  void note(uint64_t at, const std::string& what, const std::string& path) {
    for (const char* harmless : {"/dev/null", "/dev/tty", "/dev/full", "/dev/stdout", "/dev/stderr"})
      if (path == harmless) return;
    found_.emplace_back(at, what + " " + path);
  }

  const Trace& trace_;
  bool unseen_ = false;                           // there may be writes that the recording does not show
  uint64_t at_ = 0;                               // number of the present event
  std::unordered_map<int32_t, Descriptors> fds_;  // by process
  std::unordered_set<uint32_t> there_;            // paths that were there, by number
  std::vector<std::shared_ptr<Open>> opens_;
  std::vector<std::pair<uint64_t, std::string>> found_;
};

}  // namespace

std::vector<std::string> recorded_changes(const Trace& trace, size_t limit) {
  std::vector<std::string> out = Changes(trace).all();
  if (out.size() > limit) {
    const size_t more = out.size() - limit;
    out.resize(limit);
    out.push_back(fmt::format("and {} more", more));
  }
  return out;
}

}  // namespace sysvm
