// SPDX-License-Identifier: MIT
#include "optimizer/mine/entry_names.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "optimizer/base/calls.h"
#include "optimizer/learn/directories.h"
#include "uapi/syscalls.h"

namespace sysvm {

bool EntryNames::next(const Event& e, const std::vector<std::string>& strings) {
  const sysvm_syscall_info* row = e.has(kSignal) ? nullptr : sysvm_syscall_by_nr(static_cast<uint32_t>(e.nr));
  if (!row) return false;
  Thread& thread = threads_[e.tid];
  const bool whole = e.path[0] != kNoString && !(e.flags & (kPathFault | kPathCut));
  const std::string* path = whole ? &strings[e.path[0]] : nullptr;
  const int32_t from = row->arg[0].kind == SYSVM_KIND_DIRFD ? static_cast<int32_t>(e.args[0]) : AT_FDCWD;
  const bool is_next = path && asked(thread, from, *path);
  if (e.nr == SYSVM_NR_getdents64)
    listed(thread, e, strings);
  else if (e.has(kHasStat) && S_ISDIR(e.st_mode) && (!path || path->empty()))
    told(thread, e);
  else if (e.nr == SYSVM_NR_close)
    thread.by_fd.erase(static_cast<int32_t>(e.args[0]));
  else if (e.nr == SYSVM_NR_chdir || e.nr == SYSVM_NR_fchdir)
    thread.by_path.clear();
  else if (e.ret >= 0)
    descriptors(thread, e, from == AT_FDCWD ? path : nullptr);
  return is_next;
}

bool EntryNames::asked(const Thread& thread, int32_t from, const std::string& path) {
  const size_t name = path.rfind('/') + 1;
  Directory* directory = nullptr;
  if (from != AT_FDCWD && !name) {
    if (const auto at = thread.by_fd.find(from); at != thread.by_fd.end()) directory = at->second.get();
  } else {
    if (const auto at = thread.by_path.find(path.substr(0, name)); at != thread.by_path.end())
      directory = at->second.get();
  }
  if (!directory) return false;
  const auto entry = directory->number.find(path.substr(name));
  if (entry == directory->number.end()) return directory->cut;
  if (entry->second < directory->last) return false;
  directory->last = entry->second;
  return true;
}

void EntryNames::listed(Thread& thread, const Event& e, const std::vector<std::string>& strings) {
  if (e.ret <= 0 || !e.has(kHasData) || e.data_kind != DataKind::kDirent) return;
  std::shared_ptr<Directory>& directory = thread.by_fd[static_cast<int32_t>(e.args[0])];
  if (!directory) directory = std::make_shared<Directory>();
  if (directory->under) thread.by_path[*directory->under] = directory;
  const std::string_view entries = strings[e.data];
  int64_t given = 0;
  for (size_t from = 0, end; from < entries.size(); from = end + 1) {
    end = entries.find('\0', from);
    if (end == std::string_view::npos) break;
    given += (sizeof(uint64_t) * 2 + 3 + end - from + 7) / 8 * 8;  // of struct linux_dirent64
    const std::string_view name = entries.substr(from + 1, end - from - 1);
    if (!from && name == ".") {  // from its beginning
      directory->number.clear();
      directory->last = 0;
      directory->cut = false;
    }
    if (name != "." && name != "..")
      directory->number.try_emplace(std::string(name), static_cast<uint32_t>(directory->number.size()));
  }
  directory->cut |= given < e.ret;
}

// Which directory a descriptor is of.
void EntryNames::told(Thread& thread, const Event& e) {
  if (!is_struct_stat(static_cast<uint32_t>(e.nr))) return;
  const auto opened = thread.by_fd.find(static_cast<int32_t>(e.args[0]));
  if (opened == thread.by_fd.end()) return;
  const auto [at, fresh] = thread.by_inode.try_emplace({e.st_dev, e.st_ino}, opened->second);
  if (!fresh) opened->second = at->second;
}

// path: of an open, as the working directory has it.
void EntryNames::descriptors(Thread& thread, const Event& e, const std::string* path) {
  const auto nr = static_cast<uint32_t>(e.nr);
  const sysvm_syscall_info* row = sysvm_syscall_by_nr(nr);
  const sysvm_command_info* command =
      nr == SYSVM_NR_fcntl ? sysvm_fcntl_by_cmd(static_cast<uint32_t>(e.args[1])) : nullptr;
  if ((command ? command->result : row->result) != SYSVM_RESULT_FD) return;
  std::shared_ptr<Directory> made;
  if (is_open(nr)) {
    made = std::make_shared<Directory>();
    if (path) made->under = under_of(*path);
  } else if (const auto copied = thread.by_fd.find(static_cast<int32_t>(e.args[0]));
             (command ? command->effect : row->effect) == SYSVM_EFFECT_FD && copied != thread.by_fd.end()) {
    made = copied->second;
  }
  if (made)
    thread.by_fd[static_cast<int32_t>(e.ret)] = made;
  else
    thread.by_fd.erase(static_cast<int32_t>(e.ret));
}

}  // namespace sysvm
