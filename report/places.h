// SPDX-License-Identifier: MIT
// Which file or directory each call was about, and what each of them cost.
//
// The path that a call names, those relative to an open directory with that directory's path in front; or
// what its descriptor was
// opened as. Sockets and pipes are no places. Tested by tests/report/facts_test.cc.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "traces/descriptors.h"
#include "traces/event.h"

namespace sysvm::page {

struct Cost {
  uint64_t calls = 0, errors = 0, opens = 0, bytes = 0, ns = 0;
  void add(const Cost& other);
};

struct Place {
  std::string path;
  Cost cost;
};

struct Folder {  // with all below it
  std::string name;
  uint32_t parent = 0, depth = 0;
  uint64_t files = 0;  // different paths at and below it
  Cost cost;
  std::string path;
};

class Places {
 public:
  // The path, "" if the call has none. Valid until the next call. After each event, in order of entry.
  const std::string& add(const TraceInfo& info, const Event& event);
  size_t size() const { return costs_.size(); }
  uint64_t first_touches() const { return touched_; }  // paths that were there
  std::vector<Place> costliest(size_t most) const;
  // A tree; [0] is the root, parents stand before children.
  std::vector<Folder> folders(double share, size_t most) const;

 private:
  const std::string& path_of(const TraceInfo& info, const Event& event);
  Descriptors fds_;
  std::unordered_map<std::string, Cost> costs_;
  std::string path_, joined_;
  uint64_t touched_ = 0;
};

}  // namespace sysvm::page
