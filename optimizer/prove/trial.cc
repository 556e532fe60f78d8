// SPDX-License-Identifier: MIT
#include "optimizer/prove/trial.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <unordered_map>

#include "libsysvm/shim/replay/replay.h"
#include "optimizer/make/emit.h"
#include "optimizer/prove/recorded_kernel.h"
#include "optimizer/prove/shim_calls.h"
#include "procedures/assembler.h"
#include "procedures/writer.h"
#include "traces/own_time.h"

namespace sysvm {
namespace {

constexpr uint64_t kFuel = 65536;  // that the shim gives to each run
// Where nothing is outstanding and the trigger does not come for long, the shim learns nothing that matters
// to the candidate: of a long recording only what lies near its triggers is played.
constexpr size_t kFar = 256, kNear = 16;

// What is needed of a recording, whichever the candidate.
struct Ground {
  explicit Ground(const PackedTrace& trace) : texts(trace), calls(trace), time(trace) {}
  Texts texts;
  ShimCalls calls;
  OwnTime time;
};

bool follows_rows(const Procedure& proc) {
  return std::any_of(proc.triggers[0].arg.begin(), proc.triggers[0].arg.end(),
                     [](const svp_arg& a) { return a.kind == SVP_ARG_ROW; });
}

// The calls with a path that comes back; of the occurrence that has most of them.
std::vector<const PackedEvent*> kept_paths_in(const std::vector<const Occurrence*>& occurrences) {
  std::vector<const PackedEvent*> most;
  for (const Occurrence* o : occurrences) {
    std::vector<const PackedEvent*> calls;
    for (const OccurrenceStep& s : o->steps)
      if (s.sources->args.size() > 1 && s.sources->args[1].from == From::kKept) calls.push_back(s.calls[0]);
    if (calls.size() > most.size()) most = std::move(calls);
  }
  return most;
}

}  // namespace

double TrialTotals::spread_ns() const {
  const auto n = static_cast<double>(runs);
  if (n < 2) return std::fabs(saved_ns);
  const double variance = std::max(0.0, (saved_squares - saved_ns * saved_ns / n) / (n - 1));
  return 1.96 * std::sqrt(variance * n);
}

class Trials::Stage {
 public:
  Stage(const CostModel& cost, bool late_close) : cost_(cost), late_close_(late_close) {
    script_.who = this;
    script_.call = [](void* who, long nr, const uint64_t arg[6]) {
      return static_cast<Stage*>(who)->kernel_->call(nr, arg);
    };
    script_.resolve = [](void*, const svp_place* place) {
      return place->offset | 1;
    };  // a candidate has none
  }

  // The candidate in a file of its own; after it, unless --strict, the late close, which its code makes room
  // for.
  Result<> load(const Procedure& proc) {
    proc_ = &proc;
    ProcedureFile file;
    file.procs.push_back(proc);
    if (late_close_) {
      Emitted close = emit_late_close(proc.exe, 0);
      close.proc.code = TRY(assemble(close.text));
      file.procs.push_back(close.proc);
    }
    const std::vector<uint8_t> bytes = TRY(write_svp(file));
    svp_size_ = bytes.size();
    svp_.assign(bytes.size() / 8 + 1, 0);
    std::memcpy(svp_.data(), bytes.data(), bytes.size());
    totals_ = {};
    counts_ = total_counts_ = {};
    run_ = {};
    occurred_ = {};
    refused_ = false;
    stream_ = nullptr;
    begun_ = false;
    return Unit{};
  }

  void enter(const Stream& stream) {
    stream_ = &stream;
    std::unique_ptr<Ground>& ground = grounds_[stream.trace];
    if (!ground) ground = std::make_unique<Ground>(*stream.trace);
    ground_ = ground.get();
    std::unique_ptr<RecordedKernel>& kernel = kernels_[&stream];
    if (!kernel) kernel = std::make_unique<RecordedKernel>(*stream.trace, ground_->texts, stream.calls);
    kernel_ = kernel.get();
    kernel_->restart();
    names_ = follows_rows(*proc_) ? std::make_unique<NamesInMemory>(*stream.trace, stream.calls) : nullptr;
    script_.here_device = kernel_->here_device();
    if (begun_ && replay_next_process()) return;
    if (begun_) end();
    shim_settings settings = settings_for(proc_->exe, svp_, svp_size_, !late_close_);
    // The tracer has slowed the recorded calls down, so no answer counts as too old here. The replay of all
    // procedures together counts what is dropped for its age.
    settings.age_ms = UINT32_MAX;
    begun_ = true;
    const int off = replay_begin(&settings, &script_, &stats_);
    refused_ = off || replay_refused(0);
    if (refused_) totals_.wrong_why = "the shim refuses to run it";
    counts_ = {};
  }

