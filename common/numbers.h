// SPDX-License-Identifier: MIT
// Numbers as people read them. Tested by tests/common/numbers_test.cc.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <string>

namespace sysvm {

// "1,234,567"
inline std::string thousands(uint64_t n) {
  std::string digits = std::to_string(n);
  for (size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

// "1,000 calls", "1 call", "2 processes" (ending: "es")
inline std::string plural(uint64_t n, const char* what, const char* ending = "s") {
  return fmt::format("{} {}{}", thousands(n), what, n == 1 ? "" : ending);
}

inline double percent(uint64_t part, uint64_t whole) {
  return whole ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0;
}

// "4.45 times fewer", "1.02 times MORE"
inline std::string times_fewer(uint64_t before, uint64_t after) {
  if (!before || !after) return "1.00 times fewer";
  const auto b = static_cast<double>(before), a = static_cast<double>(after);
  return fmt::format("{:.2f} times {}", a > b ? a / b : b / a, a > b ? "MORE" : "fewer");
}

// "950 ns", "12.3 us", "-4.56 ms", "1.2 s": three digits
inline std::string time_text(double ns) {
  const double a = std::fabs(ns);  // what three digits would round up takes the next unit
  if (a < 999.5) return fmt::format("{:.0f} ns", ns);
  if (a < 999.5e3) return fmt::format("{:.3g} us", ns / 1e3);
  if (a < 999.5e6) return fmt::format("{:.3g} ms", ns / 1e6);
  return fmt::format("{:.4g} s", ns / 1e9);
}

}  // namespace sysvm
