// SPDX-License-Identifier: MIT
// sysvm asm TEXT -o FILE: the text of a procedure file (or, with --code, of byte code alone) to its bytes.
#include "cli/base/messages.h"
#include "cli/base/options.h"
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
  Options options("asm", "usage: sysvm asm [--code] -o FILE TEXT",
                  "Assemble the text that 'sysvm disasm' prints.\n\n"
                  "  sysvm disasm app.svp > app.txt; sysvm asm app.txt -o app.svp\n");
  std::string path, output;
  bool code_only = false;
  options.argument("TEXT", path, "text of a procedure file");
  options.text("-o,--output FILE", output, "where to write; - is standard output");
  options.require("--output");
  options.flag("--code", code_only, "the text is code alone, and so is the output");
  if (const auto code = options.parse(words)) return *code;

  const Result<std::vector<uint8_t>> bytes = assemble_file(path, code_only);
  if (!bytes) return fail(kExitUsage, bytes.error());
  if (const Result<> free = may_become(output); !code_only && !free)
    return fail(kExitToolFailed, free.error());
  if (const Result<> written = write_whole_file(output, *bytes); !written)
    return fail(kExitToolFailed, written.error());
  return 0;
}

}  // namespace sysvm
