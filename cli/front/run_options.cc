// SPDX-License-Identifier: MIT
#include "cli/front/run_options.h"

#include <cstdio>

#include "cli/base/glossary.h"
#include "cli/base/options.h"

namespace sysvm {
namespace {

// off, auto, or how many calls at once.
std::string read_prefetch(const std::string& word, RunOptions& out) {
  char* end;
  const unsigned long depth = std::strtoul(word.c_str(), &end, 10);
  const bool number = !word.empty() && word[0] >= '0' && word[0] <= '9' && !*end && depth >= 1 && depth <= 64;
  if (!number && word != "off" && word != "auto")
    return "expected off, auto, or a number of calls from 1 to 64";
  out.prefetch = word != "off";
  out.prefetch_depth = number ? static_cast<unsigned>(depth) : 0;
  return "";
}

}  // namespace

std::optional<int> parse_run_options(const std::vector<std::string>& words, RunOptions& out) {
  std::string engine = "auto", relaxed;
  Options options(
      "run", "usage: sysvm run [options] [--] CMD...",
      "Run CMD with the procedures of a file: fewer crossings, the same behaviour. Without -P CMD runs "
      "plainly, unless --engine, --stats or -v asks to see what the shim sees.\n\n"
      "  sysvm run -P du.svp -- du -s /usr/share\n"
      "  sysvm run --prefetch=auto -- find / -xdev -name core\n",
      "With --stats, --json or -v, sysvm waits for CMD and ends as it did; else CMD takes its place. "
      "SYSVM_DISABLE=1 in the environment runs CMD plainly. Exit status: that of CMD (by the same signal if "
      "one killed it), 2 usage (or, with --require, procedure file), 125 sysvm failed, 126 CMD cannot be "
      "executed, 127 CMD not found.\n");
  options.command(out.command);
  options.text("-P,--procedures FILE", out.shim.procedures, "procedures made by 'sysvm compile'");
  options.choice("--engine", engine, {"auto", "kernel", "user"},
                 "auto: the module where /dev/sysvm can be used, else user [auto]");
  options.flag("--require", out.require,
               "fail rather than run CMD plainly, or with procedures for another build of it");
  options.flag("--strict", out.shim.strict, "no late close");
  options.choice("--relaxed", relaxed, {"age"},
                 "age: what was fetched ahead survives other calls that change nothing");
  options.number("--age MS", out.shim.age_ms, 0, 60000,
                 "how long a result that was fetched ahead may wait [10]");
  options.flag("--allow-seccomp", out.shim.allow_seccomp,
               "also under a seccomp filter: it may see calls that CMD has not made itself");
  options.value_option(
      "--prefetch HOW",
      "auto: where CMD is seen to wait for storage, another process makes its next calls ahead, so that "
      "CMD finds caches warm; or how many calls at once, from 1 to 64 [off]",
      [&out](const std::string& word) { return read_prefetch(word, out); });
  options.flag("--symbols", out.shim.symbols,
               "interpose by symbol instead of patching the C library: counts calls, answers none");
  options.text("--stats FILE", out.stats, "write counters there, as JSON");
  options.flag("--json", out.json, "counters as one line of JSON on standard error");
  options.flag("-v,--verbose", out.verbose,
               "report on standard error what was used, and why a process went plain");
  if (const auto code = options.parse(words)) return std::fflush(stdout) == 0 ? *code : kExitToolFailed;
  out.shim.engine = engine == "user"     ? SYSVM_ENGINE_USER
                    : engine == "kernel" ? SYSVM_ENGINE_KERNEL
                                         : SYSVM_ENGINE_AUTO;
  out.shim.relaxed_age = !relaxed.empty();
  if (out.command.empty()) return options.usage_error("no command; usage: sysvm run [options] [--] CMD...");
  return std::nullopt;
}

}  // namespace sysvm
