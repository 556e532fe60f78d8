// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>

#include "procedures/assembler.h"
#include "optimizer/prove/attempt.h"
#include "optimizer/learn/by_site.h"
#include "optimizer/make/emit.h"
#include "optimizer/base/event_set.h"
#include "optimizer/learn/legality.h"
#include "optimizer/learn/occurrences.h"
#include "optimizer/optimizer.h"
#include "optimizer/make/planner.h"
#include "optimizer/prove/trial.h"
#include "optimizer/prove/trial_entries.h"
#include "optimizer/learn/rows.h"
#include "optimizer/base/streams.h"
#include "procedures/reader.h"
#include "procedures/writer.h"

namespace sysvm {
namespace {

struct Candidate {  // a procedure with what it would have done
  Procedure proc;
  EmittedInfo info;
};

constexpr size_t kObjectsMax = 512;   // files that a recording is said to have executed
constexpr uint64_t kOwnClass = 16;  // opens of one path that make a class of their own

class Compiler {
 public:
  Compiler(const std::vector<const Trace*>& traces, const CompileOptions& options)
      : options_(options), traces_(traces), streams_(split_into_streams(traces, &counts_)) {
    for (const Stream& s : streams_) by_exe_[s.exe].push_back(&s);
  }

  Result<Compiled> run() {
    if (!options_.empty) {
      find_descriptors();
      find_loops();
      TRY(after_opens());
      TRY(at_entries());
      TRY(after_locks());
      TRY(after_reads());
      TRY(in_rows());
      TRY(answers());
      if (!options_.strict) TRY(late_closes());
    }
    return finish();
  }

 private:
  using Classes = std::map<std::string, std::vector<const Occurrence*>>;

  // Descriptors that a thread opened itself, for reading, and their copies: the calls on them are candidates
  // for answers, reads ahead and late close. A copy shares its position, so that only F_GETFD is private.
  void find_descriptors() {
    struct Own {
      const Event* open;
      bool copied;
    };
    for (const Stream& s : streams_) {
      std::map<int32_t, Own> own;
      for (const Event* e : s.calls) {
        const CallTraits traits = traits_of(*e);
        const auto made = static_cast<int32_t>(e->ret);
        if (is_open(traits.nr)) {
          if (e->ret >= 0) own.erase(made);
          if (e->ret >= 0 && traits.may_trigger) own[made] = {e, false};
          continue;
        }
        const auto at =
            traits.arg[0].kind == SYSVM_KIND_FD ? own.find(static_cast<int32_t>(e->args[0])) : own.end();
        if (at != own.end()) {
          if (!at->second.copied) on_own_.insert(e);
          if (e->nr != SYSVM_NR_read && e->nr != SYSVM_NR_getdents64) opened_by_[e] = at->second.open;
        }
        if (traits.result == SYSVM_RESULT_FD && e->ret >= 0) {
          if (at != own.end() && traits.effect == SYSVM_EFFECT_FD) {
            at->second.copied = true;
            own.insert_or_assign(made, at->second);
          } else {
            own.erase(made);
          }
        }
        if (traits.nr == SYSVM_NR_close) own.erase(static_cast<int32_t>(e->args[0]));
      }
    }
  }

  // What each executable asks about the entries of directories.
  void find_loops() {
    struct Of {
      std::vector<const Visit*> visits;
      std::vector<const Stream*> streams;
    };
    std::map<std::string, Of> by_exe;
    for (const Stream& s : streams_) visits_[&s] = visits_of(s);
    for (const Stream& s : streams_)
      for (const Visit& v : visits_[&s]) {
        by_exe[s.exe].visits.push_back(&v);
        by_exe[s.exe].streams.push_back(&s);
      }
    for (const auto& [exe, of] : by_exe)
      for (const LoopShape& shape : find_shapes(of.visits, of.streams, options_.min_count))
        shapes_[exe].push_back(std::make_shared<LoopShape>(shape));
  }

  // Entries that no loop behind an open has: a long directory, or one whose loop was dropped. The trigger is the first
  // call about one of them.
  Result<> at_entries() {
    for (const auto& [exe, shapes] : shapes_)
      for (const auto& shape : shapes) TRY(at_entry(exe, *shape, visits_));
    return Unit{};
  }

