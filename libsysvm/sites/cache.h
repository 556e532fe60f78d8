// SPDX-License-Identifier: MIT
// Keeps analyses from run to run: one file for each object below $XDG_CACHE_HOME/sysvm/sites (or
// ~/.cache/...), 0600 in a 0700 folder, written beside and renamed, checked when read. A damaged or foreign
// file counts as absent, and so does a folder that others could have written to (private_folder.h).
// Tested by tests/sites/cache_test.cc.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libsysvm/sites/analyse.h"
#include "libsysvm/sites/private_folder.h"

namespace sysvm {

class SiteCache {
 public:
  static SiteCache at_default_place();
  explicit SiteCache(const std::string& folder) : folder_(PrivateFolder::at(folder, true)) {}

  // The object's analysis: from the cache if the file is the one it was made from, else made and kept. Not
  // being able to keep it is no error.
  Result<Analysis> get(const std::string& path) const;

  // Everything that is kept, undamaged, and of a file that is still the same. The rest goes after some time.
  std::vector<Analysis> all() const;

  std::string folder() const { return folder_ ? folder_.path() : ""; }
  // For tests and get(): the name of the file that keeps an object.
  std::string name_for(const sysvm_object& object) const;
  bool store(const Analysis& analysis) const;
  std::optional<Analysis> load(const std::string& name) const;

 private:
  explicit SiteCache(PrivateFolder folder) : folder_(std::move(folder)) {}
  PrivateFolder folder_;  // that cannot be used: nowhere to keep anything
};

}  // namespace sysvm
