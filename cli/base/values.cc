// SPDX-License-Identifier: MIT
#include "cli/base/values.h"

#include <cstdlib>

namespace sysvm {

std::optional<size_t> parse_size(const std::string& text) {
  char* end;
  const unsigned long long n = strtoull(text.c_str(), &end, 10);
  int shift = 0;
  if (*end == 'k' || *end == 'K')
    shift = 10, ++end;
  else if (*end == 'm' || *end == 'M')
    shift = 20, ++end;
  else if (*end == 'g' || *end == 'G')
    shift = 30, ++end;
  if (end == text.c_str() || *end || text[0] == '-' || n > (1ull << 40)) return std::nullopt;
  return static_cast<size_t>(n) << shift;
}

std::optional<uint64_t> parse_duration(const std::string& text) {
  char* end;
  const double n = strtod(text.c_str(), &end);
  const std::string unit = end;
  const double scale = unit.empty() || unit == "s" ? 1e9
                       : unit == "ms"              ? 1e6
                       : unit == "us"              ? 1e3
                       : unit == "m"               ? 60e9
                       : unit == "h"               ? 3600e9
                                                   : 0;
  if (end == text.c_str() || scale == 0 || !(n >= 0) || n * scale > 1e18) return std::nullopt;
  return static_cast<uint64_t>(n * scale);
}

}  // namespace sysvm