  // The procedure is tried at these occurrences of its trigger, which are all in one stream, and at no other
  // open.
  void play(std::span<const Occurrence* const> occurrences,
            const std::vector<const PackedEvent*>& kept_paths) {
    const Stream& stream = *occurrences[0]->stream;
    enter(stream);
    for (size_t i = 0; i < kept_paths.size(); ++i) {
      shim_call call = ground_->calls.make(*kept_paths[i], nullptr);
      call.sp = reinterpret_cast<uint64_t>(stack_);
      replay_know_path(&call, i == 0);
    }
    const bool opens = is_open(static_cast<uint32_t>(occurrences[0]->trigger->nr()));
    bool device_known = false;
    size_t next = 0;
    for (size_t at = 0; at < stream.calls.size(); ++at) {
      const bool listed = next < occurrences.size() && occurrences[next]->at == at;
      if (!listed && !replay_outstanding()) {
        const size_t to = next < occurrences.size() ? occurrences[next]->at : stream.calls.size();
        if (to - at > kFar) {
          at = to - kNear;
          kernel_->skip_to(at);
        }
      }
      if (listed) {
        const RecordedKernel::OpenFile file = kernel_->file_at(at);
        if (!device_known && file.good) replay_know_device(file.device);
        device_known |= file.good;
        if (stream.calls[at]->nr() == SYSVM_NR_read)
          replay_know_descriptor(static_cast<int>(stream.calls[at]->arg(0)), file.regular,
                                 static_cast<int64_t>(file.position), file.device);
        ++next;
      }
      const bool hold = opens && !listed && is_open(static_cast<uint32_t>(stream.calls[at]->nr()));
      if (hold) replay_hold(true);
      make(at);
      if (hold) replay_hold(false);
    }
    leave();
  }

  void all_calls(const Stream& stream, const EventSet& answered) {
    enter(stream);
    for (size_t at = 0; at < stream.calls.size(); ++at) {
      if (answered.contains(stream.calls[at]))
        learn_from(at);
      else
        make(at);
    }
    leave();
  }

  bool refused() const { return refused_; }

  TrialTotals finish() {
    if (begun_) end();
    totals_.hits = total_counts_.hits;
    totals_.misses = total_counts_.misses;
    totals_.undone = total_counts_.undone;
    totals_.example.keep_if_better(occurred_);
    return std::move(totals_);
  }

 private:
  // The program makes call number `at`.
  void make(size_t at) {
    const PackedEvent& e = *stream_->calls[at];
    shim_call call = begin_call(at);
    const replay_counts before = counts_;
    const uint64_t closes = kernel_->calls().closes;
    int32_t follower = -1;
    const int verdict = replay_try(&call, &follower);
    replay_counts_of(0, &counts_);
    if (counts_.runs != before.runs) {
      end_run();
      begin_run(e, counts_.inner - before.inner - (kernel_->calls().closes - closes));
    } else if (counts_.hits != before.hits) {
      answered(e, call.result, static_cast<size_t>(follower));
    }
    if (verdict == SHIM_ANSWERED) return;
    kernel_->made_plainly();
    call.result = e.ret();
    replay_after(&call, verdict);
  }

  // Something else answers it: what the shim learns from it, and nothing that is outstanding is touched.
  void learn_from(size_t at) {
    shim_call call = begin_call(at);
    kernel_->made_plainly();
    call.result = stream_->calls[at]->ret();
    replay_after(&call, SHIM_WATCH);
  }

  shim_call begin_call(size_t at) {
    const PackedEvent& e = *stream_->calls[at];
    shim_call call = ground_->calls.make(e, names_.get());
    call.sp = reinterpret_cast<uint64_t>(stack_);
    kernel_->at(at, call.arg);
    script_.now_ms = ground_->time.at(e.tid(), e.ts_ns()) / 1000000;
    return call;
  }

  void answered(const PackedEvent& e, int64_t result, size_t follower) {
    if (result != e.ret()) {
      ++totals_.wrong;
      totals_.wrong_why = fmt::format("{} would be answered with {}, the kernel said {}",
                                      call_name(static_cast<uint32_t>(e.nr())), result, e.ret());
    }
    totals_.answered.push_back(&e);
    occurred_.add(e, follower);
  }

