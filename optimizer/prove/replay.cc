// SPDX-License-Identifier: MIT
#include "optimizer/prove/replay.h"

#include <fmt/format.h>
#include <linux/sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <unordered_set>

#include "libsysvm/shim/replay/replay.h"
#include "libsysvm/sysvm.h"
#include "optimizer/base/calls.h"
#include "common/hex.h"
#include "optimizer/prove/names_in_memory.h"
#include "optimizer/prove/recorded_kernel.h"
#include "procedures/reader.h"
#include "procedures/writer.h"
#include "traces/own_time.h"

namespace sysvm {
namespace {

// Entries of the shim's own start (`sysvm run --json`, "own"): a program that maps four files has 44 with procedures,
// 34 without; each file more or less is two (grep 44, ls and git 46, python3 51; true, three files, 32).
constexpr uint64_t kStart = 44, kStartPlain = 34;
constexpr size_t kNamed = 3;  // programs or objects, for each reason to go plain
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

// A process is handed the procedures that were made for its program and no others: each start checks the whole file, and
// each call goes through its triggers, so a file for a whole machine would be paid for by every process of the recording.
class Loaded {
 public:
  struct Own {
    std::vector<uint64_t> bytes;  // the shim looks at structs in place: aligned for them
    size_t size = 0;
    std::vector<uint32_t> number;  // in the whole file
  };
  explicit Loaded(ProcedureFile file) : file_(std::move(file)) {}
  const ProcedureFile& all() const { return file_; }
  const Own& of(const std::string& build_id) {
    const auto [at, fresh] = own_.try_emplace(build_id);
    if (!fresh) return at->second;
    ProcedureFile mine;
    for (uint32_t i = 0; i < file_.procs.size(); ++i) {
      const std::string& exe = file_.procs[i].exe;
      if (!exe.empty() && exe != build_id) continue;
      mine.procs.push_back(file_.procs[i]);
      at->second.number.push_back(i);
    }
    const Result<std::vector<uint8_t>> bytes = write_svp(mine);  // a part of what was checked
    if (!bytes) return at->second;
    at->second.size = bytes->size();
    at->second.bytes.resize((bytes->size() + 7) / 8 + 1);
    std::memcpy(at->second.bytes.data(), bytes->data(), bytes->size());
    return at->second;
  }

 private:
  ProcedureFile file_;
  std::unordered_map<std::string, Own> own_;
};

class Player {
 public:
  Player(Loaded& files, const Trace& trace, const ReplayOptions& options, Replay& out)
      : files_(files), file_(files.all()), trace_(trace), options_(options), out_(out), sites_(trace), own_(trace), scratch_(kScratch) {
    for (const Procedure& p : file_.procs)
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
    static const std::vector<const Process*> none;
    const auto known = images_.find(pid);
    const std::vector<const Process*>& images = known == images_.end() ? none : known->second;
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
    for (const Process& p : trace_.processes) {
      images_[p.pid].push_back(&p);
      if (p.execed) execs_.emplace(p.pid, p.start_ns);
    }
    for (auto& [pid, images] : images_)  // a file may have them in any order
      std::stable_sort(images.begin(), images.end(),
                       [](const Process* a, const Process* b) { return a->start_ns < b->start_ns; });
    if (!options_.unseen) return;
    for (const Mapping& m : trace_.mappings)
      if (!unseen_.contains(m.pid) && options_.unseen(m.path, m.build_id)) unseen_.emplace(m.pid, &m.path);
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
      image = image_at(image->parent, image->start_ns);
    }
    return none;
  }

  const Process* image_at(int32_t pid, uint64_t ts_ns) const {
    const auto known = images_.find(pid);
    if (known == images_.end()) return nullptr;
    const auto after = std::partition_point(known->second.begin(), known->second.end(),
                                            [&](const Process* p) { return p->start_ns <= ts_ns; });
    return after == known->second.begin() ? nullptr : *std::prev(after);
  }

