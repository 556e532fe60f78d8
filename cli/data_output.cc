// SPDX-License-Identifier: MIT
#include "cli/data_output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace sysvm {

Result<DataOutput> DataOutput::open(const std::string& file) {
  if (file.empty() || file == "-") {
    signal(SIGPIPE, SIG_DFL);
    return DataOutput(stdout, "standard output");
  }
  auto whole = ReplacingFile::create(file, 0666);
  if (!whole) return whole.error();
  const int copy = fcntl(whole->fd(), F_DUPFD_CLOEXEC, 0);
  FILE* opened = copy < 0 ? nullptr : fdopen(copy, "w");
  if (!opened) return error("{}: cannot open: {}", file, strerror(errno));
  DataOutput out(opened, file);
  out.whole_.emplace(std::move(*whole));
  return out;
}

DataOutput::~DataOutput() {
  if (file_ && file_ != stdout) fclose(file_);
}

void DataOutput::fail() {
  if (std::exchange(ok_, false)) problem_ = errno;
}

Result<> DataOutput::close() {
  if (fflush(file_) != 0) fail();
  if (file_ != stdout && fclose(std::exchange(file_, nullptr)) != 0) fail();
  if (!ok_) return error("{}: {}", name_, strerror(problem_));
  return whole_ ? whole_->commit() : Result<>(Unit{});
}

}  // namespace sysvm
