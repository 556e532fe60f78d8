// SPDX-License-Identifier: MIT
// Protobuf's variable-length numbers, in bulk: seven bits in a byte, low ones first, the top bit says that more
// follow. Most columns of a trace hold values below 128, so runs of eight such bytes are taken at once; a longer
// value is put together from one 8-byte load without a branch that could be mispredicted.
// Tested by tests/traces/varint_test.cc.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace sysvm {

inline constexpr size_t kMaxVarint = 10;

inline uint64_t zigzag(int64_t v) {
  return static_cast<uint64_t>(v) << 1 ^ static_cast<uint64_t>(v >> 63);
}
inline int64_t unzigzag(uint64_t v) {
  return static_cast<int64_t>(v >> 1 ^ (~(v & 1) + 1));
}

inline uint8_t* put_varint(uint8_t* to, uint64_t v) {
  for (; v >= 0x80; v >>= 7) *to++ = static_cast<uint8_t>(v | 0x80);
  *to++ = static_cast<uint8_t>(v);
  return to;
}

// The next number, or false if it is cut or longer than ten bytes.
inline bool get_varint(const uint8_t*& at, const uint8_t* end, uint64_t& v) {
  v = 0;
  for (unsigned shift = 0; shift < 70 && at < end; shift += 7) {
    const uint8_t byte = *at++;
    v |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

// Exactly n numbers, which fill all of [at, end); take(i, value) gets each.
template <typename Take>
bool get_varints(const uint8_t* at, const uint8_t* end, size_t n, Take take) {
  constexpr uint64_t kTops = 0x8080808080808080;
  size_t i = 0;
  while (i < n && end - at >= 8) {
    uint64_t word;
    std::memcpy(&word, at, 8);
    const uint64_t stops = ~word & kTops;
    if (stops == kTops && n - i >= 8) {
      for (unsigned k = 0; k < 8; ++k) take(i + k, word >> (8 * k) & 0x7f);
      i += 8, at += 8;
      continue;
    }
    if (stops == 0) {  // nine or ten bytes
      uint64_t v;
      if (!get_varint(at, end, v)) return false;
      take(i++, v);
      continue;
    }
    const unsigned bits = static_cast<unsigned>(std::countr_zero(stops));  // top bit of the last byte
    word &= (uint64_t{2} << bits) - 1;
    word = (word & 0x007f007f007f007f) | (word & 0x7f007f007f007f00) >> 1;
    word = (word & 0x00003fff00003fff) | (word & 0x3fff00003fff0000) >> 2;
    word = (word & 0x000000000fffffff) | (word & 0x0fffffff00000000) >> 4;
    take(i++, word);
    at += (bits + 1) / 8;
  }
  for (; i < n; ++i) {
    uint64_t v;
    if (!get_varint(at, end, v)) return false;
    take(i, v);
  }
  return at == end;
}

}  // namespace sysvm
