// SPDX-License-Identifier: MIT
#include "optimizer/make/planner.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "optimizer/make/emit.h"
#include "procedures/svp.h"

namespace sysvm {
namespace {

constexpr uint64_t kMaxTransfer = 128 * 1024;  // one staged read
constexpr uint32_t kMaxRepeats = 40;           // of SVP_MAX_FOLLOWERS, the rest is for other steps
constexpr uint32_t kReserve = 8 * 1024;        // staging that is kept for small structures
constexpr uint64_t kAfterLoop = 36 * 1024;     // staging that a loop leaves to others
constexpr uint32_t kEndSize = 64;              // a read that is expected to find the end

using Members = std::vector<const Occurrence*>;

uint64_t size_of(const PackedEvent& call, const StepSources& sources) {
  for (size_t i = 0; i < sources.args.size(); ++i)
    if (sources.args[i].from == From::kSize) return call.arg(i);
  return 0;
}

// lseek only asks (legality.cc).
bool undone(const StepSources& s) { return s.traits.undo != SYSVM_UNDO_NONE && s.nr != SYSVM_NR_lseek; }

// The size to ask for: what the program asks for if that is staged easily, else what was enough for what
// came.
uint64_t choose_size(const Members& members, size_t depth, uint64_t limit) {
  uint64_t asked = 0, got = 0;
  for (const Occurrence* o : members)
    for (const PackedEvent* call : o->steps[depth].calls) {
      if (call->ret() == 0 && o->steps[depth].calls.size() > 1) continue;  // the end: any size finds it
      asked = std::max(asked, size_of(*call, *o->steps[depth].sources));
      got = std::max(got, static_cast<uint64_t>(std::max<int64_t>(call->ret(), 0)));
    }
  if (asked <= limit) return std::max<uint64_t>(asked, 1);
  return std::min(limit, std::max<uint64_t>((got + 4096) / 4096 * 4096, 16384));
}

// What a step adds. The score decides: an entry saved is 1, a call made for nothing costs as much (its work
// is that of a crossing or two), taking it back once more.
struct Bet {
  double score = 0;
  double gain_ns = 0;
  double saved_entries = 0;

