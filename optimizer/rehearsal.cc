// SPDX-License-Identifier: MIT
#include "optimizer/rehearsal.h"

#include <fmt/format.h>
#include <linux/sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <unordered_set>

#include "libsysvm/shim/rehearsal/rehearsal.h"
#include "libsysvm/sysvm.h"
#include "optimizer/calls.h"
#include "optimizer/hex.h"
#include "optimizer/names_in_memory.h"
#include "optimizer/recorded_kernel.h"
#include "optimizer/svp_reader.h"
#include "traces/own_time.h"

namespace sysvm {
namespace {

// Entries of the shim's own start: 33 with procedures for the program, 25 without (`sysvm run --json`, "own").
constexpr uint64_t kStart = 33, kStartPlain = 25;
constexpr size_t kScratch = 2 << 20;  // stands for the program's buffers
const char* const kReasons[] = {"",        "disabled", "threads", "unseen", "shared", "rings",
                                "seccomp", "traced",   "faults",  "libc",   "engine", "watch"};

uint64_t address_of(const std::string& build_id, uint64_t offset) {  // the same for the same place
  uint64_t h = svp_checksum(build_id.data(), build_id.size(), SVP_CHECKSUM_START);
  return svp_checksum(&offset, sizeof offset, h) | 1;
}

struct Site {
  uint64_t address = 0;
  bool loader = false;  // the dynamic loader's own: not patched
};

class Sites {
 public:
  explicit Sites(const Trace& trace) : index_(trace) {}
  const Site& of(int32_t pid, uint64_t address, uint64_t ts_ns) {
    auto [at, fresh] = known_.try_emplace({pid, address});
    if (!fresh || !address) return at->second;
    const std::optional<Place> place = index_.place(pid, address, ts_ns);
    if (!place) return at->second;
    const std::string file = place->path.substr(place->path.rfind('/') + 1);
    at->second = {address_of(place->build_id, place->offset),
                  file.starts_with("ld-linux") || file.starts_with("ld-2.")};
    return at->second;
  }
  void forget() { known_.clear(); }

 private:
  struct Hash {
    size_t operator()(const std::pair<int32_t, uint64_t>& k) const {
      return (k.second ^ static_cast<uint64_t>(k.first)) * 0x9e3779b97f4a7c15ull >> 7;
    }
  };
  MappingIndex index_;
  std::unordered_map<std::pair<int32_t, uint64_t>, Site, Hash> known_;
};

class Player {
 public:
  Player(std::span<const uint8_t> svp, const ProcedureFile& file, const Trace& trace,
         const RehearsalOptions& options, Rehearsal& out)
      : svp_(svp), file_(file), trace_(trace), options_(options), out_(out), sites_(trace), own_(trace), scratch_(kScratch) {
    for (const Procedure& p : file.procs)
      for (const Trigger& t : p.triggers)
        for (const svp_arg& a : t.arg) follows_rows_ |= a.kind == SVP_ARG_ROW;
    script_.who = this;
    script_.call = [](void* who, long nr, const uint64_t arg[6]) {
      return static_cast<Player*>(who)->kernel_->call(nr, arg);
    };
    script_.resolve = [](void*, const svp_place* place) {
      return address_of(to_hex({place->build_id, place->build_id_len}), place->offset);
    };
  }

  void run() {
    find_tasks();
    std::map<int32_t, std::vector<const Event*>> processes;
    for (const Event& e : trace_.events) processes[e.pid].push_back(&e);
    for (const auto& [pid, events] : processes) play(pid, events);
  }

 private:
  // One number of a process: its image from fork, then each from exec.
  void play(int32_t pid, const std::vector<const Event*>& events) {
    std::vector<const Process*> images;
    for (const Process& p : trace_.processes)
      if (p.pid == pid) images.push_back(&p);
    size_t next = 0;
    for (size_t i = 0; i <= images.size(); ++i) {
      const uint64_t end = i < images.size() ? images[i]->start_ns : UINT64_MAX;
      std::vector<const Event*> part;
      // The exec that makes the image is the last call of the one before.
      while (next < events.size() && (events[next]->ts_ns < end)) part.push_back(events[next++]);
      // What comes before the first image is the recorder's child on its way to exec.
      if (!part.empty()) play_image(part, i ? images[i - 1] : nullptr, i == 0 && !images.empty());
    }
  }

  // Who made each process, and which threads belong to another one.
  void find_tasks() {
    for (const Event& e : trace_.events) {
      if (e.tid != e.pid) threads_.insert(e.tid);
      const bool makes = e.nr == SYSVM_NR_vfork || e.nr == SYSVM_NR_fork || e.nr == SYSVM_NR_clone ||
                         e.nr == SYSVM_NR_clone3;
      if (makes && e.ret > 0 && !e.has(kForkChild) && !e.has(kSignal)) made_by_[static_cast<int32_t>(e.ret)] = &e;
    }
    for (const Process& p : trace_.processes)
      if (p.execed) execs_.emplace(p.pid, p.start_ns);
  }

