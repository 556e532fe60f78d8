// SPDX-License-Identifier: MIT
// The folders below $XDG_CACHE_HOME/sysvm (or ~/.cache/sysvm) that runs leave something to later runs in.
// What lies there decides which bytes of a program are overwritten, so a folder is used only if nobody else
// can have written to it: it and `sysvm` above are folders, not links, ours, and closed to writers; what
// `sysvm` lies in is ours or root's, and closed to others or sticky. Files likewise.
//
// No allocation beyond strings, no logging: the front program uses it at every start.
// Tested by tests/run/start_test.cc and tests/sites/cache_test.cc.
#pragma once

#include <string>
#include <string_view>

#include "common/unique_fd.h"

namespace sysvm {

class PrivateFolder {
 public:
  // name: "sites" or "starts". The path is empty if there is no place; problem() says why a folder cannot be
  // used.
  static PrivateFolder at_default_place(const char* name, bool make);
  // make: the folder and the one above, if they are not there.
  static PrivateFolder at(std::string path, bool make);

  explicit operator bool() const { return static_cast<bool>(fd_); }
  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }
  const std::string& problem() const { return problem_; }

  // A file's contents; false: not there, not ours, open to other writers, not a regular file, or larger than
  // limit.
  bool read(const char* name, size_t limit, std::string& bytes) const;
  // Written beside (mode 0600) and renamed: a reader finds the old file or the new one. On failure errno says
  // why.
  bool write(const char* name, std::string_view bytes) const;

 private:
  bool open(bool make);

  std::string path_, problem_;
  UniqueFd fd_;
};

}  // namespace sysvm
