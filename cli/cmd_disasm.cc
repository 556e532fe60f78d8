// SPDX-License-Identifier: MIT
// sysvm disasm FILE: a procedure file, or bare byte code, as text that `sysvm asm` reads back.
#include <fmt/format.h>

#include <cstring>

#include "cli/base/messages.h"
#include "cli/base/options.h"
#include "procedures/assembler.h"
#include "procedures/reader.h"
#include "procedures/text.h"

namespace sysvm {

int cmd_disasm(const Words& words) {
  Options options("disasm", "usage: sysvm disasm [options] FILE",
                  "Print a procedure file, or byte code, as text that 'sysvm asm' reads back.\n\n"
                  "  sysvm disasm app.svp\n");
  std::string path;
  bool offsets = false, no_notes = false;
  options.argument("FILE", path, "procedure file, or byte code");
  options.flag("--offsets", offsets, "byte code: add the byte at which each instruction starts");
  options.flag("--no-notes", no_notes, "leave out the notes, which hold path names of the recorded run");
  if (const auto code = options.parse(words)) return *code;

  const Result<std::vector<uint8_t>> bytes = read_whole_file(path, SVP_FILE_MAX);
  if (!bytes) return fail(kExitUsage, bytes.error());
  const bool is_svp = bytes->size() >= 8 && !std::memcmp(bytes->data(), SVP_MAGIC, 8);
  if (!is_svp) {
    fmt::print("{}", disassemble(*bytes, offsets));
    const Result<> good = verify(*bytes);
    if (good) return 0;
    return fail(kExitUsage,
                error("{}: neither a procedure file nor byte code that may run: {}", path, good.message()));
  }
  Result<ProcedureFile> file = read_svp(*bytes);
  if (!file) return fail(kExitUsage, path, file.error());
  if (no_notes) file->notes.clear();
  fmt::print("{}", to_text(*file));
  return 0;
}

}  // namespace sysvm
