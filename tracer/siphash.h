// SPDX-License-Identifier: MIT
// SipHash-2-4 (Aumasson and Bernstein, 2012): a hash under a key, from which its input cannot be found by
// trying.
// Tested by tests/tracer/pieces_test.cc with the vectors of the paper.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace sysvm {

uint64_t siphash(const std::array<uint64_t, 2>& key, std::string_view bytes);

}  // namespace sysvm
