// SPDX-License-Identifier: MIT
// The answer to "is it worth it": by engine, with its interval and its reasons.
#include "optimizer/explain/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "uapi/syscalls.h"

namespace sysvm {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr uint64_t kWall = 100'000'000;  // 100 ms

// One process: 100,000 calls, of which runs of ten calls leave a tenth.
Replay good() {
  Replay r;
  r.processes = r.shimmed = 1;
  r.calls = 100000;
  r.runs = 10000;
  r.answered = 90000;
  r.inner = 100000;
  r.ahead = r.used = 90000;
  r.entries = 10000;
  r.programs["/usr/bin/du"] = r;
  return r;
}

CostModel costs() {
  CostModel cost;
  cost.crossing_ns = 200;
  cost.uncertain = 0.1;
  return cost;
}

TEST(Verdict, TheModulesGainIsTheUserEnginesLoss) {
  const Verdict v = judge(good(), costs(), 0, kWall, {false, "/dev/sysvm: No such file or directory"});
  EXPECT_EQ(v.kernel.worth, Worth::kFaster);
  EXPECT_EQ(v.user.worth, Worth::kSlower) << "each call made ahead is an entry of its own";
  const std::string text = verdict_block(v, good(), costs());
  EXPECT_THAT(text, StartsWith("slower: about "));
  EXPECT_THAT(text, HasSubstr("user: the module is not here (/dev/sysvm: No such file or directory)"));
  EXPECT_THAT(text, HasSubstr("with the module  faster: about "));
}

TEST(Verdict, TheFirstLineIsOfTheEngineThatIsHere) {
  const std::string text = verdict_block(judge(good(), costs(), 0, kWall, {true, ""}), good(), costs());
  EXPECT_THAT(text, StartsWith("faster: about "));
  EXPECT_THAT(text, Not(HasSubstr("with the module")));
}

TEST(Verdict, SaysThatAnswersWouldBeTooOld) {
  Replay r = good();
  EXPECT_THAT(verdict_block(judge(r, costs(), 0, kWall, {true, ""}), r, costs()), Not(HasSubstr("too old")));
  r.too_old = 4000;
  EXPECT_THAT(verdict_block(judge(r, costs(), 0, kWall, {true, ""}), r, costs()),
              HasSubstr("too old          in 4000 of 10000 runs"));
}

TEST(Verdict, AnIntervalThatHoldsZeroIsNothingToGain) {
  const Verdict v = judge(good(), costs(), 1e9, kWall, {true, ""});
  EXPECT_LT(v.kernel.low_ns, 0);
  EXPECT_GT(v.kernel.high_ns, 0);
  EXPECT_EQ(v.kernel.worth, Worth::kNothing);
}

TEST(Verdict, BelowOnePerCentNothingIsToGain) {
  EXPECT_EQ(judge(good(), costs(), 0, 100 * kWall, {true, ""}).kernel.worth, Worth::kNothing);
}

TEST(Verdict, StartingTheShimCountsForEachProcess) {
  Replay many = good();
  many.shimmed = 1000;
  const Verdict one = judge(good(), costs(), 0, kWall, {true, ""}),
                all = judge(many, costs(), 0, kWall, {true, ""});
  EXPECT_NEAR(one.kernel.saved_ns - all.kernel.saved_ns, 999 * costs().start_ns, 1);
  EXPECT_EQ(all.kernel.worth, Worth::kSlower);
  EXPECT_THAT(verdict_block(all, many, costs()), StartsWith("nothing to gain; slower: about "));
}

TEST(Verdict, SaysWhyNotByName) {
  Replay r;
  r.processes = 3;
  r.calls = r.entries = 5000;
  r.off["unseen"] = {2, 4000, {"/usr/lib/libcrypto.so.3"}};
  r.left_by_nr[SYSVM_NR_write] = 900;
  r.left_by_nr[SYSVM_NR_close] = 10;
  const Verdict v = judge(r, costs(), 0, kWall, {true, ""});
  ASSERT_EQ(v.why.size(), 2u);
  EXPECT_THAT(v.why[0],
              AllOf(HasSubstr("2 of 3 processes (80.0 % of the calls)"), HasSubstr("libcrypto.so.3")));
  EXPECT_THAT(v.why[1], HasSubstr("900 of 5000 calls are write"));
}

TEST(Verdict, ARecordingOfSeveralProgramsIsBrokenDown) {
  Replay r = good();
  ReplayCounts sh;
  sh.processes = 7;
  sh.calls = sh.entries = 700;
  r.programs["/usr/bin/\x1b[2Jsh"] = sh;
  const std::string text = verdict_block(judge(r, costs(), 0, kWall, {true, ""}), r, costs());
  EXPECT_THAT(text, AllOf(HasSubstr("/usr/bin/du\n"), HasSubstr("  all\n"), Not(HasSubstr("\x1b"))));
  const nlohmann::json j = to_json(judge(r, costs(), 0, kWall, {true, ""}), r, costs());
  EXPECT_EQ(j["programs"].size(), 2u);
  EXPECT_EQ(j["programs"][0]["program"], "/usr/bin/du");
  EXPECT_EQ(j["verdict"], "faster");
}

TEST(Verdict, NothingRecordedIsNothingToGain) {
  const Verdict v = judge({}, costs(), 0, 0, {true, ""});
  EXPECT_EQ(v.now().worth, Worth::kNothing);
  EXPECT_THAT(verdict_block(v, {}, costs()),
              AllOf(StartsWith("nothing to gain"), Not(HasSubstr("nan")), Not(HasSubstr("inf"))));
}

}  // namespace
}  // namespace sysvm
