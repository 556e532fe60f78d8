// SPDX-License-Identifier: MIT
#include "report/text.h"

#include <gtest/gtest.h>

namespace sysvm::page {
namespace {

struct Shown {
  std::string_view bytes, shown;
};

TEST(PageText, WhatIsPrintableStays) {
  for (const std::string_view text : {"/usr/include/a b.h", "M\u00fcller", "\u65e5\u672c\u8a9e",
                                      "\u05e9\u05dc\u05d5\u05dd", "\U0001f600", ""})
    EXPECT_EQ(visible(text), text);
}

TEST(PageText, WhatActsOrCannotBeSeenIsEscaped) {
  const Shown cases[] = {
      {"a\nb", "a\\nb"},
      {std::string_view("a\0b", 3), "a\\x00b"},
      {"\x1b[31m", "\\x1b[31m"},
      {"\x7f", "\\x7f"},
      {"\xc2\x9b", "\\x9b"},  // a control of the second row
      {"\xe2\x80\xae"
       "gpj.exe",
       "\\u202egpj.exe"},           // right-to-left override
      {"\xe2\x81\xa7", "\\u2067"},  // isolate
      {"\xe2\x80\xa8", "\\u2028"},  // line separator
      {"\xe2\x80\x8b", "\\u200b"},  // zero width space
      {"\xef\xbb\xbf", "\\ufeff"},
      {"\xf3\xa0\x81\x81", "\\U000e0041"},  // a tag
      {"a\\nb", "a\\\\nb"},                 // not what a line feed looks like
  };
  for (const Shown& one : cases) EXPECT_EQ(visible(one.bytes), one.shown) << one.shown;
}

TEST(PageText, BytesThatAreNoUtf8AreEscapedOneByOne) {
  const Shown cases[] = {
      {"\xff", "\\xff"},
      {"\xc3", "\\xc3"},           // cut
      {"\xc0\xaf", "\\xc0\\xaf"},  // longer than it need be
      {"\xe0\x80\xaf", "\\xe0\\x80\\xaf"},
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},           // half of a pair
      {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},  // beyond the last
      {"\xe2\x82"
       "a",
       "\\xe2\\x82"
       "a"},
  };
  for (const Shown& one : cases) EXPECT_EQ(visible(one.bytes), one.shown) << one.shown;
}

TEST(PageText, MarkupIsText) {
  EXPECT_EQ(html("<script>alert('1') & \"2\"</script>"),
            "&lt;script&gt;alert(&#39;1&#39;) &amp; &quot;2&quot;&lt;/script&gt;");
  EXPECT_EQ(html("\u00e9"), "&#233;");
  EXPECT_EQ(inert("{\"a\":\"</script><!--\"}"), "{\"a\":\"\\u003c/script>\\u003c!--\"}");
}

TEST(PageText, ALongNameLosesItsMiddle) {
  const std::string name = "begin" + std::string(4096, 'x') + "end";
  const std::string shown = visible(name, 90);
  EXPECT_LT(shown.size(), 130u);
  EXPECT_EQ(shown.substr(0, 5), "begin");
  EXPECT_EQ(shown.substr(shown.size() - 3), "end");
  EXPECT_NE(shown.find("[4104 bytes]"), std::string::npos);
  std::string many;
  for (int i = 0; i < 100; ++i) many += "\u20ac";  // 100 characters, 300 bytes
  EXPECT_EQ(visible(many, 100), many);
}

}  // namespace
}  // namespace sysvm::page
