// SPDX-License-Identifier: MIT
// What a command line would execute, and whether the shim can be loaded into it. The answer is for a message:
// the program is run in any case.
// Tested by tests/run/command_test.cc.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "common/result.h"
#include "common/search_path.h"

namespace sysvm {

struct FoundCommand {
  std::string path;                  // found by PATH as execvp would
  std::string program;               // the ELF file: the path itself, or a script's interpreter
  std::string plain;                 // why the shim is not loaded ("statically linked"), or empty
  std::string loader;                // the program's interpreter, if any
  std::vector<std::string> scripts;  // on the way from path to program, path among them
};

// Left: the command. Right: why it cannot be run at all.
std::variant<FoundCommand, CommandError> find_command(const std::string& word);

// The object files that the loader would map at the start: the program, its libraries, the loader.
std::vector<std::string> loaded_objects(const FoundCommand& command);

}  // namespace sysvm
