// SPDX-License-Identifier: MIT
#include "cli/args.h"

#include <gtest/gtest.h>

namespace sysvm {
namespace {

TEST(SplitArgs, DoubleDashEndsOurOptions) {
  SplitArgs got = split_args({"-o", "x.trace", "--", "ls", "--help"}, {"-o"});
  EXPECT_EQ(got.own, (std::vector<std::string>{"-o", "x.trace"}));
  EXPECT_EQ(got.command, (std::vector<std::string>{"ls", "--help"}));
}

TEST(SplitArgs, FirstWordEndsOurOptionsWithoutDoubleDash) {
  SplitArgs got = split_args({"--json", "grep", "-o", "--", "x"}, {"-o"});
  EXPECT_EQ(got.own, (std::vector<std::string>{"--json"}));
  EXPECT_EQ(got.command, (std::vector<std::string>{"grep", "-o", "--", "x"}));
}

TEST(SplitArgs, CommandMayBeginWithADashAfterDoubleDash) {
  EXPECT_EQ(split_args({"--", "-weird"}, {}).command, (std::vector<std::string>{"-weird"}));
}

TEST(SplitArgs, WithoutACommandItIsEmpty) { EXPECT_TRUE(split_args({"--json"}, {}).command.empty()); }

}  // namespace
}  // namespace sysvm
