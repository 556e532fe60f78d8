// SPDX-License-Identifier: MIT
// Paths of a recording resolved to today's files: without links, and what they are. Each directory is looked
// up once, and so is each file of programs that ran again and again, unless there are too many of them.
// Tested by tests/optimizer/lists_test.cc.
#pragma once

#include <sys/stat.h>

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace sysvm {

struct ResolvedFile {
  std::string path;  // no component of its directory is a link
  std::optional<struct stat> st;
};

struct FilePart {
  uint64_t from = 0, length = 0;
  auto operator<=>(const FilePart&) const = default;
};

// Which parts of a file's part lie in memory now, small gaps included. All of it where the kernel does not
// say, because we neither own the file nor may write to it.
std::vector<FilePart> in_memory(const std::string& path, FilePart part);

class Resolver {
 public:
  // Nothing if it has no directory (any more). follow: what a link at its end leads to. Valid until the next
  // call.
  const std::optional<ResolvedFile>& resolve(const std::string& path, bool follow);
  const std::vector<FilePart>& in_memory(const std::string& path, FilePart part);

 private:
  const std::string& directory(const std::string& path);  // "": there is none
  std::optional<ResolvedFile> found(const std::string& path, bool follow);
  std::unordered_map<std::string, std::string> directories_;
  std::unordered_map<std::string, std::optional<ResolvedFile>> followed_, not_followed_;
  std::map<std::pair<std::string, FilePart>, std::vector<FilePart>> parts_;
};

// From the root, without "." and empty components; ".." is left in.
void absolute(std::string_view folder, std::string_view path, std::string& to);

}  // namespace sysvm
