// SPDX-License-Identifier: MIT
// The frames of a trace file, decoded: chunks into columns, everything else into a TraceInfo. Part of the
// reader (reader.cc goes through a whole file, trace_file.cc to a place in it). Nothing in a file is trusted.
// Tested by tests/traces/damage_test.cc.
#pragma once

#include <zstd.h>

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/result.h"
#include "trace.pb.h"
#include "traces/columns.h"
#include "traces/frames.h"

namespace sysvm::trace_format {

using Decompressor = std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)>;

// One chunk being decoded; keeps its memory for the next.
class ChunkDecoder {
 public:
  Columns columns;
  std::vector<std::string_view> strings;  // into raw_; [0] stands for none
  bool newer = false;

  Result<> decode(const Frame& frame);

 private:
  Decompressor zstd_{ZSTD_createDCtx(), ZSTD_freeDCtx};
  pb::Record record_;
  std::string raw_;
  ColumnDecoder columns_;
};

// Everything in a file but the events.
class Records {
 public:
  Records(const MappedFile& file, TraceInfo& info) : file_(file), info_(info) {}
  Result<> take(const Frame& frame);
  void newer(size_t offset);
  bool have_header() const { return have_header_; }

 private:
  Result<> take_batch(const pb::Batch& batch, size_t offset);

  const MappedFile& file_;
  TraceInfo& info_;
  std::unordered_map<int32_t, size_t> newest_;  // of info's processes the last of each number
  bool have_header_ = false;
  Decompressor zstd_{ZSTD_createDCtx(), ZSTD_freeDCtx};
};

Result<> parse_record(const Frame& frame, pb::Record& record);  // checksum and all
bool is_chunk(const Frame& frame);                              // without parsing it
std::string damage_at(const MappedFile& file, size_t offset, const std::string& what);

}  // namespace sysvm::trace_format
