// SPDX-License-Identifier: MIT
#include "optimizer/learn/directories.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "procedures/svp.h"

namespace sysvm {
namespace {

bool is_name(std::string_view text) {
  return !text.empty() && text != "." && text != ".." && text.find('/') == std::string_view::npos;
}

bool follows_no_link(const StepSources& s) {
  switch (s.nr) {
    case SYSVM_NR_newfstatat:
      return s.args[3].value & AT_SYMLINK_NOFOLLOW && !(s.args[3].value & AT_EMPTY_PATH);
    case SYSVM_NR_statx:
      return s.args[2].value & AT_SYMLINK_NOFOLLOW &&
             !(s.args[2].value & (AT_EMPTY_PATH | AT_STATX_FORCE_SYNC));
    case SYSVM_NR_lstat:
    case SYSVM_NR_lgetxattr:
    case SYSVM_NR_llistxattr:
    case SYSVM_NR_readlink:
    case SYSVM_NR_readlinkat: return true;
    default: return false;
  }
}

bool shows_the_kind(uint32_t nr) {
  return nr == SYSVM_NR_newfstatat || nr == SYSVM_NR_statx || nr == SYSVM_NR_lstat;
}

bool follows_links_but_may(uint32_t nr) {
  return nr == SYSVM_NR_getxattr || nr == SYSVM_NR_listxattr || nr == SYSVM_NR_access ||
         nr == SYSVM_NR_faccessat;
}

}  // namespace

std::string under_of(const std::string& path) {
  if (path == ".") return "";
  return path.ends_with('/') ? path : path + "/";
}

std::optional<DirentCall> DirectoryTracker::step(const Stream& stream, const PackedEvent& call) {
  const sysvm_syscall_info* row = sysvm_syscall_by_nr(static_cast<uint32_t>(call.nr()));
  if (!row) return std::nullopt;
  const auto fd = static_cast<int32_t>(call.arg(0)), made = static_cast<int32_t>(call.ret());
  if (is_open(row->nr)) {
    if (call.ret() < 0) return std::nullopt;
    by_fd_.erase(made);
    const CallTraits& traits = traits_of(call);
    if (!traits.may_trigger) return std::nullopt;  // for writing, O_PATH
    auto directory = std::make_shared<OpenDirectory>();
    directory->open = &call;
    const std::string* path = string_argument(stream, call, traits, row->nr == SYSVM_NR_open ? 0 : 1);
    if (path && !path->empty() && (row->nr == SYSVM_NR_open || fd == AT_FDCWD))
      directory->under = under_of(*path);
    by_fd_[made] = directory;
    return std::nullopt;
  }
  const auto at = row->nargs && row->arg[0].kind == SYSVM_KIND_FD ? by_fd_.find(fd) : by_fd_.end();
  if (row->nr == SYSVM_NR_getdents64 && call.ret() > 0 && at != by_fd_.end()) {
    at->second->read = true;
    if (at->second->under) by_path_[*at->second->under] = at->second;
  }
  if (const Gives gives = gives_descriptor(call); gives != Gives::kNothing && call.ret() >= 0) {
    const auto copy = at == by_fd_.end() || gives != Gives::kCopy ? nullptr : at->second;
    by_fd_.erase(made);
    if (copy) by_fd_[made] = copy;
  }
  if (row->nr == SYSVM_NR_close) by_fd_.erase(fd);
  if (row->nr == SYSVM_NR_chdir || row->nr == SYSVM_NR_fchdir) by_path_.clear();

  const size_t p = row->arg[0].kind == SYSVM_KIND_PATH ? 0 : row->arg[1].kind == SYSVM_KIND_PATH ? 1 : 2;
  if (p > 1 || row->effect != SYSVM_EFFECT_PURE || !(row->flags & SYSVM_FLAG_AHEAD) || row->index < 0)
    return std::nullopt;
  // The first string argument, since none comes before a path.
  if (call.path(0) == kNoString || call.flags() & (kPathFault | kPathCut)) return std::nullopt;
  const std::string_view path = stream.string(call, 0);
  if (p == 1 && fd != AT_FDCWD) {
    const auto dir = by_fd_.find(fd);
    if (dir == by_fd_.end() || !dir->second->read || !is_name(path)) return std::nullopt;
    return DirentCall{dir->second, path, false};
  }
  const size_t name = path.rfind('/') == std::string_view::npos ? 0 : path.rfind('/') + 1;
  const auto dir = by_path_.find(path.substr(0, name));
  if (dir == by_path_.end() || !is_name(path.substr(name))) return std::nullopt;
  return DirentCall{dir->second, path.substr(name), true};
}

StepSources explain_dirent(const Stream& stream, const PackedEvent& call, bool under) {
  StepSources step;
  step.nr = static_cast<uint32_t>(call.nr());
  step.traits = traits_of(call);
  for (size_t i = 0; i < step.traits.nargs; ++i) {
    const sysvm_arg_info& kind = step.traits.arg[i];
    ArgSource a;
    switch (kind.kind) {
      case SYSVM_KIND_DIRFD:
        a.from = under ? From::kConst : From::kDirectory;
        a.value = under ? static_cast<uint32_t>(AT_FDCWD) : 0;
        break;
      case SYSVM_KIND_PATH: a.from = under ? From::kDirentUnder : From::kDirentName; break;
      case SYSVM_KIND_STR: {
        const std::string* text = string_argument(stream, call, step.traits, i);
        a.from = text ? From::kString : From::kVarying;
        a.text = text ? *text : "";
        break;
      }
      case SYSVM_KIND_OUT:
      case SYSVM_KIND_OUTN:
      case SYSVM_KIND_OUTS: a = out_source(kind); break;
      case SYSVM_KIND_SIZE:  // 0 asks for the size alone, which is another question
        a.from = call.arg(i) ? From::kSize : From::kConst;
        break;
      case SYSVM_KIND_FLAGS:
      case SYSVM_KIND_MODE:
        a.from = From::kConst;
        a.value = call.arg(i) & 0xffffffffu;
        break;
      case SYSVM_KIND_INT:
      case SYSVM_KIND_UINT:
        a.from = From::kConst;
        a.value = call.arg(i);
        break;
      default: a.from = From::kVarying;
    }
    step.args.push_back(a);
  }
  step.key = describe(step);
  return step;
}

namespace {

// A path from the root that has nothing to do with the name, but is checked with each (/etc/localtime).
StepSources explain_kept(const PackedEvent& call) {
  StepSources step;
  step.nr = static_cast<uint32_t>(call.nr());
  step.traits = traits_of(call);
  step.args = {{From::kConst, static_cast<uint32_t>(AT_FDCWD), 0, 0, ""},
               {From::kKept, 0, 0, 0, ""},
               {From::kOut, 0, step.traits.arg[2].param, 6, ""},
               {From::kConst, call.arg(3) & 0xffffffffu, 0, 0, ""}};
  step.key = describe(step);
  return step;
}

}  // namespace

const StepSources* DirentSources::of(const Stream& stream, const PackedEvent& call, bool under) {
  const sysvm_syscall_info* row = sysvm_syscall_by_nr(static_cast<uint32_t>(call.nr()));
  Form form{row->nr, under};
  size_t text = 0;
  for (size_t i = 0; i < row->nargs; ++i) {
    const uint16_t kind = row->arg[i].kind;
    uint64_t& part = form[2 + i];
    if (kind == SYSVM_KIND_PATH) ++text;
    if (kind == SYSVM_KIND_STR)
      part = text < 2 ? uint64_t{call.path(text++)} << 1 | call.has(kPathFault) : UINT64_MAX;
    if (kind == SYSVM_KIND_SIZE) part = call.arg(i) != 0;
    if (kind == SYSVM_KIND_FLAGS || kind == SYSVM_KIND_MODE) part = call.arg(i) & 0xffffffffu;
    if (kind == SYSVM_KIND_INT || kind == SYSVM_KIND_UINT) part = call.arg(i);
  }
  std::unique_ptr<StepSources>& known = known_[form];
  if (!known) known = std::make_unique<StepSources>(explain_dirent(stream, call, under));
  return known.get();
}

const StepSources* DirentSources::of_kept(const PackedEvent& call) {
  std::unique_ptr<StepSources>& known =
      known_[{static_cast<uint64_t>(call.nr()), 2, call.arg(3) & 0xffffffffu}];
  if (!known) known = std::make_unique<StepSources>(explain_kept(call));
  return known.get();
}

size_t DirentSources::Hash::operator()(const Form& form) const {
  uint64_t h = 0;
  for (const uint64_t part : form) h = (h ^ part) * 0x9e3779b97f4a7c15ull, h ^= h >> 31;
  return h;
}

void for_each_visit(const Stream& stream, DirentSources& sources,
                    const std::function<void(const Visit&)>& whole) {
  DirectoryTracker tracker;
  std::string_view kept;
  Visit visit;        // the last one
  bool open = false;  // it may go on
  for (size_t i = 0; i < stream.calls.size(); ++i) {
    const PackedEvent& call = *stream.calls[i];
    if (is_quiet(call)) continue;
    const std::optional<DirentCall> entry = tracker.step(stream, call);
    if (const std::string* path = entry ? nullptr : kept_path_of(stream, call)) {
      const bool again = kept == *path;
      kept = *path;
      if (open && again) {
        visit.calls.push_back({&call, sources.of_kept(call)});
        continue;
      }
    }
    if (!entry) {
      const bool about_it = open && (call.nr() == SYSVM_NR_getdents64 || call.nr() == SYSVM_NR_close);
      if (open) visit.goes_on |= about_it;
      open = open && call.nr() == SYSVM_NR_getdents64;
      continue;
    }
    const VisitCall made{&call, sources.of(stream, call, entry->under)};
    if (open && visit.directory == entry->directory && visit.name == entry->name) {
      visit.calls.push_back(made);
      continue;
    }
    if (open) visit.goes_on |= visit.directory == entry->directory;
    if (!visit.calls.empty()) whole(visit);
    visit.directory = entry->directory;
    visit.name = entry->name;
    visit.at = i;
    visit.calls.assign(1, made);
    visit.under = entry->under;
    visit.goes_on = false;
    open = true;
  }
  if (!visit.calls.empty()) whole(visit);
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

uint64_t size_asked(const PackedEvent& call, const StepSources& sources) {
  for (size_t i = 0; i < sources.args.size(); ++i)
    if (sources.args[i].from == From::kSize) return call.arg(i);
  return 0;
}

// What the rest of a visit must satisfy, too (libsysvm/shim/ahead/check_loop.c).
bool allowed(const StepSources& s, uint32_t kinds) {
  for (const ArgSource& a : s.args)
    if (a.from == From::kVarying) return false;
  for (const ArgSource& a : s.args)
    if (a.from == From::kKept) return true;
  return follows_no_link(s) || (follows_links_but_may(s.nr) && !(kinds & 1u << kKindLink));
}

// What the visits that begin with one call have in common.
struct Beginning {
  bool under = false, hidden = false;
  uint64_t visits = 0, directories = 0, left = 0;
  std::array<uint64_t, 16> kinds{};
  std::map<std::pair<const StepSources*, uint32_t>, Tally> tallies;

  void add(const Visit& v) {
    under = v.under;
    ++visits;
    hidden |= v.name[0] == '.';
    const uint32_t kind = v.kind();
    if (!kind) return;
    ++kinds[kind];
    if (kind == kKindDirectory) {
      ++directories;
      left += !v.goes_on;
    }
    for (size_t i = 0; i < v.calls.size(); ++i) {
      const auto& [event, sources] = v.calls[i];
      const auto n = static_cast<uint32_t>(
          std::count_if(v.calls.begin(), v.calls.begin() + static_cast<std::ptrdiff_t>(i),
                        [s = sources](const VisitCall& before) { return before.sources == s; }));
      Tally& t = tallies[{sources, n}];
      if (!t.count) {
        t.call.sources = *sources;
        t.call.nth = n;
        t.size = size_asked(*event, *sources);
      }
      t.same_size &= t.size == size_asked(*event, *sources);
      ++t.count;
      ++t.made[kind];
      t.position += static_cast<double>(i);
    }
  }
};

using Beginnings = std::unordered_map<const StepSources*, Beginning>;

// The call that most visits begin with, of those that show the kind of file.
const StepSources* first_call(const Beginnings& all, bool under, uint64_t min_count) {
  const StepSources* first = nullptr;
  uint64_t most = 0;
  for (const auto& [sources, of] : all) {
    if (of.under != under || !shows_the_kind(sources->nr)) continue;
    if (first && (of.visits < most || (of.visits == most && sources->key > first->key))) continue;
    first = sources;
    most = of.visits;
  }
  return most >= min_count ? first : nullptr;
}

std::optional<LoopShape> shape_of(Beginnings& all, bool under, uint64_t min_count) {
  const StepSources* first = first_call(all, under, min_count);
  if (!first) return std::nullopt;
  Beginning& of = all.at(first);
  LoopShape shape;
  shape.under = under;
  shape.visits = of.visits;
  shape.hidden = of.hidden;
  shape.leaves = of.left * 2 > of.directories;

  std::vector<Tally> order;
  for (auto& [which, t] : of.tallies) {
    for (uint32_t k = 0; k < 16; ++k)
      if (t.made[k] && t.made[k] * 2 >= of.kinds[k]) t.call.kinds |= 1u << k;
    t.position /= static_cast<double>(t.count);
    // A link's target is asked for with the size that lstat gave: any size that holds it gives the same.
    t.call.size = t.same_size && t.size <= 4096 ? t.size : 256;
    if (which.first == first && which.second == 0) {
      t.call.kinds = 0xffff;
      t.position = -1;
    }
    if (t.call.kinds && allowed(t.call.sources, t.call.kinds)) order.push_back(t);
  }
  std::sort(order.begin(), order.end(), [](const Tally& a, const Tally& b) {
    return std::tie(a.position, a.call.sources.key, a.call.nth) <
           std::tie(b.position, b.call.sources.key, b.call.nth);
  });
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

std::vector<LoopShape> find_shapes(const std::vector<const Stream*>& streams, uint64_t min_count) {
  DirentSources sources;
  Beginnings beginnings;
  for (const Stream* stream : streams)
    for_each_visit(*stream, sources, [&](const Visit& v) { beginnings[v.calls[0].sources].add(v); });
  std::vector<LoopShape> shapes;
  for (bool under : {false, true})
    if (std::optional<LoopShape> shape = shape_of(beginnings, under, min_count))
      shapes.push_back(std::move(*shape));
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