  // Names that the program keeps in memory of its own: what no directory explains.
  Result<> in_rows() {
    for (const auto& [exe, streams] : by_exe_) {
      std::optional<Rows> rows = find_rows(streams, answered_, options_.min_count);
      if (!rows) continue;
      Visits visits;
      for (size_t i = 0; i < streams.size(); ++i) visits[streams[i]] = std::move(rows->visits[i]);
      TRY(at_entry(exe, rows->shape, visits));
    }
    return Unit{};
  }

  using Visits = std::map<const Stream*, std::vector<Visit>>;
  Result<> at_entry(const std::string& exe, const LoopShape& shape, const Visits& visits) {
    Emitted emitted = TRY(emit_loop(shape, exe, shape.visits, !options_.strict));
    emitted.proc.code = TRY(assemble(emitted.text));
    TrialTotals totals;
    for (const Stream* s : by_exe_.at(exe)) {
      const auto of = visits.find(s);
      if (of == visits.end()) continue;
      const TrialTotals part = TRY(try_loop(emitted.proc, shape, *s, of->second,
                                                answered_, !options_.strict));
      totals.runs += part.runs;
      totals.hits += part.hits;
      totals.misses += part.misses;
      totals.inner += part.inner;
      totals.wrong += part.wrong;
      if (!part.wrong_why.empty()) totals.wrong_why = part.wrong_why;
      totals.answered.insert(totals.answered.end(), part.answered.begin(), part.answered.end());
      if (part.runs) totals.example.keep_if_better(part.example);
    }
    std::string why;
    if (totals.wrong * 100 > totals.hits)
      why = "replayed on its own recording: " + totals.wrong_why;
    else if (totals.hits < std::max<uint64_t>(options_.min_count, totals.runs))
      why = fmt::format("{} runs at an entry would answer {} calls", totals.runs, totals.hits);
    const CostModel& cost = options_.cost;
    EmittedInfo info;
    info.name = emitted.proc.name;
    info.mode = svp_mode_name(SVP_RUN_AHEAD);
    info.exe = exe;
    info.seen = shape.visits;
    info.hits = totals.hits;
    info.misses = totals.misses;
    info.made = totals.inner;
    info.unused = totals.inner - std::min(totals.inner, totals.hits + totals.runs);
    // What runs differ in is not kept here, so there is no interval.
    const auto hits = static_cast<double>(totals.hits);
    const double beside = hits * (cost.crossing_ns - cost.gain_per_hit()) +
                          static_cast<double>(totals.runs) * (cost.run_ns + cost.insns_per_run * cost.insn_ns) +
                          static_cast<double>(info.unused) * cost.loss_per_waste(SYSVM_NR_newfstatat, false);
    info.saved_ns = info.saved_low_ns = info.saved_high_ns = hits * cost.crossing_ns - beside;
    info.break_even_ns = beside / std::max(1.0, hits);
    if (why.empty() && info.saved_ns <= 0)
      why = fmt::format("{} runs would save {} entries, make {} calls in vain, and cost {} more than they save", totals.runs,
                        totals.hits, info.unused, time_text(-info.saved_ns));
    if (!why.empty()) {
      dropped_.push_back({emitted.proc.name, exe, why, shape.visits});
      return Unit{};
    }
    answered_.insert(totals.answered.begin(), totals.answered.end());
    info.example = example_of(totals.example, !options_.strict);
    keep(emitted.proc, info);
    return Unit{};
  }

  // One class for each set of flags. A path that is the same thing each time and comes back again and again
  // ("..", an absolute path) is a class of its own, for what follows it is seldom what follows the others.
  Result<> after_opens() {
    Classes by_flags, classes;
    for (const Stream& s : streams_)
      for (size_t i = 0; i < s.calls.size(); ++i) {
        const Event& e = *s.calls[i];
        const auto nr = static_cast<uint32_t>(e.nr);
        if (!is_open(nr) || !may_trigger(e)) continue;
        FollowOptions follows;
        follows.kept = &kept_paths_;
        follows.of = fmt::format("{} {} {:#x} ", s.exe, nr, open_flags(nr, e.args));
        follows.late_close = !options_.strict;
        if (const auto at = shapes_.find(s.exe); at != shapes_.end()) follows.shapes = at->second;
        occurrences_.push_back(follow(s, i, sources_, follows));
        by_flags[fmt::format("{} {} flags {:#x}", s.exe, call_name(nr), open_flags(nr, e.args))].push_back(
            &occurrences_.back());
      }
    for (const auto& [name, occurrences] : by_flags) {
      std::map<std::string, uint64_t> paths;
      for (const Occurrence* o : occurrences) ++paths[path_of(*o)];
      for (const Occurrence* o : occurrences) {
        const std::string& path = path_of(*o);
        const bool same_each_time = path == ".." || path == "." || path.starts_with('/');
        const bool own = paths.size() > 1 && paths[path] >= kOwnClass && same_each_time;
        classes[own ? fmt::format("{} path {}", name, path) : name].push_back(o);
      }
    }
    return take_best(classes);
  }

