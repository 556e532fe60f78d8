// SPDX-License-Identifier: MIT
#include "libsysvm/sites/private_folder.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace sysvm {
namespace {

constexpr mode_t kOthersMayWrite = S_IWGRP | S_IWOTH;

std::string parent_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

void make_with_parents(const std::string& path) {
  for (size_t at = 1; (at = path.find('/', at)) != std::string::npos; ++at)
    ::mkdir(path.substr(0, at).c_str(), 0700);
  ::mkdir(path.c_str(), 0700);
}

std::string why_not_ours(const struct stat& st) {
  if (!S_ISDIR(st.st_mode)) return "not a folder";
  if (st.st_uid != ::geteuid())
    return "belongs to user " + std::to_string(st.st_uid) + ", expected " + std::to_string(::geteuid());
  return st.st_mode & kOthersMayWrite ? "others can write to it" : "";
}

}  // namespace

PrivateFolder PrivateFolder::at_default_place(const char* name, bool make) {
  const char* xdg = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  if (xdg && xdg[0] == '/') {
    if (make) make_with_parents(xdg);
    return at(std::string(xdg) + "/sysvm/" + name, make);
  }
  if (home && home[0] == '/') {
    if (make) ::mkdir((std::string(home) + "/.cache").c_str(), 0700);  // but no home that is not there
    return at(std::string(home) + "/.cache/sysvm/" + name, make);
  }
  PrivateFolder none;
  none.problem_ = "neither XDG_CACHE_HOME nor HOME names a folder";
  return none;
}

PrivateFolder PrivateFolder::at(std::string path, bool make) {
  PrivateFolder out;
  out.path_ = std::move(path);
  if (!out.open(make)) out.fd_.reset();
  return out;
}

bool PrivateFolder::open(bool make) {
  if (path_.find('\n') != std::string::npos) {  // it ends a path in BUNDLE_VARIABLE
    problem_ = "a folder with a line break in its name";
    return false;
  }
  const std::string above = parent_of(path_), outside = parent_of(above);
  struct stat st;
  if (::stat(outside.c_str(), &st) == 0 && ((st.st_uid != 0 && st.st_uid != ::geteuid()) ||
                                            (st.st_mode & kOthersMayWrite && !(st.st_mode & S_ISVTX)))) {
    problem_ = outside + ": others can write to it";
    return false;
  }
  for (const std::string& folder : {above, path_}) {
    if (make) ::mkdir(folder.c_str(), 0700);  // the second only after the first was found to be ours
    fd_.reset(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd_ || ::fstat(fd_.get(), &st) != 0) {
      problem_ = folder + ": " + (errno == ENOTDIR ? "not a folder" : std::strerror(errno));
      return false;
    }
    if (const std::string why = why_not_ours(st); !why.empty()) {
      problem_ = folder + ": " + why;
      return false;
    }
  }
  return true;
}

bool PrivateFolder::read(const char* name, size_t limit, std::string& bytes) const {
  const UniqueFd file(::openat(fd_.get(), name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat st;
  if (!file || ::fstat(file.get(), &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != ::geteuid() ||
      st.st_mode & kOthersMayWrite || st.st_size < 0 || static_cast<size_t>(st.st_size) > limit)
    return false;
  bytes.resize(static_cast<size_t>(st.st_size));
  size_t at = 0;
  while (at < bytes.size()) {
    const ssize_t n = ::read(file.get(), bytes.data() + at, bytes.size() - at);
    if (n <= 0) return false;
    at += static_cast<size_t>(n);
  }
  return true;
}

bool PrivateFolder::write(const char* name, std::string_view bytes) const {
  static unsigned count;
  char temporary[64];
  std::snprintf(temporary, sizeof temporary, ".new-%d-%u", ::getpid(), count++);
  UniqueFd file(::openat(fd_.get(), temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file && errno == EEXIST &&
      ::unlinkat(fd_.get(), temporary, 0) == 0)  // left by a process that was killed
    file.reset(::openat(fd_.get(), temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return false;
  size_t at = 0;
  bool good = true;
  while (good && at < bytes.size()) {
    const ssize_t n = ::write(file.get(), bytes.data() + at, bytes.size() - at);
    good = n > 0;
    if (good) at += static_cast<size_t>(n);
  }
  good = good && ::renameat(fd_.get(), temporary, fd_.get(), name) == 0;
  if (!good) {
    const int why = errno;
    ::unlinkat(fd_.get(), temporary, 0);
    errno = why;
  }
  return good;
}

}  // namespace sysvm
