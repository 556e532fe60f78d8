// SPDX-License-Identifier: MIT
// Protobuf's variable-length numbers: seven bits in a byte, low ones first, the top bit says that more
// follow. Most columns of a trace hold values below 128, so such bytes are taken 64 at once; a longer value
// is put together from one 8-byte load without a branch that could be mispredicted. Tested by
// tests/traces/columns_test.cc.
#pragma once

#include <emmintrin.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace sysvm {

inline constexpr size_t kMaxVarint = 10;

inline uint64_t zigzag(int64_t v) { return static_cast<uint64_t>(v) << 1 ^ static_cast<uint64_t>(v >> 63); }
inline int64_t unzigzag(uint64_t v) { return static_cast<int64_t>(v >> 1 ^ (~(v & 1) + 1)); }

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

// A whole column: all numbers of [at, end), at most `most`, each through convert into out. Returns how many,
// or kBadColumn if one is cut, longer than ten bytes, or one too many.
//
// Where the numbers end is found for 64 bytes at once, from their top bits, and does not wait for the numbers
// before it: a processor puts several together at a time. kReadAhead bytes after end are read, whatever
// they hold.
inline constexpr size_t kReadAhead = 64;
inline constexpr size_t kBadColumn = ~size_t{0};

// Bit i: byte i ends a number.
inline uint64_t stop_bits(const uint8_t* at) {
  uint64_t bits = 0;
  for (unsigned k = 0; k < 4; ++k) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at) + k);
    bits |= static_cast<uint64_t>(static_cast<uint32_t>(_mm_movemask_epi8(bytes))) << (16 * k);
  }
  return ~bits;
}

// True where the instruction PEXT is there and fast: it is microcode on AMD's first two Zens.
inline const bool kHasPext =
    __builtin_cpu_supports("bmi2") && !__builtin_cpu_is("znver1") && !__builtin_cpu_is("znver2");

// A number of 1 to 8 bytes.
template <bool kPext>
inline uint64_t put_together(const uint8_t* at, size_t size) {
  static constexpr uint64_t kSevenBits[9] = {0,
                                             0x7f,
                                             0x7f7f,
                                             0x7f7f7f,
                                             0x7f7f7f7f,
                                             0x7f7f7f7f7f,
                                             0x7f7f7f7f7f7f,
                                             0x7f7f7f7f7f7f7f,
                                             0x7f7f7f7f7f7f7f7f};
  uint64_t word;
  std::memcpy(&word, at, 8);
  if constexpr (kPext) {
    asm("pext %2, %1, %0" : "=r"(word) : "r"(word), "m"(kSevenBits[size]));
    return word;
  }
  word &= kSevenBits[size];
  word = (word & 0x007f007f007f007f) | (word & 0x7f007f007f007f00) >> 1;
  word = (word & 0x00003fff00003fff) | (word & 0x3fff00003fff0000) >> 2;
  return (word & 0x000000000fffffff) | (word & 0x0fffffff00000000) >> 4;
}

template <bool kPext, typename T, typename Convert>
size_t get_varints_with(const uint8_t* at, const uint8_t* end, size_t most, T* out, Convert convert) {
  size_t n = 0;
  const uint8_t* start = at;  // of the next number; before `at` if the last block ended inside it
  for (; at < end; at += 64) {
    uint64_t stops = stop_bits(at);
    if (end - at < 64) stops &= (uint64_t{1} << (end - at)) - 1;
    if (most - n < 64 && static_cast<size_t>(std::popcount(stops)) > most - n) return kBadColumn;
    if (stops == ~uint64_t{0} && start == at) {
      for (unsigned k = 0; k < 64; ++k) out[n + k] = convert(at[k]);
      n += 64, start += 64;
      continue;
    }
    for (; stops != 0; stops &= stops - 1) {
      const uint8_t* const next = at + std::countr_zero(stops) + 1;
      const auto size = static_cast<size_t>(next - start);
      if (size <= 8) [[likely]] {
        out[n++] = convert(put_together<kPext>(start, size));
      } else {
        uint64_t v;
        if (!get_varint(start, end, v)) return kBadColumn;
        out[n++] = convert(v);
      }
      start = next;
    }
  }
  return start == end ? n : kBadColumn;
}

template <typename T, typename Convert>
size_t get_varints(const uint8_t* at, const uint8_t* end, size_t most, T* out, Convert convert) {
  return kHasPext ? get_varints_with<true>(at, end, most, out, convert)
                  : get_varints_with<false>(at, end, most, out, convert);
}

}  // namespace sysvm
