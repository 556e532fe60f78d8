// SPDX-License-Identifier: MIT
// What costs do to what is made: only what pays, with a break-even, cut by what has really run.
#include "optimizer/base/cost.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "optimizer/explain/advice.h"
#include "optimizer/optimizer.h"
#include "optimizer/prove/replay.h"
#include "tests/optimizer/programs.h"
#include "tests/optimizer/recording.h"

namespace sysvm {
namespace {

Compiled compiled(const std::string& calls, const CompileOptions& options = {}) {
  const Trace trace = recording(calls);
  Result<Compiled> out = compile({&trace}, options);
  EXPECT_TRUE(out) << out.message();
  return out ? std::move(out).value() : Compiled{};
}

TEST(Cost, TakesWhatWasMeasuredAndKeepsTheRest) {
  const Result<CostModel> cost = costs_from_json(
      R"({"crossing_ns": 100, "crossing_inline_ns": 90, "shim_hit_ns": 14, "kernel_insn_ns": null, "user_insn_ns": 4,
          "kernel_run_ns": 130, "read_4k_ns": 240})");
  ASSERT_TRUE(cost) << cost.message();
  EXPECT_EQ(cost->crossing_ns, 100);
  EXPECT_EQ(cost->serve_ns, 14);
  EXPECT_EQ(cost->insn_ns, 4);  // the kernel's was not measured
  EXPECT_EQ(cost->run_ns, 40);  // without its entry
  EXPECT_EQ(cost->watch_ns, CostModel{}.watch_ns);
  EXPECT_EQ(cost->inner_ns(0), 150);  // read
}

TEST(Cost, RefusesWhatIsNoCosts) {
  EXPECT_FALSE(costs_from_json("[]"));
  EXPECT_FALSE(costs_from_json("{\"crossing_ns\": \"x\"}"));
  EXPECT_FALSE(read_costs("/nonexistent/costs.json"));
}

// A file that says what no machine has would make every prediction nonsense.
TEST(Cost, RefusesFiguresThatNoMachineHas) {
  for (const char* lie : {R"({"crossing_ns": 1e99})", R"({"crossing_ns": 0})", R"({"crossing_ns": -5})",
                          R"({"crossing_ns": 1e999})", R"({"crossing_ns": 150, "shim_hit_ns": 1e7})",
                          R"({"crossing_ns": 150, "start_ns": 1e12})"}) {
    const Result<CostModel> cost = costs_from_json(lie);
    EXPECT_FALSE(cost) << lie;
  }
  EXPECT_THAT(costs_from_json(R"({"crossing_ns": 2e6})").message(),
              testing::HasSubstr("crossing_ns is 2000000"));
}

TEST(Cost, SaysHowOldItIs) {
  const std::string path = std::filesystem::temp_directory_path() / "sysvm-costs-test.json";
  std::ofstream(path) << R"({"crossing_ns": 150})";
  std::filesystem::last_write_time(path,
                                   std::filesystem::file_time_type::clock::now() - std::chrono::hours(73));
  const Result<CostModel> cost = read_costs(path);
  ASSERT_TRUE(cost) << cost.message();
  EXPECT_EQ(cost->source_and_age(), "measured 3 days ago: " + path);
  EXPECT_THAT(CostModel{}.source_and_age(), testing::HasSubstr("sysvm bench --save"));
  std::filesystem::remove(path);
}

TEST(Cost, AProcedureThatDoesNotPayIsLeftOutWithItsBreakEven) {
  CompileOptions cheap;
  cheap.cost.crossing_ns = 20;
  const Compiled c = compiled(repeated(20, kMd5sum), cheap);
  EXPECT_TRUE(c.emitted.empty() || c.emitted[0].mode != "run_ahead");
  ASSERT_FALSE(c.dropped.empty());
  EXPECT_NE(c.dropped[0].reason.find("pays from"), std::string::npos) << c.dropped[0].reason;
}

TEST(Cost, AtTheBreakEvenNothingIsSaved) {
  const Compiled c = compiled(repeated(20, kMd5sum));
  ASSERT_FALSE(c.emitted.empty());
  const EmittedInfo& e = c.emitted[0];
  EXPECT_GT(e.saved_ns, 0);
  // Every run of this recording saves the same: five entries.
  EXPECT_NEAR(e.saved_ns, 20 * 5 * (CostModel{}.crossing_ns - e.break_even_ns), 1e-3);
  EXPECT_NEAR(e.saved_low_ns, e.saved_high_ns, 1e-3);
}

TEST(Cost, RunsThatDifferWidenTheInterval) {
  const std::string stops_early =
      "openat(4, \"g\", O_RDONLY|O_NOCTTY|O_NONBLOCK|O_NOFOLLOW) = 3\n"
      "newfstatat(3, \"\", {st_mode=S_IFREG|0644, st_size=10}, AT_EMPTY_PATH) = 0\n"
      "close(3) = 0\n";
  const Compiled c = compiled(repeated(40, kGrepFile) + repeated(4, stops_early));
  ASSERT_FALSE(c.emitted.empty());
  EXPECT_LT(c.emitted[0].saved_low_ns, c.emitted[0].saved_ns);
  EXPECT_EQ(c.emitted[0].unused, 8u);  // both reads of four files
}

// --- what has run

CompileOptions after(const std::string& name, uint64_t runs, uint64_t hits, uint64_t misses,
                     bool off = false) {
  CompileOptions options;
  options.profile.push_back({name, runs, hits, misses, 0, off});
  return options;
}
constexpr char kGrepName[] = "openat: newfstatat read+end";

TEST(Profile, WhatSwitchedItselfOffIsLeftOut) {
  const Compiled c = compiled(repeated(20, kGrepFile), after(kGrepName, 40, 10, 40, true));
  ASSERT_FALSE(c.dropped.empty());
  EXPECT_NE(c.dropped[0].reason.find("when it ran"), std::string::npos);
  for (const EmittedInfo& e : c.emitted) EXPECT_NE(e.mode, "run_ahead");
}

TEST(Profile, WhatMissedOftenIsNarrowed) {
  const Compiled c = compiled(repeated(20, kGrepFile), after(kGrepName, 100, 120, 80));
  ASSERT_FALSE(c.emitted.empty());
  EXPECT_EQ(c.emitted[0].name, "openat: newfstatat");
}

TEST(Profile, WhatHitIsLeftAsItIs) {
  const Compiled c = compiled(repeated(20, kGrepFile), after(kGrepName, 100, 300, 0));
  ASSERT_FALSE(c.emitted.empty());
  EXPECT_EQ(c.emitted[0].name, kGrepName);
}

TEST(Profile, IsReadFromTheCountersOfARun) {
  const std::string path = std::filesystem::temp_directory_path() / "sysvm-profile-test.json";
  std::ofstream(path) << R"({"procedures":[{"name":"a","runs":3,"hits":5,"misses":1,"undone":0,"off":1}]})";
  const Result<std::vector<ProfiledProcedure>> p = read_profile(path);
  ASSERT_TRUE(p) << p.message();
  EXPECT_EQ(p->at(0).hits, 5u);
  EXPECT_TRUE(p->at(0).off);
  std::ofstream(path) << "{}";
  EXPECT_FALSE(read_profile(path));
  std::filesystem::remove(path);
}

// --- input that says nothing, or two things

TEST(Compile, NothingOneCallAndAGapAreNoProcedures) {
  EXPECT_TRUE(compiled("").emitted.empty());
  EXPECT_TRUE(compiled("getppid() = 1\n").emitted.empty());
  EXPECT_TRUE(compiled(repeated(20, "openat(4, \"f\", O_RDONLY) = 3\n..\nfcntl(3, F_GETFD) = 0\n..\n"))
                  .emitted.empty());
}

TEST(Compile, RecordingsThatContradictEachOtherMakeNoProcedure) {
  const Trace one = recording(
      repeated(20, "openat(4, \"f%d\", O_RDONLY) = 3\npread64(3, buf, 64, 0) = 64\nclose(3) = 0\n"));
  const Trace two =
      recording(repeated(60, "openat(4, \"f%d\", O_RDONLY) = 3\ngetcwd(buf, 99) = 4\nclose(3) = 0\n"));
  const Result<Compiled> c = compile(std::vector<const Trace*>{&one, &two}, {});
  ASSERT_TRUE(c) << c.message();
  for (const EmittedInfo& e : c->emitted) EXPECT_NE(e.mode, "run_ahead") << e.name;
}

// --- advice

std::vector<Advice> advice(const std::string& calls) {
  const Trace trace = recording(calls);
  return advise(mine_part(trace), {}, nullptr);
}

TEST(Advice, SetTzWhereLocaltimeIsAskedForAgain) {
  const std::vector<Advice> a = advice(
      repeated(50, "newfstatat(AT_FDCWD, \"/etc/localtime\", buf, 0) = 0\ngetppid() = 1\ngetpgrp() = 1\n"));
  ASSERT_FALSE(a.empty());
  EXPECT_EQ(a[0].text.find("set TZ"), 0u) << a[0].text;
  EXPECT_NE(a[0].text.find("33 %"), std::string::npos) << a[0].text;
}

TEST(Advice, SaysNothingWhereNothingIsRedundant) { EXPECT_TRUE(advice(repeated(50, kGrepFile)).empty()); }

TEST(Advice, IsAtMostThree) {
  std::string calls;
  for (const char* name : {"a", "b", "c", "d", "e"})
    calls +=
        repeated(40, std::string("newfstatat(AT_FDCWD, \"/etc/") + name + "\", buf, 0) = 0\ngetppid() = 1\n");
  EXPECT_EQ(advice(calls).size(), 3u);
}

// Where "nothing to gain" ends.
TEST(Verdict, BelowOnePerCentThereIsNothingToGain) {
  EXPECT_TRUE(nothing_to_gain(9'999'999, 1'000'000'000));
  EXPECT_FALSE(nothing_to_gain(10'000'000, 1'000'000'000));
}

TEST(Verdict, ALossIsNothingToGainHoweverShortTheRun) {
  EXPECT_TRUE(nothing_to_gain(0, 0));
  EXPECT_TRUE(nothing_to_gain(-5, 100));
  EXPECT_FALSE(nothing_to_gain(1, 0));  // the wall time is not known
}

}  // namespace
}  // namespace sysvm
