// SPDX-License-Identifier: MIT
// A file of our own, below the temporary directory, gone with its owner.
#pragma once

#include <cstddef>
#include <string>

namespace sysvm::bench {

class PlainFile {
 public:
  // Its content is of no interest. If it cannot be made, path() names a file that cannot be opened.
  explicit PlainFile(size_t size);
  PlainFile(const PlainFile&) = delete;
  PlainFile& operator=(const PlainFile&) = delete;
  ~PlainFile();
  const char* path() const { return path_.c_str(); }

 private:
  std::string path_;
};

}  // namespace sysvm::bench