  static const std::string& path_of(const Occurrence& o) { return o.stream->string(*o.trigger, 0); }

  // Locks are never made ahead, but what is looked at under one may be, behind the lock that comes last in a row.
  Result<> after_locks() {
    Classes classes;
    for (const Stream& s : streams_) {
      uint8_t streak = 0;
      for (size_t i = 0; i < s.calls.size(); ++i) {
        const Event& e = *s.calls[i];
        const bool lock = e.nr == SYSVM_NR_fcntl && static_cast<uint32_t>(e.args[1]) == F_SETLK;
        const bool goes_on = lock && streak && s.calls[i - 1]->args[0] == e.args[0];
        streak = !lock ? uint8_t{0} : goes_on ? static_cast<uint8_t>(std::min(streak + 1, 255)) : uint8_t{1};
        if (!lock) continue;
        FollowOptions follows;
        follows.kept = &kept_paths_;
        follows.of = fmt::format("{} lock {} ", s.exe, streak);
        occurrences_.push_back(follow(s, i, sources_, follows));
        occurrences_.back().streak = streak;
        classes[fmt::format("{} fcntl F_SETLK no. {} in a row", s.exe, streak)].push_back(&occurrences_.back());
      }
    }
    return take_best(classes);
  }

  // Long files: what the procedures of the opens leave over, one run of reads after a read.
  Result<> after_reads() {
    Classes classes;
    for (const Stream& s : streams_)
      for (size_t i = 0; i < s.calls.size(); ++i) {
        const Event& e = *s.calls[i];
        if (e.nr != SYSVM_NR_read || !on_own_.contains(&e) || answered_.contains(&e) || e.ret <= 0) continue;
        FollowOptions follows;  // as many as the staging area allows
        follows.max_run = std::clamp<uint64_t>(SVP_STAGING_MAX / std::max<uint64_t>(e.args[2], 1), 1, 24);
        occurrences_.push_back(follow(s, i, sources_, follows));
        Occurrence& o = occurrences_.back();
        if (o.steps.size() > 1) o.steps.resize(1);
        if (o.steps.empty() || o.steps[0].sources->nr != SYSVM_NR_read) {
          o.steps.clear();
        } else {
          // The next run begins where this one has ended.
          const Event* last = o.steps[0].calls.back();
          while (i + 1 < s.calls.size() && s.calls[i] != last) ++i;
        }
        classes[fmt::format("{} read", s.exe)].push_back(&o);
      }
    return take_best(classes);
  }

  // One procedure for all places that make the call; or one for each place, where that saves more: a
  // procedure that misses often is switched off by the runtime.
  Result<> take_best(const Classes& classes) {
    for (const auto& [name, occurrences] : classes) {
      const std::string what = name.substr(name.find(' ') + 1);
      const size_t named = name.find(" path ");
      const std::string path = named == std::string::npos ? "" : name.substr(named + 6);
      const Attempt together = TRY(attempt(occurrences, path, options_));
      const std::vector<SiteGroup> groups = sites_.split(occurrences);
      std::vector<Attempt> apart;
      uint64_t saved = 0;
      for (size_t i = 0; groups.size() > 1 && i < groups.size(); ++i) {
        apart.push_back(TRY(attempt(groups[i].occurrences, path, options_)));
        if (groups[i].site) saved += apart.back().saved();
      }
      if (!together.totals.misses || saved < together.saved() + 2) {
        take(what, together, occurrences, std::nullopt);
        continue;
      }
      for (size_t i = 0; i < groups.size(); ++i)
        if (groups[i].site) take(what, apart[i], groups[i].occurrences, groups[i].site);
    }
    return Unit{};
  }

