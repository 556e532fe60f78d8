// SPDX-License-Identifier: MIT
// Events to a ColumnBlock (trace.proto) and back.
//
// Protobuf's own library would build and parse a block value by value, several times slower than the disk and
// the compressor; so the block's bytes are made and read here, by hand. They are a ColumnBlock all the same:
// tests/traces/columns_test.cc reads them with the generated class. Nothing in a block is trusted.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "traces/event.h"

namespace sysvm {

// Keeps its memory from block to block: it runs beside the program that is recorded.
class ColumnEncoder {
 public:
  ColumnEncoder();
  ~ColumnEncoder();
  // How many arguments a call has (at most 6); unknown calls have six.
  void set_args(int32_t nr, uint32_t count);
  // Events in order of entry; path of an event is a number in strings, the first being 1. raw is replaced.
  void encode(std::span<const Event> events, std::span<const std::string_view> strings, std::string& raw);

 private:
  struct Tables;
  std::unique_ptr<Tables> tables_;
  std::vector<uint8_t> buffer_;
};

// Keeps its memory, too.
class ColumnDecoder {
 public:
  ColumnDecoder();
  ~ColumnDecoder();
  // Fills out with exactly `events` events whose paths are numbers in strings; strings[0] stands for "none".
  // The views look into raw. kReadAhead bytes (varint.h) after raw may be read, whatever they hold. The
  // message lacks file and byte; the caller adds them.
  Result<> decode(std::span<const uint8_t> raw, size_t events, uint64_t first_ns, Columns& out,
                  std::vector<std::string_view>& strings);
  bool saw_unknown() const { return unknown_; }  // a column that this version does not know was stepped over

 private:
  struct Block;
  std::unique_ptr<Block> block_;
  bool unknown_ = false;
};

}  // namespace sysvm
