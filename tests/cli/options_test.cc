// SPDX-License-Identifier: MIT
#include "cli/base/options.h"

#include <gtest/gtest.h>

#include "cli/base/values.h"

namespace sysvm {
namespace {

struct Read {
  Words command, files;
  std::string output, mode;
  bool json = false, quiet = false;
  unsigned n = 7;
  std::optional<int> code;
  std::string wrong;
};

// Options of which the user's command follows, or FILE...
Read read(const Words& words, bool has_command) {
  Read got;
  Options options("x", "usage: x", "Does x.");
  options.flag("--json", got.json, "as JSON");
  options.flag("-q,--quiet", got.quiet, "no output");
  options.text("-o,--output FILE", got.output, "where to");
  options.choice("--mode", got.mode, {"fast", "slow"}, "how");
  options.number("-n,--number N", got.n, 1, 64, "how many");
  if (has_command)
    options.command(got.command);
  else
    options.arguments("FILE", got.files, "the input");
  testing::internal::CaptureStderr();
  got.code = options.parse(words);
  got.wrong = testing::internal::GetCapturedStderr();
  return got;
}

TEST(Options, DoubleDashBeginsTheCommand) {
  const Read got = read({"-o", "x.trace", "--", "ls", "--help"}, true);
  EXPECT_EQ(got.output, "x.trace");
  EXPECT_EQ(got.command, (Words{"ls", "--help"}));
}

TEST(Options, TheFirstWordBeginsTheCommandWithoutDoubleDash) {
  const Read got = read({"--json", "grep", "-o", "--", "x"}, true);
  EXPECT_TRUE(got.json);
  EXPECT_EQ(got.command, (Words{"grep", "-o", "--", "x"}));
}

TEST(Options, ACommandMayBeginWithADashAfterDoubleDash) {
  EXPECT_EQ(read({"--", "-weird"}, true).command, (Words{"-weird"}));
}

TEST(Options, WithoutACommandItIsEmpty) { EXPECT_TRUE(read({"--json"}, true).command.empty()); }

TEST(Options, ValuesAreWrittenInFourWays) {
  for (const Words& words : {Words{"-o", "f"}, Words{"-of"}, Words{"--output", "f"}, Words{"--output=f"}})
    EXPECT_EQ(read(words, true).output, "f") << words[0];
  EXPECT_EQ(read({"--output="}, true).output, "");
}

TEST(Options, FlagsShareADash) {
  const Read got = read({"-qn", "5", "a", "b"}, false);
  EXPECT_TRUE(got.quiet);
  EXPECT_EQ(got.n, 5u);
  EXPECT_EQ(got.files, (Words{"a", "b"}));
}

TEST(Options, ComeBeforeAndAfterArgumentsAndEndAtDoubleDash) {
  const Read got = read({"a", "--json", "--", "-q"}, false);
  EXPECT_TRUE(got.json);
  EXPECT_FALSE(got.quiet);
  EXPECT_EQ(got.files, (Words{"a", "-q"}));
}

TEST(Options, AMistakeSaysWhatWasExpected) {
  const struct {
    Words words;
    const char* part;
  } mistakes[] = {{{"--outptu", "x", "a"}, "unknown option '--outptu'; did you mean '--output'?"},
                  {{"-z", "a"}, "unknown option '-z'"},
                  {{"a", "-o"}, "-o needs a value"},
                  {{"--json=yes", "a"}, "--json takes no value"},
                  {{"--mode", "fats", "a"}, "--mode fats: expected fast or slow; did you mean 'fast'?"},
                  {{"-n", "65", "a"}, "-n 65: expected a number from 1 to 64"},
                  {{"-n", "few", "a"}, "-n few: expected a number from 1 to 64"},
                  {{}, "expected FILE (the input)"}};
  for (const auto& [words, part] : mistakes) {
    const Read got = read(words, false);
    EXPECT_EQ(got.code, kExitUsage);
    EXPECT_NE(got.wrong.find(part), std::string::npos) << got.wrong;
  }
}

TEST(Options, HelpEndsWithZero) { EXPECT_EQ(read({"--help", "--nonsense"}, false).code, 0); }

TEST(Values, HaveUnits) {
  EXPECT_EQ(parse_size("4096"), 4096u);
  EXPECT_EQ(parse_size("64k"), 65536u);
  EXPECT_EQ(parse_size("x"), std::nullopt);
  EXPECT_EQ(parse_duration("500ms"), 500'000'000u);
  EXPECT_EQ(parse_duration("2m"), 120'000'000'000u);
  EXPECT_EQ(parse_duration("-1s"), std::nullopt);
}

}  // namespace
}  // namespace sysvm
