// SPDX-License-Identifier: MIT
// Names of others in lines for a terminal: a file or a command may be called anything, and must not move the
// cursor or change colours. Tested by tests/common/printable_test.cc.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace sysvm {

// Control characters as "\033"; other characters, line feeds and tabs stay.
inline std::string without_controls(std::string_view text) {
  std::string out;
  const auto escape = [&out](unsigned char byte) {
    char octal[5];
    std::snprintf(octal, sizeof octal, "\\%03o", byte);
    out += octal;
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
    if (byte == 0xc2 && next >= 0x80 && next < 0xa0)  // C1 in UTF-8: 0x9b begins a sequence as ESC [ does
      escape(byte), escape(next), ++i;
    else if ((byte < 32 && byte != '\n' && byte != '\t') || byte == 127)
      escape(byte);
    else
      out += text[i];
  }
  return out;
}

}  // namespace sysvm
