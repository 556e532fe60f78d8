// SPDX-License-Identifier: MIT
// A MinePart as text, so that one machine may count and another merge.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "optimizer/mine/mine.h"

namespace sysvm {
namespace {

constexpr int kSchema = 3;
using nlohmann::json;

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

json totals(const std::map<std::string, CallTotal>& from) {
  json out = json::object();
  for (const auto& [name, t] : from) out[widened(name)] = {t.count, t.failed, t.ns};
  return out;
}

std::map<std::string, CallTotal> totals_of(const json& from) {
  std::map<std::string, CallTotal> out;
  for (const auto& [name, t] : from.items())
    out[narrowed(name)] = {t.at(0).get<uint64_t>(), t.at(1).get<uint64_t>(), t.at(2).get<uint64_t>()};
  return out;
}

json sources_json(const std::vector<std::vector<std::string>>& from) {
  json out = json::array();
  for (const auto& arg : from) {
    json texts = json::array();
    for (const std::string& s : arg) texts.push_back(widened(s));
    out.push_back(texts);
  }
  return out;
}

std::vector<std::vector<std::string>> sources_of(const json& from) {
  std::vector<std::vector<std::string>> out;
  for (const json& arg : from) {
    std::vector<std::string>& texts = out.emplace_back();
    for (const json& s : arg) texts.push_back(narrowed(s.get<std::string>()));
  }
  return out;
}

json call_json(const PartCall& c) {
  return {{"name", c.name},
          {"sources", sources_json(c.sources)},
          {"inner_sources", sources_json(c.inner_sources)},
          {"told", c.told},
          {"size_at_end", c.size_at_end},
          {"result", c.result},
          {"count", c.count},
          {"inner", c.inner},
          {"again", c.again}};
}

PartCall call_of(const json& j) {
  PartCall c;
  c.name = j.at("name");
  c.sources = sources_of(j.at("sources"));
  c.inner_sources = sources_of(j.at("inner_sources"));
  c.told = j.at("told").get<std::vector<bool>>();
  if (c.told.size() != c.sources.size())
    throw json::other_error::create(501, "told: not one for each argument", &j);
  c.size_at_end = j.at("size_at_end").get<std::vector<bool>>();
  c.result = j.at("result");
  c.count = j.at("count");
  c.inner = j.at("inner");
  c.again = j.at("again");
  return c;
}

}  // namespace

std::string to_json(const MinePart& part) {
  json sequences = json::object();
  for (const auto& [key, s] : part.sequences) {
    json calls = json::array();
    for (const PartCall& c : s.calls) calls.push_back(call_json(c));
    sequences[key] = {{"count", s.count},       {"events", s.events}, {"loop", s.loop},
                      {"loops", s.loops},       {"least", s.least},   {"most", s.most},
                      {"held_out", s.held_out}, {"failed", s.failed}, {"calls", calls}};
  }
  return json{{"sysvm_mine_part", kSchema},
              {"traces", part.traces},
              {"calls", part.calls},
              {"cuts", part.cuts},
              {"threaded", part.threaded},
              {"wall_ns", part.wall_ns},
              {"by_name", totals(part.by_name)},
              {"by_name_and_path", totals(part.by_name_and_path)},
              {"sequences", sequences}}
      .dump();
}

Result<MinePart> mine_part_from_json(std::string_view text) {
  const json j = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!j.is_object() || j.value("sysvm_mine_part", 0) != kSchema)
    return error("not a partial result of mining (schema {})", kSchema);
  try {
    MinePart part;
    part.traces = j.at("traces");
    part.calls = j.at("calls");
    part.cuts = j.at("cuts");
    part.threaded = j.at("threaded");
    part.wall_ns = j.at("wall_ns");
    part.by_name = totals_of(j.at("by_name"));
    part.by_name_and_path = totals_of(j.at("by_name_and_path"));
    for (const auto& [key, from] : j.at("sequences").items()) {
      PartSequence& s = part.sequences[key];
      s.count = from.at("count");
      s.events = from.at("events");
      s.loop = from.at("loop");
      s.loops = from.at("loops");
      s.least = from.at("least");
      s.most = from.at("most");
      s.held_out = from.at("held_out");
      s.failed = from.at("failed");
      for (const json& call : from.at("calls")) s.calls.push_back(call_of(call));
    }
    return part;
  } catch (const json::exception& problem) {
    return error("a damaged partial result of mining: {}", problem.what());
  }
}

}  // namespace sysvm
