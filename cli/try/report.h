// SPDX-License-Identifier: MIT
// What `sysvm try` found, and the two ways to say it: a table for people, one JSON object for tools. Makes no
// measurements and no decisions.
//
// JSON, schema 1: schema, command, engine ("user" or "kernel"), strict, identical (true, false, or null with
// the reason), reason, compared, exit_status, syscalls, entries {before, after}, wall_ms {plain, sysvm}, runs
// {plain, sysvm}, lost, procedures [{name, mode, hits, misses, undone}], notes. Fields are only ever added
// within a schema. Tested by tests/cli/try_report_test.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sysvm {

struct TryProcedure {
  std::string name, mode;
  uint64_t hits = 0, misses = 0, undone = 0;
};

struct TryReport {
  std::vector<std::string> command;
  std::string engine;
  std::string engine_note;  // why this engine, and what that means for the figures; one line
  bool strict = false;
  std::optional<bool> identical;
  std::string reason;                 // why identical is false or not known
  std::vector<std::string> compared;  // "stdout", "stderr", "exit_status", "tree"
  int exit_status = 0;
  uint64_t syscalls = 0;  // of the recorded run
  uint64_t entries_before = 0, entries_after = 0;
  // the fastest untraced run of each kind; what `sysvm run` itself takes is in the second
  double plain_ms = 0, sysvm_ms = 0;
  double noise_ms = 0;             // how far runs of one kind lay apart
  uint64_t entries_predicted = 0;  // by replay of the recorded run; 0: not predicted
  std::string predicted;           // the wall time, in words (optimizer/explain/verdict.h)
  double predicted_saved_ms = 0;   // of the engine that ran
  double module_saved_ms = 0;      // composed of this machine's costs, whichever ran
  std::vector<std::string> why;    // nothing is gained, by name
  int plain_runs = 0, sysvm_runs = 0;
  uint64_t lost = 0;  // events that the recorder lost
  std::vector<TryProcedure> procedures;
  std::vector<std::string> notes;

  double saved_ms() const { return plain_ms - sysvm_ms; }
  bool beyond_noise() const;  // the difference is more than runs differ anyway, and 1 % at least

  double factor() const { return entries_after ? double(entries_before) / double(entries_after) : 0; }
};

std::string to_json(const TryReport& report);
std::string to_table(const TryReport& report, size_t width = 120);  // width: columns
// The first line of such a table, and an empty one.
std::string command_line(const std::vector<std::string>& command, size_t width);

}  // namespace sysvm
