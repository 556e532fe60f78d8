// SPDX-License-Identifier: MIT
// The outermost layer of a trace file: preamble, and frames with a length and a checksum. What is inside a
// frame is reader.h's affair. Messages name file, byte and what was expected.
// Tested by tests/traces/damage_test.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/result.h"

namespace sysvm::trace_format {

// The file's bytes; mapped, so that a trace larger than memory can be read.
class MappedFile {
 public:
  static Result<MappedFile> open(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();
  std::span<const uint8_t> bytes() const { return {base_, size_}; }
  const std::string& path() const { return path_; }

 private:
  MappedFile() = default;
  std::string path_;
  const uint8_t* base_ = nullptr;
  size_t size_ = 0;
};

struct Frame {
  size_t offset = 0;  // in the file
  size_t end = 0;     // where the next frame begins
  std::span<const uint8_t> payload;
  uint64_t sum = 0;  // as the file has it

  Result<> check() const;  // the checksum
};

Result<> check_preamble(const MappedFile& file);
// The frame at a place before the end of the file. The message lacks file and byte.
Result<Frame> frame_at(const MappedFile& file, size_t offset);
// Length, checksum and payload, ready to be written.
std::string make_frame(std::string_view payload);

}  // namespace sysvm::trace_format
