// SPDX-License-Identifier: MIT
// sysvm asm TEXT -o FILE: the text of a procedure file (or, with --code, of byte code alone) to its bytes.
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/traces_argument.h"
#include "procedures/assembler.h"
#include "procedures/reader.h"
#include "procedures/text.h"
#include "procedures/writer.h"

namespace sysvm {
namespace {

Result<std::vector<uint8_t>> assemble_file(const std::string& path, bool code_only) {
  const std::vector<uint8_t> bytes = TRY(read_whole_file(path, SVP_FILE_MAX));
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!code_only) {
    const ProcedureFile file = TRY(from_text(text, path));
    Result<std::vector<uint8_t>> out = write_svp(file);
    if (!out) return error("{}: {}", path, out.message());
    return out;
  }
  Result<std::vector<uint8_t>> code = assemble(text);
  if (!code) return error("{}: {}", path, code.message());
  if (const Result<> good = verify(*code); !good) return error("{}: {}", path, good.message());
  return code;
}

}  // namespace

int cmd_asm(const Words& words) {
  CLI::App app{"Assemble the text that 'sysvm disasm' prints.", "sysvm asm"};
  std::string path, output;
  bool code_only = false;
  app.add_option("TEXT", path, "text of a procedure file")->required();
  app.add_option("-o,--output", output, "file to write ('-': standard output)")->required();
  app.add_flag("--code", code_only, "the text is code alone, and so is the output");
  if (const int status = parse_words(app, words); status >= 0) return status;

  const Result<std::vector<uint8_t>> bytes = assemble_file(path, code_only);
  if (!bytes) {
    spdlog::error("{}", bytes.message());
    return kExitUsage;
  }
  if (const Result<> free = may_become(output); !code_only && !free) {
    spdlog::error("{}", free.message());
    return kExitToolFailed;
  }
  if (const Result<> written = write_whole_file(output, *bytes); !written) {
    spdlog::error("{}", written.message());
    return kExitToolFailed;
  }
  return 0;
}

}  // namespace sysvm