  bool shares_memory(const Process* image) const {  // the child of vfork and alike: until its exec it is plain
    if (!image || image->execed) return false;
    const auto made = made_by_.find(image->pid);
    if (made == made_by_.end()) return false;
    const Event& e = *made->second;
    return e.nr == SYSVM_NR_vfork || (e.nr == SYSVM_NR_clone && e.args[0] & CLONE_VM) ||
           (e.nr == SYSVM_NR_clone3 && waited_for_exec(e));
  }

  // clone3's flags are in memory that was not recorded: a parent that returns only when its child has execed
  // has used CLONE_VFORK.
  bool waited_for_exec(const Event& clone) const {
    const auto [from, to] = execs_.equal_range(static_cast<int32_t>(clone.ret));
    return std::any_of(from, to, [&](const auto& exec) {
      return exec.second > clone.ts_ns && exec.second <= clone.ts_ns + clone.dur_ns + 1000000;
    });
  }

  const std::string& build_id_of(const Process* image) const {
    static const std::string none;
    for (int depth = 0; image && depth < 64; ++depth) {
      if (!image->build_id.empty()) return image->build_id;
      const Process* parent = nullptr;
      for (const Process& p : trace_.processes)
        if (p.pid == image->parent && p.start_ns <= image->start_ns) parent = &p;
      image = parent;
    }
    return none;
  }

  static bool counts(const Event& e) { return !e.flags || !(e.flags & (kSignal | kForkChild)); }

  void play_image(const std::vector<const Event*>& events, const Process* image, bool before) {
    out_.processes += !before;
    sites_.forget();
    RecordedKernel kernel(trace_, events);
    kernel_ = &kernel;
    script_.here_device = kernel.here_device();
    names_ = follows_rows_ ? std::make_unique<NamesInMemory>(trace_, events) : nullptr;
    bool begun = false;
    const bool plain = before || shares_memory(image);
    for (size_t i = 0; i < events.size(); ++i) {
      const Event& e = *events[i];
      if (!e.has(kSignal)) out_.calls += counts(e);
      if (plain || e.has(kCompat)) {
        out_.plain += counts(e);
        out_.entries += counts(e);
        continue;
      }
      const Site site = e.has(kSignal) ? Site{} : sites_.of(e.pid, e.site(), e.ts_ns);
      script_.now_ms = own_.at(e.tid, e.ts_ns) / 1000000;
      if (!begun && !site.loader) {
        begun = true;
        begin(image, e);
      }
      if (e.has(kSignal)) {
        if (begun) rehearsal_signal();
        continue;
      }
      if (!counts(e)) continue;
      translate(e);
      kernel.at(i, call_.arg);
      if (site.loader) {
        ++out_.unseen;
        ++out_.entries;
        kernel.made_plainly();
        continue;
      }
      one_call(e, site);
    }
    if (begun) end();
    out_.ahead += kernel.calls().ahead;
    for (const auto& [nr, n] : kernel.calls().by_nr) out_.ahead_by_nr[nr] += n;
  }

  void begin(const Process* image, const Event& first) {
    shim_settings settings{};
    settings.svp = svp_.data();
    settings.svp_size = svp_.size();
    settings.engine = SYSVM_ENGINE_USER;
    settings.strict = options_.strict;
    settings.age_ms = options_.age_ms;
    settings.relaxed_age = options_.relaxed_age;
    if (const auto bytes = from_hex(build_id_of(image)); bytes && bytes->size() <= SVP_BUILD_ID_MAX) {
      std::copy(bytes->begin(), bytes->end(), settings.exe_build_id);
      settings.exe_build_id_len = static_cast<uint32_t>(bytes->size());
    }
    const int reason = rehearsal_begin(&settings, &script_, &stats_);
    start_ = reason ? kStartPlain : kStart;
    if (!reason && has_unseen(first.pid, first.ts_ns)) rehearsal_stop(SHIM_OFF_UNSEEN);
  }

  bool has_unseen(int32_t pid, uint64_t) const {
    if (!options_.unseen) return false;
    return std::any_of(trace_.mappings.begin(), trace_.mappings.end(), [&](const Mapping& m) {
      return m.pid == pid && options_.unseen(m.path, m.build_id);
    });
  }

