// SPDX-License-Identifier: MIT
#include "optimizer/prove/trial.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <unordered_set>

#include "optimizer/prove/trial_entries.h"
#include "vm/vm.h"

namespace sysvm {
namespace {

constexpr uint64_t kStaging = 0x100000000, kData = 0x200000000, kPathAddress = 0x300000000;
constexpr uint64_t kDevice = 77;
constexpr uint64_t kFuel = 65536;
constexpr size_t kWindow = 96;  // calls after the trigger that are looked at

// The world as the recording of one occurrence shows it.
class RecordedWorld {
 public:
  RecordedWorld(const Procedure& proc, FileKind kind, const Occurrence& o, std::vector<uint8_t>& staging)
      : proc_(proc),
        kind_(kind),
        occurrence_(o),
        staging_(staging),
        entries_of_(proc, kDevice, kStaging, staging) {
    env_.world = this;
    env_.call = [](sysvm_env* env, unsigned index, const __u64 args[6], __u32*) -> long {
      return of(env).call(sysvm_syscall_by_index(index)->nr, args);
    };
    env_.load = [](sysvm_env* env, __u64 address, void* to, unsigned n) -> int {
      return of(env).load(address, to, n);
    };
    env_.store = [](sysvm_env* env, __u64 address, const void* from, unsigned n) -> int {
      return of(env).entries_of_.store(address, from, n);
    };
    env_.poll = [](sysvm_env*) -> __u32 { return 0; };
    collect();
  }

  sysvm_env* env() { return &env_; }
  const EntryWorld& entries() const { return entries_of_; }
  uint64_t inner() const { return inner_; }

 private:
  struct Env : sysvm_env {
    RecordedWorld* world;
  };
  static RecordedWorld& of(sysvm_env* env) { return *static_cast<Env*>(env)->world; }

  // The later calls on the trigger's descriptor: how long the file was, and what else was answered.
  void collect() {
    const Event& trigger = *occurrence_.trigger;
    const bool open = is_open(static_cast<uint32_t>(trigger.nr));
    fd_ = open ? static_cast<int32_t>(trigger.ret) : static_cast<int32_t>(trigger.args[0]);
    const auto& calls = occurrence_.stream->calls;
    size_t window = kWindow;
    for (const OccurrenceStep& s : occurrence_.steps) {
      if (!s.sources->loop || !proc_.loop) continue;
      window += s.calls.size();
      std::string name;
      for (const Event* e : s.calls) {
        if (!has_kept_path(proc_) || !kept_look(*occurrence_.stream, *e)) name = entry_name_of(*occurrence_.stream, *e);
        entries_of_.add({name, e, occurrence_.stream});
        about_entries_.insert(e);
      }
    }
    bool size_known = false;
    for (size_t i = occurrence_.at + 1; i < calls.size() && i <= occurrence_.at + window; ++i) {
      const Event& e = *calls[i];
      if (about_entries_.count(&e)) continue;
      if (open && is_open(static_cast<uint32_t>(e.nr)) && e.ret == trigger.ret) break;
      if (e.nr == SYSVM_NR_close && static_cast<int32_t>(e.args[0]) == fd_) break;
      if (is_run_call(static_cast<uint32_t>(e.nr)) && static_cast<int32_t>(e.args[0]) == fd_ && !ended_) {
        if (e.ret > 0) transfers_.push_back(static_cast<uint64_t>(e.ret));
        if (e.ret == 0) ended_ = true;
      }
      if (e.has(kHasStat) && static_cast<int32_t>(e.args[0]) == fd_ &&
          is_struct_stat(static_cast<uint32_t>(e.nr))) {
        size_ = e.st_size;
        size_known = true;
      }
      others_.push_back(&e);
    }
    for (uint64_t t : transfers_) known_ += t;
    if (!size_known && transfers_.empty() && !ended_)
      size_ = 4096;  // not looked at: like most files, not empty
  }