  static bool counts(const Event& e) { return !e.flags || !(e.flags & (kSignal | kForkChild)); }

  // Each is counted by itself, then for its program and for all.
  void play_image(const std::vector<const Event*>& events, const Process* image, bool before) {
    now_ = {};
    program_ = program_of(image);
    now_.processes = !before;
    play_calls(events, image, before);
    out_.add(now_);
    out_.programs[program_].add(now_);
  }

  std::string program_of(const Process* image) const {
    for (int depth = 0; image && depth < 64; ++depth) {
      if (!image->exe.empty()) return image->exe;
      image = image_at(image->parent, image->start_ns);
    }
    return "?";
  }

  void play_calls(const std::vector<const Event*>& events, const Process* image, bool before) {
    sites_.forget();
    RecordedKernel kernel(trace_, events);
    kernel_ = &kernel;
    script_.here_device = kernel.here_device();
    names_ = follows_rows_ ? std::make_unique<NamesInMemory>(trace_, events) : nullptr;
    bool begun = false;
    const bool plain = before || shares_memory(image);
    for (size_t i = 0; i < events.size(); ++i) {
      const Event& e = *events[i];
      if (!e.has(kSignal)) now_.calls += counts(e);
      if (plain || e.has(kCompat)) {
        now_.plain += counts(e);
        now_.entries += counts(e);
        continue;
      }
      const Site site = e.has(kSignal) ? Site{} : sites_.of(e.pid, e.site(), e.ts_ns);
      script_.now_ms = own_.at(e.tid, e.ts_ns) / 1000000;
      if (!begun && !site.loader) {
        begun = true;
        begin(image, e);
      }
      if (e.has(kSignal)) {
        if (begun) replay_signal();
        continue;
      }
      if (!counts(e)) continue;
      translate(e);
      kernel.at(i, call_.arg);
      if (site.loader) {
        ++now_.unseen;
        ++now_.entries;
        kernel.made_plainly();
        continue;
      }
      one_call(e, site);
    }
    if (begun) end();
    now_.ahead += kernel.calls().ahead;
    for (const auto& [nr, n] : kernel.calls().by_nr) now_.ahead_by_nr[nr] += n;
  }

  void begin(const Process* image, const Event& first) {
    shim_settings settings{};
    own_file_ = &files_.of(build_id_of(image));
    settings.svp = own_file_->bytes.data();
    settings.svp_size = own_file_->size;
    settings.engine = SYSVM_ENGINE_USER;
    settings.strict = options_.strict;
    settings.age_ms = options_.age_ms;
    settings.relaxed_age = options_.relaxed_age;
    if (const auto bytes = from_hex(build_id_of(image)); bytes && bytes->size() <= SVP_BUILD_ID_MAX) {
      std::copy(bytes->begin(), bytes->end(), settings.exe_build_id);
      settings.exe_build_id_len = static_cast<uint32_t>(bytes->size());
    }
    pid_ = first.pid;
    const int reason = replay_begin(&settings, &script_, &stats_);
    start_ = reason ? kStartPlain : kStart;
    if (!reason && unseen_.contains(first.pid)) replay_stop(SHIM_OFF_UNSEEN);
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
    const int verdict = replay_call(&call_);
    if (verdict == SHIM_ANSWERED) {
      if (!kernel_->made() && call_.result != e.ret && !out_.wrong++)
        out_.wrong_why = fmt::format("{} would be answered with {}, the kernel said {}",
                                     call_name(static_cast<uint32_t>(e.nr)), call_.result, e.ret);
      return;
    }
    ++now_.left_by_nr[static_cast<uint32_t>(e.nr)];
    kernel_->made_plainly();
    call_.result = e.ret;
    replay_after(&call_, verdict);
  }

