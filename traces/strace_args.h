// SPDX-License-Identifier: MIT
// Pieces of a line of strace: arguments cut at top-level commas, quoted strings, expressions of constants.
// Works on text that anybody may have written: never reads past it, and says when it does not understand.
// Tested by tests/traces/import_test.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sysvm {

// Takes a word from the front of text.
bool take(std::string_view& text, std::string_view word);
void skip_blanks(std::string_view& text);
std::optional<uint64_t> take_decimal(std::string_view& text);

// The arguments of a call, up to its closing parenthesis, which is taken as well; nothing if there is none.
// Comments and the <...> after descriptors (strace -y, -yy) are left out, strings are kept as they are.
std::optional<std::vector<std::string>> take_arguments(std::string_view& text);

// "abc\n"... -> abc and a line feed; cut says whether there were dots.
struct Quoted {
  std::string text;
  bool cut = false;
};
std::optional<Quoted> take_quoted(std::string_view& text);

// O_RDONLY|O_CLOEXEC, -1, 0x10, 0644, makedev(0x8, 0x1), _IOC(_IOC_READ, 0x54, 0x1, 0x4), NULL, ~0, 1<<3.
// What has a name that is not known here has no value; the name goes to unknown.
std::optional<uint64_t> constant(std::string_view text, std::vector<std::string>* unknown = nullptr);

// The text after "name=" in a structure, strings left out, up to the next comma or bracket at its level.
std::optional<std::string_view> member(std::string_view structure, std::string_view name);

}  // namespace sysvm
