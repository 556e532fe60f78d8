// SPDX-License-Identifier: MIT
// Recordings played past the shim's own code: what it answers, what is made for nothing, and when it is off.
// That the figures are those of real runs is shown by tests/optimizer/end_to_end_test.py.
#include "optimizer/prove/replay.h"

#include <gtest/gtest.h>

#include "optimizer/optimizer.h"
#include "tests/optimizer/programs.h"
#include "tests/optimizer/recording.h"

namespace sysvm {
namespace {

std::vector<uint8_t> procedures(const std::string& calls) {
  const Trace trace = recording(calls);
  const Result<Compiled> compiled = compile({&trace}, {});
  EXPECT_TRUE(compiled) << compiled.message();
  return compiled ? compiled->svp : std::vector<uint8_t>{};
}

Replay replayed(const std::string& made_from, const Trace& trace, const ReplayOptions& options = {}) {
  const Result<Replay> out = replay(procedures(made_from), {&trace}, options);
  EXPECT_TRUE(out) << out.message();
  return out ? *out : Replay{};
}

TEST(Replay, CountsTheEntriesOfAnotherRecording) {
  const Trace other = recording(repeated(50, kMd5sum));
  const Replay r = replayed(repeated(20, kMd5sum), other);
  EXPECT_EQ(r.calls, 400u);
  // An open and a write for each file; the first open finds no good device yet, so its five calls are plain.
  EXPECT_EQ(r.entries - r.own, 50u * 2 + 4);
  EXPECT_EQ(r.wrong, 0u) << r.wrong_why;
  EXPECT_EQ(r.ahead - r.used, 1u);  // what that open's guard has looked at is asked for once more
}

// The shim opens, reads and closes each file that the program maps: two crossings more for each. grep maps
// four.
TEST(Replay, AStartCostsByTheFilesThatAreMapped) {
  Trace trace = recording(repeated(20, kGrepFile));
  std::vector<uint64_t> own;
  for (const char* file :
       {"/bin/grep", "/lib/ld-linux-x86-64.so.2", "/lib/libc.so.6", "/lib/libpcre2-8.so.0"}) {
    Mapping m;
    m.pid = 100;
    m.path = file;
    trace.mappings.push_back(m);
    own.push_back(replayed(repeated(20, kGrepFile), trace).own);
  }
  EXPECT_EQ(own, (std::vector<uint64_t>{own[0], own[0] + 2, own[0] + 4, own[0] + 6}));
  EXPECT_EQ(own[3], 44u + 2)
      << "as measured; once it asks what the file system is, and the last close is its own";
}

// What is made ahead waits for 10 ms at most. Time for which the recorder held the program is none that it
// waited.
TEST(Replay, ResultsDoNotGrowOldWhileTheRecorderHoldsTheProgram) {
  Trace other = recording(repeated(50, kMd5sum));
  const Replay before = replayed(repeated(20, kMd5sum), other);
  std::vector<Throttle> held;
  uint64_t late = 0;
  for (Event& e : other.events) {
    e.ts_ns += late;
    if (e.nr != 257) continue;  // openat, whose followers are made ahead
    const uint64_t end = e.ts_ns + e.dur_ns;
    held.push_back({e.tid, end, end + 20'000'000});
    late += 20'000'000;
  }
  ASSERT_EQ(held.size(), 50u);
  const Replay slow = replayed(repeated(20, kMd5sum), other);
  EXPECT_GT(slow.entries, before.entries + 50) << "so slow a program is not served";
  EXPECT_GT(slow.runs, 0u);
  EXPECT_GE(slow.too_old * 2, slow.runs) << "and it is known why";
  other.throttles = held;
  const Replay fast = replayed(repeated(20, kMd5sum), other);
  EXPECT_EQ(fast.entries, before.entries);
  EXPECT_EQ(fast.too_old, 0u);
}

TEST(Replay, CallsThatNobodyAsksForAreCounted) {
  const std::string stops_early =
      "openat(4, \"g%d\", O_RDONLY|O_NOCTTY|O_NONBLOCK|O_NOFOLLOW) = 3\n"
      "newfstatat(3, \"\", {st_mode=S_IFREG|0644, st_size=10}, AT_EMPTY_PATH) = 0\n"
      "close(3) = 0\n";
  const Trace other = recording(repeated(20, kGrepFile) + repeated(3, stops_early));
  const Replay r = replayed(repeated(20, kGrepFile), other);
  EXPECT_EQ(r.ahead - r.used, 3u * 2);  // both reads
  EXPECT_EQ(r.procedures[0].misses, 3u);
  EXPECT_EQ(r.wrong, 0u) << r.wrong_why;
}

TEST(Replay, AProcedureThatMissesSwitchesItselfOff) {
  const std::string goes_elsewhere =
      "openat(4, \"g%d\", O_RDONLY|O_NOCTTY|O_NONBLOCK|O_NOFOLLOW) = 3\n"
      "write(1, buf, 1) = 1\nclose(3) = 0\n";
  const Replay r = replayed(repeated(20, kGrepFile), recording(repeated(200, goes_elsewhere)));
  EXPECT_EQ(r.procedures[0].off, 1u);
  EXPECT_LT(r.procedures[0].runs, 100u);
}

TEST(Replay, ASecondThreadEndsIt) {
  Trace other = recording(repeated(10, kGrepFile));
  add_calls(other, "clone3(buf, 88) = 101\n");
  add_calls(other, repeated(10, kGrepFile));
  add_calls(other, "futex(0, 0, 0, 0, 0, 0) = 0\n", 100, 101);
  const Replay r = replayed(repeated(20, kGrepFile), other);
  EXPECT_EQ(r.off.at("threads").processes, 1u);
  EXPECT_EQ(r.plain, 10u * 5 + 1 + 1);  // the clone, all behind it, and the thread's own
}

TEST(Replay, ASignalHandlerDropsWhatIsOutstanding) {
  const std::string interrupted =
      "openat(4, \"g%d\", O_RDONLY|O_NOCTTY|O_NONBLOCK|O_NOFOLLOW) = 3\n"
      "-- SIGALRM\n"
      "newfstatat(3, \"\", {st_mode=S_IFREG|0644, st_size=10}, AT_EMPTY_PATH) = 0\n"
      "read(3, buf, 98304) = 10\nread(3, buf, 94208) = 0\nclose(3) = 0\n";
  const Replay r =
      replayed(repeated(20, kGrepFile), recording(repeated(8, kGrepFile) + repeated(8, interrupted)));
  EXPECT_EQ(r.procedures[0].misses, 8u);
  EXPECT_EQ(r.wrong, 0u) << r.wrong_why;
}

TEST(Replay, AProgramWithCallsOfItsOwnIsPlain) {
  Trace other = recording(repeated(10, kGrepFile));
  Mapping mapping;
  mapping.pid = 100;
  mapping.path = "/usr/lib/libcrypto.so.3";
  other.mappings.push_back(mapping);
  ReplayOptions options;
  options.unseen = [](const std::string& path, const std::string&) {
    return path.ends_with("libcrypto.so.3");
  };
  const Replay r = replayed(repeated(20, kGrepFile), other, options);
  EXPECT_EQ(r.off.at("unseen").processes, 1u);
  EXPECT_EQ(r.answered, 0u);
}

// rsync: three processes, forks of one that maps libcrypto.
TEST(Replay, SoIsItsChild) {
  Trace other = recording(repeated(10, kGrepFile));
  Mapping mapping;
  mapping.pid = 100;
  mapping.path = "/usr/lib/libcrypto.so.3";
  other.mappings.push_back(mapping);
  add_calls(other, "fork() = 101\n");
  Process child = other.processes[0];
  child.pid = 101;
  child.parent = 100;
  child.execed = false;
  child.start_ns = other.events.back().ts_ns;
  other.processes.push_back(child);
  add_calls(other, repeated(10, kGrepFile), 101, 101);
  ReplayOptions options;
  options.unseen = [](const std::string& path, const std::string&) {
    return path.ends_with("libcrypto.so.3");
  };
  const Replay r = replayed(repeated(20, kGrepFile), other, options);
  EXPECT_EQ(r.off.at("unseen").processes, 2u);
  EXPECT_EQ(r.answered, 0u);
}

TEST(Replay, AnotherExecutableHasNoProcedures) {
  Trace other = recording(repeated(10, kGrepFile));
  other.processes[0].build_id = "ccdd";
  const Replay r = replayed(repeated(20, kGrepFile), other);
  EXPECT_EQ(r.off.at("disabled").processes, 1u);
  EXPECT_EQ(r.answered, 0u);
}

TEST(Replay, RecordingsAreAddedUp) {
  const std::string calls = repeated(20, kMd5sum);
  const Trace one = recording(calls), two = recording(repeated(30, kMd5sum));
  const std::vector<uint8_t> svp = procedures(calls);
  const Result<Replay> a = replay(svp, {&one}), b = replay(svp, {&two}),
                       both = replay(svp, std::vector<const Trace*>{&one, &two});
  ASSERT_TRUE(a && b && both);
  EXPECT_EQ(both->calls, a->calls + b->calls);
  EXPECT_EQ(both->entries, a->entries + b->entries);
}

// Processes of several programs, some of them plain, one of which does as much as all others.
TEST(Replay, CountsTheSameHoweverManyThreadsReplay) {
  Trace trace = recording(repeated(200, kMd5sum));
  for (int32_t pid = 101; pid < 140; ++pid) {
    Process p = trace.processes[0];
    p.pid = pid;
    p.exe = "/bin/program" + std::to_string(pid % 7);
    trace.processes.push_back(p);
    add_calls(trace, repeated(pid % 5 + 1, pid % 2 ? kMd5sum : kGrepFile), pid, pid);
    if (pid % 3) continue;
    add_calls(trace, "clone3(buf, 88) = " + std::to_string(pid + 1000) + "\n", pid, pid);
    add_calls(trace, "close(99) = -9\n", pid, pid + 1000);  // that was a thread: plain from here on
    add_calls(trace, repeated(3, kMd5sum), pid, pid);
  }
  const std::vector<uint8_t> svp = procedures(repeated(20, kMd5sum));
  const auto text = [&](unsigned threads) {
    ReplayOptions options;
    options.threads = threads;
    const Result<Replay> r = replay(svp, {&trace}, options);
    EXPECT_TRUE(r) << r.message();
    std::string out = std::to_string(r->wrong) + r->wrong_why;
    const auto add = [&](const ReplayCounts& c) {
      for (const uint64_t n : {c.processes, c.calls, c.entries, c.unseen, c.plain, c.forwarded, c.runs, c.own,
                               c.answered, c.ahead, c.used, c.inner, c.shimmed, c.too_old})
        out += " " + std::to_string(n);
      for (const auto* by_nr : {&c.ahead_by_nr, &c.left_by_nr})
        for (const auto& [nr, n] : *by_nr) out += " " + std::to_string(nr) + ":" + std::to_string(n);
    };
    add(*r);
    for (const auto& [program, counts] : r->programs) out += "\n" + program, add(counts);
    for (const auto& [reason, plain] : r->off) {
      out += "\n" + reason + std::to_string(plain.processes) + " " + std::to_string(plain.calls);
      for (const std::string& name : plain.of) out += " " + name;
    }
    for (const ReplayedProcedure& p : r->procedures)
      for (const uint64_t n : {p.runs, p.hits, p.misses, p.undone, p.off, p.last_ns})
        out += " " + std::to_string(n);
    return out;
  };
  const std::string one = text(1);
  EXPECT_NE(one.find("threads13"), std::string::npos) << one;
  for (unsigned threads = 2; threads <= 5; ++threads) EXPECT_EQ(text(threads), one) << threads;
}

TEST(Replay, RefusesWhatIsNoProcedureFile) {
  const std::vector<uint8_t> bytes(100, 7);
  EXPECT_FALSE(replay(bytes, std::vector<const PackedTrace*>{}));
}

}  // namespace
}  // namespace sysvm
