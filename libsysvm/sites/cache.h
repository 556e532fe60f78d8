// SPDX-License-Identifier: MIT
// Keeps analyses from run to run: one file for each object below $XDG_CACHE_HOME/sysvm/sites (or ~/.cache/...),
// 0600 in a 0700 folder, written beside and renamed, checked when read. A damaged or foreign file counts as absent.
// Tested by tests/sites/cache_test.cc.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libsysvm/sites/analyse.h"

namespace sysvm {

class SiteCache {
 public:
  static SiteCache at_default_place();
  explicit SiteCache(std::string folder) : folder_(std::move(folder)) {}

  // The object's analysis: from the cache if the file is the one it was made from, else made and kept. Not being
  // able to keep it is no error.
  Result<Analysis> get(const std::string& path) const;

  std::vector<Analysis> all() const;  // everything that is kept and undamaged

  // For tests and get(): the file that keeps an object.
  std::string file_for(const sysvm_object& object) const;
  bool store(const Analysis& analysis) const;
  std::optional<Analysis> load(const std::string& file) const;

 private:
  std::string folder_;  // empty: nowhere to keep anything
};

}  // namespace sysvm
