// SPDX-License-Identifier: MIT
// A procedure file against recordings of another day.
#include "optimizer/explain/drift.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "procedures/reader.h"
#include "tests/optimizer/programs.h"
#include "tests/optimizer/recording.h"

namespace sysvm {
namespace {

using testing::HasSubstr;

class Drift : public testing::Test {
 protected:
  void SetUp() override {
    const Trace trace = recording(repeated(60, kMd5sum));
    const Result<Compiled> compiled = compile({&trace}, {});
    ASSERT_TRUE(compiled) << compiled.message();
    svp_ = compiled->svp;
  }

  // The one procedure that runs ahead.
  DriftedProcedure in(const std::vector<Trace>& recordings) {
    std::deque<PackedTrace> all;
    for (const Trace& trace : recordings) all.push_back(packed(trace));
    std::vector<const PackedTrace*> pointers;
    for (const PackedTrace& trace : all) pointers.push_back(&trace);
    const Result<ProcedureFile> file = read_svp(svp_);
    const Result<Replay> replayed = replay(svp_, pointers);
    EXPECT_TRUE(file && replayed);
    found_ = drift_of(*file, *replayed, pointers);
    for (const DriftedProcedure& d : found_)
      if (d.mode == "run_ahead") return d;
    ADD_FAILURE() << "nothing runs ahead";
    return {};
  }

  std::vector<uint8_t> svp_;
  std::vector<DriftedProcedure> found_;
};

TEST_F(Drift, WhatGoesOnAsItDidFits) {
  Trace trace = recording(repeated(40, kMd5sum));
  trace.header.boottime_ns = 1000;
  trace.header.realtime_ns = 1'700'000'000'000'000'000;
  const DriftedProcedure d = in({trace});
  EXPECT_EQ(d.state, DriftState::kFits) << d.why;
  EXPECT_EQ(d.program, "example");
  EXPECT_EQ(d.processes, 1u);
  EXPECT_GE(d.counts.runs, 39u);
  EXPECT_NEAR(d.hits_of_run, d.hits_noted, 0.2);
  EXPECT_EQ(d.last_ns, trace.header.realtime_ns + trace.events.back().ts_ns - 1000);
  EXPECT_THAT(drift_text(found_), HasSubstr("none of "));
  EXPECT_THAT(drift_text(found_), HasSubstr("2023-11-14 22:13"));
}

// The program opens as it did, and asks nothing of what it asked.
TEST_F(Drift, WhatIsMadeForNothingDiverges) {
  const DriftedProcedure d = in({recording(repeated(60,
                                                    "openat(AT_FDCWD, \"f%d\", O_RDONLY) = 3\n"
                                                    "pread64(3, buf, 100, 5) = 100\nclose(3) = 0\n"))});
  EXPECT_EQ(d.state, DriftState::kDiverges);
  EXPECT_FALSE(d.why.empty());
  EXPECT_THAT(drift_text(found_), HasSubstr("no longer match"));
  EXPECT_EQ(found_.front().state, DriftState::kDiverges) << "what drifted comes first";
}

TEST_F(Drift, WhoseTriggerNeverComesIsIdle) {
  const DriftedProcedure d = in({recording(repeated(60, "getpid() = 100\n"))});
  EXPECT_EQ(d.state, DriftState::kIdle);
  EXPECT_EQ(d.last_ns, 0u);
  EXPECT_THAT(drift_text(found_), HasSubstr("never"));
}

TEST_F(Drift, AnotherBuildOfTheProgramIsNotServed) {
  Trace trace = recording(repeated(40, kMd5sum));
  trace.processes[0].build_id = "ccdd";
  const DriftedProcedure d = in({trace});
  EXPECT_EQ(d.state, DriftState::kReplaced);
  EXPECT_THAT(d.why, HasSubstr("/usr/bin/example is another build"));
}

TEST_F(Drift, AProgramThatDidNotRunIsAbsentAndHasNotDrifted) {
  Trace trace = recording(repeated(40, kMd5sum));
  trace.processes[0].build_id = "ccdd";
  trace.processes[0].exe = "/usr/bin/other";
  const DriftedProcedure d = in({trace});
  EXPECT_EQ(d.state, DriftState::kAbsent);
  EXPECT_THAT(drift_text(found_), HasSubstr("none of "));
}

// The same report, whatever the order of the recordings.
TEST_F(Drift, OfSeveralRecordingsTheLastOneCounts) {
  Trace june = recording(repeated(40, kMd5sum)), july = june;
  june.header.realtime_ns = 1'000'000'000, july.header.realtime_ns = 2'000'000'000;
  const DriftedProcedure d = in({june, july});
  EXPECT_EQ(d.processes, 2u);
  EXPECT_EQ(d.last_ns, july.header.realtime_ns + july.events.back().ts_ns);
  const std::string text = drift_text(found_);
  in({july, june});
  EXPECT_EQ(drift_text(found_), text);
}

}  // namespace
}  // namespace sysvm
