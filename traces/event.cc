// SPDX-License-Identifier: MIT
#include "traces/event.h"

#include <algorithm>

#include "traces/calls32.h"

namespace sysvm {

const char* to_string(LossReason reason) {
#define SYSVM_LOSS_REASON(number, name, NAME, text) \
  if (reason == LossReason::name) return text;
#include "traces/event_codes.inc"
  return "unknown reason";
}

const char* to_string(DataKind kind) {
#define SYSVM_DATA_KIND(number, name, NAME, text) \
  if (kind == DataKind::name) return text;
#include "traces/event_codes.inc"
  return "unknown";
}

uint64_t TraceInfo::lost() const {
  uint64_t sum = 0;
  for (const Loss& loss : losses) sum += loss.count;
  return sum;
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

void Columns::resize(size_t n) {
  for_each_column(*this, *this, [n](auto& column, auto&) { column.resize(n); });
}

void Columns::append(const Columns& other) {
  for_each_column(*this, other, [](auto& column, const auto& more) {
    column.insert(column.end(), more.begin(), more.end());
  });
}

void Columns::push_back(const Event& e) {
  for_each_column(*this, e, [](auto& column, const auto& value) {
    column.push_back(static_cast<typename std::decay_t<decltype(column)>::value_type>(value));
  });
}

Event Columns::event(size_t i) const {
  Event e;
  for_each_column(*this, e, [i](const auto& column, auto& value) {
    value = static_cast<std::decay_t<decltype(value)>>(column[i]);
  });
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
