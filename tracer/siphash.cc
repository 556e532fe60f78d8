// SPDX-License-Identifier: MIT
#include "tracer/siphash.h"

#include <bit>
#include <cstring>

namespace sysvm {

uint64_t siphash(const std::array<uint64_t, 2>& key, std::string_view bytes) {
  uint64_t v0 = key[0] ^ 0x736f6d6570736575, v1 = key[1] ^ 0x646f72616e646f6d;
  uint64_t v2 = key[0] ^ 0x6c7967656e657261, v3 = key[1] ^ 0x7465646279746573;
  auto round = [&] {
    v0 += v1, v1 = std::rotl(v1, 13) ^ v0, v0 = std::rotl(v0, 32);
    v2 += v3, v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3, v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1, v1 = std::rotl(v1, 17) ^ v2, v2 = std::rotl(v2, 32);
  };
  auto mix = [&](uint64_t word) {
    v3 ^= word;
    round(), round();
    v0 ^= word;
  };
  uint64_t word = 0;
  const size_t size = bytes.size();
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    memcpy(&word, bytes.data(), 8);
    mix(word);
  }
  word = 0;
  memcpy(&word, bytes.data(), bytes.size());
  mix(word | static_cast<uint64_t>(size) << 56);
  v2 ^= 0xff;
  round(), round(), round(), round();
  return v0 ^ v1 ^ v2 ^ v3;
}

}  // namespace sysvm