  Bet(double hits, double wasted, const StepSources& s, const CostModel& cost) {
    score = hits - wasted * (undone(s) ? 2 : 1);
    gain_ns = hits * cost.gain_per_hit() - wasted * cost.loss_per_waste(s.nr, undone(s));
    saved_entries = hits - (undone(s) ? wasted : 0);
  }
};

// A run of reads (or of getdents64): how many, and what comes after the last.
Bet bet_on_run(PlannedStep& step, const Members& members, size_t depth, uint64_t runs, uint64_t staging,
               const CostModel& cost) {
  const bool entries = step.sources->nr == SYSVM_NR_getdents64;
  step.size = choose_size(members, depth, std::min(kMaxTransfer, staging));
  std::vector<uint32_t> transfers;  // for each member, without the end
  uint64_t ended = 0, short_last = 0;
  for (const Occurrence* o : members) {
    const auto& calls = o->steps[depth].calls;
    uint32_t n = 0;
    bool saw_end = false, is_short = false;
    for (const PackedEvent* call : calls) {
      if (call->ret() <= 0) {
        saw_end = call->ret() == 0;
        break;
      }
      ++n;
      is_short = static_cast<uint64_t>(call->ret()) < std::max(step.size, size_of(*call, *step.sources));
    }
    transfers.push_back(n);
    short_last += n && is_short;
    ended += n && is_short && saw_end;
  }
  std::sort(transfers.begin(), transfers.end());
  const uint64_t fit = std::max<uint64_t>(1, staging / std::max<uint64_t>(step.size, 1));
  step.repeats = std::clamp<uint32_t>(transfers[transfers.size() * 99 / 100], 1, kMaxRepeats);
  step.repeats = static_cast<uint32_t>(std::min<uint64_t>(step.repeats, fit));
  if (entries) step.repeats = 1;
  step.end_call = short_last && ended * 2 > short_last;
  uint64_t stop_at_full = 0, read_on = 0;  // what the program does when the last unrolled read was full
  uint64_t hits = 0;
  for (const Occurrence* o : members) {
    const auto& calls = o->steps[depth].calls;
    hits += std::min<uint64_t>(calls.size(), step.repeats + (step.end_call ? 1 : 0));
    if (calls.size() < step.repeats) continue;
    const PackedEvent& last = *calls[step.repeats - 1];
    if (last.ret() <= 0 || static_cast<uint64_t>(last.ret()) < step.size) continue;
    ++(calls.size() == step.repeats ? stop_at_full : read_on);
  }
  step.after_full = stop_at_full > read_on;
  return Bet(static_cast<double>(hits), static_cast<double>(runs - members.size()), *step.sources, cost);
}

Bet bet_on_call(PlannedStep& step, const Members& members, size_t depth, uint64_t runs, uint64_t staging,
                const CostModel& cost) {
  step.size = choose_size(members, depth, std::min<uint64_t>(kMaxTransfer, staging));
  for (const Occurrence* o : members) step.go_on |= o->steps[depth].calls[0]->ret() < 0;
  return Bet(static_cast<double>(members.size()), static_cast<double>(runs - members.size()), *step.sources,
             cost);
}

// A loop over the dirents: how many calls will be in vain is not known; the runtime learns how many dirents a
// run should take.
Bet bet_on_loop(PlannedStep& step, const Members& members, size_t depth, uint64_t staging,
                const CostModel& cost) {
  // What comes after it needs room, too: most often the getdents64 that finds the end.
  step.repeats = loop_capacity(*step.sources->loop, staging - std::min(staging, kAfterLoop));
  uint64_t hits = 0;
  for (const Occurrence* o : members) hits += o->steps[depth].calls.size();
  return Bet(static_cast<double>(hits), 0, *step.sources, cost);
}

uint64_t staged_by(const PlannedStep& step) {
  if (step.sources->loop) return step.repeats * record_stride(*step.sources->loop) + 64;
  uint64_t bytes = 0;
  for (const ArgSource& a : step.sources->args)
    if (a.from == From::kOut) bytes += (a.index == 6 ? a.bytes : step.size * step.repeats) + 64;
  return bytes + (step.end_call ? (step.sources->nr == SYSVM_NR_getdents64 ? step.size : kEndSize) + 64 : 0);
}

bool has_out(const StepSources& s) {
  return s.loop ||
         std::any_of(s.args.begin(), s.args.end(), [](const ArgSource& a) { return a.from == From::kOut; });
}

// The branch that most members take at this depth.
Members biggest_branch(const Members& members, size_t depth) {
  std::map<const StepSources*, Members> branches;
  for (const Occurrence* o : members)
    if (o->steps.size() > depth) branches[o->steps[depth].sources].push_back(o);
  Members best;
  for (auto& [sources, branch] : branches)
    if (branch.size() > best.size() ||
        (branch.size() == best.size() && !best.empty() && sources->key < best[0]->steps[depth].sources->key))
      best = std::move(branch);
  return best;
}

std::string common_stop(const Members& members, size_t depth) {
  std::map<std::string, uint64_t> reasons;
  for (const Occurrence* o : members) {
    if (o->steps.size() == depth)
      ++reasons[std::string(o->stop)];
    else
      ++reasons["the program goes different ways: " + o->steps[depth].sources->traits.name];
  }
  const auto best = std::max_element(reasons.begin(), reasons.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  return best == reasons.end() ? "" : best->first;
}

bool has_loop(const Plan& plan) {  // a procedure has at most one
  return std::any_of(plan.steps.begin(), plan.steps.end(),
                     [](const PlannedStep& s) { return s.sources->loop != nullptr; });
}

Plan plan_kind(Members members, FileKind kind, const PlanLimits& limits) {
  Plan out;
  out.kind = kind;
  std::erase_if(members,
                [&](const Occurrence* o) { return o->kind != FileKind::kUnknown && o->kind != kind; });
  const uint64_t runs = members.size();
  const CostModel& cost = limits.cost;
  double score = 0, best_score = 0, gain_ns = 0, entries = 0;
  uint64_t staging = limits.staging - kReserve, followers = 0;
  size_t best_length = 0;
  bool full_run = false;
  for (size_t depth = 0; depth < 60 && followers < SVP_MAX_FOLLOWERS - kMaxRepeats - 2; ++depth) {
    const Members branch = biggest_branch(members, depth);
    const bool enough = !branch.empty() && branch.size() >= limits.min_count;
    const bool second = enough && branch[0]->steps[depth].sources->loop && has_loop(out);
    if (!enough || full_run || second) {
      if (best_length == out.steps.size()) out.stop = common_stop(members, depth);
      break;
    }
    PlannedStep step;
    step.sources = branch[0]->steps[depth].sources;
    step.reached = members.size();
    step.taken = branch.size();
    const bool is_run = !step.sources->loop && is_run_call(step.sources->nr);
    const Bet bet = step.sources->loop ? bet_on_loop(step, branch, depth, staging, cost)
                    : is_run           ? bet_on_run(step, branch, depth, runs, staging, cost)
                                       : bet_on_call(step, branch, depth, runs, staging, cost);
    if (has_out(*step.sources) && staged_by(step) > staging) {
      out.stop = step.sources->traits.name + " would fill more than the staging area holds";
      break;
    }
    staging -= has_out(*step.sources) ? staged_by(step) : 0;
    followers += is_run ? 0 : step.sources->loop ? step.sources->loop->calls.size() : 1;
    out.steps.push_back(step);
    score += bet.score;
    gain_ns += bet.gain_ns;
    entries += bet.saved_entries;
    if (score > best_score) {
      best_score = score;
      out.saved_ns = gain_ns;
      out.saved_entries = entries;
      best_length = out.steps.size();
    }
    members = branch;
  }
  if (out.steps.size() > best_length && out.stop.empty())
    out.stop = "too few go on with " + out.steps[best_length].sources->traits.name;
  out.steps.resize(best_length);
  // The guard's fstat and the code around it are paid by every run.
  out.saved_ns -= static_cast<double>(runs) * cost.insns_per_run * cost.insn_ns;
  out.seen = runs;
  return out;
}

// The guard's fstat comes before the kind of file is checked: it answers those of the other kind as well.
size_t answered_by_the_guard(const Plan& plan, const Members& members) {
  if (plan.steps.empty() || !is_struct_stat(plan.steps[0].sources->nr)) return 0;
  return static_cast<size_t>(std::count_if(members.begin(), members.end(), [&](const Occurrence* o) {
    return o->kind != FileKind::kUnknown && o->kind != plan.kind && !o->steps.empty() &&
           o->steps[0].sources == plan.steps[0].sources;
  }));
}

}  // namespace

std::optional<Plan> plan(const std::vector<const Occurrence*>& occurrences, const PlanLimits& limits,
                         std::string* why) {
  Members good;
  uint64_t failed = 0;
  for (const Occurrence* o : occurrences) {
    if (o->trigger->ret() < 0)
      ++failed;
    else
      good.push_back(o);
  }
  if (good.size() < limits.min_count) {
    if (why) *why = fmt::format("seen {} times, fewer than {}", good.size(), limits.min_count);
    return std::nullopt;
  }
  std::optional<Plan> best;
  double best_saved = 0;
  const PackedEvent& one = *good[0]->trigger;
  const bool directory = is_open(static_cast<uint32_t>(one.nr())) && open_flags(one) & O_DIRECTORY;
  for (FileKind kind : {FileKind::kRegular, FileKind::kDirectory}) {
    if (directory && kind != FileKind::kDirectory) continue;
    Plan candidate = plan_kind(good, kind, limits);
    const double saved =
        candidate.saved_entries + static_cast<double>(answered_by_the_guard(candidate, good));
    if (best && saved <= best_saved) continue;
    best = std::move(candidate);
    best_saved = saved;
  }
  best->exe = good[0]->stream->exe;
  best->nr = static_cast<uint32_t>(one.nr());
  best->args = one.args();
  best->failed = failed;
  best->streak = good[0]->streak;
  if (best->steps.empty() || best->saved_entries <= 0) {
    if (why) *why = best->stop.empty() ? "nothing that follows can be made ahead" : best->stop;
    return std::nullopt;
  }
  return best;
}

}  // namespace sysvm
