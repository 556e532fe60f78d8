// SPDX-License-Identifier: MIT
#include "optimizer/learn/directories.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "procedures/svp.h"

namespace sysvm {
namespace {

std::optional<size_t> path_argument(const CallTraits& traits) {
  for (size_t i = 0; i < traits.nargs; ++i)
    if (traits.arg[i].kind == SYSVM_KIND_PATH) return i;
  return std::nullopt;
}

bool is_name(const std::string& text) {
  return !text.empty() && text != "." && text != ".." && text.find('/') == std::string::npos;
}

bool follows_no_link(const StepSources& s) {
  switch (s.nr) {
    case SYSVM_NR_newfstatat:
      return s.args[3].value & AT_SYMLINK_NOFOLLOW && !(s.args[3].value & AT_EMPTY_PATH);
    case SYSVM_NR_statx:
      return s.args[2].value & AT_SYMLINK_NOFOLLOW && !(s.args[2].value & (AT_EMPTY_PATH | AT_STATX_FORCE_SYNC));
    case SYSVM_NR_lstat:
    case SYSVM_NR_lgetxattr:
    case SYSVM_NR_llistxattr:
    case SYSVM_NR_readlink:
    case SYSVM_NR_readlinkat:
      return true;
    default:
      return false;
  }
}

bool shows_the_kind(uint32_t nr) {
  return nr == SYSVM_NR_newfstatat || nr == SYSVM_NR_statx || nr == SYSVM_NR_lstat;
}

bool follows_links_but_may(uint32_t nr) {
  return nr == SYSVM_NR_getxattr || nr == SYSVM_NR_listxattr || nr == SYSVM_NR_access || nr == SYSVM_NR_faccessat;
}

}  // namespace

std::string under_of(const std::string& path) {
  if (path == ".") return "";
  return path.ends_with('/') ? path : path + "/";
}

std::optional<EntryCall> DirectoryTracker::step(const Stream& stream, const Event& call) {
  const CallTraits traits = traits_of(call);
  const auto fd = static_cast<int32_t>(call.args[0]), made = static_cast<int32_t>(call.ret);
  if (is_open(traits.nr)) {
    if (call.ret < 0) return std::nullopt;
    by_fd_.erase(made);
    if (!traits.may_trigger) return std::nullopt;  // for writing, O_PATH
    auto directory = std::make_shared<OpenDirectory>();
    directory->open = &call;
    const std::string* path = string_argument(stream, call, traits, traits.nr == SYSVM_NR_open ? 0 : 1);
    if (path && !path->empty() && (traits.nr == SYSVM_NR_open || fd == AT_FDCWD)) directory->under = under_of(*path);
    by_fd_[made] = directory;
    return std::nullopt;
  }
  const auto at = traits.nargs && traits.arg[0].kind == SYSVM_KIND_FD ? by_fd_.find(fd) : by_fd_.end();
  if (traits.nr == SYSVM_NR_getdents64 && call.ret > 0 && at != by_fd_.end()) {
    at->second->read = true;
    if (at->second->under) by_path_[*at->second->under] = at->second;
  }
  if (traits.result == SYSVM_RESULT_FD && call.ret >= 0) {
    const auto copy = at == by_fd_.end() ? nullptr : at->second;
    by_fd_.erase(made);
    if (copy && traits.effect == SYSVM_EFFECT_FD) by_fd_[made] = copy;
  }
  if (traits.nr == SYSVM_NR_close) by_fd_.erase(fd);
  if (traits.nr == SYSVM_NR_chdir || traits.nr == SYSVM_NR_fchdir) by_path_.clear();

  const std::optional<size_t> p = path_argument(traits);
  if (!p || *p > 1 || traits.effect != SYSVM_EFFECT_PURE || !traits.may_follow || !traits.batchable)
    return std::nullopt;
  const std::string* path = string_argument(stream, call, traits, *p);
  if (!path) return std::nullopt;
  if (*p == 1 && fd != AT_FDCWD) {
    const auto dir = by_fd_.find(fd);
    if (dir == by_fd_.end() || !dir->second->read || !is_name(*path)) return std::nullopt;
    return EntryCall{dir->second, *path, false};
  }
  const size_t name = path->rfind('/') == std::string::npos ? 0 : path->rfind('/') + 1;
  const auto dir = by_path_.find(path->substr(0, name));
  if (dir == by_path_.end() || !is_name(path->substr(name))) return std::nullopt;
  return EntryCall{dir->second, path->substr(name), true};
}

StepSources explain_entry(const Stream& stream, const Event& call, const EntryCall& entry) {
  StepSources step;
  step.nr = static_cast<uint32_t>(call.nr);
  step.traits = traits_of(call);
  for (size_t i = 0; i < step.traits.nargs; ++i) {
    const sysvm_arg_info& kind = step.traits.arg[i];
    ArgSource a;
    switch (kind.kind) {
      case SYSVM_KIND_DIRFD:
        a.from = entry.under ? From::kConst : From::kDirectory;
        a.value = entry.under ? static_cast<uint32_t>(AT_FDCWD) : 0;
        break;
      case SYSVM_KIND_PATH:
        a.from = entry.under ? From::kEntryUnder : From::kEntryName;
        break;
      case SYSVM_KIND_STR: {
        const std::string* text = string_argument(stream, call, step.traits, i);
        a.from = text ? From::kString : From::kVarying;
        a.text = text ? *text : "";
        break;
      }
      case SYSVM_KIND_OUT:
      case SYSVM_KIND_OUTN:
      case SYSVM_KIND_OUTS:
        a = out_source(kind);
        break;
      case SYSVM_KIND_SIZE:  // 0 asks for the size alone, which is another question
        a.from = call.args[i] ? From::kSize : From::kConst;
        break;
      case SYSVM_KIND_FLAGS:
      case SYSVM_KIND_MODE:
        a.from = From::kConst;
        a.value = call.args[i] & 0xffffffffu;
        break;
      case SYSVM_KIND_INT:
      case SYSVM_KIND_UINT:
        a.from = From::kConst;
        a.value = call.args[i];
        break;
      default:
        a.from = From::kVarying;
    }
    step.args.push_back(a);
  }
  step.key = describe(step);
  return step;
}

namespace {

// A look at a path from the root that has nothing to do with the entry, but comes with each (/etc/localtime).
StepSources explain_kept(const Event& call) {
  StepSources step;
  step.nr = static_cast<uint32_t>(call.nr);
  step.traits = traits_of(call);
  step.args = {{From::kConst, static_cast<uint32_t>(AT_FDCWD), 0, 0, ""},
               {From::kKept, 0, 0, 0, ""},
               {From::kOut, 0, step.traits.arg[2].param, 6, ""},
               {From::kConst, call.args[3] & 0xffffffffu, 0, 0, ""}};
  step.key = describe(step);
  return step;
}

}  // namespace

std::vector<Visit> visits_of(const Stream& stream) {
  std::vector<Visit> visits;
  DirectoryTracker tracker;
  std::string kept;
  bool open = false;  // the last visit may go on
  for (size_t i = 0; i < stream.calls.size(); ++i) {
    const Event& call = *stream.calls[i];
    if (is_quiet(call)) continue;
    const std::optional<EntryCall> entry = tracker.step(stream, call);
    if (const std::string* path = entry ? nullptr : kept_look(stream, call)) {
      const bool again = kept == *path;
      kept = *path;
      if (open && again) {
        visits.back().calls.push_back(&call);
        visits.back().keys.push_back(explain_kept(call).key);
        continue;
      }
    }
    if (!entry) {
      const bool about_it = open && (call.nr == SYSVM_NR_getdents64 || call.nr == SYSVM_NR_close);
      if (open) visits.back().goes_on |= about_it;
      open = open && call.nr == SYSVM_NR_getdents64;
      continue;
    }
    const std::string key = explain_entry(stream, call, *entry).key;
    if (open && visits.back().directory == entry->directory && visits.back().name == entry->name) {
      visits.back().calls.push_back(&call);
      visits.back().keys.push_back(key);
      continue;
    }
    if (open) visits.back().goes_on |= visits.back().directory == entry->directory;
    visits.push_back({entry->directory, entry->name, i, {&call}, {key}, entry->under, false});
    open = true;
  }
  return visits;
}

namespace {

struct Tally {
  EachCall call;
  std::array<uint64_t, 16> made{};  // visits of each kind that make it
  double position = 0;
  uint64_t count = 0;
  uint64_t size = 0;
  bool same_size = true;
};

uint64_t size_asked(const Event& call, const StepSources& sources) {
  for (size_t i = 0; i < sources.args.size(); ++i)
    if (sources.args[i].from == From::kSize) return call.args[i];
  return 0;
}

// What the rest of a visit must satisfy, too (libsysvm/shim/names/rules.c).
bool allowed(const StepSources& s, uint32_t kinds) {
  for (const ArgSource& a : s.args)
    if (a.from == From::kVarying) return false;
  for (const ArgSource& a : s.args)
    if (a.from == From::kKept) return true;
  return follows_no_link(s) || (follows_links_but_may(s.nr) && !(kinds & 1u << kKindLink));
}

std::optional<LoopShape> shape_of(const std::vector<std::pair<const Visit*, const Stream*>>& all, bool under,
                                  uint64_t min_count) {
  std::map<std::string, uint64_t> firsts;
  for (const auto& [v, stream] : all)
    if (v->under == under && shows_the_kind(static_cast<uint32_t>(v->calls[0]->nr))) ++firsts[v->keys[0]];
  std::string first;
  for (const auto& [key, n] : firsts)
    if (first.empty() || n > firsts[first]) first = key;
  if (first.empty() || firsts[first] < min_count) return std::nullopt;

  LoopShape shape;
  shape.under = under;
  std::map<std::pair<std::string, uint32_t>, Tally> tallies;
  std::array<uint64_t, 16> kinds{};
  uint64_t directories = 0, left = 0;
  for (const auto& [v, stream] : all) {
    if (v->under != under || v->keys[0] != first) continue;
    ++shape.visits;
    shape.hidden |= v->name[0] == '.';
    const uint32_t kind = v->kind();
    if (!kind) continue;
    ++kinds[kind];
    if (kind == kKindDirectory) {
      ++directories;
      left += !v->goes_on;
    }
    std::map<std::string, uint32_t> nth;
    const EntryCall entry{v->directory, v->name, under};
    for (size_t i = 0; i < v->calls.size(); ++i) {
      const uint32_t n = nth[v->keys[i]]++;
      Tally& t = tallies[{v->keys[i], n}];
      if (!t.count) {
        const bool kept = i && kept_look(*stream, *v->calls[i]) && v->keys[i] == explain_kept(*v->calls[i]).key;
        t.call.sources = kept ? explain_kept(*v->calls[i]) : explain_entry(*stream, *v->calls[i], entry);
        t.call.nth = n;
        t.size = size_asked(*v->calls[i], t.call.sources);
      }
      t.same_size &= t.size == size_asked(*v->calls[i], t.call.sources);
      ++t.count;
      ++t.made[kind];
      t.position += static_cast<double>(i);
    }
  }
  shape.leaves = left * 2 > directories;

  std::vector<Tally> order;
  for (auto& [key, t] : tallies) {
    for (uint32_t k = 0; k < 16; ++k)
      if (t.made[k] && t.made[k] * 2 >= kinds[k]) t.call.kinds |= 1u << k;
    t.position /= static_cast<double>(t.count);
    // A link's target is asked for with the size that lstat gave: any size that holds it gives the same.
    t.call.size = t.same_size && t.size <= 4096 ? t.size : 256;
    if (key.first == first && key.second == 0) {
      t.call.kinds = 0xffff;
      t.position = -1;
    }
    if (t.call.kinds && allowed(t.call.sources, t.call.kinds)) order.push_back(t);
  }
  std::stable_sort(order.begin(), order.end(), [](const Tally& a, const Tally& b) { return a.position < b.position; });
  if (order.empty() || order[0].call.kinds != 0xffff) return std::nullopt;  // the first is not allowed
  if (order.size() > SVP_LOOP_MAX) order.resize(SVP_LOOP_MAX);
  shape.key = "each";
  for (const Tally& t : order) {
    shape.calls.push_back(t.call);
    shape.key += " " + t.call.sources.key;
  }
  return shape;
}

}  // namespace

std::vector<LoopShape> find_shapes(const std::vector<const Visit*>& visits, const std::vector<const Stream*>& of,
                                   uint64_t min_count) {
  std::vector<std::pair<const Visit*, const Stream*>> all;
  for (size_t i = 0; i < visits.size(); ++i) all.emplace_back(visits[i], of[i]);
  std::vector<LoopShape> shapes;
  for (bool under : {false, true})
    if (std::optional<LoopShape> shape = shape_of(all, under, min_count)) shapes.push_back(*shape);
  return shapes;
}

std::optional<size_t> call_of_shape(const LoopShape& shape, const std::string& key, size_t seen) {
  for (size_t i = seen; i < shape.calls.size(); ++i)
    if (shape.calls[i].sources.key == key) return i;
  return std::nullopt;
}

StepSources loop_sources(const std::shared_ptr<const LoopShape>& shape, const ArgSource& directory) {
  StepSources step;
  step.nr = shape->calls[0].sources.nr;
  step.traits = shape->calls[0].sources.traits;
  step.traits.name = shape->row ? "row(" : "each(";
  for (const EachCall& call : shape->calls)
    step.traits.name += (step.traits.name.back() == '(' ? "" : " ") + call.sources.traits.name;
  step.traits.name += ")";
  step.args.push_back(directory);
  step.loop = shape;
  step.key = fmt::format("{} in {}/{}", shape->key, static_cast<int>(directory.from), directory.index);
  return step;
}

}  // namespace sysvm
