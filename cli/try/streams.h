// SPDX-License-Identifier: MIT
// Standard input captured once and given to every run again; standard output and error of every run kept in
// files.
//
// A program may behave differently with a pipe and with a file, so what was a pipe is replayed through a pipe
// and what was a file from a file. A terminal is not captured (it may never end): the runs then read from
// /dev/null. Tested by tests/cli/try_files_test.cc.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "common/result.h"
#include "common/unique_fd.h"

namespace sysvm {

class CapturedInput {
 public:
  // Reads fd to its end (from where it stands) into a file in folder.
  static Result<CapturedInput> capture(int fd, const std::string& folder);
  ~CapturedInput();
  CapturedInput(CapturedInput&&) = default;
  CapturedInput& operator=(CapturedInput&&) = default;

  // A descriptor to read it from its start; the next one ends the previous replay.
  Result<UniqueFd> replay();
  uint64_t size() const { return size_; }
  bool from_terminal() const { return kind_ == Kind::kTerminal; }

 private:
  enum class Kind { kFile, kPipe, kTerminal };
  CapturedInput() = default;
  void stop_feeder();

  Kind kind_ = Kind::kFile;
  std::string path_;
  uint64_t size_ = 0;
  struct Feeder {  // the process that writes into the pipe
    pid_t pid = -1;
    Feeder() = default;
    Feeder(Feeder&& o) noexcept : pid(o.pid) { o.pid = -1; }
    Feeder& operator=(Feeder&& o) noexcept {
      std::swap(pid, o.pid);
      return *this;
    }
  } feeder_;
};

// "" if both files hold the same bytes, else where they differ: "1024 and 1030 bytes, first difference at
// byte 17".
Result<std::string> compare_files(const std::string& a, const std::string& b);

}  // namespace sysvm
