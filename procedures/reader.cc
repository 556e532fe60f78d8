// SPDX-License-Identifier: MIT
#include "procedures/reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/hex.h"
#include "common/replacing_file.h"
#include "common/unique_fd.h"

namespace sysvm {
namespace {

std::optional<CodePlace> place_of(const svp_place& place) {
  if (!place.build_id_len) return std::nullopt;
  return CodePlace{to_hex({place.build_id, place.build_id_len}), place.offset};
}

Procedure procedure_of(const svp& view, const svp_proc& from) {
  Procedure proc;
  proc.name = view.strings + from.name;
  proc.mode = static_cast<svp_mode>(from.mode);
  proc.seen = from.seen;
  proc.staging = from.staging;
  proc.trigger_result = from.trigger_result;
  proc.exe = to_hex({from.exe.build_id, from.exe.build_id_len});
  proc.code.assign(view.code + from.code_offset, view.code + from.code_offset + from.code_size);
  proc.data.assign(view.data + from.data_offset, view.data + from.data_offset + from.data_size);
  for (uint32_t i = 0; i < from.triggers; ++i) {
    const svp_trigger& t = view.triggers[from.first_trigger + i];
    Trigger& out = proc.triggers.emplace_back();
    out.nr = t.nr;
    out.path_arg = t.path_arg;
    out.streak = t.streak;
    out.site = place_of(t.site);
    out.caller = place_of(t.caller);
    std::copy(t.arg, t.arg + 6, out.arg.begin());
  }
  for (uint32_t i = 0; i < from.followers; ++i) {
    const svp_follower& f = view.followers[from.first_follower + i];
    Follower& out = proc.followers.emplace_back();
    out.nr = f.nr;
    out.result = f.result;
    out.nargs = f.nargs;
    std::copy(f.arg, f.arg + 6, out.arg.begin());
  }
  if (const svp_loop* loop = svp_loop_of(&view, static_cast<uint32_t>(&from - view.procs))) {
    proc.loop = *loop;
    proc.loop->proc = 0;
  }
  return proc;
}

std::vector<PrefetchList> lists_of(const svp& view) {
  std::vector<PrefetchList> out;
  svp_lists all;
  svp_lists_of(&view, &all);
  for (uint32_t i = 0; i < all.nlists; ++i) {
    const svp_list& from = all.lists[i];
    PrefetchList& list = out.emplace_back();
    list.name = view.strings + from.name;
    list.exe = to_hex({from.exe.build_id, from.exe.build_id_len});
    list.command = from.command;
    list.seen = from.seen;
    list.waited_ns = from.waited_ns;
    for (uint32_t k = from.first_item; k < from.first_item + from.items; ++k) {
      const svp_item& item = all.items[k];
      list.items.push_back({static_cast<svp_item_kind>(item.kind), all.paths + item.path, item.from,
                            item.length, item.size, item.mtime, item.mtime_ns});
    }
  }
  return out;
}

}  // namespace

Result<ProcedureFile> read_svp(std::span<const uint8_t> bytes) {
  // svp_check reads structs in place: give it memory that is aligned for them.
  std::vector<uint64_t> aligned((bytes.size() + 7) / 8 + 1);
  std::memcpy(aligned.data(), bytes.data(), bytes.size());
  svp view;
  char message[256];
  if (svp_check(aligned.data(), bytes.size(), &view, message, sizeof(message))) return error("{}", message);
  ProcedureFile file;
  for (uint32_t i = 0; i < view.nprocs; ++i) file.procs.push_back(procedure_of(view, view.procs[i]));
  file.lists = lists_of(view);
  if (view.notes_size) file.notes.assign(view.notes, strnlen(view.notes, view.notes_size));
  return file;
}

Result<ProcedureFile> read_svp_file(const std::string& path) {
  const std::vector<uint8_t> bytes = TRY(read_whole_file(path, SVP_FILE_MAX));
  Result<ProcedureFile> file = read_svp(bytes);
  if (!file) return error("{}: {}", path, file.message());
  return file;
}

Result<> may_become(const std::string& path) {
  struct stat st;
  if (path == "-" || ::stat(path.c_str(), &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0) return Unit{};
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char magic[sizeof SVP_MAGIC - 1];
  if (fd && read(fd.get(), magic, sizeof magic) == sizeof magic &&
      !std::memcmp(magic, SVP_MAGIC, sizeof magic))
    return Unit{};
  return error(
      "{}: exists and is not a procedure file; it is not overwritten (remove it, or name another with -o)",
      path);
}

Result<> write_whole_file(const std::string& path, std::span<const uint8_t> bytes) {
  std::optional<ReplacingFile> file;
  int fd = STDOUT_FILENO;
  if (path != "-") {
    file.emplace(TRY(ReplacingFile::create(path, 0666)));
    fd = file->fd();
  }
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return error("{}: {}", path, std::strerror(errno));
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return file ? file->commit() : Result<>(Unit{});
}

}  // namespace sysvm
