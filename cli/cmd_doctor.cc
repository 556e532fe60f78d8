// SPDX-License-Identifier: MIT
// sysvm doctor: what works on this machine, and the exact fix for what does not.
//
// It tries things (loads a program, traces a child, opens the device) rather than reading settings, changes
// nothing, and needs no rights: without them it says so, which is the point.
// Tested by tests/cli/doctor_test.cc and tests/cli/doctor_test.py.
#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <string_view>

#include "cli/base/options.h"
#include "cli/base/terminal.h"
#include "cli/doctor/check.h"

namespace sysvm {
namespace {

using doctor::Check;
using doctor::State;

constexpr int kSchema = 1;

// What the checks mean for the commands.
struct Ready {
  std::string record;  // "bpf", "ptrace" or "no"
  bool run_user, run_kernel;
};

Ready ready(const std::vector<Check>& checks) {
  const auto ok = [&](std::string_view name) {
    for (const Check& check : checks)
      if (check.name == name) return check.state != State::kMissing;
    return false;
  };
  Ready out;
  out.record = ok("kernel") && ok("bpf") ? "bpf" : ok("ptrace") ? "ptrace" : "no";
  out.run_user = ok("kernel") && ok("libc") && ok("seccomp") && ok("traced");
  out.run_kernel = out.run_user && ok("module");
  return out;
}

void print_text(const std::vector<Check>& checks, const Ready& can) {
  const bool colour = use_color("auto", STDOUT_FILENO);
  for (const Check& check : checks) {
    const char* paint = !colour                          ? ""
                        : check.state == State::kOk      ? "\033[32m"
                        : check.state == State::kLimited ? "\033[33m"
                                                         : "\033[31m";
    fmt::print("{}{:<8}{} {:<10} {}", paint, doctor::state_name(check.state), colour ? "\033[0m" : "",
               check.name, check.found);
    if (!check.fix.empty()) fmt::print("; fix: {}", check.fix);
    fmt::print("\n");
  }
  fmt::print("\nrecord: {}; run: {}; kernel engine: {}\n",
             can.record == "no" ? "no" : fmt::format("yes, by {}", can.record),
             can.run_user ? "yes" : "no, programs run plainly", can.run_kernel ? "yes" : "no");
}

void print_json(const std::vector<Check>& checks, const Ready& can) {
  nlohmann::ordered_json out;
  out["schema"] = kSchema;
  out["ready"] = {{"record", can.record}, {"run_user", can.run_user}, {"run_kernel", can.run_kernel}};
  out["checks"] = nlohmann::ordered_json::array();
  for (const Check& check : checks)
    out["checks"].push_back({{"name", check.name},
                             {"area", check.area},
                             {"state", doctor::state_name(check.state)},
                             {"found", check.found},
                             {"fix", check.fix}});
  fmt::print("{}\n", out.dump(2));
}

}  // namespace

int cmd_doctor(const Words& words) {
  bool json = false;
  Options opts(
      "doctor", "usage: sysvm doctor [--json]",
      "Say what works here, one line for each check: ok, limited or missing, what was found, and the command "
      "that fixes it. Changes nothing.\n\n  sysvm doctor\n",
      "Exit status: 0 if programs can be recorded and run here (so `sysvm try` works), 1 if not, 2 for a "
      "usage error.\n");
  opts.flag("--json", json, "one object, schema 1: ready, and checks with name, area, state, found, fix");
  if (const auto code = opts.parse(words)) return *code;
  const std::vector<Check> checks = doctor::all_checks();
  const Ready can = ready(checks);
  json ? print_json(checks, can) : print_text(checks, can);
  return can.record != "no" && can.run_user ? 0 : 1;
}

}  // namespace sysvm
