// SPDX-License-Identifier: MIT
// Text of a traced program on a page. A name may hold anything: markup, line feeds, bytes that are no UTF-8,
// marks that turn
// the direction of writing, 4,096 bytes of it. It is shown, never obeyed: what a reader could not see, or
// what would
// change the text around it, becomes an escape; a long name loses its middle. Tested by
// tests/report/text_test.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sysvm::page {

constexpr size_t kLongest = 300;  // characters of a name

// Valid UTF-8 of printable characters: "\n", "\x1b", "\xff", "\u202e" as C would write them.
std::string visible(std::string_view bytes, size_t most = kLongest);
// The same as HTML text in ASCII.
std::string html(std::string_view bytes, size_t most = kLongest);

std::string bytes_text(uint64_t n);  // "1.2 MB"

// JSON that may stand in a script element: ASCII, no "<".
std::string inert(std::string json);

}  // namespace sysvm::page
