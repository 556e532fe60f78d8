// SPDX-License-Identifier: MIT
#include "optimizer/prove/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <set>

#include "common/hex.h"
#include "libsysvm/shim/replay/replay.h"
#include "optimizer/base/calls.h"
#include "optimizer/base/images.h"
#include "optimizer/base/loader.h"
#include "optimizer/prove/names_in_memory.h"
#include "optimizer/prove/recorded_kernel.h"
#include "optimizer/prove/shim_calls.h"
#include "optimizer/prove/tasks.h"
#include "procedures/reader.h"
#include "procedures/writer.h"
#include "traces/own_time.h"

namespace sysvm {
namespace {

// Crossings of the shim's own start (`sysvm run --json`, "own"), by the files that the program maps: true
// with three files has 32 without procedures, grep with four 44 with them, ls and git with five 46.
constexpr uint64_t kStart = 26, kStartWithProcedures = 36, kStartOfEachFile = 2;
constexpr uint64_t kMappedFiles = 4;  // where the recording does not say
constexpr int kForks = 64;            // in a row, without an exec
constexpr size_t kTold = 4096;        // calls: how often progress is told
constexpr size_t kNamed = 3;          // programs or objects, for each reason to go plain
const char* const kReasons[] = {"",        "disabled", "threads", "unseen", "shared", "rings",
                                "seccomp", "traced",   "faults",  "libc",   "engine", "watch"};

struct Site {
  uint64_t address = 0;
  bool loader = false;  // the dynamic loader's own: not patched
};

class Sites {
 public:
  explicit Sites(const PackedTrace& trace) : index_(trace) {}
  const Site& of(int32_t pid, uint64_t address, uint64_t ts_ns) {
    auto [at, fresh] = known_.try_emplace({pid, address});
    if (!fresh || !address) return at->second;
    const Mapping* mapping = index_.find(pid, address, ts_ns);
    if (!mapping) return at->second;
    const auto [of, first] = files_.try_emplace(mapping);
    if (first) of->second = file_of(*mapping);
    at->second = {of->second->address_of(address - mapping->start + mapping->offset), of->second->loader};
    return at->second;
  }
  // Where the event was made, and what called it. The same for all events of one kind in one image.
  struct OfKind {
    Site site, caller;
  };
  const OfKind& of(const PackedEvent& e) {
    const uint32_t kind = e.kind().number;
    if (kinds_.size() <= kind) kinds_.resize(std::max<size_t>(kind + 1, 2 * kinds_.size()));
    auto& [image, found] = kinds_[kind];
    if (image != image_) {
      image = image_;
      found = {of(e.pid(), e.site(), e.ts_ns()), of(e.pid(), e.caller(), e.ts_ns())};
    }
    return found;
  }
  void forget() {
    known_.clear();
    ++image_;
  }

