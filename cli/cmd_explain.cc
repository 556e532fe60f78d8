// SPDX-License-Identifier: MIT
// sysvm explain app.svp: each procedure beside the calls that it replaces.
#include <fmt/format.h>

#include "cli/base/glossary.h"
#include "cli/base/messages.h"
#include "cli/base/options.h"
#include "optimizer/explain/explain.h"
#include "procedures/reader.h"

namespace sysvm {

int cmd_explain(const Words& words) {
  Options options(
      "explain", "usage: sysvm explain [--code] [--json] FILE",
      "Show each procedure beside the calls that it replaces.\n\n  sysvm explain app.svp | less\n",
      kGlossary);
  std::string path;
  bool json = false, code = false;
  options.argument("FILE", path, "procedure file of 'sysvm compile'");
  options.flag("--code", code, "with each procedure's byte code, and the instruction beside each call");
  options.flag("--json", json, "one JSON object, schema 1");
  if (const auto code = options.parse(words)) return *code;

  const Result<ProcedureFile> file = read_svp_file(path);
  if (!file) return fail(kExitUsage, file.error());
  fmt::print("{}", json ? explain_json(*file) + "\n" : explain_text(*file, code));
  return 0;
}

}  // namespace sysvm
