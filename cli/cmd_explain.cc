// SPDX-License-Identifier: MIT
// sysvm explain app.svp: each procedure beside the calls that it replaces.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/traces_argument.h"
#include "optimizer/explain/explain.h"
#include "procedures/reader.h"

namespace sysvm {

int cmd_explain(const Words& words) {
  CLI::App app{"Show each procedure beside the calls that it replaces.", "sysvm explain"};
  std::string path;
  bool json = false;
  app.add_option("FILE", path, "procedure file of sysvm compile")->required();
  app.add_flag("--json", json, "print JSON");
  if (const int status = parse_words(app, words); status >= 0) return status;

  const Result<ProcedureFile> file = read_svp_file(path);
  if (!file) {
    spdlog::error("{}", file.message());
    return kExitUsage;
  }
  fmt::print("{}", json ? explain_json(*file) + "\n" : explain_text(*file));
  return 0;
}

}  // namespace sysvm
