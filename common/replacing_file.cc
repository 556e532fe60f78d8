// SPDX-License-Identifier: MIT
#include "common/replacing_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace sysvm {

Result<ReplacingFile> ReplacingFile::create(const std::string& path, mode_t mode) {
  struct stat st;
  const bool exists = lstat(path.c_str(), &st) == 0;
  auto as_it_is = [&]() -> Result<ReplacingFile> {
    UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, mode));
    if (!fd) return error("{}: cannot create: {}", path, strerror(errno));
    return ReplacingFile(path, "", std::move(fd));
  };
  // A file with a second name must keep both.
  if (exists && (!S_ISREG(st.st_mode) || st.st_nlink > 1)) return as_it_is();
  // Who may not write to the file may not replace it either, although its folder would allow it.
  if (exists && access(path.c_str(), W_OK) != 0) return error("{}: cannot create: {}", path, strerror(errno));
  std::string temporary = path + ".XXXXXX";
  UniqueFd fd(mkostemp(temporary.data(), O_CLOEXEC));
  // a folder that takes no new files
  if (!fd && exists && (errno == EACCES || errno == EPERM)) return as_it_is();
  if (!fd) return error("{}: cannot create: {}", path, strerror(errno));
  ReplacingFile out(path, temporary, std::move(fd));
  if (!exists) {
    const mode_t mask = umask(0);
    umask(mask);
    mode &= ~mask;
  }
  if (fchmod(out.fd(), exists ? st.st_mode & 07777 : mode) != 0)
    return error("{}: chmod: {}", path, strerror(errno));
  return out;
}

ReplacingFile::~ReplacingFile() {
  if (fd_ && !temporary_.empty()) unlink(temporary_.c_str());
}

Result<> ReplacingFile::commit() {
  // Some file systems say only here that there was no room.
  const int fd = fd_.release();
  const bool closed = close(fd) == 0;
  const int problem = errno;
  if (closed && (temporary_.empty() || rename(temporary_.c_str(), path_.c_str()) == 0)) return Unit{};
  const int what = closed ? errno : problem;
  if (!temporary_.empty()) unlink(temporary_.c_str());
  return error("{}: {}", path_, strerror(what));
}

}  // namespace sysvm