  void take(const std::string& what, const Attempt& found, const std::vector<const Occurrence*>& occurrences,
            const std::optional<CodePlace>& site) {
    const std::string& exe = occurrences[0]->stream->exe;
    if (!found.proc) {
      const std::string where = site ? fmt::format(" at {:.8}+{:#x}", site->build_id, site->offset) : "";
      dropped_.push_back({what + where, exe, found.why, occurrences.size()});
      return;
    }
    answered_.insert(found.totals.answered.begin(), found.totals.answered.end());
    for (const Occurrence* o : occurrences) guarded_.insert(o->trigger);
    undone_ += found.totals.undone;
    Procedure proc = *found.proc;
    proc.triggers[0].site = site;
    EmittedInfo info;
    info.name = proc.name;
    info.mode = svp_mode_name(proc.mode);
    info.exe = exe;
    info.seen = found.plan.seen;
    info.hits = found.totals.hits;
    info.misses = found.totals.misses;
    info.undone = found.totals.undone;
    info.saved_ns = found.totals.saved_ns;
    info.saved_low_ns = info.saved_ns - found.totals.spread_ns();
    info.saved_high_ns = info.saved_ns + found.totals.spread_ns();
    info.break_even_ns = found.totals.break_even_ns();
    info.made = found.totals.inner - found.totals.runs;
    info.unused = found.totals.unused;
    info.stop = found.plan.stop;
    info.example = example_of(found.totals.example, !options_.strict);
    for (Candidate& kept : kept_) {  // the same from another place is one procedure with two triggers
      if (!site || kept.proc.exe != exe || kept.proc.mode != proc.mode || kept.proc.name != proc.name ||
          kept.proc.code != proc.code || !kept.proc.triggers[0].site ||
          kept.proc.triggers.size() >= SVP_MAX_TRIGGERS)
        continue;
      kept.proc.triggers.push_back(proc.triggers[0]);
      kept.proc.seen += proc.seen;
      kept.info.seen += info.seen;
      kept.info.hits += info.hits;
      kept.info.misses += info.misses;
      kept.info.undone += info.undone;
      const double both = std::hypot(kept.info.saved_high_ns - kept.info.saved_ns, info.saved_high_ns - info.saved_ns);
      const auto hits = static_cast<double>(kept.info.hits), more = static_cast<double>(info.hits);
      kept.info.break_even_ns =
          (kept.info.break_even_ns * (hits - more) + info.break_even_ns * more) / std::max(1.0, hits);
      kept.info.saved_ns += info.saved_ns;
      kept.info.saved_low_ns = kept.info.saved_ns - both;
      kept.info.saved_high_ns = kept.info.saved_ns + both;
      kept.info.made += info.made;
      kept.info.unused += info.unused;
      return;
    }
    keep(proc, info);
  }

  // Did a guard look at this call's descriptor? Only then does the runtime know what it is.
  bool is_guarded(const Event* e) const {
    const auto at = opened_by_.find(e);
    return at != opened_by_.end() && guarded_.contains(at->second);
  }

  struct Answered {  // calls of one executable
    const Stream* first_in = nullptr;
    std::vector<const Event*> calls;
    void add(const Stream& s, const Event* e) {
      if (calls.empty()) first_in = &s;
      calls.push_back(e);
    }
  };

  // Calls whose answer is a fact private to the descriptor, where no run-ahead procedure has them already.
  Result<> answers() {
    struct Kind {
      AnsweredCall call;
      std::function<bool(const Event&)> is;
      bool needs_guard;   // the answer depends on the kind of file
      bool needs_before;  // the first answer must come from the kernel
    };
    const auto command = [](uint32_t nr, uint64_t cmd) {
      return [=](const Event& e) {
        return static_cast<uint32_t>(e.nr) == nr && (e.args[1] & 0xffffffffu) == cmd;
      };
    };
    constexpr uint64_t kTcgets = 0x5401;
    const Kind kinds[] = {
        {{SYSVM_NR_ioctl, "ioctl TCGETS", {{1, kTcgets}}}, command(SYSVM_NR_ioctl, kTcgets), true, false},
        {{SYSVM_NR_lseek, "lseek(0, SEEK_CUR)", {{1, 0}, {2, SEEK_CUR}}},
         [](const Event& e) { return e.nr == SYSVM_NR_lseek && e.args[1] == 0 && e.args[2] == SEEK_CUR; },
         true,
         false},
        {{SYSVM_NR_fcntl, "fcntl F_GETFL", {{1, F_GETFL}}}, command(SYSVM_NR_fcntl, F_GETFL), false, true},
        {{SYSVM_NR_fcntl, "fcntl F_GETFD", {{1, F_GETFD}}}, command(SYSVM_NR_fcntl, F_GETFD), false, false},
    };
    for (const Kind& kind : kinds) {
      std::map<std::string, Answered> by_exe;
      EventSet asked;
      for (const Stream& s : streams_)
        for (const Event* e : s.calls) {
          if (!on_own_.contains(e) || !kind.is(*e)) continue;
          const bool first = asked.insert(opened_by_.at(e));
          if (answered_.contains(e) || (kind.needs_guard && !is_guarded(e)) || (kind.needs_before && first))
            continue;
          by_exe[s.exe].add(s, e);
        }
      for (const auto& [exe, answered] : by_exe) {
        const auto& calls = answered.calls;
        if (calls.size() < options_.min_count) {
          dropped_.push_back({"answer " + kind.call.name, exe, too_few(calls.size()), calls.size()});
          continue;
        }
        answered_.insert(calls.begin(), calls.end());
        TRY(keep_answered(emit_answer(kind.call, exe, calls.size()), answered, ExampleCall::kKnown));
      }
    }
    return Unit{};
  }