  long call(uint32_t nr, const __u64* args) {
    ++inner_;
    const Event& trigger = *occurrence_.trigger;
    if (!triggered_ && nr == static_cast<uint32_t>(trigger.nr)) {
      triggered_ = true;
      return trigger.ret;
    }
    if (is_struct_stat(nr) && static_cast<int32_t>(args[0]) == fd_) {
      fill_stat(nr == SYSVM_NR_fstat ? args[1] : args[2]);
      return 0;
    }
    if (nr == SYSVM_NR_read && static_cast<int32_t>(args[0]) == fd_) return read(args[2]);
    if (nr == SYSVM_NR_getdents64 && static_cast<int32_t>(args[0]) == fd_) return read_entries(args[1]);
    if (is_of_loop(nr, args)) return entries_of_.call(nr, reinterpret_cast<const uint64_t*>(args));
    for (auto at = others_.begin(); at != others_.end(); ++at) {
      if (static_cast<uint32_t>((*at)->nr) != nr) continue;
      if (traits_of(**at).arg[1].kind == SYSVM_KIND_CMD && args[1] != ((*at)->args[1] & 0xffffffffu)) continue;
      const long ret = (*at)->ret;
      others_.erase(at);
      return ret;
    }
    return nr == SYSVM_NR_lseek ? static_cast<long>(position_) : 0;  // not made in the recording
  }

  void fill_stat(uint64_t address) {
    struct stat st {};
    st.st_dev = kDevice;
    const FileKind kind = occurrence_.kind == FileKind::kUnknown ? kind_ : occurrence_.kind;
    st.st_mode = kind == FileKind::kDirectory ? S_IFDIR : S_IFREG;
    st.st_size = static_cast<off_t>(size_ ? size_ : known_);
    st.st_atim.tv_sec = 2;
    st.st_mtim.tv_sec = st.st_ctim.tv_sec = 1;
    if (address >= kStaging && address + sizeof(st) <= kStaging + staging_.size())
      std::memcpy(staging_.data() + (address - kStaging), &st, sizeof(st));
  }

  long read(uint64_t asked) {
    const uint64_t size = ended_ ? known_ : std::max(known_, size_);
    const uint64_t n = std::min(asked, size - std::min(size, position_));
    position_ += n;
    return static_cast<long>(n);
  }

  long read_entries(uint64_t to) {
    if (entries_ >= transfers_.size()) return 0;
    const uint64_t bytes = transfers_[entries_++];
    const std::vector<uint8_t> names = entries_of_.entries(0, entries_ == 1 ? bytes : 0);
    if (entries_ == 1 && to >= kStaging && names.size() <= kStaging + staging_.size() - to)
      std::memcpy(staging_.data() + (to - kStaging), names.data(), names.size());
    return static_cast<long>(bytes);
  }

  // A name's address lies where getdents64 has put it, or in the buffer of the directory's path.
  bool is_of_loop(uint32_t nr, const __u64* args) const {
    if (!proc_.loop) return false;
    for (uint32_t i = 0; i < proc_.loop->followers; ++i) {
      const Follower& f = proc_.followers[proc_.loop->first + i];
      const size_t path = f.arg[0].kind == SVP_ARG_UNDER ? 0 : 1;
      if (f.nr != nr) continue;
      if (args[path] == kKeptAddress) return true;
      if (args[path] >= kStaging && args[path] < kStaging + staging_.size()) return true;
      if (args[path] >= kUnderAddress && args[path] < kUnderAddress + 1024) return true;
    }
    return false;
  }

  int load(uint64_t address, void* to, unsigned n) { return entries_of_.load(address, to, n); }

