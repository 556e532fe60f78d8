// SPDX-License-Identifier: MIT
// Writes the shim's bundle (libsysvm/shim/bundle/bundle.h).
// Tested by tests/run/bundle_test.cc.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libsysvm/sites/analyse.h"

namespace sysvm {

// glibc maps it shared and read-only when a program uses a charset converter; Debian's and the usual place.
inline constexpr const char* kGconvCaches[] = {"/usr/lib/x86_64-linux-gnu/gconv/gconv-modules.cache",
                                               "/usr/lib64/gconv/gconv-modules.cache",
                                               "/usr/lib/gconv/gconv-modules.cache"};

struct BundleInput {
  uint32_t engine = 0;
  bool strict = false;
  uint32_t age_ms = 10;
  bool relaxed_age = false;
  bool allow_seccomp = false;
  std::string svp;  // contents of the procedure file, or empty
  std::vector<Analysis> objects;
  std::string stats_path, library_path, bundle_path;  // stats_path empty: each process counts for itself
};

// A procedure file that svp_check accepts, without what only people read, and without the prefetcher's lists:
// each process checks every byte at its start.
std::string svp_without_notes(const std::string& svp);

std::string make_bundle(const BundleInput& input);

}  // namespace sysvm
