// SPDX-License-Identifier: MIT
// A file that appears under its name only when it is whole: written beside it, then renamed. Where the disk
// fills up or the program is killed, what stood under the name before still does.
//
// What cannot be replaced is written to as it is: a device, a pipe, the target of a link, a file with several
// names, one in a folder that takes no new files.
// Tested by tests/common/replacing_file_test.cc and tests/cli/full_disk_test.py.
#pragma once

#include <sys/types.h>

#include <string>

#include "common/result.h"
#include "common/unique_fd.h"

namespace sysvm {

class ReplacingFile {
 public:
  // mode: of a file that is new; one that is replaced keeps its own.
  static Result<ReplacingFile> create(const std::string& path, mode_t mode);
  ReplacingFile(ReplacingFile&&) noexcept = default;
  ReplacingFile& operator=(ReplacingFile&&) = delete;
  ~ReplacingFile();  // without commit(): the new file is gone, the old one stays

  int fd() const { return fd_.get(); }
  // where it is being written
  const std::string& place() const { return temporary_.empty() ? path_ : temporary_; }
  Result<> commit();

 private:
  ReplacingFile(std::string path, std::string temporary, UniqueFd fd)
      : path_(std::move(path)), temporary_(std::move(temporary)), fd_(std::move(fd)) {}
  std::string path_, temporary_;  // temporary_: "" if path_ is written to as it is
  UniqueFd fd_;
};

}  // namespace sysvm
