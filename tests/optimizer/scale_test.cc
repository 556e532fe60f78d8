// SPDX-License-Identifier: MIT
// Work grows with the recording and no faster: each stage on a recording and on one that is eight times as
// long. What grows with the square takes 64 times as long, what does not about 8; 20 is where this test draws
// the line. Processor time of this thread is compared with itself, the least of several turns, so a busy
// machine does not matter.
#include <gtest/gtest.h>
#include <time.h>

#include <algorithm>

#include "optimizer/mine/mine.h"
#include "optimizer/optimizer.h"
#include "optimizer/prove/replay.h"
#include "tests/optimizer/programs.h"
#include "tests/optimizer/recording.h"
#include "uapi/syscalls.h"

namespace sysvm {
namespace {

constexpr size_t kTimes = 8;
constexpr double kMost = 20;

enum class Rounds { kOneProcess, kAProcessEach, kAnImageEach, kAProgramEach };

// The calls again and again. fresh: other names in each round.
Trace grown(const std::string& once, const std::string& round, size_t rounds, bool fresh,
            Rounds how = Rounds::kOneProcess) {
  Trace out = recording(once), one = recording(round);
  one.events.shrink_to_fit();
  const size_t known = out.strings.size();
  out.strings.insert(out.strings.end(), one.strings.begin() + 1, one.strings.end());
  uint64_t now = 1000 + out.events.size() * 1000;
  uint32_t seq = static_cast<uint32_t>(out.events.size());
  int32_t pid = 100;
  for (size_t r = 0; r < rounds; ++r) {
    if (how != Rounds::kOneProcess) {
      Process image = out.processes[0];
      if (how != Rounds::kAnImageEach) {
        image.pid = pid = 1000 + static_cast<int32_t>(r);
        seq = 0;
      }
      image.start_ns = now;
      if (how == Rounds::kAProgramEach) image.build_id = std::to_string(100000 + r);
      if (how == Rounds::kAProgramEach) image.exe = "/usr/bin/" + image.build_id;
      out.processes.push_back(image);
      for (uint64_t m = 0; m < 4; ++m)
        out.mappings.push_back({pid, now, 0x10000 * m, 0x10000 * (m + 1), 0,
                                "/usr/lib/lib" + std::to_string(m), "aa0" + std::to_string(m)});
    }
    const size_t names = out.strings.size();
    if (fresh)
      for (size_t i = 1; i < one.strings.size(); ++i)
        out.strings.push_back(one.strings[i].empty() ? "" : one.strings[i] + std::to_string(r));
    for (Event e : one.events) {
      e.pid = e.tid = pid;
      e.seq = seq++;
      e.ts_ns = now += 1000;
      e.ip = 0x10000 + static_cast<uint64_t>(e.nr) * 16;
      for (uint32_t& path : e.path)
        if (path != kNoString) path = static_cast<uint32_t>(path - 1 + (fresh ? names : known));
      out.events.push_back(e);
    }
  }
  return out;
}

template <typename Work>
double least_ns(Work work) {
  double least = 1e18;
  for (int turn = 0; turn < 3; ++turn) {
    timespec before, after;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    work();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    least = std::min(least, 1e9 * static_cast<double>(after.tv_sec - before.tv_sec) +
                                static_cast<double>(after.tv_nsec - before.tv_nsec));
  }
  return least;
}

struct Kind {
  const char* name;
  std::string once, round;
  size_t rounds;
  bool fresh = false;
  Rounds how = Rounds::kOneProcess;
};

const Kind kKinds[] = {
    {"Files", "", repeated(1, kMd5sum) + repeated(1, kGrepFile), 400, true},
    {"TheSameTreeAgain", "", repeated(1, kFindLs) + repeated(1, kGrepDirectory), 300},
    {"OneLongFile", "openat(AT_FDCWD, \"long\", O_RDONLY) = 3\n", "read(3, buf, 512) = 512\n", 4000},
    {"Locks", "", kSelect, 500},
    {"Processes", "", kMd5sum, 1000, false, Rounds::kAProcessEach},
    {"ImagesOfOneProcess", "", kMd5sum, 1000, false, Rounds::kAnImageEach},
    {"Programs", "", repeated(5, kGrepFile), 100, false, Rounds::kAProgramEach},
};

class Scale : public testing::TestWithParam<Kind> {
 protected:
  Trace of(size_t times) const {
    const Kind& k = GetParam();
    return grown(k.once, k.round, k.rounds * times, k.fresh, k.how);
  }
  const Trace small_ = of(1), large_ = of(kTimes);

  template <typename Work>
  void expect_linear(Work work) {
    double small = least_ns([&] { work(small_); }), large = least_ns([&] { work(large_); });
    for (int turn = 0; turn < 8 && large >= kMost * small; ++turn) {  // others may have had the caches
      small = std::min(small, least_ns([&] { work(small_); }));
      large = std::min(large, least_ns([&] { work(large_); }));
    }
    EXPECT_LT(large, kMost * small) << small / static_cast<double>(small_.events.size()) << " and "
                                    << large / static_cast<double>(large_.events.size())
                                    << " ns for each event";
  }
};

TEST_P(Scale, OfMining) {
  expect_linear([](const Trace& t) { ASSERT_GT(report(mine_part(t)).calls, 0u); });
}

TEST_P(Scale, OfCompiling) {
  expect_linear([](const Trace& t) { ASSERT_TRUE(compile({&t}, {})); });
}

TEST_P(Scale, OfReplay) {
  const Result<Compiled> compiled = compile({&small_}, {});
  ASSERT_TRUE(compiled);
  ReplayOptions options;
  options.unseen = [](const std::string&, const std::string&) { return false; };
  expect_linear([&](const Trace& t) { ASSERT_TRUE(replay(compiled->svp, {&t}, options)); });
}

// Procedures of other programs, as many as a file holds.
TEST_P(Scale, OfReplayWithForeignProcedures) {
  const Trace other = grown("", repeated(5, kGrepFile), 300, false, Rounds::kAProgramEach);
  const Result<Compiled> compiled = compile({&other}, {});
  ASSERT_TRUE(compiled);
  ASSERT_GT(compiled->file.procs.size(), 100u);
  CompileOptions none;
  none.empty = true;
  const Result<Compiled> empty = compile({&other}, none);
  ASSERT_TRUE(empty);
  const auto with = [&](const Compiled& c) {
    return least_ns([&] { ASSERT_TRUE(replay(c.svp, {&large_}, {})); });
  };
  EXPECT_LT(with(*compiled), 4 * with(*empty)) << "procedures that no process of the recording can use";
}

INSTANTIATE_TEST_SUITE_P(Kinds, Scale, testing::ValuesIn(kKinds),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace sysvm
