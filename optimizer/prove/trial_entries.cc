// SPDX-License-Identifier: MIT
#include "optimizer/prove/trial_entries.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "optimizer/learn/rows.h"

namespace sysvm {
namespace {

constexpr uint64_t kStagingAddress = 0x100000000, kDataAddress = 0x200000000, kGoodDevice = 77;
constexpr uint64_t kWindow = 256;    // the runtime's first (libsysvm/shim/names/names.h)
constexpr size_t kLeftOut = 64;      // entries
constexpr uint64_t kMostEntries = 4096;

void append_entry(std::vector<uint8_t>& to, const std::string& name, size_t length, uint8_t type = 0) {
  const size_t at = to.size();
  to.resize(at + length);
  const auto reclen = static_cast<uint16_t>(length);
  std::memcpy(&to[at + 16], &reclen, sizeof reclen);
  to[at + 18] = type;
  std::memcpy(&to[at + 19], name.c_str(), name.size() + 1);
}

size_t path_argument(const Follower& f) { return f.arg[0].kind == SVP_ARG_UNDER || f.arg[0].kind == SVP_ARG_ROW ? 0 : 1; }

size_t entry_size(const std::string& name) {
  return (19 + name.size() + 1 + 7) / 8 * 8;
}

}  // namespace

std::string entry_name_of(const Stream& stream, const Event& call) {
  const CallTraits traits = traits_of(call);
  for (size_t i = 0; i < traits.nargs; ++i)
    if (traits.arg[i].kind == SYSVM_KIND_PATH) {
      const std::string* path = string_argument(stream, call, traits, i);
      return path ? path->substr(path->rfind('/') == std::string::npos ? 0 : path->rfind('/') + 1) : "";
    }
  return "";
}

bool has_kept_path(const Procedure& proc) {
  for (const Follower& f : proc.followers)
    for (const svp_arg& a : f.arg)
      if (a.kind == SVP_ARG_KEPT) return true;
  return false;
}

void set_kept_paths(const Procedure& proc, sysvm_page& page) {
  for (const Follower& f : proc.followers)
    for (const svp_arg& a : f.arg)
      if (a.kind == SVP_ARG_KEPT) page.reg[a.reg] = kKeptAddress;
}

EntryWorld::EntryWorld(const Procedure& proc, uint64_t device, uint64_t staging_at, std::vector<uint8_t>& staging)
    : proc_(proc), row_(false), device_(device), staging_at_(staging_at), staging_(staging) {
  if (proc.loop) {
    const Follower& first = proc.followers[proc.loop->first];
    row_ = first.arg[path_argument(first)].kind == SVP_ARG_ROW;
  }
}

void EntryWorld::add(const NamedCall& call) {
  std::vector<NamedCall>& calls = calls_[call.name];
  if (calls.empty()) {
    position_[call.name] = names_.size();
    names_.push_back(call.name);
  }
  calls.push_back(call);
}

void EntryWorld::set_registers(sysvm_page& page) const {
  page.reg[SVP_REG_WINDOW] = kWindow;
  page.reg[SVP_REG_AVOID] = kAvoidAddress;
  page.reg[SVP_REG_DEVICE2] = device_;
  page.reg[SVP_REG_UNDER] = kUnderAddress;
  page.reg[SVP_REG_NAME] = kUnderAddress + 8;  // the directory's path does not matter here: names are compared
  page.reg[SVP_REG_ENTRY] = page.reg[SVP_REG_ENTRY_END] = 0;
}

std::vector<uint8_t> EntryWorld::entries(size_t from, size_t bytes) const {
  std::vector<uint8_t> out;
  append_entry(out, ".", 24);
  append_entry(out, "..", 24);
  for (size_t i = from; i < names_.size() && out.size() + entry_size(names_[i]) <= bytes; ++i)
    append_entry(out, names_[i], entry_size(names_[i]));
  if (out.size() + 24 <= bytes) append_entry(out, "..", std::min<size_t>(bytes - out.size(), 65528));
  out.resize(std::max(out.size(), bytes));
  return out;
}

void EntryWorld::list_from(const std::string& name, uint64_t window, sysvm_page& page) {
  listing_.clear();
  used_.clear();
  const size_t first = position_.at(name);
  for (const RowEntry& e : row_ ? row_entries(names_, first, window) : std::vector<RowEntry>{})
    append_entry(listing_, e.name, entry_size(e.name), e.on_the_way ? SVP_ENTRY_ON_THE_WAY : 0);
  for (size_t i = first; !row_ && i < names_.size() && i <= first + window; ++i)
    append_entry(listing_, names_[i], entry_size(names_[i]));
  page.reg[SVP_REG_WINDOW] = window;
  page.reg[SVP_REG_ENTRY] = kListingAddress;
  page.reg[SVP_REG_ENTRY_END] = kListingAddress + listing_.size();
}

std::string EntryWorld::text_at(uint64_t address) const {
  std::string out;
  for (char c = 0; load(address + out.size(), &c, 1) == 0 && c && out.size() < 4096;) out += c;
  return out;
}

// What the code looks at.
void EntryWorld::fill(uint32_t nr, const Follower& f, const uint64_t* args, uint32_t mode) {
  const auto minor = static_cast<uint32_t>(device_);
  for (size_t k = 0; k < f.nargs; ++k) {
    if (f.arg[k].kind != SVP_ARG_OUT) continue;
    if (nr == SYSVM_NR_statx) {
      store(args[k] + offsetof(struct statx, stx_mode), &mode, 2);
      store(args[k] + offsetof(struct statx, stx_dev_minor), &minor, 4);
    } else {
      store(args[k] + offsetof(struct stat, st_mode), &mode, 4);
      store(args[k] + offsetof(struct stat, st_dev), &device_, 8);
    }
  }
}

long EntryWorld::call(uint32_t nr, const uint64_t* args) {
  const svp_loop& loop = *proc_.loop;
  for (uint32_t i = 0; i < loop.followers; ++i) {
    const Follower& f = proc_.followers[loop.first + i];
    if (f.nr != nr) continue;
    const size_t path = path_argument(f);
    const bool under = f.arg[path].kind == SVP_ARG_UNDER, kept = f.arg[path].kind == SVP_ARG_KEPT;
    if (kept != (args[path] == kKeptAddress)) continue;
    const std::string name = kept ? current_ : text_at(under ? args[path] + 8 : args[path]);
    current_ = name;
    std::string text;  // of an attribute
    for (size_t k = path + 1; k < f.nargs; ++k)
      if (f.arg[k].kind == SVP_ARG_STRING) text = text_at(args[k]);
    const auto calls = calls_.find(name);
    if (calls == calls_.end()) {
      if (!row_) return -ENOENT;
      fill(nr, f, args, S_IFDIR);  // on the way to a name that is there
      return 0;
    }
    // The n-th of a kind for the n-th time that it is made.
    size_t& used = used_[name + '/' + std::to_string(nr) + '/' + (kept ? "kept" : text)];
    size_t seen = 0;
    for (const NamedCall& c : calls->second) {
      const CallTraits traits = traits_of(*c.event);
      const std::string* attribute = nullptr;
      for (size_t k = 0; k < traits.nargs; ++k)
        if (traits.arg[k].kind == SYSVM_KIND_STR) attribute = string_argument(*c.stream, *c.event, traits, k);
      if (traits.nr != nr || (attribute && *attribute != text)) continue;
      if (has_kept_path(proc_) && kept != (kept_look(*c.stream, *c.event) != nullptr)) continue;
      if (seen++ != used) continue;
      ++used;
      if (c.event->ret == 0 && c.event->has(kHasStat)) fill(nr, f, args, c.event->st_mode);
      return c.event->ret;
    }
    return nr == SYSVM_NR_newfstatat || nr == SYSVM_NR_statx || nr == SYSVM_NR_lstat ? 0 : -ENODATA;  // not asked
  }
  return 0;
}

int EntryWorld::load(uint64_t address, void* to, unsigned n) const {
  auto from = [&](uint64_t start, const std::vector<uint8_t>& bytes) {
    if (address < start || address - start > bytes.size()) return false;
    // The runtime's areas go on behind the names; the copy of a name may read a little past its end.
    for (unsigned i = 0; i < n; ++i)
      static_cast<uint8_t*>(to)[i] = address - start + i < bytes.size() ? bytes[address - start + i] : 0;
    return true;
  };
  if (from(staging_at_, staging_) || from(kDataAddress, proc_.data) || from(kListingAddress, listing_) ||
      from(kUnderAddress, under_))
    return 0;
  if (address != kAvoidAddress) return -EFAULT;
  std::memset(to, 0, n);
  return 0;
}

int EntryWorld::store(uint64_t address, const void* from, unsigned n) {
  auto to = [&](uint64_t start, std::vector<uint8_t>& bytes) {
    if (address < start || address - start + n > bytes.size()) return false;
    std::memcpy(&bytes[address - start], from, n);
    return true;
  };
  return to(staging_at_, staging_) || to(kUnderAddress, under_) ? 0 : -EFAULT;
}

Records::Records(const Procedure& proc, const sysvm_page& page, uint64_t staging_at, const std::vector<uint8_t>& staging,
                 const EntryWorld& world)
    : proc_(proc) {
  if (!proc.loop) return;
  const svp_loop& loop = *proc.loop;
  const uint64_t first = staging_at + loop.records, end = page.reg[loop.end];
  for (uint64_t at = first; at + loop.stride <= end && at < first + uint64_t{loop.capacity} * loop.stride;
       at += loop.stride) {
    const uint8_t* record = &staging[at - staging_at];
    uint64_t entry = 0;
    std::memcpy(&entry, record, sizeof entry);
    std::string name;
    for (char c = 0; world.load(entry + 19 + name.size(), &c, 1) == 0 && c && name.size() < 256;) name += c;
    for (uint32_t i = 0; i < loop.followers; ++i) {
      uint64_t result = 0;
      std::memcpy(&result, record + 8 + 8 * i, sizeof result);
      if (result != SVP_NOT_MADE) results_.push_back({loop.first + i, name, static_cast<int64_t>(result), (at - first) / loop.stride});
    }
  }
}

bool Records::match(const Stream& stream, const Event& call, const std::string& name, TrialTotals& totals) {
  const CallTraits traits = traits_of(call);
  for (size_t at = next_; at < results_.size() && at < next_ + kLeftOut * proc_.loop->followers; ++at) {
    const Result& r = results_[at];
    const Follower& f = proc_.followers[r.follower];
    const bool kept = f.arg[1].kind == SVP_ARG_KEPT;
    if (f.nr != traits.nr || (kept ? !kept_look(stream, call) : r.name != name)) continue;
    bool same = true;
    for (size_t i = 0; i < f.nargs; ++i) {
      const svp_arg& a = f.arg[i];
      if (a.kind == SVP_ARG_CONST)
        same &= static_cast<uint32_t>(a.value) == static_cast<uint32_t>(call.args[i]);
      if (a.kind == SVP_ARG_STRING) {
        const std::string* text = string_argument(stream, call, traits, i);
        same &= text && *text == reinterpret_cast<const char*>(proc_.data.data()) + a.value;
      }
    }
    if (!same) continue;
    if (r.result != call.ret) {
      ++totals.wrong;
      totals.wrong_why = traits.name + " of " + name + " would be answered with " + std::to_string(r.result) +
                         ", the kernel said " + std::to_string(call.ret);
    }
    ++totals.hits;
    totals.answered.push_back(&call);
    next_ = at + 1;
    return true;
  }
  return false;
}

// As libsysvm/shim/names/window.c does it.
static uint64_t next_window(uint64_t window, uint64_t used, uint64_t made) {
  if (used >= made) return std::min<uint64_t>(window * 2, kMostEntries);
  return (window + 2 * used) / 3 + 1;
}

Result<TrialTotals> try_loop(const Procedure& proc, const LoopShape& shape, const Stream& stream,
                                 const std::vector<Visit>& visits, const EventSet& answered,
                                 bool late_close) {
  TrialTotals totals;
  if (std::none_of(visits.begin(), visits.end(), [&](const Visit& v) { return v.under == shape.under; })) return totals;
  struct Env : sysvm_env {
    EntryWorld* world;
    uint64_t calls;
  };
  std::vector<uint8_t> starts(SYSVM_STARTS_SIZE(proc.code.size()) + 1);
  char message[256];
  uint32_t at = 0;
  if (sysvm_verify(proc.code.data(), static_cast<uint32_t>(proc.code.size()), starts.data(), &at, message,
                   sizeof message))
    return error("{}: {}", proc.name, message);
  const sysvm_program program{proc.code.data(), starts.data(), static_cast<uint32_t>(proc.code.size()), kDataAddress};

  // What each directory holds, as far as it was asked for, in the order in which it was.
  std::vector<uint8_t> staging(SVP_STAGING_MAX);
  std::map<const OpenDirectory*, EntryWorld> worlds;
  std::unordered_map<const Event*, const Visit*> visit_of;
  for (const Visit& v : visits) {
    if (v.under != shape.under) continue;
    EntryWorld& world = worlds.try_emplace(v.directory.get(), proc, kGoodDevice, kStagingAddress, staging).first->second;
    for (const Event* e : v.calls) {
      world.add({v.name, e, &stream});
      visit_of[e] = &v;
    }
  }
  auto page = std::make_unique<sysvm_page>();
  std::unique_ptr<Records> records;
  const OpenDirectory* of = nullptr;
  Occurred occurred;
  uint64_t seq = 0, window = kWindow;
  for (size_t i = 0; i < stream.calls.size(); ++i) {
    const Event& call = *stream.calls[i];
    if (is_quiet(call)) continue;
    const auto found = visit_of.find(&call);
    const Visit* v = found == visit_of.end() ? nullptr : found->second;
    if (answered.contains(&call)) continue;
    if (v && records && !records->done() && of == v->directory.get() && records->match(stream, call, v->name, totals)) {
      occurred.add(call, records->answered_by());
      continue;
    }
    if (late_close && call.nr == SYSVM_NR_close && call.ret == 0) continue;
    if (records && !records->done()) ++totals.misses;
    if (records) totals.example.keep_if_better(occurred);
    if (records) window = next_window(window, records->used(), records->made());
    records.reset();
    if (!v || v->calls[0] != &call || v->keys[0] != shape.calls[0].sources.key) continue;
    // By d_type, which the recording need not have: the kind that the call itself shows.
    if (shape.leaves && v->kind() == kKindDirectory) continue;

    of = v->directory.get();
    EntryWorld& world = worlds.at(of);
    *page = sysvm_page{};
    page->abi = SYSVM_ABI_VERSION;
    page->fuel = 65536;
    for (size_t k = 0; k < 6; ++k) page->reg[k] = call.args[k];
    page->reg[SVP_REG_STAGING] = kStagingAddress;
    page->reg[SVP_REG_CLOSE] = page->reg[SVP_REG_CLOSE2] = static_cast<uint64_t>(-1);
    page->reg[SVP_REG_DEVICE] = kGoodDevice;
    world.set_registers(*page);
    set_kept_paths(proc, *page);
    world.list_from(v->name, window, *page);
    Env env{};
    env.world = &world;
    env.call = [](sysvm_env* e, unsigned index, const __u64 args[6], __u32*) -> long {
      ++static_cast<Env*>(e)->calls;
      return static_cast<Env*>(e)->world->call(sysvm_syscall_by_index(index)->nr,
                                               reinterpret_cast<const uint64_t*>(args));
    };
    env.load = [](sysvm_env* e, __u64 address, void* to, unsigned n) -> int {
      return static_cast<Env*>(e)->world->load(address, to, n);
    };
    env.store = [](sysvm_env* e, __u64 address, const void* from, unsigned n) -> int {
      return static_cast<Env*>(e)->world->store(address, from, n);
    };
    env.poll = [](sysvm_env*) -> __u32 { return 0; };
    long restart = 0;
    const uint32_t status = sysvm_execute(page.get(), &program, 0, ++seq, &env, &restart);
    if (status != SYSVM_DONE && status != SYSVM_FUEL)
      return error("{}: stopped with {} at byte {}", proc.name, sysvm_status_name(status), page->pc);
    ++totals.runs;
    totals.inner += env.calls;
    records = std::make_unique<Records>(proc, *page, kStagingAddress, staging, world);
    if (records->match(stream, call, v->name, totals)) {  // the call itself: its entry is the run's
      --totals.hits;
      totals.answered.pop_back();
    }
    occurred = {&stream, &call};
  }
  if (records) totals.example.keep_if_better(occurred);
  return totals;
}

}  // namespace sysvm
