// SPDX-License-Identifier: MIT
// A MinePart as text, so that one machine may count and another merge.

#include <nlohmann/json.hpp>

#include "optimizer/mine/mine.h"

namespace sysvm {

using nlohmann::json;

void to_json(json& j, const CallTotal& t) { j = {t.count, t.failed, t.ns}; }
void from_json(const json& j, CallTotal& t) { t = {j.at(0), j.at(1), j.at(2)}; }
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PartCall, name, sources, inner_sources, told, size_at_end, result, count,
                                   inner, again)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PartSequence, count, events, loop, loops, least, most, held_out, failed,
                                   calls)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(MinePart, traces, calls, cuts, threaded, wall_ns, by_name,
                                   by_name_and_path, sequences)

namespace {

constexpr int kSchema = 3;

// Names of files are any bytes, JSON is UTF-8: bytes beyond ASCII are written as the code points of the same
// number.
std::string widened(const std::string& bytes) {
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out += c;
    } else {
      out += static_cast<char>(0xc0 | byte >> 6);
      out += static_cast<char>(0x80 | (byte & 0x3f));
    }
  }
  return out;
}

std::string narrowed(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0xc0 && i + 1 < text.size())
      out += static_cast<char>((byte & 3) << 6 | (static_cast<unsigned char>(text[++i]) & 0x3f));
    else
      out += text[i];
  }
  return out;
}

// With each string, and each key, put through the function.
template <typename Function>
json with_strings(const json& from, Function function, int depth = 12) {
  if (!depth) throw json::other_error::create(501, "nested too deeply", &from);
  if (from.is_string()) return function(from.get_ref<const std::string&>());
  json out = from.is_structured() ? json(from.type()) : from;
  if (from.is_array())
    for (const json& one : from) out.push_back(with_strings(one, function, depth - 1));
  if (from.is_object())
    for (const auto& [key, one] : from.items()) out[function(key)] = with_strings(one, function, depth - 1);
  return out;
}

}  // namespace

std::string to_json(const MinePart& part) {
  json out = part;
  out["sysvm_mine_part"] = kSchema;
  return with_strings(out, widened).dump();
}

Result<MinePart> mine_part_from_json(std::string_view text) {
  const json j = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!j.is_object() || j.value("sysvm_mine_part", json()) != kSchema)
    return error("not a partial result of mining (schema {})", kSchema);
  try {
    const MinePart part = with_strings(j, narrowed);
    for (const auto& [key, s] : part.sequences)
      for (const PartCall& c : s.calls)
        if (c.told.size() != c.sources.size())
          return error("a damaged partial result of mining: told: not one for each argument");
    return part;
  } catch (const json::exception& problem) {
    return error("a damaged partial result of mining: {}", problem.what());
  }
}

}  // namespace sysvm
