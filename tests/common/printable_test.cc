// SPDX-License-Identifier: MIT
#include "common/printable.h"

#include <gtest/gtest.h>

namespace sysvm {
namespace {

TEST(Printable, ControlCharactersBecomeText) {
  EXPECT_EQ(without_controls("a\033[31mb\r\x7f"), "a\\033[31mb\\015\\177");
  EXPECT_EQ(without_controls("\xc2\x9b"
                             "2J"),
            "\\302\\2332J");
}

TEST(Printable, OtherTextStays) {
  for (const char* text : {"", "one\ntwo\tthree", "gr\xc3\xbc\xc3\x9f", "\xc2\xa0", "\xff", "\xc2"})
    EXPECT_EQ(without_controls(text), text);
}

}  // namespace
}  // namespace sysvm
