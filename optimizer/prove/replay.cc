// SPDX-License-Identifier: MIT
#include "optimizer/prove/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <set>
#include <thread>

#include "common/hex.h"
#include "libsysvm/shim/replay/replay.h"
#include "optimizer/base/calls.h"
#include "optimizer/base/images.h"
#include "optimizer/prove/call_sites.h"
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
constexpr size_t kPays = 1 << 16;     // calls of a recording: fewer take one thread some ten ms
const char* const kReasons[] = {"",        "disabled", "threads", "unseen", "shared", "rings",
                                "seccomp", "traced",   "faults",  "libc",   "engine", "watch"};

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

using Processes = std::map<int32_t, std::vector<const PackedEvent*>>;

class Player {
 public:
  Player(const replay_functions& shim, Loaded& files, const PackedTrace& trace, const ReplayOptions& options,
         Replay& out)
      : shim_(shim),
        files_(files),
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
    if (options.fates)
      for (const PackedEvent& e : trace.events) {
        number_.emplace(&e, options.fates->size());
        options.fates->push_back(CallFate::kPlain);
      }
    for (const Mapping& m : trace.mappings) {
      mapped_[m.pid].push_back(&m);
      if (options.unseen && !unseen_.contains(m.pid) && options.unseen(m.path, m.build_id))
        unseen_.emplace(m.pid, &m.path);
    }
    for (auto& [pid, mapped] : mapped_)
      std::stable_sort(mapped.begin(), mapped.end(),
                       [](const Mapping* a, const Mapping* b) { return a->seen_ns < b->seen_ns; });
  }

  // All calls of these, which are not needed afterwards.
  void run(Processes::iterator from, Processes::iterator to) {
    for (; from != to; ++from) {
      play(from->first, from->second);
      from->second = {};
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
        if (begun) shim_.signal();
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
    const int reason = shim_.begin(&settings, &script_, &stats_);
    start_ = crossings_of_start(!reason);
    if (!reason && unseen_object()) shim_.stop(SHIM_OFF_UNSEEN);
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
    now_.too_old += shim_.too_old();
    const int verdict = shim_.call(&call);
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
    shim_.after(&call, verdict);
  }

  void end() {
    shim_.end();
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
    off.name(name);
  }

  const replay_functions& shim_;
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

Replay of_nothing(const Loaded& files) {
  Replay out;
  for (const Procedure& p : files.all().procs) {
    ReplayedProcedure& r = out.procedures.emplace_back();
    r.name = p.name;
    r.mode = svp_mode_name(p.mode);
  }
  return out;
}

Processes processes_of(const PackedTrace& trace) {
  Processes processes;
  std::unordered_map<int32_t, size_t> sizes;  // so that no vector grows: it would be there twice
  for (const PackedEvent& e : trace.events) ++sizes[e.pid()];
  for (const auto& [pid, size] : sizes) processes[pid].reserve(size);
  for (const PackedEvent& e : trace.events) processes[e.pid()].push_back(&e);
  return processes;
}

size_t threads_for(const PackedTrace& trace, const Processes& processes, const ReplayOptions& options) {
  if (options.fates) return 1;
  size_t threads = options.threads;
  if (!threads) threads = trace.events.size() < kPays ? 1 : std::thread::hardware_concurrency();
  return std::clamp<size_t>(threads, 1, std::min<size_t>(REPLAY_COPIES, processes.size()));
}

// Each thread takes processes that stand next to each other, with about as many calls as the others', and
// what they count is added in that order: the sums are the same, however many there are.
void play_all(Loaded& files, const PackedTrace& trace, const ReplayOptions& options, Replay& out) {
  static const replay_functions* const kShims[REPLAY_COPIES] = {&replay_copy_1, &replay_copy_2,
                                                                &replay_copy_3, &replay_copy_4};
  Processes processes = processes_of(trace);
  if (processes.empty()) return;
  const size_t threads = threads_for(trace, processes, options);
  if (threads == 1) {
    Player(*kShims[0], files, trace, options, out).run(processes.begin(), processes.end());
    return;
  }
  struct Part {
    Loaded files;
    Replay counts;
    std::unique_ptr<Player> player;
    Processes::iterator from, to;
  };
  std::deque<Part> parts;
  size_t calls = 0;
  for (auto next = processes.begin(); next != processes.end();) {
    Part& part = parts.emplace_back(Part{files, of_nothing(files), nullptr, next, next});
    while (next != processes.end() && calls * threads < trace.events.size() * parts.size())
      calls += (next++)->second.size();
    part.to = next;
    // Here, since what it asks (ReplayOptions::unseen) need not be safe to ask from a thread.
    part.player =
        std::make_unique<Player>(*kShims[parts.size() - 1], part.files, trace, options, part.counts);
  }
  {
    std::vector<std::jthread> running;
    for (size_t i = 1; i < parts.size(); ++i)
      running.emplace_back([&part = parts[i]] { part.player->run(part.from, part.to); });
    parts[0].player->run(parts[0].from, parts[0].to);
  }
  for (const Part& part : parts) out.append(part.counts);
}

}  // namespace

Result<Replay> replay(std::span<const uint8_t> svp, const std::vector<const PackedTrace*>& traces,
                      const ReplayOptions& options) {
  Loaded files(TRY(read_svp(svp)));
  Replay out = of_nothing(files);
  if (options.progress) {
    uint64_t events = 0;
    for (const PackedTrace* trace : traces) events += trace->events.size();
    options.progress->begin(events);
  }
  for (const PackedTrace* trace : traces) play_all(files, *trace, options, out);
  return out;
}

}  // namespace sysvm
