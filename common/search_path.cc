// SPDX-License-Identifier: MIT
#include "common/search_path.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace sysvm {

std::string search_path(const std::string& word, int& error, const char* path, const std::string& cwd) {
  error = ENOENT;
  const auto usable = [&](const std::string& name) {
    const std::string file = cwd.empty() || name[0] == '/' ? name : cwd + "/" + name;
    struct stat st;
    if (::stat(file.c_str(), &st) != 0) {
      if (errno != ENOENT && errno != ENOTDIR) error = errno;
      return false;
    }
    if (S_ISDIR(st.st_mode)) {
      error = EISDIR;
      return false;
    }
    if (::access(file.c_str(), X_OK) != 0) {
      error = EACCES;
      return false;
    }
    return true;
  };
  if (word.empty()) return "";
  if (word.find('/') != std::string::npos) return usable(word) ? word : "";
  const std::string list = path ? path : "/bin:/usr/bin";
  for (size_t from = 0; from <= list.size();) {
    const size_t to = std::min(list.find(':', from), list.size());
    const std::string folder = to == from ? "." : list.substr(from, to - from);
    std::string found = folder + "/" + word;
    if (usable(found)) return found;
    from = to + 1;
  }
  return "";
}

CommandError command_error(const std::string& word, int error) {
  constexpr int kNotExecutable = 126, kNotFound = 127;
  if (error == ENOENT || error == ENOTDIR) return {kNotFound, word + ": command not found"};
  return {kNotExecutable, word + ": cannot be executed: " + std::strerror(error)};
}

}  // namespace sysvm