 private:
  // The same for all processes that map it: thousands may.
  struct File {
    bool loader = false;
    std::string build_id;
    std::unordered_map<uint64_t, uint64_t> addresses;  // by offset
    uint64_t address_of(uint64_t offset) {
      uint64_t& known = addresses[offset];
      return known ? known : known = sysvm::address_of(build_id, offset);
    }
  };
  File* file_of(const Mapping& mapping) {
    const auto [at, fresh] = by_path_.try_emplace({mapping.path, mapping.build_id});
    if (fresh) {
      at->second.loader = is_loader(mapping.path);
      at->second.build_id = mapping.build_id;
    }
    return &at->second;
  }
  struct Hash {
    size_t operator()(const std::pair<int32_t, uint64_t>& k) const {
      return (k.second ^ static_cast<uint64_t>(k.first)) * 0x9e3779b97f4a7c15ull >> 7;
    }
  };
  MappingIndex index_;
  std::map<std::pair<std::string, std::string>, File> by_path_;
  std::unordered_map<const Mapping*, File*> files_;
  std::unordered_map<std::pair<int32_t, uint64_t>, Site, Hash> known_;
  std::vector<std::pair<uint64_t, OfKind>> kinds_;  // by number; with the image that it was found for
  uint64_t image_ = 0;
};

// A process is handed the procedures that were made for its program and no others: each start checks the
// whole file, and each call goes through its triggers, so that every process would pay for a file for a whole
// machine.
class Loaded {
 public:
  struct Own {
    std::vector<uint64_t> bytes;  // the shim checks structs in place: aligned for them
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
  Player(Loaded& files, const PackedTrace& trace, const ReplayOptions& options, Replay& out)
      : files_(files),
        trace_(trace),
        options_(options),
        out_(out),
        images_(trace),
        tasks_(trace),
        texts_(trace),
        calls_(trace),
        sites_(trace),
        own_time_(trace) {
    for (const Procedure& p : files.all().procs)
      for (const Trigger& t : p.triggers)
        for (const svp_arg& a : t.arg) follows_rows_ |= a.kind == SVP_ARG_ROW;
    script_.who = this;
    script_.call = [](void* who, long nr, const uint64_t arg[6]) {
      return static_cast<Player*>(who)->kernel_->call(nr, arg);
    };
    script_.resolve = [](void*, const svp_place* place) {
      return address_of(to_hex({place->build_id, place->build_id_len}), place->offset);
    };
    for (const Mapping& m : trace.mappings) {
      mapped_[m.pid].push_back(&m);
      if (options.unseen && !unseen_.contains(m.pid) && options.unseen(m.path, m.build_id))
        unseen_.emplace(m.pid, &m.path);
    }
    for (auto& [pid, mapped] : mapped_)
      std::stable_sort(mapped.begin(), mapped.end(),
                       [](const Mapping* a, const Mapping* b) { return a->seen_ns < b->seen_ns; });
  }

  void run() {
    std::map<int32_t, std::vector<const PackedEvent*>> processes;
    std::unordered_map<int32_t, size_t> sizes;  // so that no vector grows: it would be there twice
    for (const PackedEvent& e : trace_.events) ++sizes[e.pid()];
    for (const auto& [pid, size] : sizes) processes[pid].reserve(size);
    for (const PackedEvent& e : trace_.events) {
      processes[e.pid()].push_back(&e);
      if (!options_.fates) continue;
      number_.emplace(&e, options_.fates->size());
      options_.fates->push_back(CallFate::kPlain);
    }
    for (auto& [pid, events] : processes) {
      play(pid, events);
      events = {};
    }
  }

 private:
  // One number of a process: its image from fork, then each from exec.
  void play(int32_t pid, std::span<const PackedEvent* const> events) {
    const std::vector<const Process*>& images = images_.of(pid);
    size_t next = 0;
    for (size_t i = 0; i <= images.size(); ++i) {
      const uint64_t end = i < images.size() ? images[i]->start_ns : UINT64_MAX;
      const size_t from = next;
      // The exec that makes the image is the last call of the one before.
      while (next < events.size() && (events[next]->ts_ns() < end)) ++next;
      const auto part = events.subspan(from, next - from);
      // What comes before the first image is the recorder's child on its way to exec.
      if (!part.empty()) play_image(part, i ? images[i - 1] : nullptr, end, i == 0 && !images.empty());
    }
  }

  static bool counts(const PackedEvent& e) { return !(e.flags() & (kSignal | kForkChild)); }

  // Each is counted by itself, then for its program and for all.
  void play_image(std::span<const PackedEvent* const> events, const Process* image, uint64_t end,
                  bool before) {
    now_ = {};
    const std::string& exe = images_.exe(image);
    program_ = exe.empty() ? "?" : exe;
    image_ = image;
    image_end_ = end;
    const TraceHeader& clocks = trace_.header;
    image_last_ns_ = events.back()->ts_ns() - clocks.boottime_ns + clocks.realtime_ns;
    now_.processes = !before;
    play_calls(events, before);
    out_.add(now_);
    out_.programs[program_].add(now_);
    if (options_.progress) options_.progress->add(events.size() % kTold);
  }

