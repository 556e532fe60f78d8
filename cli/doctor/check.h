// SPDX-License-Identifier: MIT
// What one check of the machine found: a fact, whether it stands in the way, and the command that changes it.
//
// Checks are grouped by what they are for: record (the tracer), run (the shim), kernel (the module).
// Judging is kept apart from checking: judge_* take what was read as text, so that tests can show them
// machines that are not here.
// Tested by tests/cli/doctor_test.cc (the judges) and tests/cli/doctor_test.py (the program, in altered
// surroundings).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sysvm::doctor {

enum class State {
  kOk,
  kLimited,  // works, but something is slower or switched off because of it
  kMissing,  // does not work here
};

struct Check {
  std::string name;
  std::string area;  // record, run, kernel
  State state;
  std::string found;
  std::string fix;  // a command, or what to change; empty if ok
};

const char* state_name(State state);  // "ok", "limited", "missing"

// checks_record.cc
Check check_btf();
Check check_bpf();     // loads and attaches a program of two instructions, then takes it away again
Check check_ptrace();  // attaches to a child of its own
Check check_cgroup2();

// checks_run.cc
Check check_libc();
Check check_vdso();
Check check_filter();
Check check_tracer();

// checks_kernel.cc
Check check_kernel();
Check check_module();
Check check_headers();
Check check_lockdown();
Check check_isolation();

// all_checks.cc. All of them, in the order of the report.
std::vector<Check> all_checks();

// judge.cc. "status" is the text of /proc/PID/status.
Check judge_kernel(std::string_view sysname, std::string_view release, std::string_view machine);
Check judge_bpf_error(int error, std::string_view lockdown, bool has_btf, std::string_view program);
Check judge_ptrace(int error, std::string_view yama_scope);
Check judge_cgroup2(std::string_view mountinfo);
// verdict: enum object_verdict of libsysvm/sites/table.h; left: sites that stay as they are.
Check judge_libc(std::string_view what, unsigned verdict, size_t sites, size_t left);
Check judge_filter(std::string_view status);
Check judge_tracer(std::string_view status);
Check judge_lockdown(std::string_view lockdown, bool secure_boot, bool signatures_enforced);
Check judge_isolation(std::string_view meltdown);
// takes_modules: "yes", "no" (built without), "disabled" (kernel.modules_disabled=1).
Check judge_module(int open_error, std::string_view takes_modules, bool loaded, bool has_headers,
                   std::string_view release, std::string_view group);

// What a module said whose device can be opened, in the order in which it is asked; errors are errnos, 0 for
// none.
struct ModuleAnswers {
  int query_error = 0;
  unsigned abi = 0;
  unsigned device_abi = 0;
  int calls = 0;
  std::string version;        // of /sys/module/sysvm/version
  int run_error = 0;          // of the page, or of one program that calls getpid
  unsigned run_status = 0;    // enum sysvm_status
  bool asks_filters = false;  // the module parameter seccomp
};
Check judge_module_answers(const ModuleAnswers& answers, std::string_view status);

std::string headers_fix(std::string_view release);

// small_file.cc. Reads a small file whole; "" if it cannot be read.
std::string read_text(const char* path);
std::string_view trimmed(std::string_view text);

}  // namespace sysvm::doctor
