// SPDX-License-Identifier: MIT
#include <nlohmann/json.hpp>

#include "common/read_file.h"
#include "optimizer/base/options.h"

namespace sysvm {

Result<std::vector<ProfiledProcedure>> read_profile(const std::string& path) {
  const std::vector<uint8_t> bytes = TRY(read_whole_file(path, 16 << 20));
  const nlohmann::json j =
      nlohmann::json::parse(bytes.begin(), bytes.end(), nullptr, /*allow_exceptions=*/false);
  if (!j.is_object() || !j.contains("procedures") || !j["procedures"].is_array())
    return error("{}: not what 'sysvm run --stats' writes: no procedures", path);
  std::vector<ProfiledProcedure> out;
  for (const nlohmann::json& p : j["procedures"]) {
    if (!p.is_object())
      return error("{}: not what 'sysvm run --stats' writes: a procedure that is no object", path);
    const auto number = [&](const char* name) {
      return p.contains(name) && p[name].is_number_unsigned() ? p[name].get<uint64_t>() : uint64_t{0};
    };
    const auto text = [&](const char* key) {
      return p.contains(key) && p[key].is_string() ? p[key].get<std::string>() : std::string();
    };
    out.push_back({text("name"), number("runs"), number("hits"), number("misses"), number("undone"),
                   number("off") > 0, text("exe"), text("trigger")});
  }
  return out;
}

}  // namespace sysvm
