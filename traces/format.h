// SPDX-License-Identifier: MIT
// Constants of the trace file, shared by writer and reader. The layout itself: trace.proto,
// docs/trace-format.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sysvm::trace_format {

inline constexpr std::string_view kMagic = "SYSVMTRC";
inline constexpr uint8_t kVersion = 1;
inline constexpr size_t kPreamble = 16;  // magic, version, 7 zero bytes
inline constexpr size_t kChunkEvents =
    8192;  // events of a full chunk: docs/trace-format.md has the sizes tried
inline constexpr size_t kMaxChunkEvents = 1 << 20;
inline constexpr size_t kMaxRecord = 64u << 20;  // bytes of a record, and of a chunk's columns uncompressed
inline constexpr int kZstdLevel = 3;

}  // namespace sysvm::trace_format
