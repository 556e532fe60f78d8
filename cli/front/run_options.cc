// SPDX-License-Identifier: MIT
#include "cli/front/run_options.h"

#include <cstdlib>

#include "cli/args.h"

namespace sysvm {

const std::string_view kRunHelp =
    "usage: sysvm run [options] [--] CMD...\n\n"
    "Runs CMD with the procedures of a file: fewer kernel entries, the same behaviour. Without -P every "
    "call is\n"
    "forwarded, which saves nothing and shows what the shim sees.\n\n"
    "  -P, --procedures FILE   procedures made by 'sysvm compile'\n"
    "  --engine NAME           auto (the module where /dev/sysvm can be used, else user), kernel, user\n"
    "  --require               fail rather than run CMD plainly, or with procedures for another build of it\n"
    "  --strict                no late close\n"
    "  --relaxed=age           what was fetched ahead survives other calls that only look\n"
    "  --age MS                how long a result that was fetched ahead may wait; 10 unless told\n"
    "  --allow-seccomp         also under a seccomp filter: it may see calls that CMD has not made itself\n"
    "  --prefetch HOW          auto: where CMD is seen to wait for storage, another process makes its next "
    "calls ahead, so that\n"
    "                          CMD finds caches warm; off (the default); or how many calls at once, from 1 "
    "to 64\n"
    "  --symbols               interpose by symbol instead of patching the C library: counts calls, answers "
    "none\n"
    "  --stats FILE            write counters there, as JSON\n"
    "  --json                  counters as one line of JSON on standard error\n"
    "  -v, --verbose           say on standard error what was used, and why a process went plain\n"
    "  -h, --help              this text\n\n"
    "With --stats, --json or -v, sysvm waits for CMD and ends as it did; else CMD takes its place. "
    "SYSVM_DISABLE=1 in\n"
    "the environment runs CMD plainly. Exit status: that of CMD (by the same signal if one killed it), 2 "
    "usage (or, with\n"
    "--require, procedure file), 125 sysvm failed, 126 CMD cannot be executed, 127 CMD not found.\n";

RunOptions parse_run_options(const std::vector<std::string>& words) {
  const SplitArgs split =
      split_args(words, {"-P", "--procedures", "--engine", "--age", "--stats", "--relaxed", "--prefetch"});
  RunOptions out;
  out.command = split.command;
  for (size_t i = 0; i < split.own.size() && out.wrong.empty(); ++i) {
    std::string name = split.own[i], value;
    bool has_value = false;
    if (const size_t equals = name.find('='); name.rfind("--", 0) == 0 && equals != std::string::npos) {
      value = name.substr(equals + 1);
      name.resize(equals);
      has_value = true;
    }
    const auto take = [&]() -> std::string {
      if (has_value) return value;
      if (i + 1 < split.own.size()) return split.own[++i];
      out.wrong = name + " needs a value";
      return "";
    };
    if (name == "-h" || name == "--help")
      out.help = true;
    else if (name == "-P" || name == "--procedures")
      out.shim.procedures = take();
    else if (name == "--strict")
      out.shim.strict = true;
    else if (name == "--require")
      out.require = true;
    else if (name == "--allow-seccomp")
      out.shim.allow_seccomp = true;
    else if (name == "--symbols")
      out.shim.symbols = true;
    else if (name == "--json")
      out.json = true;
    else if (name == "-v" || name == "--verbose")
      out.verbose = true;
    else if (name == "--stats")
      out.stats = take();
    else if (name == "--age") {
      const std::string text = take();
      char* end;
      const unsigned long ms = std::strtoul(text.c_str(), &end, 10);
      if (out.wrong.empty() && (text.empty() || *end || text[0] == '-' || ms > 60000))
        out.wrong = "--age: '" + text + "' is not a number of milliseconds from 0 to 60000";
      out.shim.age_ms = static_cast<uint32_t>(ms);
    } else if (name == "--prefetch") {
      const std::string how = take();
      char* end;
      const unsigned long depth = std::strtoul(how.c_str(), &end, 10);
      const bool number =
          !how.empty() && how[0] >= '0' && how[0] <= '9' && !*end && depth >= 1 && depth <= 64;
      if (out.wrong.empty() && how != "off" && how != "auto" && !number)
        out.wrong = "--prefetch: '" + how + "' is none of off, auto, and a number of calls from 1 to 64";
      out.prefetch = how != "off";
      out.prefetch_depth = number ? static_cast<unsigned>(depth) : 0;
    } else if (name == "--engine") {
      const std::string engine = take();
      if (engine == "auto")
        out.shim.engine = SYSVM_ENGINE_AUTO;
      else if (engine == "user")
        out.shim.engine = SYSVM_ENGINE_USER;
      else if (engine == "kernel")
        out.shim.engine = SYSVM_ENGINE_KERNEL;
      else if (out.wrong.empty())
        out.wrong = "--engine: '" + engine + "' is none of auto, kernel, user";
    } else if (name == "--relaxed") {
      const std::string list = take();
      if (out.wrong.empty() && list != "age")
        out.wrong = "--relaxed: '" + list + "' is not offered; expected age";
      out.shim.relaxed_age = true;
    } else {
      out.wrong = "unknown option '" + split.own[i] + "'; 'sysvm run --help' lists them";
    }
  }
  if (out.wrong.empty() && out.command.empty() && !out.help)
    out.wrong = "no command; usage: sysvm run [options] [--] CMD...";
  return out;
}

}  // namespace sysvm
