// SPDX-License-Identifier: MIT
#include "report/places.h"

#include <algorithm>
#include <utility>

#include "report/facts.h"

namespace sysvm::page {
namespace {

// Without "//" and "/./", and without a "/" at its end.
void tidy(std::string& path) {
  size_t to = 0;
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '/' && to && path[to - 1] == '/') continue;
    if (path[i] == '.' && to && path[to - 1] == '/' && (i + 1 == path.size() || path[i + 1] == '/')) {
      if (i + 1 < path.size()) ++i;
      continue;
    }
    path[to++] = path[i];
  }
  path.resize(to);
  if (path.size() > 1 && path.back() == '/') path.pop_back();
}

bool is_place(std::string_view path) {  // not "socket:[...]" or "pipe:[...]"
  const size_t colon = path.find(":[");
  return !path.empty() && (colon == std::string_view::npos || path.find('/') < colon);
}

}  // namespace

void Cost::add(const Cost& other) {
  calls += other.calls;
  errors += other.errors;
  opens += other.opens;
  bytes += other.bytes;
  ns += other.ns;
}

const std::string& Places::path_of(const TraceInfo& info, const Event& e) {
  path_.clear();
  if (e.flags & (kSignal | kForkChild)) return path_;
  const CallInfo* call = e.has(kCompat) ? nullptr : info.call(e.nr);
  const bool names_one = e.path[0] != kNoString && call &&
                         std::find(call->args.begin(), call->args.end(), "PATH") != call->args.end();
  const std::string_view named = names_one ? std::string_view(info.strings[e.path[0]]) : std::string_view();
  if (named.starts_with('/')) {
    path_ = named;
  } else {
    const std::string_view folder =
        call && (named.empty() || call->args[0] == "DIRFD") ? fds_.path_of(info, e) : std::string_view();
    if (named.empty()) {
      if (is_place(folder)) path_ = folder;
    } else {
      if (!folder.empty() && static_cast<int32_t>(e.args[0]) != -100) path_.append(folder).append("/");
      path_ += named;
    }
  }
  tidy(path_);
  return path_;
}

const std::string& Places::add(const TraceInfo& info, const Event& e) {
  path_of(info, e);
  fds_.add(info, e);
  if (path_.empty()) return path_;
  const auto [at, fresh] = costs_.try_emplace(path_);
  Cost& cost = at->second;
  const CallInfo* call = info.call(e.nr);
  const bool bad = failed(e);
  if (!cost.calls || cost.calls == cost.errors) touched_ += !bad;  // it is there, and was not known to be
  ++cost.calls;
  cost.errors += bad;
  cost.ns += e.dur_ns;
  if (call && e.ret > 0 && !bad && call->result == "BYTES") cost.bytes += static_cast<uint64_t>(e.ret);
  if (call && !bad && call->result == "FD") ++cost.opens;
  return path_;
}

std::vector<Place> Places::costliest(size_t most) const {
  std::vector<const std::pair<const std::string, Cost>*> all;
  all.reserve(costs_.size());
  for (const auto& one : costs_) all.push_back(&one);
  const auto before = [](const auto* a, const auto* b) {
    return a->second.ns != b->second.ns ? a->second.ns > b->second.ns : a->first < b->first;
  };
  const size_t n = std::min(most, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<ptrdiff_t>(n), all.end(), before);
  std::vector<Place> out;
  for (size_t i = 0; i < n; ++i) out.push_back({all[i]->first, all[i]->second});
  return out;
}

namespace {

struct Node {
  uint32_t parent = 0;
  std::string_view name;
  Cost cost;
  uint64_t files = 0;
};

// Directories by their path. Files are many more: only the costly become nodes, after the sums are known.
class Tree {
 public:
  std::vector<Node> nodes{Node{}};

  uint32_t folder(std::string_view path) {
    if (path.empty()) return 0;
    const auto known = of_.find(path);
    if (known != of_.end()) return known->second;
    const auto [above, name] = split(path);
    const uint32_t parent = folder(above);
    return add(parent, name, path);
  }
  uint32_t add(uint32_t parent, std::string_view name, std::string_view path) {
    const auto number = static_cast<uint32_t>(nodes.size());
    of_.emplace(path, number);
    nodes.push_back({parent, name, {}, 0});
    return number;
  }
  const uint32_t* find(std::string_view path) const {
    static constexpr uint32_t kRoot = 0;
    if (path.empty()) return &kRoot;
    const auto at = of_.find(path);
    return at == of_.end() ? nullptr : &at->second;
  }
  // "/usr/lib" -> "/usr" and "lib"; "/usr" -> "/" and "usr"; "usr" -> "" and "usr"; "/" -> "" and "/".
  // What is too deep is in one piece.
  static std::pair<std::string_view, std::string_view> split(std::string_view path) {
    const size_t slash = path.rfind('/');
    if (path == "/" || slash == std::string_view::npos ||
        std::count(path.begin(), path.end(), '/') > kDeepest)
      return {{}, path};
    return {slash ? path.substr(0, slash) : path.substr(0, 1), path.substr(slash + 1)};
  }

 private:
  static constexpr ptrdiff_t kDeepest = 64;
  std::unordered_map<std::string_view, uint32_t> of_;
};

}  // namespace

std::vector<Folder> Places::folders(double share, size_t most) const {
  Tree tree;
  Cost all;
  for (const auto& [path, cost] : costs_) {
    tree.folder(Tree::split(path).first);
    all.add(cost);
  }
  const double least_ns = share * static_cast<double>(all.ns),
               least_calls = share * static_cast<double>(all.calls);
  const auto kept = [&](const Cost& c) {
    return (c.ns && static_cast<double>(c.ns) >= least_ns) || static_cast<double>(c.calls) >= least_calls;
  };
  for (const auto& [path, cost] : costs_) {
    const uint32_t* known = tree.find(path);
    const auto [above, name] = Tree::split(path);
    const uint32_t at = known        ? *known
                        : kept(cost) ? tree.add(*tree.find(above), name, path)
                                     : *tree.find(above);
    tree.nodes[at].cost.add(cost);
    ++tree.nodes[at].files;
  }
  std::vector<Node>& nodes = tree.nodes;
  for (size_t i = nodes.size(); i-- > 1;) {  // children stand after their parents
    nodes[nodes[i].parent].cost.add(nodes[i].cost);
    nodes[nodes[i].parent].files += nodes[i].files;
  }
  std::vector<uint32_t> chosen;
  for (uint32_t i = 0; i < nodes.size(); ++i)
    if (!i || kept(nodes[i].cost)) chosen.push_back(i);
  if (chosen.size() > most) {
    std::stable_sort(chosen.begin() + 1, chosen.end(),
                     [&](uint32_t a, uint32_t b) { return nodes[a].cost.ns > nodes[b].cost.ns; });
    chosen.resize(most);
    std::sort(chosen.begin(), chosen.end());
  }
  std::unordered_map<uint32_t, uint32_t> number;
  std::vector<Folder> out;
  for (const uint32_t i : chosen) {
    const auto parent = number.find(nodes[i].parent);
    if (i && parent == number.end()) continue;
    number[i] = static_cast<uint32_t>(out.size());
    Folder f;
    f.name = nodes[i].name;
    f.files = nodes[i].files;
    f.cost = nodes[i].cost;
    if (i) {
      const Folder& above = out[parent->second];
      f.parent = parent->second;
      f.depth = above.depth + 1;
      f.path =
          above.path.empty() || above.path.back() == '/' ? above.path + f.name : above.path + "/" + f.name;
    }
    out.push_back(std::move(f));
  }
  return out;
}

}  // namespace sysvm::page