  // What the page shows of a run is read at once: a late close may use it for something else.
  void begin_run(const PackedEvent& trigger, uint64_t inner) {
    ++totals_.runs;
    totals_.inner += inner;
    run_ = {true, inner, kFuel - replay_page()->fuel, counts_.hits, counts_.undone, {}};
    for (const Follower& f : proc_->followers)
      if (replay_page()->reg[f.result] != SVP_NOT_MADE) run_.made.push_back(f.nr);
    totals_.example.keep_if_better(occurred_);
    occurred_ = {stream_, &trigger};
  }

  // The calls made and not answered were in vain; the log is used in order.
  void end_run() {
    if (!run_.active) return;
    run_.active = false;
    const uint64_t hits = counts_.hits - run_.hits, undone = counts_.undone - run_.undone;
    const uint64_t ahead = run_.inner - std::min<uint64_t>(1, run_.inner);
    uint64_t unused = ahead - std::min(hits, ahead);
    totals_.unused += unused;
    double besides = cost_.run_ns + static_cast<double>(run_.insns) * cost_.insn_ns +
                     static_cast<double>(run_.inner) * cost_.inner_extra_ns +
                     static_cast<double>(hits) * cost_.serve_ns +
                     static_cast<double>(undone) * (cost_.undo_ns - cost_.crossing_ns);
    for (size_t i = hits; i < run_.made.size() && unused; ++i, --unused)
      besides += cost_.inner_ns(run_.made[i]);
    // A guard that no follower stands for, dirents that nobody asked for.
    besides += static_cast<double>(unused) * cost_.inner_ns(SYSVM_NR_fstat);
    const double crossings = static_cast<double>(hits) - static_cast<double>(undone);
    const double saved = crossings * cost_.crossing_ns - besides;
    totals_.crossings += crossings;
    totals_.besides_ns += besides;
    totals_.saved_ns += saved;
    totals_.saved_squares += saved * saved;
  }

  void leave() {
    replay_drop();
    replay_counts_of(0, &counts_);
    end_run();
  }

  void end() {
    replay_drop();
    replay_counts_of(0, &counts_);
    end_run();
    total_counts_.hits += counts_.hits;
    total_counts_.misses += counts_.misses;
    total_counts_.undone += counts_.undone;
    replay_end();
    begun_ = false;
  }

  struct Run {
    bool active = false;
    uint64_t inner = 0, insns = 0;
    uint64_t hits = 0, undone = 0;  // when it began
    std::vector<uint32_t> made;     // numbers of the followers' calls
  };

  const CostModel& cost_;
  const bool late_close_;
  std::unordered_map<const PackedTrace*, std::unique_ptr<Ground>> grounds_;
  std::unordered_map<const Stream*, std::unique_ptr<RecordedKernel>> kernels_;
  replay_script script_{};
  shim_stats stats_{};
  const uint64_t stack_[2] = {};

  // Of the present candidate.
  const Procedure* proc_ = nullptr;
  std::vector<uint64_t> svp_;  // the shim checks structs in place: aligned for them
  size_t svp_size_ = 0;
  bool begun_ = false, refused_ = false;
  const Stream* stream_ = nullptr;
  Ground* ground_ = nullptr;
  RecordedKernel* kernel_ = nullptr;
  std::unique_ptr<NamesInMemory> names_;
  replay_counts counts_{}, total_counts_{};  // since replay_begin; of those before
  Run run_;
  Occurred occurred_;
  TrialTotals totals_;
};

Trials::Trials(const CostModel& cost, bool late_close) : stage_(std::make_unique<Stage>(cost, late_close)) {}
Trials::~Trials() = default;

Result<TrialTotals> Trials::of(const Procedure& proc, const std::vector<const Occurrence*>& occurrences) {
  TRY(stage_->load(proc));
  const std::vector<const PackedEvent*> kept_paths = kept_paths_in(occurrences);
  for (size_t from = 0, to; from < occurrences.size() && !stage_->refused(); from = to) {
    for (to = from + 1; to < occurrences.size() && occurrences[to]->stream == occurrences[from]->stream;)
      ++to;
    stage_->play(std::span(occurrences).subspan(from, to - from), kept_paths);
  }
  return stage_->finish();
}

Result<TrialTotals> Trials::of_loop(const Procedure& proc, const std::vector<const Stream*>& streams,
                                    const EventSet& answered) {
  TRY(stage_->load(proc));
  for (size_t i = 0; i < streams.size() && !stage_->refused(); ++i) stage_->all_calls(*streams[i], answered);
  return stage_->finish();
}

}  // namespace sysvm
