// SPDX-License-Identifier: MIT
#include "cli/try_writes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/syscall.h>

#include <algorithm>
#include <initializer_list>
#include <set>
#include <string_view>

namespace sysvm {
namespace {

using Words = std::initializer_list<std::string_view>;

bool is_one_of(std::string_view word, Words words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool any_starts_with(const std::vector<std::string>& command, Words prefixes) {
  return std::any_of(command.begin() + 1, command.end(), [&](const std::string& word) {
    return std::any_of(prefixes.begin(), prefixes.end(),
                       [&](auto prefix) { return word.starts_with(prefix); });
  });
}

bool any_contains(const std::vector<std::string>& command, Words parts) {
  return std::any_of(command.begin() + 1, command.end(), [&](const std::string& word) {
    return std::any_of(parts.begin(), parts.end(),
                       [&](auto part) { return word.find(part) != std::string::npos; });
  });
}

bool opens_for_writing(uint64_t flags) {
  return (flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC);
}

// Calls that change what a path names; opens are decided by their flags.
bool changes_a_path(int32_t nr) {
  switch (nr) {
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
    case SYS_utimensat:
    case SYS_setxattr:
    case SYS_lsetxattr:
    case SYS_removexattr:
    case SYS_lremovexattr:
    case SYS_mount:
    case SYS_umount2:
      return true;
    default:
      return false;
  }
}

}  // namespace

bool known_to_only_read(const std::vector<std::string>& command) {
  if (command.empty()) return true;
  const size_t slash = command[0].rfind('/');
  const std::string name = slash == std::string::npos ? command[0] : command[0].substr(slash + 1);
  if (is_one_of(name, {"grep",      "egrep",     "fgrep",     "rgrep",   "ls",     "dir",      "vdir",
                       "du",        "df",        "wc",        "cat",     "head",   "tail",     "cut",
                       "nl",        "tac",       "od",        "strings", "md5sum", "sha1sum",  "sha224sum",
                       "sha256sum", "sha384sum", "sha512sum", "b2sum",   "cksum",  "sum",      "cmp",
                       "diff",      "comm",      "join",      "paste",   "stat",   "readlink", "realpath",
                       "basename",  "dirname",   "test",      "true",    "false",  "echo",     "printf",
                       "pwd",       "id",        "whoami",    "uname",   "date",   "nproc",    "tr",
                       "fold",      "rev",       "column",    "zcat"}))
    return true;
  if (name == "find") return !any_starts_with(command, {"-delete", "-exec", "-ok", "-fprint", "-fls"});
  if (name == "sort") return !any_starts_with(command, {"-o", "--output"});
  if (name == "file") return !any_starts_with(command, {"-C", "--compile"});
  if (name == "sed")
    return !any_starts_with(command, {"-i", "--in-place"}) && !any_contains(command, {"w ", "/w", "/e"});
  if (is_one_of(name, {"awk", "gawk", "mawk"}))
    return !any_contains(command, {">", "|", "system", "inplace"});
  if (name == "git" && command.size() > 1)
    return is_one_of(command[1],
                     {"log", "show", "diff", "blame", "ls-files", "rev-parse", "cat-file", "grep"});
  return false;
}

std::vector<std::string> recorded_changes(const Trace& trace, size_t limit) {
  std::set<std::string> seen;
  std::vector<std::string> out;
  for (const Event& e : trace.events) {
    if (e.has(kSignal) || e.has(kCompat) || e.ret < 0) continue;
    const bool opened = (e.nr == SYS_open && opens_for_writing(e.args[1])) ||
                        (e.nr == SYS_openat && opens_for_writing(e.args[2]));
    if (!opened && !changes_a_path(e.nr)) continue;
    const std::string& path = trace.strings[e.path[0]];
    if (is_one_of(path, {"/dev/null", "/dev/tty", "/dev/full", "/dev/stdout", "/dev/stderr"})) continue;
    std::string line = opened ? "open for writing " + path : trace.call_name(e.nr) + " " + path;
    if (seen.insert(line).second) out.push_back(std::move(line));
  }
  if (out.size() > limit) {
    const size_t more = out.size() - limit;
    out.resize(limit);
    out.push_back(fmt::format("and {} more", more));
  }
  return out;
}

}  // namespace sysvm
