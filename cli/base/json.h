// SPDX-License-Identifier: MIT
// JSON as all commands print it. Names come from the recorded programs, so they need not be UTF-8: what is
// not is replaced.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "traces/event.h"

namespace sysvm {

template <typename Json>
std::string json_line(const Json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

template <typename Json>
std::string json_text(const Json& json) {
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

inline nlohmann::ordered_json losses_json(const TraceInfo& info) {
  auto out = nlohmann::ordered_json::array();
  for (const Loss& loss : info.losses)
    out.push_back({{"reason", to_string(loss.reason)},
                   {"count", loss.count},
                   {"from_ns", std::to_string(loss.from_ns)},
                   {"to_ns", std::to_string(loss.to_ns)}});
  return out;
}

}  // namespace sysvm
