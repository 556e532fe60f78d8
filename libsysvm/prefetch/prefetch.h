// SPDX-License-Identifier: MIT
// The prefetcher as `sysvm run` and `sysvm try` have it: asked for by --prefetch, started beside a command, reported on.
// Tested by tests/prefetch.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/result.h"
#include "common/unique_fd.h"
#include "libsysvm/prefetch/shared.h"

namespace sysvm {

struct PrefetchOptions {
  bool on = true;
  unsigned depth = 0;  // calls in flight; 0: by itself
};

// "off", "auto", or a number of calls in flight.
Result<PrefetchOptions> parse_prefetch(const std::string& text);

class Prefetcher {
 public:
  // Finds the program and makes room for the counters. Nothing is started, and nothing fails: without it the command runs as well.
  explicit Prefetcher(const PrefetchOptions& options);
  Prefetcher(Prefetcher&&) = default;
  ~Prefetcher();

  // In the process that becomes the command, right before execve.
  void start_beside_this_process() const;

  // When the command has ended: waits until the prefetcher is gone (it ends by itself then), so that it keeps no file system
  // busy; for a quarter of a second at most. What it did; nothing if it was off or never ran.
  std::optional<prefetch_stats> end() const;

 private:
  PrefetchOptions options_;
  std::string program_;
  UniqueFd file_;
  prefetch_stats* stats_ = nullptr;
};

// "ended", "failed", ...: for JSON.
const char* prefetch_end_name(uint64_t end);

}  // namespace sysvm
