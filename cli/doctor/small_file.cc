// SPDX-License-Identifier: MIT
// Reading of what the kernel says in small files. Tested by tests/cli/doctor_test.py.
#include <fcntl.h>
#include <unistd.h>

#include "cli/doctor/check.h"
#include "common/unique_fd.h"

namespace sysvm::doctor {

std::string read_text(const char* path) {
  const UniqueFd fd(open(path, O_RDONLY | O_CLOEXEC));
  std::string text;
  if (!fd) return text;
  char block[4096];
  for (ssize_t n; (n = read(fd.get(), block, sizeof block)) > 0;) text.append(block, static_cast<size_t>(n));
  return text;
}

}  // namespace sysvm::doctor