  Result<> late_closes() {
    std::map<std::string, Answered> by_exe;
    for (const Stream& s : streams_)
      for (const Event* e : s.calls)
        if (e->nr == SYSVM_NR_close && e->ret == 0 && is_guarded(e)) by_exe[s.exe].add(s, e);
    for (const auto& [exe, answered] : by_exe) {
      const auto& closes = answered.calls;
      if (closes.size() < options_.min_count) {
        dropped_.push_back({"late close", exe, too_few(closes.size()), closes.size()});
        continue;
      }
      answered_.insert(closes.begin(), closes.end());
      TRY(keep_answered(emit_late_close(exe, closes.size()), answered, ExampleCall::kLate));
    }
    return Unit{};
  }

  Result<> keep_answered(Emitted emitted, const Answered& answered, int by) {
    const uint64_t hits = answered.calls.size();
    emitted.proc.code = TRY(assemble(emitted.text));
    const CostModel& cost = options_.cost;
    EmittedInfo info;
    info.name = emitted.proc.name;
    info.mode = svp_mode_name(emitted.proc.mode);
    info.exe = emitted.proc.exe;
    info.seen = info.hits = hits;
    info.saved_ns = static_cast<double>(hits) * (cost.crossing_ns - cost.serve_ns);
    info.saved_low_ns = info.saved_high_ns = info.saved_ns;  // each saves the same
    info.break_even_ns = cost.serve_ns;
    info.example = example_of(*answered.first_in, *answered.calls[0], by);
    keep(emitted.proc, info);
    return Unit{};
  }

  std::string too_few(uint64_t n) const {
    return fmt::format("seen {} times, fewer than {}", n, options_.min_count);
  }

  void keep(const Procedure& proc, const EmittedInfo& info) { kept_.push_back({proc, info}); }

  Result<Compiled> finish() {
    std::stable_sort(kept_.begin(), kept_.end(), [](const Candidate& a, const Candidate& b) {
      return a.info.hits - a.info.undone > b.info.hits - b.info.undone;
    });
    // The runtime takes the first trigger that matches: those for one path stand before those for any.
    std::stable_partition(kept_.begin(), kept_.end(), [](const Candidate& c) {
      return std::any_of(c.proc.triggers.begin(), c.proc.triggers.end(), [](const Trigger& t) {
        return t.path_arg < 6 && t.arg[t.path_arg].kind == SVP_ARG_STRING;
      });
    });
    Compiled out;
    out.calls = counts_.calls;
    out.predicted_entries = counts_.calls - answered_.size() + undone_;
    out.dropped = dropped_;
    for (Candidate& c : kept_) {
      if (out.file.procs.size() == SVP_MAX_PROCS) {
        out.dropped.push_back({c.info.name, c.info.exe, "the file is full", c.info.seen});
        continue;
      }
      out.file.procs.push_back(std::move(c.proc));
      out.emitted.push_back(c.info);
      out.spread_ns = std::hypot(out.spread_ns, c.info.saved_high_ns - c.info.saved_ns);
    }
    // A name in the recording may be any bytes; JSON may not.
    out.file.notes = notes(out).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    out.svp = TRY(write_svp(out.file));
    return out;
  }