  void play_calls(std::span<const PackedEvent* const> events, bool before) {
    sites_.forget();
    RecordedKernel kernel(trace_, texts_, events);
    kernel_ = &kernel;
    script_.here_device = kernel.here_device();
    names_ = follows_rows_ ? std::make_unique<NamesInMemory>(trace_, events) : nullptr;
    bool begun = false;
    const bool plain = before || tasks_.shares_memory(image_);
    for (size_t i = 0; i < events.size(); ++i) {
      const PackedEvent& e = *events[i];
      if (options_.progress && i % kTold == kTold - 1) options_.progress->add(kTold);
      if (!e.has(kSignal)) now_.calls += counts(e);
      if (plain || e.has(kCompat)) {
        now_.plain += counts(e);
        now_.entries += counts(e);
        continue;
      }
      const Site site = e.has(kSignal) ? Site{} : sites_.of(e).site;
      script_.now_ms = own_time_.at(e.tid(), e.ts_ns()) / 1000000;
      if (!begun && !site.loader) {
        begun = true;
        begin(e);
      }
      if (e.has(kSignal)) {
        if (begun) replay_signal();
        continue;
      }
      if (!counts(e)) continue;
      shim_call call = calls_.make(e, names_.get());
      kernel.at(i, call.arg);
      if (site.loader) {
        ++now_.unseen;
        ++now_.entries;
        kernel.made_plainly();
        continue;
      }
      one_call(e, site, call);
    }
    if (begun) end();
    now_.ahead += kernel.calls().ahead;
    for (const auto& [nr, n] : kernel.calls().by_nr) now_.ahead_by_nr[nr] += n;
  }

  void begin(const PackedEvent& first) {
    own_file_ = &files_.of(images_.build_id(image_));
    shim_settings settings =
        settings_for(images_.build_id(image_), own_file_->bytes, own_file_->size, options_.strict);
    settings.age_ms = options_.age_ms;
    settings.relaxed_age = options_.relaxed_age;
    pid_ = first.pid();
    const int reason = replay_begin(&settings, &script_, &stats_);
    start_ = crossings_of_start(!reason);
    if (!reason && unseen_object()) replay_stop(SHIM_OFF_UNSEEN);
  }

  // A fork's child maps what its parent did.
  const std::string* unseen_object() const {
    const Process* image = image_;
    int32_t pid = pid_;
    for (int depth = 0; depth < kForks; ++depth) {
      if (const auto at = unseen_.find(pid); at != unseen_.end()) return at->second;
      if (!image || image->execed) return nullptr;
      pid = image->parent;
      image = images_.at(pid, image->start_ns);
    }
    return nullptr;
  }

  // The shim opens, checks and closes each object that the program was linked with.
  uint64_t crossings_of_start(bool with_procedures) const {
    std::set<std::string_view> files;
    if (const auto mapped = mapped_.find(pid_); mapped != mapped_.end()) {
      const auto from =
          std::partition_point(mapped->second.begin(), mapped->second.end(),
                               [&](const Mapping* m) { return image_ && m->seen_ns < image_->start_ns; });
      for (auto m = from; m != mapped->second.end() && (*m)->seen_ns < image_end_; ++m)
        if ((*m)->path.starts_with('/')) files.insert((*m)->path);
    }
    return (with_procedures ? kStartWithProcedures : kStart) +
           kStartOfEachFile * (files.empty() ? kMappedFiles : files.size());
  }