  void translate(const Event& e) {
    call_ = {};
    call_.nr = static_cast<uint64_t>(e.nr);
    const sysvm_syscall_info* row = sysvm_syscall_by_nr(static_cast<uint32_t>(e.nr));
    size_t text = 0;
    for (size_t i = 0; i < 6; ++i) {
      call_.arg[i] = e.args[i];
      if (!row || i >= row->nargs || !e.args[i]) continue;
      switch (row->arg[i].kind) {
        case SYSVM_KIND_PATH:
        case SYSVM_KIND_STR: {
          const bool known = text < 2 && e.path[text] != kNoString && !e.has(kPathFault) && !e.has(kPathCut);
          // What was not read is like no other string.
          call_.arg[i] = reinterpret_cast<uint64_t>(known ? trace_.strings[e.path[text]].c_str() : "\x01?");
          if (names_) call_.arg[i] = names_->at(e.args[i], reinterpret_cast<const char*>(call_.arg[i]), text & 1);
          ++text;
          break;
        }
        case SYSVM_KIND_OUT:
        case SYSVM_KIND_OUTN:
        case SYSVM_KIND_OUTS:
          call_.arg[i] = reinterpret_cast<uint64_t>(scratch_.data());
          break;
        case SYSVM_KIND_PTR:
          if (e.nr == SYSVM_NR_ioctl) call_.arg[i] = reinterpret_cast<uint64_t>(scratch_.data());
          break;
        default:
          break;
      }
    }
  }

  void one_call(const Event& e, const Site& site) {
    const uint64_t stack[2] = {sites_.of(e.pid, e.caller, e.ts_ns).address, 0};
    call_.site = site.address;
    call_.sp = reinterpret_cast<uint64_t>(stack);
    if (e.nr == SYSVM_NR_clone3 || e.nr == SYSVM_NR_clone) {
      const bool thread = threads_.contains(static_cast<int32_t>(e.ret));
      script_.clone_flags = thread ? CLONE_VM | CLONE_FILES : waited_for_exec(e) ? CLONE_VM | CLONE_VFORK : 0;
    }
    const int verdict = rehearsal_call(&call_);
    if (verdict == SHIM_ANSWERED) {
      if (!kernel_->made() && call_.result != e.ret && !out_.wrong++)
        out_.wrong_why = fmt::format("{} would be answered with {}, the kernel said {}",
                                     call_name(static_cast<uint32_t>(e.nr)), call_.result, e.ret);
      return;
    }
    kernel_->made_plainly();
    call_.result = e.ret;
    rehearsal_after(&call_, verdict);
  }

  void end() {
    rehearsal_end();
    out_.forwarded += stats_.forwarded;
    out_.plain += stats_.plain;
    out_.runs += stats_.runs;
    out_.own += stats_.own + start_;
    out_.answered += stats_.answered;
    out_.entries += stats_.forwarded + stats_.plain + stats_.runs + stats_.own + start_;
    for (size_t i = 1; i < std::size(kReasons); ++i)
      if (stats_.off[i]) out_.off[kReasons[i]] += stats_.off[i];
    for (size_t i = 0; i < file_.procs.size(); ++i) {
      RehearsedProcedure& p = out_.procedures[i];
      p.runs += stats_.proc[i].runs;
      p.hits += stats_.proc[i].hits;
      p.misses += stats_.proc[i].misses;
      p.undone += stats_.proc[i].undone;
      p.off += stats_.proc[i].off;
      if (file_.procs[i].mode == SVP_RUN_AHEAD) out_.used += stats_.proc[i].hits;
    }
  }

  std::span<const uint8_t> svp_;
  const ProcedureFile& file_;
  const Trace& trace_;
  const RehearsalOptions& options_;
  Rehearsal& out_;
  Sites sites_;
  OwnTime own_;
  std::unordered_map<int32_t, const Event*> made_by_;
  std::unordered_set<int32_t> threads_;
  std::multimap<int32_t, uint64_t> execs_;
  std::vector<uint8_t> scratch_;
  bool follows_rows_ = false;
  std::unique_ptr<NamesInMemory> names_;  // of the present image
  rehearsal_script script_{};
  shim_call call_{};
  shim_stats stats_{};
  uint64_t start_ = 0;
  RecordedKernel* kernel_ = nullptr;
};

}  // namespace

Result<Rehearsal> rehearse(std::span<const uint8_t> svp, const std::vector<const Trace*>& traces,
                           const RehearsalOptions& options) {
  const ProcedureFile file = TRY(read_svp(svp));
  // The shim looks at structs in place: give it memory that is aligned for them.
  std::vector<uint64_t> aligned((svp.size() + 7) / 8 + 1);
  std::memcpy(aligned.data(), svp.data(), svp.size());
  const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(aligned.data()), svp.size());
  Rehearsal out;
  for (const Procedure& p : file.procs) {
    RehearsedProcedure& r = out.procedures.emplace_back();
    r.name = p.name;
    r.mode = svp_mode_name(p.mode);
  }
  for (const Trace* trace : traces) Player(bytes, file, *trace, options, out).run();
  return out;
}

}  // namespace sysvm
