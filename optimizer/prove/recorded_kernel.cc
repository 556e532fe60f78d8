// SPDX-License-Identifier: MIT
#include "optimizer/prove/recorded_kernel.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "optimizer/base/calls.h"
#include "optimizer/learn/directories.h"

namespace sysvm {
namespace {

constexpr uint64_t kUnreadSize = 4096;  // of a file that nobody asked about: like most files, not empty
constexpr int64_t kMostDescriptors = 1 << 20;
constexpr size_t kSoon = 8;
constexpr size_t kFarthest = 1u << 20;  // calls; an answer from later than that says nothing about now

bool takes_descriptor(const sysvm_syscall_info* row) {
  return row && (row->arg[0].kind == SYSVM_KIND_FD || row->arg[0].kind == SYSVM_KIND_DIRFD);
}

bool is_data(uint16_t kind) {  // not compared: filled, or an address
  return kind == SYSVM_KIND_OUT || kind == SYSVM_KIND_OUTS || kind == SYSVM_KIND_OUTN ||
         kind == SYSVM_KIND_PTR || kind == SYSVM_KIND_NONE;
}

bool is_text(uint16_t kind) { return kind == SYSVM_KIND_PATH || kind == SYSVM_KIND_STR; }

// A call that a run may make ahead, and that is answered by what the program was answered later. Reads of a
// known file are answered by its length.
bool may_be_asked(const PackedEvent& e, const sysvm_syscall_info* row, bool known_file) {
  const bool by_length = known_file && (e.nr() == SYSVM_NR_read || e.nr() == SYSVM_NR_getdents64);
  return row->flags & SYSVM_FLAG_AHEAD && !by_length;
}

uint64_t dirent_length(std::string_view name) { return (19 + name.size() + 1 + 7) / 8 * 8; }

bool special_place(const std::string& path) {
  for (const char* place : {"/proc/", "/sys/", "/dev/"})
    if (path.starts_with(place)) return true;
  return false;
}

}  // namespace

RecordedKernel::RecordedKernel(const PackedTrace& trace, Texts& texts,
                               std::span<const PackedEvent* const> events)
    : trace_(trace), texts_(texts), events_(events) {
  read_through();
  restart();
}

void RecordedKernel::restart() {
  std::fill(open_.begin(), open_.end(), kNone);
  for (File& file : files_) file.position = 0;
  for (Chain& chain : chains_)
    while (chain.from != kNone && previous_same_[chain.from] != kNone)
      chain.from = previous_same_[chain.from];
  at_ = after_last_ = 0;
  begun_ = made_ = false;
}

void RecordedKernel::set_open(int64_t fd, uint32_t file) {
  if (fd < 0 || fd >= kMostDescriptors) return;
  if (static_cast<size_t>(fd) >= open_.size()) open_.resize(static_cast<size_t>(fd) + 1, kNone);
  open_[static_cast<size_t>(fd)] = file;
}

RecordedKernel::Key RecordedKernel::key_of(uint32_t at) const {
  const PackedEvent& e = *events_[at];
  Key key{static_cast<uint32_t>(e.nr()), on_[at], 0, 0};
  if (e.path(0) != kNoString) key.text0 = texts_.number(e.path(0));
  if (e.path(1) != kNoString) key.text1 = texts_.number(e.path(1));
  return key;
}

// The key's slot, or the empty one where it belongs.
RecordedKernel::Chain& RecordedKernel::chain_of(const Key& key, uint32_t hash) const {
  size_t slot = hash & (chains_.size() - 1);
  while (chains_[slot].from != kNone && (chains_[slot].hash != hash || !(key_of(chains_[slot].from) == key)))
    slot = (slot + 1) & (chains_.size() - 1);
  return chains_[slot];
}

void RecordedKernel::grow_chains() {
  std::vector<Chain> old(std::max<size_t>(4, 2 * chains_.size()));
  old.swap(chains_);
  for (const Chain& chain : old) {
    if (chain.from == kNone) continue;
    size_t slot = chain.hash & (chains_.size() - 1);
    while (chains_[slot].from != kNone) slot = (slot + 1) & (chains_.size() - 1);
    chains_[slot] = chain;
  }
}

void RecordedKernel::learn(File& file, const PackedEvent& e) {
  switch (e.nr()) {
    case SYSVM_NR_read:
      if (e.ret() > 0) file.position += static_cast<uint64_t>(e.ret());
      if (e.ret() == 0 && e.arg(2)) {
        file.ended = true;
        file.size = file.position;
      }
      break;
    case SYSVM_NR_lseek:
      if (e.ret() >= 0) file.position = static_cast<uint64_t>(e.ret());
      break;
    case SYSVM_NR_getdents64:
      file.directory = true;
      if (e.ret() > 0) file.entries.push_back(&e);
      break;
    default: break;
  }
  if (e.has(kHasStat) &&
      (e.nr() == SYSVM_NR_fstat ||
       (e.nr() == SYSVM_NR_newfstatat && e.path(0) != kNoString && trace_.strings[e.path(0)].empty()))) {
    file.mode = e.st_mode();
    file.directory = S_ISDIR(e.st_mode());
    file.dev = e.st_dev();
    if (!file.ended) file.size = e.st_size();
    file.size_known = true;
  }
  if (!file.ended) file.size = std::max(file.size, file.position);
}

void RecordedKernel::learn_folders(const PackedEvent& e) {
  if (e.path(0) == kNoString) return;
  const std::string& path = trace_.strings[e.path(0)];
  if (path.empty() || path[0] == '/') return;
  if (!here_device_ && e.has(kHasStat) && e.st_dev()) here_device_ = e.st_dev();
  for (size_t at = path.rfind('/'); at != std::string::npos && at > 0; at = path.rfind('/', at - 1))
    if (!folders_.insert(std::string_view(path).substr(0, at)).second) return;
}

// Which descriptor is which file, after call number `at` of the program.
void RecordedKernel::follow_descriptors(size_t at) {
  const PackedEvent& e = *events_[at];
  if (e.flags() & (kSignal | kNoExit | kForkChild)) return;
  if (opened_[at] != kNone) return set_open(e.ret(), opened_[at]);
  if (e.nr() == SYSVM_NR_close) return set_open(static_cast<int32_t>(e.arg(0)), kNone);
  const Gives gives = gives_descriptor(e);
  if (gives == Gives::kNothing || e.ret() < 0) return;
  set_open(e.ret(), gives == Gives::kCopy ? on_[at] : kNone);  // a copy shares the position
}

void RecordedKernel::read_through() {
  on_.reserve(events_.size());
  opened_.reserve(events_.size());
  bool names_missing = false;
  for (uint32_t i = 0; i < events_.size(); ++i) {
    const PackedEvent& e = *events_[i];
    const sysvm_syscall_info* row =
        e.has(kSignal) ? nullptr : sysvm_syscall_by_nr(static_cast<uint32_t>(e.nr()));
    const uint32_t file = takes_descriptor(row) ? file_of(static_cast<uint32_t>(e.arg(0))) : kNone;
    on_.push_back(file);
    opened_.push_back(kNone);
    if (!row || e.flags() & (kNoExit | kForkChild)) continue;
    learn_folders(e);
    names_missing |= e.nr() == SYSVM_NR_getdents64 && e.ret() > 0 && !e.has(kHasData);
    if (is_open(row->nr) && e.ret() >= 0) {
      opened_.back() = static_cast<uint32_t>(files_.size());
      File& opened = files_.emplace_back();
      opened.directory = open_flags(e) & O_DIRECTORY;
      opened.good = e.path(0) == kNoString || !special_place(trace_.strings[e.path(0)]);
    } else if (file != kNone) {
      learn(files_[file], e);
    }
    follow_descriptors(i);
  }
  chain_same_calls();
  if (names_missing) find_names();
}

// From the last to the first, so that the first is what the slot has in the end.
void RecordedKernel::chain_same_calls() {
  next_same_.assign(events_.size(), kNone);
  previous_same_.assign(events_.size(), kUnchained);
  grow_chains();
  // Each slot is far from the last one: memory is told a few calls before which will be needed.
  constexpr size_t kAhead = 8;
  struct Waiting {
    uint32_t at, hash;
    Key key;
  };
  std::array<Waiting, kAhead> waiting;
  size_t begun = 0, done = 0;
  const auto chain_next = [&] {
    const Waiting& w = waiting[done++ % kAhead];
    if (4 * chained_ >= 3 * chains_.size()) grow_chains();
    Chain& chain = chain_of(w.key, w.hash);
    next_same_[w.at] = chain.from;
    previous_same_[w.at] = kNone;
    if (chain.from != kNone)
      previous_same_[chain.from] = w.at;
    else
      ++chained_;
    chain = {w.at, w.hash};
  };
  for (uint32_t i = static_cast<uint32_t>(events_.size()); i-- > 0;) {
    const PackedEvent& e = *events_[i];
    const sysvm_syscall_info* row =
        e.has(kSignal) ? nullptr : sysvm_syscall_by_nr(static_cast<uint32_t>(e.nr()));
    if (!row || e.flags() & (kNoExit | kForkChild) || !may_be_asked(e, row, on_[i] != kNone)) continue;
    if (begun - done == kAhead) chain_next();
    Waiting& w = waiting[begun++ % kAhead];
    w = {i, 0, key_of(i)};
    w.hash = w.key.hash();
    __builtin_prefetch(&chains_[w.hash & (chains_.size() - 1)], 1);
  }
  while (done < begun) chain_next();
}

void RecordedKernel::find_names() {
  const Stream stream{&trace_, "", {}};
  DirectoryTracker tracker;
  std::unordered_map<const PackedEvent*, uint32_t> opens;
  std::unordered_set<std::string> seen;
  for (size_t i = 0; i < events_.size(); ++i) {
    const PackedEvent& e = *events_[i];
    if (opened_[i] != kNone) opens[&e] = opened_[i];
    const std::optional<DirentCall> call = e.has(kSignal) ? std::nullopt : tracker.step(stream, e);
    if (!call) continue;
    const uint32_t file = opens.at(call->directory->open);
    if (!seen.insert(fmt::format("{}/{}", file, call->name)).second) continue;
    names_[file].push_back(
        {std::string(call->name), static_cast<uint8_t>(e.has(kHasStat) ? e.st_mode() >> 12 : 0)});
  }
}

// Call number `at` begins: the present one is over, and so are those in between.
void RecordedKernel::skip_to(size_t at) {
  if (begun_) follow_descriptors(at_);
  for (size_t i = begun_ ? at_ + 1 : 0; i < at; ++i) {
    if (on_[i] != kNone) move_position(*events_[i], files_[on_[i]]);
    follow_descriptors(i);
  }
  begun_ = true;
  at_ = at;
  made_ = false;
}

void RecordedKernel::at(size_t at, const uint64_t args[6]) {
  if (!begun_ || at != at_ || made_) skip_to(at);
  std::copy(args, args + 6, args_.begin());
}

RecordedKernel::OpenFile RecordedKernel::file_at(size_t at) const {
  const uint32_t number = opened_[at] != kNone ? opened_[at] : on_[at];
  if (number == kNone) return {};
  const File& file = files_[number];
  const uint64_t device = file.dev ? file.dev : file.good ? kGoodDevice : kBadDevice;
  return {device, file.position, file.good, !file.directory && (!file.mode || S_ISREG(file.mode))};
}

// Buffers and texts aside.
bool RecordedKernel::same_numbers(const PackedEvent& e, const sysvm_syscall_info* row, const uint64_t args[6],
                                  uint32_t file) {
  const size_t nargs = traits_of(e).nargs;  // of the command: F_GETFL has two only
  for (size_t i = 0; i < nargs; ++i) {
    const uint16_t kind = row->arg[i].kind;
    if (is_data(kind) || is_text(kind) || (i == 0 && file != kNone)) continue;
    if (kind == SYSVM_KIND_SIZE && i > 0 && row->arg[i - 1].kind == SYSVM_KIND_OUT) continue;
    const uint64_t recorded = e.arg(i);
    if (kind == SYSVM_KIND_OFF ? recorded != args[i]
                               : static_cast<uint32_t>(recorded) != static_cast<uint32_t>(args[i]))
      return false;
  }
  return true;
}

// Is it call number `at`, and is that the next one with its key? No: it may still be that.
bool RecordedKernel::is_next(uint32_t at, const sysvm_syscall_info* row, const uint64_t args[6],
                             uint32_t file) const {
  const uint32_t before = previous_same_[at];
  if (before == kUnchained || (before != kNone && (before > at_ || (before == at_ && !made_)))) return false;
  const PackedEvent& e = *events_[at];
  if (static_cast<uint32_t>(e.nr()) != row->nr || on_[at] != file) return false;
  size_t text = 0;
  for (size_t i = 0; i < row->nargs; ++i) {
    if (!is_text(row->arg[i].kind)) continue;
    const uint32_t string = e.path(text++ ? 1 : 0);
    if (string == kNoString || trace_.strings[string] != reinterpret_cast<const char*>(args[i])) return false;
  }
  return (text > 1 || e.path(text) == kNoString) && same_numbers(e, row, args, file);
}

const PackedEvent* RecordedKernel::later(uint32_t nr, const uint64_t args[6], uint32_t file) const {
  const sysvm_syscall_info* row = sysvm_syscall_by_nr(nr);
  // What a run asks for mostly comes soon after what it asked for before.
  const auto guess = [&](size_t from, size_t to) -> const PackedEvent* {
    for (size_t at = from; at < std::min(to, events_.size()); ++at) {
      if (!is_next(static_cast<uint32_t>(at), row, args, file)) continue;
      after_last_ = at + 1;
      return events_[at];
    }
    return nullptr;
  };
  if (const PackedEvent* e = guess(at_ + made_, at_ + 2)) return e;
  if (const PackedEvent* e = after_last_ < at_ + kFarthest
                                 ? guess(std::max(after_last_, at_ + 2), after_last_ + kSoon)
                                 : nullptr)
    return e;
  Key key{nr, file, 0, 0};
  uint32_t* text = &key.text0;
  for (size_t i = 0; i < row->nargs; ++i)
    if (is_text(row->arg[i].kind)) {
      *text = texts_.find(reinterpret_cast<const char*>(args[i]));
      text = &key.text1;
    }
  Chain& chain = chain_of(key, key.hash());
  uint32_t at = chain.from;
  while (at != kNone && at < at_) {
    at = next_same_[at];
    if (at != kNone) chain.from = at;
  }
  // The present call, too: a loop at an entry of a directory makes it with a buffer and a path of its own.
  if (at != kNone && made_ && at == at_) at = next_same_[at];
  for (size_t compared = 0; at != kNone && compared < 16 && at < at_ + kFarthest;
       at = next_same_[at], ++compared) {
    if (!same_numbers(*events_[at], row, args, file)) continue;
    after_last_ = at + 1;
    return events_[at];
  }
  return nullptr;
}

uint64_t RecordedKernel::left(const File& file, uint64_t position) {
  const bool unread = !file.size_known && !file.ended && !file.size;
  const uint64_t size = unread ? kUnreadSize : file.size;
  return size - std::min(size, position);
}

// Dirents with the names that were recorded, and one that nobody asks about for what is left; the cookie
// counts the calls.
long RecordedKernel::read_entries(File& file, uint64_t to, uint64_t room) const {
  if (file.position >= file.entries.size()) return 0;
  const PackedEvent& e = *file.entries[file.position++];
  const uint64_t n = std::min(static_cast<uint64_t>(e.ret()), room);
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
  const auto missing = names_.find(static_cast<uint32_t>(&file - files_.data()));
  if (missing != names_.end() && file.position == 1)
    for (const Name& name : missing->second) {
      const uint64_t length = dirent_length(name.text);
      if (at + length > n) break;
      put(name.type, name.text, length);
    }
  std::string_view names;
  if (e.has(kHasData) && e.data_kind() == DataKind::kDirent) names = trace_.strings[e.data()];
  while (names.size() > 2) {
    const size_t end = names.find('\0', 1);
    if (end == std::string_view::npos) break;  // cut
    const std::string_view name = names.substr(1, end - 1);
    const uint64_t length = dirent_length(name);
    if (at + length > n) break;
    put(static_cast<uint8_t>(names[0]), name, length);
    names.remove_prefix(end + 1);
  }
  if (n - at >= 24) put(0, "..", n - at);
  return static_cast<long>(n);
}

long RecordedKernel::seek(File& file, int64_t offset, uint64_t whence) {
  if (whence == SEEK_SET) file.position = static_cast<uint64_t>(offset);
  if (whence == SEEK_CUR) file.position += static_cast<uint64_t>(offset);
  if (whence == SEEK_END) file.position = file.size + static_cast<uint64_t>(offset);
  return static_cast<long>(file.position);
}

// What the shim or a guard will check: a struct stat, in memory that is really there.
void RecordedKernel::fill(uint32_t nr, const uint64_t args[6], const File* file, const PackedEvent* e) const {
  if (!is_struct_stat(nr) && nr != SYSVM_NR_stat && nr != SYSVM_NR_lstat && nr != SYSVM_NR_statx) return;
  const uint64_t to = nr == SYSVM_NR_statx ? args[4] : nr == SYSVM_NR_newfstatat ? args[2] : args[1];
  if (!to) return;
  const auto* path =
      reinterpret_cast<const char*>(nr == SYSVM_NR_stat || nr == SYSVM_NR_lstat ? args[0] : args[1]);
  const bool folder =
      !file && nr != SYSVM_NR_fstat && folders_.contains(path);  // not asked about from here on
  struct stat st {};
  const bool own = e && e->has(kHasStat);
  st.st_mode = own                                   ? e->st_mode()
               : file && file->mode                  ? file->mode
               : folder || (file && file->directory) ? S_IFDIR
                                                     : S_IFREG;
  st.st_size = static_cast<off_t>(own ? e->st_size() : file ? left(*file, 0) : 0);
  st.st_dev = !file || file->good ? kGoodDevice : kBadDevice;
  if (own && e->st_dev()) st.st_dev = e->st_dev();
  if (!own && file && file->dev) st.st_dev = file->dev;
  if (!own && folder) st.st_dev = here_device();
  st.st_ino = own && e->st_ino() ? e->st_ino()
              : file             ? static_cast<uint64_t>(file - files_.data()) + 1000
                                 : 999;
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

void RecordedKernel::move_position(const PackedEvent& e, File& file) const {
  if (e.ret() < 0) return;
  if (e.nr() == SYSVM_NR_read) file.position += static_cast<uint64_t>(e.ret());
  if (e.nr() == SYSVM_NR_lseek && !file.directory) file.position = static_cast<uint64_t>(e.ret());
  if (e.nr() == SYSVM_NR_lseek && file.directory) seek(file, static_cast<int64_t>(e.arg(1)), e.arg(2));
  if (e.nr() == SYSVM_NR_getdents64 && e.ret() > 0) ++file.position;
}

long RecordedKernel::present(const uint64_t args[6]) {
  const PackedEvent& e = *events_[at_];
  made_ = true;
  follow_descriptors(at_);
  if (e.has(kSignal)) return 0;
  File* file = on_[at_] == kNone ? nullptr : &files_[on_[at_]];
  if (file && e.nr() == SYSVM_NR_getdents64 && e.ret() >= 0)
    read_entries(*file, args[1], args[2]);
  else if (file)
    move_position(e, *file);
  if (e.ret() == 0) fill(static_cast<uint32_t>(e.nr()), args, file, &e);
  return static_cast<long>(e.ret());
}

long RecordedKernel::call(long number, const uint64_t args[6]) {
  const auto nr = static_cast<uint32_t>(number);
  if (!made_ && number == events_[at_]->nr() && std::equal(args_.begin(), args_.end(), args))
    return present(args);
  const sysvm_syscall_info* row = sysvm_syscall_by_nr(nr);
  if (!row) return -ENOSYS;
  const uint32_t number_of_file = takes_descriptor(row) ? file_of(static_cast<uint32_t>(args[0])) : kNone;
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
  const bool as_now = !made_ && number == events_[at_]->nr() && row->effect == SYSVM_EFFECT_PURE;
  if (const PackedEvent& now = *events_[at_]; as_now && later(nr, args, number_of_file) == &now) {
    made_ = true;
    if (now.ret() == 0) fill(nr, args, file, &now);
    return static_cast<long>(now.ret());
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
  const PackedEvent* e = later(nr, args, number_of_file);
  if (!e && file && nr == SYSVM_NR_pread64) return static_cast<long>(std::min(args[2], left(*file, args[3])));
  if (!e || e->ret() == 0) fill(nr, args, file, e);
  if (!e) return 0;
  if (gives_descriptor(*e) != Gives::kNothing && e->ret() >= 0 && file) set_open(e->ret(), number_of_file);
  return static_cast<long>(e->ret());
}

}  // namespace sysvm
