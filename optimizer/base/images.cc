// SPDX-License-Identifier: MIT
#include "optimizer/base/images.h"

#include <algorithm>

namespace sysvm {
namespace {

constexpr int kDeepest = 64;  // a file may say that a process is its own ancestor
const std::string kUnknown;

}  // namespace

Images::Images(const TraceInfo& trace) {
  for (const Process& p : trace.processes) images_[p.pid].push_back(&p);
  for (auto& [pid, images] : images_)  // a file may have them in any order
    std::stable_sort(images.begin(), images.end(),
                     [](const Process* a, const Process* b) { return a->start_ns < b->start_ns; });
}

const std::vector<const Process*>& Images::of(int32_t pid) const {
  static const std::vector<const Process*> none;
  const auto known = images_.find(pid);
  return known == images_.end() ? none : known->second;
}

const Process* Images::at(int32_t pid, uint64_t ts_ns) const {
  const std::vector<const Process*>& images = of(pid);
  const auto after = std::partition_point(images.begin(), images.end(),
                                          [&](const Process* p) { return p->start_ns <= ts_ns; });
  return after == images.begin() ? nullptr : *std::prev(after);
}

const std::string& Images::build_id(const Process* image) const {
  for (int depth = 0; image && image->build_id.empty() && !image->execed && depth < kDeepest; ++depth)
    image = parent(image);
  return image ? image->build_id : kUnknown;
}

const std::string& Images::exe(const Process* image) const {
  for (int depth = 0; image && image->exe.empty() && depth < kDeepest; ++depth) image = parent(image);
  return image ? image->exe : kUnknown;
}

}  // namespace sysvm
