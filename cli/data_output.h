// SPDX-License-Identifier: MIT
// Where a reading command's data goes: standard output, or a file named with -o, which is there only when it
// is whole. A reader that goes away (`sysvm dump x | head`) ends the program without a word.
#pragma once

#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "common/replacing_file.h"
#include "common/result.h"

namespace sysvm {

class DataOutput {
 public:
  // "" and "-" stand for standard output.
  static Result<DataOutput> open(const std::string& file);
  DataOutput(DataOutput&& other) noexcept
      : file_(other.file_), name_(std::move(other.name_)), whole_(std::move(other.whole_)), ok_(other.ok_) {
    other.file_ = nullptr;
  }
  ~DataOutput();

  bool write(std::string_view text) {
    if (ok_ && fwrite(text.data(), 1, text.size(), file_) != text.size()) fail();
    return ok_;
  }
  Result<> close();  // flushes, and returns the first failure

 private:
  DataOutput(FILE* file, std::string name) : file_(file), name_(std::move(name)) {}
  void fail();
  FILE* file_;
  std::string name_;
  std::optional<ReplacingFile> whole_;  // nothing: standard output
  bool ok_ = true;
  int problem_ = 0;  // errno of the first failure
};

}  // namespace sysvm
