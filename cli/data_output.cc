// SPDX-License-Identifier: MIT
#include "cli/data_output.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace sysvm {

Result<DataOutput> DataOutput::open(const std::string& file) {
  if (file.empty() || file == "-") {
    signal(SIGPIPE, SIG_DFL);
    return DataOutput(stdout, "standard output");
  }
  FILE* opened = fopen(file.c_str(), "we");
  if (!opened) return error("{}: cannot create: {}", file, strerror(errno));
  return DataOutput(opened, file);
}

DataOutput::~DataOutput() {
  if (file_ && file_ != stdout) fclose(file_);
}

Result<> DataOutput::close() {
  if (fflush(file_) != 0 || !ok_) return error("{}: {}", name_, strerror(errno));
  return Unit{};
}

bool use_color(const std::string& choice, int fd) {
  if (choice != "auto") return choice == "always";
  auto is_set = [](const char* name) {
    const char* value = getenv(name);
    return value && *value;
  };
  if (is_set("NO_COLOR")) return false;
  if (is_set("CLICOLOR_FORCE")) return true;
  const char* term = getenv("TERM");
  return isatty(fd) && term && strcmp(term, "dumb") != 0;
}

}  // namespace sysvm