  nlohmann::json notes(const Compiled& c) const {
    nlohmann::json procedures = nlohmann::json::array(), dropped = nlohmann::json::array();
    for (const EmittedInfo& e : c.emitted) {
      procedures.push_back({{"name", e.name},
                            {"mode", e.mode},
                            {"seen", e.seen},
                            {"hits", e.hits},
                            {"misses", e.misses},
                            {"undone", e.undone},
                            {"saved_ns", static_cast<int64_t>(e.saved_ns)},
                            {"saved_low_ns", static_cast<int64_t>(e.saved_low_ns)},
                            {"saved_high_ns", static_cast<int64_t>(e.saved_high_ns)},
                            {"break_even_ns", e.break_even_ns},
                            {"made", e.made},
                            {"unused", e.unused},
                            {"stop", e.stop}});
      if (options_.examples) procedures.back()["example"] = to_json(e.example);
    }
    for (const DroppedInfo& d : c.dropped)
      dropped.push_back({{"trigger", d.trigger}, {"seen", d.seen}, {"reason", d.reason}});
    return {{"schema", 1},
            {"calls", c.calls},
            {"predicted_entries", c.predicted_entries},
            {"min_count", options_.min_count},
            {"strict", options_.strict},
            {"costs",
             {{"source", options_.cost.source},
              {"crossing_ns", options_.cost.crossing_ns},
              {"serve_ns", options_.cost.serve_ns},
              {"watch_ns", options_.cost.watch_ns},
              {"copy_4k_ns", options_.cost.copy_4k_ns},
              {"insn_ns", options_.cost.insn_ns},
              {"run_ns", options_.cost.run_ns},
              {"inner_extra_ns", options_.cost.inner_extra_ns},
              {"undo_ns", options_.cost.undo_ns}}},
            {"procedures", procedures},
            {"objects", objects()},
            {"dropped", dropped}};
  }

  // The files that the recorded processes executed code of: `sysvm run` analyses them before the program starts.
  nlohmann::json objects() const {
    std::set<std::string> paths;
    if (options_.examples)  // they are path names of the recording
      for (const Trace* trace : traces_)
        for (const Mapping& m : trace->mappings)
          if (m.path.starts_with('/') && paths.size() < kObjectsMax) paths.insert(m.path);
    return paths;
  }

  CompileOptions options_;
  const std::vector<const Trace*>& traces_;
  StreamCounts counts_;
  std::vector<Stream> streams_;
  std::map<std::string, std::vector<const Stream*>> by_exe_;
  SourceTable sources_;
  SiteIndex sites_;
  std::deque<Occurrence> occurrences_;
  EventSet on_own_, answered_;
  EventSet guarded_;                                          // opens that a procedure was made for
  std::unordered_map<const Event*, const Event*> opened_by_;  // a call on a descriptor -> its open
  Visits visits_;
  std::map<std::string, std::vector<std::shared_ptr<const LoopShape>>> shapes_;  // by executable
  std::map<std::string, std::string> kept_paths_;  // what each place was passed last (FollowOptions)
  uint64_t undone_ = 0;
  std::vector<Candidate> kept_;
  std::vector<DroppedInfo> dropped_;
};

}  // namespace

Result<std::vector<ProfiledProcedure>> read_profile(const std::string& path) {
  const std::vector<uint8_t> bytes = TRY(read_whole_file(path, 16 << 20));
  const nlohmann::json j = nlohmann::json::parse(bytes.begin(), bytes.end(), nullptr, /*allow_exceptions=*/false);
  if (!j.is_object() || !j.contains("procedures") || !j["procedures"].is_array())
    return error("{}: not what 'sysvm run --stats' writes: no procedures", path);
  std::vector<ProfiledProcedure> out;
  for (const nlohmann::json& p : j["procedures"]) {
    if (!p.is_object()) return error("{}: not what 'sysvm run --stats' writes: a procedure that is no object", path);
    const auto number = [&](const char* name) {
      return p.contains(name) && p[name].is_number_unsigned() ? p[name].get<uint64_t>() : uint64_t{0};
    };
    const auto text = [&](const char* key) {
      return p.contains(key) && p[key].is_string() ? p[key].get<std::string>() : std::string();
    };
    out.push_back({text("name"), number("runs"), number("hits"), number("misses"), number("undone"), number("off") > 0, text("exe"), text("trigger")});
  }
  return out;
}

Result<Compiled> compile(const std::vector<const Trace*>& traces, const CompileOptions& options) {
  return Compiler(traces, options).run();
}

}  // namespace sysvm
