// SPDX-License-Identifier: MIT
// sysvm disasm FILE: a procedure file, or bare byte code, as text that `sysvm asm` reads back.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <cstring>

#include "cli/commands.h"
#include "cli/traces_argument.h"
#include "procedures/assembler.h"
#include "procedures/reader.h"
#include "procedures/text.h"

namespace sysvm {

int cmd_disasm(const Words& words) {
  CLI::App app{"Print a procedure file or byte code as text that 'sysvm asm' reads back.", "sysvm disasm"};
  std::string path;
  bool offsets = false, no_notes = false;
  app.add_option("FILE", path, "procedure file, or byte code")->required();
  app.add_flag("--offsets", offsets, "byte code: add the byte that each instruction starts at");
  app.add_flag("--no-notes", no_notes, "leave out the notes, which hold path names of the recorded run");
  if (const int status = parse_words(app, words); status >= 0) return status;

  const Result<std::vector<uint8_t>> bytes = read_whole_file(path, SVP_FILE_MAX);
  if (!bytes) {
    spdlog::error("{}", bytes.message());
    return kExitUsage;
  }
  const bool is_svp = bytes->size() >= 8 && !std::memcmp(bytes->data(), SVP_MAGIC, 8);
  if (!is_svp) {
    fmt::print("{}", disassemble(*bytes, offsets));
    const Result<> good = verify(*bytes);
    if (!good)
      spdlog::error("{}: neither a procedure file nor byte code that may run: {}", path, good.message());
    return good ? 0 : kExitUsage;
  }
  Result<ProcedureFile> file = read_svp(*bytes);
  if (!file) {
    spdlog::error("{}: {}", path, file.message());
    return kExitUsage;
  }
  if (no_notes) file->notes.clear();
  fmt::print("{}", to_text(*file));
  return 0;
}

}  // namespace sysvm