  void one_call(const PackedEvent& e, const Site& site, shim_call& call) {
    const uint64_t stack[2] = {sites_.of(e).caller.address, 0};
    call.site = site.address;
    call.sp = reinterpret_cast<uint64_t>(stack);
    if (e.nr() == SYSVM_NR_clone3 || e.nr() == SYSVM_NR_clone) script_.clone_flags = tasks_.clone_flags(e);
    now_.too_old += replay_too_old();
    const int verdict = replay_call(&call);
    if (verdict == SHIM_ANSWERED) {
      if (options_.fates)
        (*options_.fates)[number_.at(&e)] = kernel_->made() ? CallFate::kRuns : CallFate::kAnswered;
      if (!kernel_->made() && call.result != e.ret() && !out_.wrong++)
        out_.wrong_why = fmt::format("{} would be answered with {}, the kernel said {}",
                                     call_name(static_cast<uint32_t>(e.nr())), call.result, e.ret());
      return;
    }
    ++now_.left_by_nr[static_cast<uint32_t>(e.nr())];
    kernel_->made_plainly();
    call.result = e.ret();
    replay_after(&call, verdict);
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
      if (stats_.off[i]) went_plain(i);
    for (size_t i = 0; i < own_file_->number.size(); ++i) {
      ReplayedProcedure& p = out_.procedures[own_file_->number[i]];
      p.runs += stats_.proc[i].runs;
      p.hits += stats_.proc[i].hits;
      p.misses += stats_.proc[i].misses;
      p.undone += stats_.proc[i].undone;
      p.off += stats_.proc[i].off;
      if (stats_.proc[i].runs || stats_.proc[i].hits) p.last_ns = std::max(p.last_ns, image_last_ns_);
      if (files_.all().procs[own_file_->number[i]].mode == SVP_RUN_AHEAD) now_.used += stats_.proc[i].hits;
    }
  }

  void went_plain(size_t reason) {
    WentPlain& off = out_.off[kReasons[reason]];
    off.processes += 1;
    off.calls += now_.calls;
    const std::string* object = reason == SHIM_OFF_UNSEEN ? unseen_object() : nullptr;
    const std::string& name = object ? *object : program_;
    if (off.of.size() < kNamed && std::find(off.of.begin(), off.of.end(), name) == off.of.end())
      off.of.push_back(name);
  }

  Loaded& files_;
  const PackedTrace& trace_;
  const ReplayOptions& options_;
  Replay& out_;
  const Images images_;
  const Tasks tasks_;
  Texts texts_;
  ShimCalls calls_;
  Sites sites_;
  const OwnTime own_time_;
  std::unordered_map<const PackedEvent*, size_t> number_;  // in options_.fates
  std::unordered_map<int32_t, std::vector<const Mapping*>> mapped_;
  // Processes that map an object with system calls that the shim cannot see, and its path.
  std::unordered_map<int32_t, const std::string*> unseen_;
  bool follows_rows_ = false;
  replay_script script_{};

  // Of the present image.
  const Process* image_ = nullptr;
  uint64_t image_end_ = 0;
  uint64_t image_last_ns_ = 0;  // its last call, CLOCK_REALTIME
  const Loaded::Own* own_file_ = nullptr;
  ReplayCounts now_;
  std::string program_;
  int32_t pid_ = 0;
  std::unique_ptr<NamesInMemory> names_;
  RecordedKernel* kernel_ = nullptr;
  shim_stats stats_{};
  uint64_t start_ = 0;
};

}  // namespace

Result<Replay> replay(std::span<const uint8_t> svp, const std::vector<const PackedTrace*>& traces,
                      const ReplayOptions& options) {
  Loaded files(TRY(read_svp(svp)));
  Replay out;
  if (options.progress) {
    uint64_t events = 0;
    for (const PackedTrace* trace : traces) events += trace->events.size();
    options.progress->begin(events);
  }
  for (const Procedure& p : files.all().procs) {
    ReplayedProcedure& r = out.procedures.emplace_back();
    r.name = p.name;
    r.mode = svp_mode_name(p.mode);
  }
  for (const PackedTrace* trace : traces) Player(files, *trace, options, out).run();
  return out;
}

}  // namespace sysvm
