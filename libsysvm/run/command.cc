// SPDX-License-Identifier: MIT
#include "libsysvm/run/command.h"

#include <elf.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "common/unique_fd.h"
#include "libsysvm/sites/elf_image.h"

extern char** environ;

namespace sysvm {
namespace {

constexpr char kLoader[] = "/lib64/ld-linux-x86-64.so.2";

std::string script_interpreter(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string line;
  if (!in || in.get() != '#' || in.get() != '!' || !std::getline(in, line)) return "";
  const size_t from = line.find_first_not_of(" \t");
  if (from == std::string::npos) return "";
  return line.substr(from, line.find_first_of(" \t", from) - from);
}

std::string why_plain(const FoundCommand& command, const ElfImage& image) {
  struct stat st;
  if (image.machine_class() != ELFCLASS64 || !image.is_x86_64()) return "not a 64-bit x86 program";
  if (!image.interpreter()) return "statically linked";
  if (*image.interpreter() != kLoader)
    return fmt::format("loaded by {} instead of {}", *image.interpreter(), kLoader);
  if (::stat(command.program.c_str(), &st) == 0 && st.st_mode & (S_ISUID | S_ISGID))
    return "setuid or setgid";
  if (::getxattr(command.program.c_str(), "security.capability", nullptr, 0) >= 0)
    return "has file capabilities";
  for (const std::string& needed : image.needed())
    for (const char* sanitizer : {"libasan", "libtsan", "liblsan", "libhwasan"})
      if (needed.rfind(sanitizer, 0) == 0) return fmt::format("built with a sanitizer ({})", needed);
  return "";
}

}  // namespace

std::variant<FoundCommand, CommandError> find_command(const std::string& word) {
  FoundCommand out;
  int error = 0;
  out.path = search_path(word, error);
  if (out.path.empty()) return command_error(word, error);
  out.program = out.path;
  for (int depth = 0; depth < 4; ++depth) {
    const std::string interpreter = script_interpreter(out.program);
    if (interpreter.empty()) break;
    out.scripts.push_back(out.program);
    out.program = interpreter;
  }
  const auto image = ElfImage::open(out.program);
  if (!image) {
    out.plain = "cannot be read: " + image.message();
    return out;
  }
  out.loader = (*image).interpreter().value_or("");
  out.plain = why_plain(out, *image);
  return out;
}

std::vector<std::string> loaded_objects(const FoundCommand& command) {
  std::vector<std::string> out{std::filesystem::absolute(command.program)};
  if (command.loader.empty()) return out;
  out.push_back(command.loader);
  // The loader lists what it would map, without running any of it.
  int pipe_fds[2];
  if (::pipe2(pipe_fds, O_CLOEXEC) != 0) return out;
  UniqueFd from(pipe_fds[0]), to(pipe_fds[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to.get(), STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  const std::string program = std::filesystem::absolute(command.program);
  const char* argv[] = {command.loader.c_str(), "--list", program.c_str(), nullptr};
  pid_t pid = -1;
  const int failed =
      ::posix_spawn(&pid, command.loader.c_str(), &actions, nullptr, const_cast<char**>(argv), environ);
  posix_spawn_file_actions_destroy(&actions);
  to.reset();
  if (failed) return out;
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = ::read(from.get(), buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<size_t>(n));
  ::waitpid(pid, nullptr, 0);
  // "\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f...)"
  for (size_t at = 0; (at = text.find("=> /", at)) != std::string::npos;) {
    const size_t start = at + 3, end = text.find(" (", start);
    if (end == std::string::npos) break;
    out.push_back(text.substr(start, end - start));
    at = end;
  }
  return out;
}

}  // namespace sysvm
