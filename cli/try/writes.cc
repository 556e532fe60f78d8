// SPDX-License-Identifier: MIT
#include "cli/try/writes.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>

namespace sysvm {
namespace {

using Words = std::initializer_list<std::string_view>;

bool is_one_of(std::string_view word, Words words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool any_starts_with(const std::vector<std::string>& command, Words prefixes) {
  return std::any_of(command.begin() + 1, command.end(), [&](const std::string& word) {
    return std::any_of(prefixes.begin(), prefixes.end(),
                       [&](auto prefix) { return word.starts_with(prefix); });
  });
}

bool any_contains(const std::vector<std::string>& command, Words parts) {
  return std::any_of(command.begin() + 1, command.end(), [&](const std::string& word) {
    return std::any_of(parts.begin(), parts.end(),
                       [&](auto part) { return word.find(part) != std::string::npos; });
  });
}

}  // namespace

bool known_to_only_read(const std::vector<std::string>& command) {
  if (command.empty()) return true;
  const size_t slash = command[0].rfind('/');
  const std::string name = slash == std::string::npos ? command[0] : command[0].substr(slash + 1);
  if (is_one_of(name, {"grep",      "egrep",     "fgrep",     "rgrep",   "ls",     "dir",      "vdir",
                       "du",        "df",        "wc",        "cat",     "head",   "tail",     "cut",
                       "nl",        "tac",       "od",        "strings", "md5sum", "sha1sum",  "sha224sum",
                       "sha256sum", "sha384sum", "sha512sum", "b2sum",   "cksum",  "sum",      "cmp",
                       "diff",      "comm",      "join",      "paste",   "stat",   "readlink", "realpath",
                       "basename",  "dirname",   "test",      "true",    "false",  "echo",     "printf",
                       "pwd",       "id",        "whoami",    "uname",   "date",   "nproc",    "tr",
                       "fold",      "rev",       "column",    "zcat"}))
    return true;
  if (name == "find") return !any_starts_with(command, {"-delete", "-exec", "-ok", "-fprint", "-fls"});
  if (name == "sort") return !any_starts_with(command, {"-o", "--output"});
  if (name == "file") return !any_starts_with(command, {"-C", "--compile"});
  if (name == "sed")
    return !any_starts_with(command, {"-i", "--in-place"}) && !any_contains(command, {"w ", "/w", "/e"});
  if (is_one_of(name, {"awk", "gawk", "mawk"}))
    return !any_contains(command, {">", "|", "system", "inplace"});
  if (name == "git" && command.size() > 1)
    return is_one_of(command[1],
                     {"log", "show", "diff", "blame", "ls-files", "rev-parse", "cat-file", "grep"});
  return false;
}

}  // namespace sysvm
