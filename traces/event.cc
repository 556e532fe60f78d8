// SPDX-License-Identifier: MIT
#include "traces/event.h"

#include <algorithm>

#include "traces/calls32.h"

namespace sysvm {

const char* to_string(LossReason reason) {
  switch (reason) {
    case LossReason::kRingFull: return "ring full";
    case LossReason::kNoStorage: return "no memory for a thread's state";
    case LossReason::kRecursion: return "probe was busy";
    case LossReason::kMissedFork: return "thread not followed";
    case LossReason::kConsumer: return "recorder failed";
    case LossReason::kTask: return "record of a fork, exec or end";
    case LossReason::kText: return "line of text not understood";
  }
  return "unknown reason";
}

const CallInfo* TraceInfo::call(int32_t nr) const {
  auto it = std::lower_bound(header.calls.begin(), header.calls.end(), nr,
                             [](const CallInfo& c, int32_t n) { return c.nr < n; });
  return it != header.calls.end() && it->nr == nr ? &*it : nullptr;
}

std::string TraceInfo::call_name(int32_t nr) const {
  const CallInfo* c = call(nr);
  return c ? c->name : "syscall_" + std::to_string(nr);
}

std::string call_label(const TraceInfo& info, const Event& event) {
  if (event.has(kSignal)) return "signal";
  return event.has(kCompat) ? call32_label(event.nr) : info.call_name(event.nr);
}

namespace {

template <typename F>
void for_each_column(Columns& c, F f) {
  auto all = [&f](auto&... column) { (f(column), ...); };
  all(c.ts_ns, c.dur_ns, c.pid, c.tid, c.seq, c.nr, c.ret, c.flags, c.ip, c.caller, c.st_mode, c.st_size,
      c.st_dev, c.st_ino, c.data_kind, c.data);
  for (auto& column : c.args) f(column);
  for (auto& column : c.path) f(column);
}

}  // namespace

void Columns::resize(size_t n) {
  for_each_column(*this, [n](auto& column) { column.resize(n); });
}

void Columns::append(const Columns& other) {
  auto join = [](auto& column, const auto& more) { column.insert(column.end(), more.begin(), more.end()); };
  join(ts_ns, other.ts_ns);
  join(dur_ns, other.dur_ns);
  join(pid, other.pid);
  join(tid, other.tid);
  join(seq, other.seq);
  join(nr, other.nr);
  join(ret, other.ret);
  for (size_t i = 0; i < args.size(); ++i) join(args[i], other.args[i]);
  join(flags, other.flags);
  for (size_t i = 0; i < path.size(); ++i) join(path[i], other.path[i]);
  join(ip, other.ip);
  join(caller, other.caller);
  join(st_mode, other.st_mode);
  join(st_size, other.st_size);
  join(st_dev, other.st_dev);
  join(st_ino, other.st_ino);
  join(data_kind, other.data_kind);
  join(data, other.data);
}

void Columns::push_back(const Event& e) {
  ts_ns.push_back(e.ts_ns);
  dur_ns.push_back(e.dur_ns);
  pid.push_back(e.pid);
  tid.push_back(e.tid);
  seq.push_back(e.seq);
  nr.push_back(e.nr);
  ret.push_back(e.ret);
  for (size_t i = 0; i < args.size(); ++i) args[i].push_back(e.args[i]);
  flags.push_back(e.flags);
  for (size_t i = 0; i < path.size(); ++i) path[i].push_back(e.path[i]);
  ip.push_back(e.ip);
  caller.push_back(e.caller);
  st_mode.push_back(e.st_mode);
  st_size.push_back(e.st_size);
  st_dev.push_back(e.st_dev);
  st_ino.push_back(e.st_ino);
  data_kind.push_back(static_cast<uint32_t>(e.data_kind));
  data.push_back(e.data);
}

Event Columns::event(size_t i) const {
  Event e;
  e.ts_ns = ts_ns[i];
  e.dur_ns = dur_ns[i];
  e.pid = pid[i];
  e.tid = tid[i];
  e.seq = seq[i];
  e.nr = nr[i];
  e.ret = ret[i];
  for (size_t k = 0; k < args.size(); ++k) e.args[k] = args[k][i];
  e.flags = flags[i];
  for (size_t k = 0; k < path.size(); ++k) e.path[k] = path[k][i];
  e.ip = ip[i];
  e.caller = caller[i];
  e.st_mode = st_mode[i];
  e.st_size = st_size[i];
  e.st_dev = st_dev[i];
  e.st_ino = st_ino[i];
  e.data_kind = static_cast<DataKind>(data_kind[i]);
  e.data = data[i];
  return e;
}

MappingIndex::MappingIndex(const TraceInfo& info) {
  for (const Process& p : info.processes) images_[p.pid].push_back({p.start_ns, p.execed, p.parent, {}});
  for (auto& [pid, images] : images_)
    std::stable_sort(images.begin(), images.end(),
                     [](const Image& a, const Image& b) { return a.start_ns < b.start_ns; });
  for (const Mapping& m : info.mappings) {
    std::vector<Image>& images = images_[m.pid];
    if (images.empty()) images.push_back({0, true, 0, {}});
    auto it = std::upper_bound(images.begin(), images.end(), m.seen_ns,
                               [](uint64_t ts, const Image& image) { return ts < image.start_ns; });
    if (it != images.begin()) --it;
    it->mappings.push_back(&m);
  }
  for (auto& [pid, images] : images_)
    for (Image& image : images)
      std::stable_sort(image.mappings.begin(), image.mappings.end(),
                       [](const Mapping* a, const Mapping* b) { return a->start < b->start; });
}

const Mapping* MappingIndex::find_in(int32_t pid, uint64_t address, uint64_t ts_ns, int depth) const {
  auto found = images_.find(pid);
  if (found == images_.end() || depth > 64)
    return nullptr;  // 64: forks in a row without a mapping of their own
  const std::vector<Image>& images = found->second;
  auto image = std::upper_bound(images.begin(), images.end(), ts_ns,
                                [](uint64_t ts, const Image& i) { return ts < i.start_ns; });
  if (image != images.begin()) --image;
  auto it = std::upper_bound(image->mappings.begin(), image->mappings.end(), address,
                             [](uint64_t a, const Mapping* m) { return a < m->start; });
  while (it != image->mappings.begin()) {
    --it;
    if (address < (*it)->end) return *it;
  }
  if (image->execed) return nullptr;
  return find_in(image->parent, address, image->start_ns, depth + 1);
}

const Mapping* MappingIndex::find(int32_t pid, uint64_t address, uint64_t ts_ns) const {
  return find_in(pid, address, ts_ns, 0);
}

std::optional<Place> MappingIndex::place(int32_t pid, uint64_t address, uint64_t ts_ns) const {
  const Mapping* m = find(pid, address, ts_ns);
  if (!m) return std::nullopt;
  return Place{m->build_id, m->path, address - m->start + m->offset};
}

}  // namespace sysvm
