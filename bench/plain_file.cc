// SPDX-License-Identifier: MIT
#include "bench/plain_file.h"

#include <unistd.h>

#include <cstdlib>

#include "common/unique_fd.h"

namespace sysvm::bench {

PlainFile::PlainFile(size_t size) {
  const char* folder = getenv("TMPDIR");
  path_ = std::string(folder && *folder ? folder : "/tmp") + "/sysvm-bench-XXXXXX";
  const UniqueFd fd(mkstemp(path_.data()));
  const std::string content(size, 'x');
  if (!fd || write(fd.get(), content.data(), size) != static_cast<ssize_t>(size)) {
    if (fd) unlink(path_.c_str());
    path_.clear();
  }
}

PlainFile::~PlainFile() {
  if (!path_.empty()) unlink(path_.c_str());
}

}  // namespace sysvm::bench
