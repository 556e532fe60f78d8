// SPDX-License-Identifier: MIT
#include "cli/try/streams.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "libsysvm/run/memory.h"

namespace sysvm {
namespace {

constexpr size_t kBlock = 1 << 18;

ssize_t read_block(int fd, std::vector<char>& buffer) {
  size_t have = 0;
  while (have < buffer.size()) {
    const ssize_t n = read(fd, buffer.data() + have, buffer.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    if (n == 0) break;
    have += static_cast<size_t>(n);
  }
  return static_cast<ssize_t>(have);
}

}  // namespace

Result<CapturedInput> CapturedInput::capture(int fd, const std::string& folder) {
  CapturedInput in;
  in.path_ = folder + "/stdin";
  UniqueFd out(open(in.path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (out.get() < 0) return error("{}: {}", in.path_, strerror(errno));
  struct stat st;
  if (isatty(fd) || fstat(fd, &st)) {  // or closed: nothing to capture
    in.kind_ = Kind::kTerminal;
    return in;
  }
  in.kind_ = S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) ? Kind::kPipe : Kind::kFile;
  std::vector<char> buffer(kBlock);
  for (;;) {
    const ssize_t n = read_block(fd, buffer);
    if (n < 0) return error("standard input cannot be captured: {}", strerror(errno));
    if (n == 0) return in;
    if (!write_all(out.get(), {buffer.data(), static_cast<size_t>(n)}))
      return error("{}: standard input cannot be kept: {}", in.path_, strerror(errno));
    in.size_ += static_cast<uint64_t>(n);
  }
}

CapturedInput::~CapturedInput() { stop_feeder(); }

void CapturedInput::stop_feeder() {
  if (feeder_.pid < 0) return;
  kill(feeder_.pid, SIGKILL);
  while (waitpid(feeder_.pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  feeder_.pid = -1;
}

Result<UniqueFd> CapturedInput::replay() {
  stop_feeder();
  const char* source = kind_ == Kind::kTerminal ? "/dev/null" : path_.c_str();
  UniqueFd file(open(source, O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return error("{}: {}", source, strerror(errno));
  if (kind_ != Kind::kPipe) return file;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC)) return error("pipe: {}", strerror(errno));
  UniqueFd reader(ends[0]), writer(ends[1]);
  const pid_t pid = fork();
  if (pid < 0) return error("fork: {}", strerror(errno));
  if (pid == 0) {
    signal(SIGPIPE, SIG_DFL);  // the command may stop reading: then this process ends quietly
    std::vector<char> buffer(kBlock);
    reader.reset();
    for (ssize_t n; (n = read_block(file.get(), buffer)) > 0;)
      if (!write_all(writer.get(), {buffer.data(), static_cast<size_t>(n)})) break;
    _exit(0);
  }
  feeder_.pid = pid;
  return reader;
}

Result<std::string> compare_files(const std::string& a, const std::string& b) {
  UniqueFd fa(open(a.c_str(), O_RDONLY | O_CLOEXEC)), fb(open(b.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat sa, sb;
  if (fa.get() < 0 || fstat(fa.get(), &sa)) return error("{}: {}", a, strerror(errno));
  if (fb.get() < 0 || fstat(fb.get(), &sb)) return error("{}: {}", b, strerror(errno));
  std::vector<char> ba(kBlock), bb(kBlock);
  for (uint64_t at = 0;;) {
    const ssize_t na = read_block(fa.get(), ba), nb = read_block(fb.get(), bb);
    if (na < 0 || nb < 0) return error("{} or {}: {}", a, b, strerror(errno));
    const size_t both = static_cast<size_t>(std::min(na, nb));
    const size_t same = static_cast<size_t>(
        std::mismatch(ba.begin(), ba.begin() + static_cast<long>(both), bb.begin()).first - ba.begin());
    if (same < both || na != nb)
      return fmt::format("{} and {} bytes, first difference at byte {}", sa.st_size, sb.st_size, at + same);
    if (na == 0) return std::string();
    at += both;
  }
}

}  // namespace sysvm
