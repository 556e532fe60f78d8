// SPDX-License-Identifier: MIT
// Constants of the trace file, shared by writer and reader. The layout itself: trace.proto,
// docs/trace-format.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sysvm::trace_format {

inline constexpr std::string_view kMagic = "SYSVMTRC";
inline constexpr uint8_t kVersion = 2;
inline constexpr size_t kPreamble = 16;  // magic, version, 7 zero bytes
// events of a full chunk: docs/trace-format.md has the sizes tried
inline constexpr size_t kChunkEvents = 8192;
inline constexpr size_t kMaxChunkEvents = 1 << 16;
inline constexpr size_t kMaxRecord = 64u << 20;  // bytes of a record, and of what one decompresses to
inline constexpr size_t kTrailer = 20;           // bytes of the last frame of a closed file
inline constexpr int kZstdLevel = 3;

}  // namespace sysvm::trace_format