  Env env_{};
  const Procedure& proc_;
  FileKind kind_;
  const Occurrence& occurrence_;
  std::vector<uint8_t>& staging_;
  std::vector<uint64_t> transfers_;
  std::vector<const Event*> others_;
  uint64_t known_ = 0, size_ = 0, position_ = 0, inner_ = 0;
  size_t entries_ = 0;
  int32_t fd_ = -1;
  bool ended_ = false, triggered_ = false;
  EntryWorld entries_of_;
  std::unordered_set<const Event*> about_entries_;
};

bool same_number(uint64_t a, uint64_t b) {
  return a == b || static_cast<uint32_t>(a) == static_cast<uint32_t>(b);
}

// The runtime's rules (procedures/svp.h, enum svp_arg_kind).
bool matches(const Follower& f, const Procedure& proc, const sysvm_page& page, const Occurrence& o,
             const Event& e) {
  if (f.nr != static_cast<uint32_t>(e.nr)) return false;
  const CallTraits traits = traits_of(e);
  const CallTraits trigger = traits_of(*o.trigger);
  for (size_t i = 0; i < f.nargs; ++i) {
    const svp_arg& a = f.arg[i];
    switch (a.kind) {
      case SVP_ARG_CONST:
        if (!same_number(e.args[i], a.value)) return false;
        break;
      case SVP_ARG_REG:
        if (!same_number(e.args[i], page.reg[a.reg])) return false;
        break;
      case SVP_ARG_COUNT: {
        const uint64_t used = page.reg[a.reg];
        const auto got = static_cast<int64_t>(page.reg[f.result]);
        if (e.args[i] != used &&
            !(got >= 0 && static_cast<uint64_t>(got) < used && e.args[i] >= static_cast<uint64_t>(got)))
          return false;
        break;
      }
      case SVP_ARG_PATH:
      case SVP_ARG_STRING: {
        const std::string* text = string_argument(*o.stream, e, traits, i);
        const std::string* expected = nullptr;
        std::string constant;
        if (a.kind == SVP_ARG_STRING) {
          constant = reinterpret_cast<const char*>(proc.data.data()) + a.value;
          expected = &constant;
        } else {
          for (size_t j = 0; j < trigger.nargs && !expected; ++j)
            if (trigger.arg[j].kind == SYSVM_KIND_PATH)
              expected = string_argument(*o.stream, *o.trigger, trigger, j);
        }
        if (!text || !expected || *text != *expected) return false;
        break;
      }
      case SVP_ARG_KEPT:  // the same as the last time, or it would not be part of the occurrence
        if (!kept_look(*o.stream, e)) return false;
        break;
      default:
        break;
    }
  }
  return true;
}

bool is_undone(const Follower& f, const sysvm_page& page) {
  std::array<uint64_t, 6> args{};
  for (size_t i = 0; i < 6; ++i) args[i] = f.arg[i].value;
  return f.nr != SYSVM_NR_lseek && traits_of(f.nr, args).undo != SYSVM_UNDO_NONE &&
         static_cast<int64_t>(page.reg[f.result]) >= 0;
}

// What is outstanding can be made again behind another call (libsysvm/shim/ahead/log.c, log_renewable).
bool renewable(const std::vector<const Follower*>& log, size_t next, const sysvm_page& page) {
  if (log.size() - next > 4) return false;
  for (; next < log.size(); ++next) {
    const Follower& f = *log[next];
    const bool end_of_file = f.nr == SYSVM_NR_read && page.reg[f.result] == 0;
    if (is_undone(f, page) && !end_of_file) return false;
  }
  return true;
}

void match_log(const Procedure& proc, const sysvm_page& page, const Occurrence& o, Records records,
               TrialTotals& totals) {
  std::vector<const Follower*> log;
  size_t before = 0;  // of the loop
  for (size_t i = 0; i < proc.followers.size(); ++i) {
    if (proc.of_loop(i)) {
      before = i == proc.loop->first ? log.size() : before;
      continue;
    }
    if (page.reg[proc.followers[i].result] != SVP_NOT_MADE) log.push_back(&proc.followers[i]);
  }
  size_t next = 0;
  Occurred occurred{o.stream, o.trigger};
  std::unordered_set<const Event*> about_entries;
  for (const OccurrenceStep& s : o.steps)
    if (s.sources->loop) about_entries.insert(s.calls.begin(), s.calls.end());
  const auto& calls = o.stream->calls;
  for (size_t i = o.at + 1; i < calls.size() && (next < log.size() || !records.done()); ++i) {
    const Event& e = *calls[i];
    if (is_quiet(e)) continue;
    if (next >= before && !records.done()) {
      if (about_entries.count(&e) && records.match(*o.stream, e, entry_name_of(*o.stream, e), totals)) {
        occurred.add(e, records.answered_by());
        continue;
      }
      if (e.nr == SYSVM_NR_close) continue;  // late
    }
    if (next == log.size()) break;
    const Follower& f = *log[next];
    if (!matches(f, proc, page, o, e)) {
      if (is_ridden(e) && !is_open(static_cast<uint32_t>(e.nr)) && renewable(log, next, page)) continue;
      break;
    }
    const auto answer = static_cast<int64_t>(page.reg[f.result]);
    if (answer != e.ret) {
      ++totals.wrong;
      totals.wrong_why =
          fmt::format("{} would be answered with {}, the kernel said {}", call_name(f.nr), answer, e.ret);
    }
    ++totals.hits;
    totals.answered.push_back(&e);
    occurred.add(e, static_cast<size_t>(log[next] - proc.followers.data()));
    ++next;
  }
  totals.example.keep_if_better(occurred);
  if (next < log.size() || !records.done()) ++totals.misses;
  for (; next < log.size(); ++next) totals.undone += is_undone(*log[next], page);
}

// inner: calls made, the trigger among them. What nobody asked for: those that were made and not hit.
void price_run(const Procedure& proc, const sysvm_page& page, uint64_t inner, uint64_t insns, uint64_t hit, uint64_t taken_back,
               const CostModel& cost, TrialTotals& totals) {
  const auto hits = static_cast<double>(hit), undone = static_cast<double>(taken_back);
  double beside = cost.run_ns + static_cast<double>(insns) * cost.insn_ns + static_cast<double>(inner) * cost.inner_extra_ns +
                  hits * cost.serve_ns + undone * (cost.undo_ns - cost.crossing_ns);
  uint64_t unused = inner - 1 - std::min(hit, inner - 1), behind = 0;
  totals.unused += unused;
  for (const Follower& f : proc.followers) {
    if (page.reg[f.result] == SVP_NOT_MADE || behind++ < hit || !unused) continue;  // the log is used in order
    beside += cost.inner_ns(f.nr);
    --unused;
  }
  // A guard that no follower stands for, entries of a directory that nobody asked for.
  beside += static_cast<double>(unused) * cost.inner_ns(SYSVM_NR_fstat);
  const double entries = hits - undone, saved = entries * cost.crossing_ns - beside;
  totals.entries += entries;
  totals.beside_ns += beside;
  totals.saved_ns += saved;
  totals.saved_squares += saved * saved;
}

}  // namespace

double TrialTotals::spread_ns() const {
  const auto n = static_cast<double>(runs);
  if (n < 2) return std::fabs(saved_ns);
  const double variance = std::max(0.0, (saved_squares - saved_ns * saved_ns / n) / (n - 1));
  return 1.96 * std::sqrt(variance * n);
}

Result<TrialTotals> try_out(const Procedure& proc, FileKind kind,
                            const std::vector<const Occurrence*>& occurrences, const CostModel& cost) {
  const auto len = static_cast<uint32_t>(proc.code.size());
  std::vector<uint8_t> starts(SYSVM_STARTS_SIZE(len) + 1);
  char message[256];
  uint32_t at = 0;
  if (sysvm_verify(proc.code.data(), len, starts.data(), &at, message, sizeof(message)))
    return error("{}: {}", proc.name, message);
  const sysvm_program program{proc.code.data(), starts.data(), len, kData};
  auto page = std::make_unique<sysvm_page>();
  std::vector<uint8_t> staging(SVP_STAGING_MAX);
  TrialTotals totals;
  uint64_t seq = 0;
  for (const Occurrence* o : occurrences) {
    *page = sysvm_page{};
    page->abi = SYSVM_ABI_VERSION;
    page->fuel = kFuel;
    for (size_t i = 0; i < 6; ++i) page->reg[i] = o->trigger->args[i];
    for (const Follower& f : proc.followers) page->reg[f.result] = SVP_NOT_MADE;
    set_kept_paths(proc, *page);
    page->reg[SVP_REG_STAGING] = kStaging;
    page->reg[SVP_REG_CLOSE] = static_cast<uint64_t>(-1);
    page->reg[SVP_REG_DEVICE] = kDevice;
    page->reg[SVP_REG_PATH] = kPathAddress;
    page->reg[SVP_REG_ATIME] = 1;
    RecordedWorld world(proc, kind, *o, staging);
    world.entries().set_registers(*page);
    long restart = 0;
    const uint32_t status = sysvm_execute(page.get(), &program, 0, ++seq, world.env(), &restart);
    if (status != SYSVM_DONE && status != SYSVM_ERROR)
      return error("{}: stopped with {} at byte {}", proc.name, sysvm_status_name(status), page->pc);
    if (page->reg[proc.trigger_result] != static_cast<uint64_t>(o->trigger->ret))
      return error("{}: the trigger's result did not arrive", proc.name);
    ++totals.runs;
    totals.inner += world.inner();
    const uint64_t hits = totals.hits, undone = totals.undone;
    match_log(proc, *page, *o, Records(proc, *page, kStaging, staging, world.entries()), totals);
    price_run(proc, *page, world.inner(), kFuel - page->fuel, totals.hits - hits, totals.undone - undone, cost, totals);
  }
  return totals;
}

}  // namespace sysvm
