// SPDX-License-Identifier: MIT
// Paths of a recording as files of now: without links, and what they are. Each directory is asked about once.
// Tested by tests/optimizer/lists_test.cc.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sysvm {

struct ResolvedFile {
  std::string path;  // no component of its directory is a link
  std::optional<struct stat> st;
};

class Resolver {
 public:
  // Nothing if it has no directory (any more). follow: what a link at its end leads to.
  std::optional<ResolvedFile> resolve(const std::string& path, bool follow);

 private:
  const std::string& directory(const std::string& path);  // "": there is none
  std::map<std::string, std::string> directories_;
};

struct FilePart {
  uint64_t from = 0, length = 0;
};

// Which parts of a file's part lie in memory now, small gaps included. All of it where that is not told: to
// who does not own the file and could not write to it.
std::vector<FilePart> in_memory(const std::string& path, FilePart part);

// From the root, without "." and empty components; ".." is left in.
std::string absolute(const std::string& folder, const std::string& path);

}  // namespace sysvm
