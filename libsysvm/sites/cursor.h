// SPDX-License-Identifier: MIT
// Reads the encodings of DWARF's exception tables.
// Tested by tests/sites/proof_test.cc and indirect_test.cc, through their users.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

namespace sysvm {

// Reads forwards through bytes at a known address; a read past the end makes it bad for good.
class Cursor {
 public:
  Cursor(uint64_t vaddr, std::span<const uint8_t> bytes) : vaddr_(vaddr), bytes_(bytes) {}

  bool good() const { return good_; }
  bool at_end() const { return at_ >= bytes_.size(); }
  uint64_t vaddr() const { return vaddr_ + at_; }
  std::span<const uint8_t> rest() const { return bytes_.subspan(at_); }

  std::span<const uint8_t> take(uint64_t n) {
    if (!good_ || n > bytes_.size() - at_) return good_ = false, std::span<const uint8_t>();
    at_ += n;
    return bytes_.subspan(at_ - n, n);
  }
  template <typename T>
  T read() {
    T value{};
    if (const auto from = take(sizeof value); good_) std::memcpy(&value, from.data(), sizeof value);
    return value;
  }
  uint64_t uleb() {
    uint64_t value = 0;
    for (unsigned shift = 0; good_; shift += 7) {
      const uint8_t byte = read<uint8_t>();
      if (shift < 64) value |= uint64_t{byte & 0x7fu} << shift;
      if (!(byte & 0x80)) break;
    }
    return value;
  }
  // A value alone, without what it is relative to (DW_EH_PE_*).
  uint64_t encoded(uint8_t form) {
    switch (form & 0x0f) {
      case 0x00:
      case 0x04:
      case 0x0c: return read<uint64_t>();
      case 0x01: return uleb();
      case 0x02: return read<uint16_t>();
      case 0x03: return read<uint32_t>();
      case 0x0a: return static_cast<uint64_t>(int64_t{read<int16_t>()});
      case 0x0b: return static_cast<uint64_t>(int64_t{read<int32_t>()});
    }
    good_ = false;
    return 0;
  }

 private:
  uint64_t vaddr_, at_ = 0;
  std::span<const uint8_t> bytes_;
  bool good_ = true;
};

}  // namespace sysvm
