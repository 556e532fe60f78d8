// SPDX-License-Identifier: MIT
#include "optimizer/prove/kept.h"

#include <algorithm>

namespace sysvm {
namespace {

bool same_but_for_the_place(const Procedure& a, const Procedure& b) {
  return a.exe == b.exe && a.mode == b.mode && a.name == b.name && a.code == b.code && a.triggers[0].site &&
         b.triggers[0].site;
}

bool is_for_one_path(const Procedure& proc) {
  return std::any_of(proc.triggers.begin(), proc.triggers.end(), [](const Trigger& t) {
    return t.path_arg < 6 && t.arg[t.path_arg].kind == SVP_ARG_STRING;
  });
}

}  // namespace

void EmittedInfo::set_saved(double ns, double spread_ns) {
  saved_ns = ns;
  saved_low_ns = ns - spread_ns;
  saved_high_ns = ns + spread_ns;
}

void EmittedInfo::add(const EmittedInfo& other) {
  const auto all = static_cast<double>(hits + other.hits);
  break_even_ns =
      (break_even_ns * static_cast<double>(hits) + other.break_even_ns * static_cast<double>(other.hits)) /
      std::max(1.0, all);
  set_saved(saved_ns + other.saved_ns, std::hypot(spread_ns(), other.spread_ns()));
  seen += other.seen;
  hits += other.hits;
  misses += other.misses;
  undone += other.undone;
  made += other.made;
  unused += other.unused;
}

EmittedInfo info_of(const Procedure& proc, const TrialTotals& totals, uint64_t seen, bool late_close) {
  EmittedInfo info;
  info.name = proc.name;
  info.mode = svp_mode_name(proc.mode);
  info.exe = proc.exe;
  info.seen = seen;
  info.hits = totals.hits;
  info.misses = totals.misses;
  info.undone = totals.undone;
  info.set_saved(totals.saved_ns, totals.spread_ns());
  info.break_even_ns = totals.break_even_ns();
  info.made = totals.inner - totals.runs;
  info.unused = totals.unused;
  info.example = example_of(totals.example, late_close);
  return info;
}

void Kept::keep(Procedure proc, EmittedInfo info) {
  for (Candidate& kept : kept_) {
    if (!same_but_for_the_place(kept.proc, proc) || kept.proc.triggers.size() >= SVP_MAX_TRIGGERS) continue;
    kept.proc.triggers.push_back(proc.triggers[0]);
    kept.proc.seen += proc.seen;
    kept.info.add(info);
    return;
  }
  kept_.push_back({std::move(proc), std::move(info)});
}

std::vector<Kept::Candidate> Kept::take_sorted() {
  std::stable_sort(kept_.begin(), kept_.end(), [](const Candidate& a, const Candidate& b) {
    return a.info.hits - a.info.undone > b.info.hits - b.info.undone;
  });
  std::stable_partition(kept_.begin(), kept_.end(),
                        [](const Candidate& c) { return is_for_one_path(c.proc); });
  return std::move(kept_);
}

}  // namespace sysvm
