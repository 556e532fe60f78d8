// SPDX-License-Identifier: MIT
// The private folder of `sysvm try`, which is gone when this process is, however it ends: a child waits
// beside it, and removes the folder if this process could not (SIGKILL). The child is in no one's way: a
// session of its own, no descriptors, every signal that can be ignored; its end sends no SIGCHLD, and wait()
// for any child does not find it.
//
// Left over: where the child is killed as well (a whole cgroup, the power).
// Tested by tests/cli/try_test.py.
#pragma once

#include <string>

#include "common/result.h"
#include "common/unique_fd.h"

namespace sysvm {

class TryFolder {
 public:
  static Result<TryFolder> make();  // below $TMPDIR
  TryFolder() = default;
  TryFolder(TryFolder&& other) noexcept;
  TryFolder& operator=(TryFolder&&) = delete;
  ~TryFolder();

  const std::string& path() const { return path_; }

 private:
  void start_keeper();

  std::string path_;
  UniqueFd alive_;  // the keeper reads its other end, and so sees this process end
  int keeper_ = 0;
};

}  // namespace sysvm
