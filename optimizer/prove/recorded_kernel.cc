// SPDX-License-Identifier: MIT
#include "optimizer/prove/recorded_kernel.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "optimizer/base/calls.h"

namespace sysvm {
namespace {

constexpr uint64_t kUnreadSize = 4096;  // of a file that nobody looked at: like most files, not empty
constexpr size_t kFarthest = 1u << 20;  // calls; an answer from later than that says nothing about now

bool takes_descriptor(const sysvm_syscall_info* row) {
  return row && (row->arg[0].kind == SYSVM_KIND_FD || row->arg[0].kind == SYSVM_KIND_DIRFD);
}

bool is_data(uint16_t kind) {  // not compared: filled, or an address
  return kind == SYSVM_KIND_OUT || kind == SYSVM_KIND_OUTS || kind == SYSVM_KIND_OUTN ||
         kind == SYSVM_KIND_PTR || kind == SYSVM_KIND_NONE;
}

bool is_text(uint16_t kind) { return kind == SYSVM_KIND_PATH || kind == SYSVM_KIND_STR; }

bool special_place(const std::string& path) {
  for (const char* place : {"/proc/", "/sys/", "/dev/"})
    if (path.starts_with(place)) return true;
  return false;
}

}  // namespace

RecordedKernel::RecordedKernel(const Trace& trace, const std::vector<const Event*>& events)
    : trace_(trace), events_(events) {
  read_through();
  open_.clear();
  for (File& file : files_) file.position = 0;
}

uint32_t RecordedKernel::text_id(std::string_view text) {
  return texts_.try_emplace(text, static_cast<uint32_t>(texts_.size() + 1)).first->second;
}

uint32_t RecordedKernel::file_of(uint64_t fd) const {
  const auto at = open_.find(static_cast<int32_t>(fd));
  return at == open_.end() ? kNone : at->second;
}

RecordedKernel::Key RecordedKernel::key_of(const Event& e, uint32_t file) {
  Key key{static_cast<uint32_t>(e.nr), file, 0, 0};
  if (e.path[0] != kNoString) key.text0 = text_id(trace_.strings[e.path[0]]);
  if (e.path[1] != kNoString) key.text1 = text_id(trace_.strings[e.path[1]]);
  return key;
}

void RecordedKernel::learn(File& file, const Event& e) {
  switch (e.nr) {
    case SYSVM_NR_read:
      if (e.ret > 0) file.position += static_cast<uint64_t>(e.ret);
      if (e.ret == 0 && e.args[2]) {
        file.ended = true;
        file.size = file.position;
      }
      break;
    case SYSVM_NR_lseek:
      if (e.ret >= 0) file.position = static_cast<uint64_t>(e.ret);
      break;
    case SYSVM_NR_getdents64:
      file.directory = true;
      if (e.ret > 0) file.entries.push_back(&e);
      break;
    default:
      break;
  }
  if (e.has(kHasStat) && (e.nr == SYSVM_NR_fstat || (e.nr == SYSVM_NR_newfstatat && e.path[0] != kNoString &&
                                                     trace_.strings[e.path[0]].empty()))) {
    file.mode = e.st_mode;
    file.directory = S_ISDIR(e.st_mode);
    file.dev = e.st_dev;
    if (!file.ended) file.size = e.st_size;
    file.size_known = true;
  }
  if (!file.ended) file.size = std::max(file.size, file.position);
}

void RecordedKernel::learn_folders(const Event& e) {
  if (e.path[0] == kNoString) return;
  const std::string& path = trace_.strings[e.path[0]];
  if (path.empty() || path[0] == '/') return;
  if (!here_device_ && e.has(kHasStat) && e.st_dev) here_device_ = e.st_dev;
  for (size_t at = path.rfind('/'); at != std::string::npos && at > 0; at = path.rfind('/', at - 1))
    if (!folders_.insert(std::string_view(path).substr(0, at)).second) return;
}

// Which descriptor is which file, behind call number `at` of the program.
void RecordedKernel::follow_descriptors(size_t at) {
  const Event& e = *events_[at];
  if (e.has(kSignal) || e.flags & (kNoExit | kForkChild)) return;
  const auto made = static_cast<int32_t>(e.ret);
  if (opened_[at] != kNone) {
    open_[made] = opened_[at];
    return;
  }
  if (e.nr == SYSVM_NR_close) {
    open_.erase(static_cast<int32_t>(e.args[0]));
    return;
  }
  const CallTraits traits = traits_of(e);
  if (traits.result != SYSVM_RESULT_FD || e.ret < 0) return;
  if (on_[at] != kNone && traits.effect == SYSVM_EFFECT_FD)
    open_[made] = on_[at];  // a copy shares the position
  else
    open_.erase(made);
}

void RecordedKernel::read_through() {
  on_.reserve(events_.size());
  opened_.reserve(events_.size());
  next_same_.assign(events_.size(), kNone);
  for (uint32_t i = 0; i < events_.size(); ++i) {
    const Event& e = *events_[i];
    const sysvm_syscall_info* row = e.has(kSignal) ? nullptr : sysvm_syscall_by_nr(static_cast<uint32_t>(e.nr));
    const uint32_t file = takes_descriptor(row) ? file_of(e.args[0]) : kNone;
    on_.push_back(file);
    opened_.push_back(kNone);
    if (!row || e.flags & (kNoExit | kForkChild)) continue;
    learn_folders(e);
    if (const auto [chain, first] = index_.try_emplace(key_of(e, file), Chain{i, i}); !first)
      chain->second.last = next_same_[chain->second.last] = i;
    if (is_open(row->nr) && e.ret >= 0) {
      opened_.back() = static_cast<uint32_t>(files_.size());
      File& opened = files_.emplace_back();
      opened.directory = open_flags(row->nr, e.args) & O_DIRECTORY;
      opened.good = e.path[0] == kNoString || !special_place(trace_.strings[e.path[0]]);
    } else if (file != kNone) {
      learn(files_[file], e);
    }
    follow_descriptors(i);
  }
}

void RecordedKernel::at(size_t at, const uint64_t args[6]) {
  if (begun_) follow_descriptors(at_);
  begun_ = true;
  at_ = at;
  std::copy(args, args + 6, args_.begin());
  made_ = false;
}

uint32_t RecordedKernel::text_at(uint64_t address) const {
  const auto known = texts_.find(reinterpret_cast<const char*>(address));
  return known == texts_.end() ? kNone : known->second;
}

const Event* RecordedKernel::later(uint32_t nr, const uint64_t args[6], uint32_t file) const {
  const sysvm_syscall_info* row = sysvm_syscall_by_nr(nr);
  Key key{nr, file, 0, 0};
  uint32_t* text = &key.text0;
  for (size_t i = 0; i < row->nargs; ++i)
    if (is_text(row->arg[i].kind)) {
      *text = text_at(args[i]);
      text = &key.text1;
    }
  const auto found = index_.find(key);
  if (found == index_.end()) return nullptr;
  uint32_t& from = found->second.from;
  while (from != kNone && from < at_) from = next_same_[from];
  // The present call, too: a loop at an entry makes it with a buffer and a path of its own.
  uint32_t at = from != kNone && made_ && from == at_ ? next_same_[from] : from;
  for (size_t looked = 0; at != kNone && looked < 16 && at < at_ + kFarthest; at = next_same_[at], ++looked) {
    const Event& e = *events_[at];
    bool same = true;
    const size_t compared = traits_of(e).nargs;  // F_GETFL looks at two only
    for (size_t i = 0; i < compared && same; ++i) {
      const uint16_t kind = row->arg[i].kind;
      if (is_data(kind) || is_text(kind) || (i == 0 && file != kNone)) continue;
      if (kind == SYSVM_KIND_SIZE && i > 0 && row->arg[i - 1].kind == SYSVM_KIND_OUT) continue;
      same = kind == SYSVM_KIND_OFF ? e.args[i] == args[i]
                                    : static_cast<uint32_t>(e.args[i]) == static_cast<uint32_t>(args[i]);
    }
    if (same) return &e;
  }
  return nullptr;
}

uint64_t RecordedKernel::left(const File& file, uint64_t position) {
  const bool unread = !file.size_known && !file.ended && !file.size;
  const uint64_t size = unread ? kUnreadSize : file.size;
  return size - std::min(size, position);
}

// Entries with the names that were recorded, and one without a name for what is left; the cookie counts the calls.
long RecordedKernel::read_entries(File& file, uint64_t to, uint64_t room) const {
  if (file.position >= file.entries.size()) return 0;
  const Event& e = *file.entries[file.position++];
  const uint64_t n = std::min(static_cast<uint64_t>(e.ret), room);
  auto* bytes = reinterpret_cast<char*>(to);
  std::memset(bytes, 0, n);
  uint64_t at = 0, inode = 0;
  const auto put = [&](uint8_t type, std::string_view name, uint64_t length) {
    ++inode;
    const auto reclen = static_cast<uint16_t>(length);
    std::memcpy(bytes + at, &inode, 8);
    std::memcpy(bytes + at + 8, &file.position, 8);
    std::memcpy(bytes + at + 16, &reclen, 2);
    bytes[at + 18] = static_cast<char>(type);
    std::memcpy(bytes + at + 19, name.data(), name.size());
    at += length;
  };
  std::string_view names;
  if (e.has(kHasData) && e.data_kind == DataKind::kDirent) names = trace_.strings[e.data];
  while (names.size() > 2) {
    const size_t end = names.find('\0', 1);
    if (end == std::string_view::npos) break;  // cut
    const std::string_view name = names.substr(1, end - 1);
    const uint64_t length = (19 + name.size() + 1 + 7) / 8 * 8;
    if (at + length > n) break;
    put(static_cast<uint8_t>(names[0]), name, length);
    names.remove_prefix(end + 1);
  }
  if (n - at >= 24) put(0, "", n - at);
  return static_cast<long>(n);
}

long RecordedKernel::seek(File& file, int64_t offset, uint64_t whence) {
  if (whence == SEEK_SET) file.position = static_cast<uint64_t>(offset);
  if (whence == SEEK_CUR) file.position += static_cast<uint64_t>(offset);
  if (whence == SEEK_END) file.position = file.size + static_cast<uint64_t>(offset);
  return static_cast<long>(file.position);
}

// What the shim or a guard will look at: a struct stat, in memory that is really there.
void RecordedKernel::fill(uint32_t nr, const uint64_t args[6], const File* file, const Event* e) const {
  if (!is_struct_stat(nr) && nr != SYSVM_NR_stat && nr != SYSVM_NR_lstat && nr != SYSVM_NR_statx) return;
  const uint64_t to = nr == SYSVM_NR_statx ? args[4] : nr == SYSVM_NR_newfstatat ? args[2] : args[1];
  if (!to) return;
  const auto* path = reinterpret_cast<const char*>(nr == SYSVM_NR_stat || nr == SYSVM_NR_lstat ? args[0] : args[1]);
  const bool folder = !file && nr != SYSVM_NR_fstat && folders_.contains(path);  // not asked about from here on
  struct stat st {};
  const bool own = e && e->has(kHasStat);
  st.st_mode = own ? e->st_mode : file && file->mode ? file->mode : folder || (file && file->directory) ? S_IFDIR : S_IFREG;
  st.st_size = static_cast<off_t>(own ? e->st_size : file ? left(*file, 0) : 0);
  st.st_dev = !file || file->good ? kGoodDevice : kBadDevice;
  if (own && e->st_dev) st.st_dev = e->st_dev;
  if (!own && file && file->dev) st.st_dev = file->dev;
  if (!own && folder) st.st_dev = here_device();
  st.st_ino = own && e->st_ino ? e->st_ino : file ? static_cast<uint64_t>(file - files_.data()) + 1000 : 999;
  st.st_atim.tv_sec = INT64_MAX / 2;  // read before, so that reading again changes nothing
  st.st_mtim.tv_sec = st.st_ctim.tv_sec = 1;
  if (nr == SYSVM_NR_statx) {
    struct statx stx {};
    stx.stx_mask = STATX_BASIC_STATS;
    stx.stx_mode = static_cast<uint16_t>(st.st_mode);
    stx.stx_size = static_cast<uint64_t>(st.st_size);
    stx.stx_ino = st.st_ino;
    stx.stx_dev_major = major(st.st_dev);
    stx.stx_dev_minor = minor(st.st_dev);
    std::memcpy(reinterpret_cast<void*>(to), &stx, sizeof(stx));
    return;
  }
  std::memcpy(reinterpret_cast<void*>(to), &st, sizeof(st));
}

long RecordedKernel::present(const uint64_t args[6]) {
  const Event& e = *events_[at_];
  made_ = true;
  follow_descriptors(at_);
  if (e.has(kSignal)) return 0;
  File* file = on_[at_] == kNone ? nullptr : &files_[on_[at_]];
  if (file && e.ret >= 0) {
    if (e.nr == SYSVM_NR_read) file->position += static_cast<uint64_t>(e.ret);
    if (e.nr == SYSVM_NR_lseek && !file->directory) file->position = static_cast<uint64_t>(e.ret);
    if (e.nr == SYSVM_NR_lseek && file->directory) seek(*file, static_cast<int64_t>(e.args[1]), e.args[2]);
    if (e.nr == SYSVM_NR_getdents64) read_entries(*file, args[1], args[2]);
  }
  if (e.ret == 0) fill(static_cast<uint32_t>(e.nr), args, file, &e);
  return static_cast<long>(e.ret);
}

long RecordedKernel::call(long number, const uint64_t args[6]) {
  const auto nr = static_cast<uint32_t>(number);
  if (!made_ && number == events_[at_]->nr && std::equal(args_.begin(), args_.end(), args)) return present(args);
  const sysvm_syscall_info* row = sysvm_syscall_by_nr(nr);
  if (!row) return -ENOSYS;
  const uint32_t number_of_file = takes_descriptor(row) ? file_of(args[0]) : kNone;
  File* file = number_of_file == kNone ? nullptr : &files_[number_of_file];
  if (nr == SYSVM_NR_close) {
    ++calls_.closes;
    return 0;
  }
  if (nr == SYSVM_NR_fstatfs) {
    struct statfs fs {};
    fs.f_type = !file || file->good ? 0xEF53 : 0x9fa0;
    std::memcpy(reinterpret_cast<void*>(args[1]), &fs, sizeof(fs));
    return 0;
  }
  if (nr == SYSVM_NR_lseek && file && (args[1] || args[2] != SEEK_CUR))  // taking back
    return seek(*file, static_cast<int64_t>(args[1]), args[2]);
  const Event* const same = !made_ && nr == static_cast<uint32_t>(events_[at_]->nr) ? later(nr, args, number_of_file) : nullptr;
  if (same == events_[at_] && sysvm_syscall_by_nr(nr)->effect == SYSVM_EFFECT_PURE) {
    made_ = true;
    if (same->ret == 0) fill(nr, args, file, same);
    return static_cast<long>(same->ret);
  }
  ++calls_.ahead;
  ++calls_.by_nr[nr];
  if (file && nr == SYSVM_NR_read) {
    const uint64_t n = std::min(args[2], left(*file, file->position));
    file->position += n;
    return static_cast<long>(n);
  }
  if (file && nr == SYSVM_NR_lseek) return static_cast<long>(file->position);
  if (file && nr == SYSVM_NR_getdents64) return read_entries(*file, args[1], args[2]);
  if (file && nr == SYSVM_NR_fstat) {
    fill(nr, args, file, nullptr);
    return 0;
  }
  const Event* e = later(nr, args, number_of_file);
  if (!e && file && nr == SYSVM_NR_pread64)
    return static_cast<long>(std::min(args[2], left(*file, args[3])));
  if (!e || e->ret == 0) fill(nr, args, file, e);
  if (!e) return 0;
  const CallTraits traits = traits_of(*e);
  if (traits.result == SYSVM_RESULT_FD && e->ret >= 0 && file) open_[static_cast<int32_t>(e->ret)] = number_of_file;
  return static_cast<long>(e->ret);
}

}  // namespace sysvm
