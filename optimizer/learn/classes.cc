// SPDX-License-Identifier: MIT
#include "optimizer/learn/classes.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>

#include "optimizer/learn/descriptors.h"
#include "optimizer/learn/legality.h"
#include "procedures/svp.h"

namespace sysvm {
namespace {

constexpr uint64_t kOwnClass = 16;    // opens of one path that make a class of their own
constexpr uint64_t kLongestRun = 24;  // reads after a read

const std::string& path_of(const Occurrence& o) { return o.stream->string(*o.trigger, 0); }

bool same_each_time(const std::string& path) { return path == ".." || path == "." || path.starts_with('/'); }

}  // namespace

const Occurrence* Classes::keep(Occurrence occurrence) {
  occurrences_.push_back(std::move(occurrence));
  return &occurrences_.back();
}

std::vector<TriggerClass> Classes::listed(ByName classes) {
  std::vector<TriggerClass> out;
  for (auto& [name, occurrences] : classes) out.push_back({name.second, "", std::move(occurrences)});
  return out;
}

std::vector<TriggerClass> Classes::of_opens() {
  std::vector<TriggerClass> out;
  std::map<std::string, std::map<std::string, std::vector<const Occurrence*>>> by_flags;
  ByName classes;
  for (const Stream& s : streams_) {
    FollowOptions follows;
    follows.kept = &kept_paths_;
    follows.late_close = late_close_;
    if (const auto at = shapes_.find(s.exe); at != shapes_.end()) follows.shapes = at->second;
    for (size_t i = 0; i < s.calls.size(); ++i) {
      const PackedEvent& e = *s.calls[i];
      const auto nr = static_cast<uint32_t>(e.nr());
      if (!is_open(nr) || !may_trigger(e)) continue;
      const uint64_t flags = open_flags(e);
      follows.of = fmt::format("{} {} {:#x} ", s.exe, nr, flags);
      classes[{s.exe, fmt::format("{} flags {:#x}", call_name(nr), flags)}].push_back(
          keep(follow(s, i, sources_, follows)));
    }
  }
  for (TriggerClass& all : listed(std::move(classes))) {
    std::map<std::string, uint64_t> opens;
    for (const Occurrence* o : all.occurrences) ++opens[path_of(*o)];
    std::map<std::string, TriggerClass> own;
    TriggerClass others{all.name, "", {}};
    for (const Occurrence* o : all.occurrences) {
      const std::string& path = path_of(*o);
      if (opens.size() == 1 || !same_each_time(path) || opens[path] < kOwnClass) {
        others.occurrences.push_back(o);
        continue;
      }
      TriggerClass& of = own[path];
      of.name = all.name + " path " + path;
      of.path = path;
      of.occurrences.push_back(o);
    }
    if (!others.occurrences.empty()) out.push_back(std::move(others));
    for (auto& [path, of] : own) out.push_back(std::move(of));
  }
  return out;
}

std::vector<TriggerClass> Classes::of_locks() {
  ByName classes;
  for (const Stream& s : streams_) {
    uint8_t streak = 0;
    for (size_t i = 0; i < s.calls.size(); ++i) {
      const PackedEvent& e = *s.calls[i];
      const bool lock = e.nr() == SYSVM_NR_fcntl && static_cast<uint32_t>(e.arg(1)) == F_SETLK;
      const bool goes_on = lock && streak && s.calls[i - 1]->arg(0) == e.arg(0);
      streak = !lock ? uint8_t{0} : goes_on ? static_cast<uint8_t>(std::min(streak + 1, 255)) : uint8_t{1};
      if (!lock) continue;
      FollowOptions follows;
      follows.kept = &kept_paths_;
      follows.of = fmt::format("{} lock {} ", s.exe, streak);
      Occurrence found = follow(s, i, sources_, follows);
      found.streak = streak;
      classes[{s.exe, fmt::format("fcntl F_SETLK no. {} in a row", streak)}].push_back(
          keep(std::move(found)));
    }
  }
  return listed(std::move(classes));
}

std::vector<TriggerClass> Classes::of_reads(const EventSet& answered) {
  ByName classes;
  for (const Stream& s : streams_) {
    OwnDescriptors own;
    const PackedEvent* skip_to = nullptr;  // the next run begins where the one before has ended
    for (size_t i = 0; i < s.calls.size(); ++i) {
      const PackedEvent& e = *s.calls[i];
      const OwnDescriptors::Own on = own.step(e);
      if (skip_to && skip_to != &e) continue;
      const bool after_run = skip_to != nullptr;
      skip_to = nullptr;
      if (after_run || e.nr() != SYSVM_NR_read || !on.open || on.copied || answered.contains(&e) ||
          e.ret() <= 0)
        continue;
      FollowOptions follows;  // as many as the staging area allows
      follows.max_run =
          std::clamp<uint64_t>(SVP_STAGING_MAX / std::max<uint64_t>(e.arg(2), 1), 1, kLongestRun);
      Occurrence found = follow(s, i, sources_, follows);
      if (!found.steps.empty() && found.steps[0].sources->nr != SYSVM_NR_read) found.steps = {};
      if (found.steps.size() > 1) found.steps = found.steps.first(1);
      if (!found.steps.empty()) skip_to = found.steps[0].calls.back();
      classes[{s.exe, "read"}].push_back(keep(std::move(found)));
    }
  }
  return listed(std::move(classes));
}

}  // namespace sysvm