  void end() {
    replay_end();
    now_.forwarded += stats_.forwarded;
    now_.plain += stats_.plain;
    now_.runs += stats_.runs;
    now_.own += stats_.own + start_;
    now_.answered += stats_.answered;
    now_.entries += stats_.forwarded + stats_.plain + stats_.runs + stats_.own + start_;
    now_.inner += stats_.inner;
    now_.shimmed += 1;
    for (size_t i = 1; i < std::size(kReasons); ++i)
      if (stats_.off[i]) went_plain(i, stats_.off[i]);
    for (size_t i = 0; i < own_file_->number.size(); ++i) {
      const Procedure& proc = file_.procs[own_file_->number[i]];
      ReplayedProcedure& p = out_.procedures[own_file_->number[i]];
      p.runs += stats_.proc[i].runs;
      p.hits += stats_.proc[i].hits;
      p.misses += stats_.proc[i].misses;
      p.undone += stats_.proc[i].undone;
      p.off += stats_.proc[i].off;
      if (proc.mode == SVP_RUN_AHEAD) now_.used += stats_.proc[i].hits;
    }
  }

  void went_plain(size_t reason, uint64_t times) {
    WentPlain& off = out_.off[kReasons[reason]];
    off.processes += times;
    off.calls += now_.calls;
    const auto object = unseen_.find(pid_);
    const std::string& name = reason == SHIM_OFF_UNSEEN && object != unseen_.end() ? *object->second : program_;
    if (off.of.size() < kNamed && std::find(off.of.begin(), off.of.end(), name) == off.of.end()) off.of.push_back(name);
  }

  Loaded& files_;
  const Loaded::Own* own_file_ = nullptr;  // of the present image
  const ProcedureFile& file_;
  const Trace& trace_;
  const ReplayOptions& options_;
  Replay& out_;
  ReplayCounts now_;  // of the present image
  std::string program_;
  int32_t pid_ = 0;
  Sites sites_;
  OwnTime own_;
  std::unordered_map<int32_t, const Event*> made_by_;
  std::unordered_set<int32_t> threads_;
  std::unordered_map<int32_t, std::vector<const Process*>> images_;  // of each number, in order of start
  // Processes that map an object with system calls that the shim cannot see, and its path.
  std::unordered_map<int32_t, const std::string*> unseen_;
  std::multimap<int32_t, uint64_t> execs_;
  std::vector<uint8_t> scratch_;
  bool follows_rows_ = false;
  std::unique_ptr<NamesInMemory> names_;  // of the present image
  replay_script script_{};
  shim_call call_{};
  shim_stats stats_{};
  uint64_t start_ = 0;
  RecordedKernel* kernel_ = nullptr;
};

}  // namespace

void ReplayCounts::add(const ReplayCounts& other) {
  for (uint64_t ReplayCounts::*field :
       {&ReplayCounts::processes, &ReplayCounts::calls, &ReplayCounts::entries, &ReplayCounts::unseen,
        &ReplayCounts::plain, &ReplayCounts::forwarded, &ReplayCounts::runs, &ReplayCounts::own,
        &ReplayCounts::answered, &ReplayCounts::ahead, &ReplayCounts::used, &ReplayCounts::inner,
        &ReplayCounts::shimmed})
    this->*field += other.*field;
  for (const auto& [nr, n] : other.ahead_by_nr) ahead_by_nr[nr] += n;
  for (const auto& [nr, n] : other.left_by_nr) left_by_nr[nr] += n;
}

Result<Replay> replay(std::span<const uint8_t> svp, const std::vector<const Trace*>& traces,
                           const ReplayOptions& options) {
  Loaded files(TRY(read_svp(svp)));
  Replay out;
  for (const Procedure& p : files.all().procs) {
    ReplayedProcedure& r = out.procedures.emplace_back();
    r.name = p.name;
    r.mode = svp_mode_name(p.mode);
  }
  for (const Trace* trace : traces) Player(files, *trace, options, out).run();
  return out;
}

}  // namespace sysvm
