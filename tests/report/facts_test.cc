// SPDX-License-Identifier: MIT
#include "report/facts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/optimizer/recording.h"
#include "traces/calls.h"

namespace sysvm::page {
namespace {

// Everything of a recording, each part fed as gather() does.
struct Gathered {
  explicit Gathered(Trace trace, size_t most_spans = 1000) : spans(most_spans) {
    trace.header.calls = known_calls();
    for (const Event& e : trace.events) {
      const uint32_t name = names.number(trace, e);
      const std::string place = places.add(trace, e);
      flow.add(trace, e, name, place);
      spans.add(e, name, place, 0);
    }
  }
  std::string text() {  // the tree, a line for each step
    std::string out;
    const std::vector<Step> steps = flow.steps(0, 1000);
    const auto children = [&](auto&& self, uint32_t parent, const std::string& indent) -> void {
      for (uint32_t i = 1; i < steps.size(); ++i) {
        if (steps[i].parent != parent || i == parent) continue;
        out += indent + (steps[i].name == Flow::kMore ? "..." : names.rows()[steps[i].name].name) + " " +
               std::to_string(steps[i].times) + " " + std::to_string(steps[i].calls) + "\n";
        self(self, i, indent + "  ");
      }
    };
    children(children, 0, "");
    return out;
  }
  CallNames names;
  Places places;
  Flow flow;
  Spans spans;
};

constexpr std::string_view kReadFile = R"(openat(AT_FDCWD, "/d/f%d", O_RDONLY) = 3
newfstatat(3, "", {st_mode=S_IFREG|0644, st_size=12}, AT_EMPTY_PATH) = 0
read(3, buf, 4096) = 12
read(3, buf, 4096) = 0
close(3) = 0
)";

TEST(Flow, CallsAfterAnOpenAreOneBranchWithRepeatsAsOneStep) {
  Gathered g(recording(repeated(5, kReadFile)));
  EXPECT_EQ(g.text(),
            "openat 5 5\n"
            "  newfstatat 5 5\n"
            "    read 5 10\n"
            "      close 5 5\n");
}

TEST(Flow, AnotherPathBeginsAnewAndTheSameGoesOn) {
  Gathered g(recording(R"(newfstatat(AT_FDCWD, "/a", {st_mode=S_IFREG|0644, st_size=1}, 0) = 0
getxattr("/a", "user.x", buf, 10) = -61
newfstatat(AT_FDCWD, "/b", {st_mode=S_IFREG|0644, st_size=1}, 0) = 0
getxattr("/b", "user.x", buf, 10) = -61
)"));
  EXPECT_EQ(g.text(),
            "newfstatat 2 2\n"
            "  getxattr 2 2\n");
}

TEST(Flow, ALongWayEnds) {
  std::string text;
  for (int i = 0; i < 30; ++i) text += "lseek(3, 0, SEEK_CUR) = 0\nfcntl(3, F_GETFD) = 0\n";
  const std::string shown = Gathered(recording(text)).text();
  EXPECT_NE(shown.find("... 1 "), std::string::npos);
  EXPECT_LT(std::count(shown.begin(), shown.end(), '\n'), 15);
}

TEST(Flow, WhatIsLeftOutIsTheNarrowest) {
  std::string text = repeated(100, kReadFile);
  text += "chdir(\"/once\") = 0\n";
  Gathered g(recording(text));
  const std::vector<Step> steps = g.flow.steps(0.01, 1000);
  EXPECT_EQ(std::count_if(steps.begin(), steps.end(),
                          [&](const Step& s) { return g.names.rows()[s.name].name == "chdir"; }),
            0);
  EXPECT_EQ(steps.size(), 5u);
  EXPECT_EQ(g.flow.steps(0, 3).size(), 3u);
}

TEST(Places, AReadIsAboutTheFileThatWasOpened) {
  Gathered g(recording(repeated(3, kReadFile) + R"(openat(AT_FDCWD, "/d/absent", O_RDONLY) = -2
)"));
  EXPECT_EQ(g.places.size(), 4u);
  EXPECT_EQ(g.places.first_touches(), 3u);  // what is not there waits for nothing
  const std::vector<Place> all = g.places.costliest(10);
  const auto f1 = std::find_if(all.begin(), all.end(), [](const Place& p) { return p.path == "/d/f1"; });
  ASSERT_NE(f1, all.end());
  EXPECT_EQ(f1->cost.calls, 5u);
  EXPECT_EQ(f1->cost.bytes, 12u);
  EXPECT_EQ(f1->cost.opens, 1u);
}

TEST(Places, AFolderHasTheSumOfAllBelow) {
  Gathered g(recording(repeated(3, kReadFile) +
                       R"(newfstatat(AT_FDCWD, "/d//./sub/x", {st_mode=S_IFREG|0644, st_size=1}, 0) = 0
)"));
  const std::vector<Folder> folders = g.places.folders(0, 100);
  uint64_t own = 0;
  for (const Folder& f : folders) {
    if (f.path == "/d") {
      EXPECT_EQ(f.cost.calls, 16u);
      EXPECT_EQ(f.files, 4u);
    }
    own += f.path == "/d/sub/x";
  }
  EXPECT_EQ(folders[0].cost.calls, 16u);
  EXPECT_EQ(own, 1u);
  for (size_t i = 1; i < folders.size(); ++i) EXPECT_LT(folders[i].parent, i);
}

TEST(Quantiles, AreThoseOfTheSortedList) {
  std::mt19937_64 dice(7);
  for (const size_t n : {1u, 2u, 9u, 100u, 5000u}) {
    Quantiles q;
    std::vector<uint64_t> all;
    for (size_t i = 0; i < n; ++i) {
      const uint64_t ns = dice() >> (30 + dice() % 30);  // short ones and long ones
      q.add(ns);
      all.push_back(ns);
    }
    std::sort(all.begin(), all.end());
    const std::vector<double> shares = {0.01, 0.5, 0.9, 0.99, 0.999, 1};
    const auto got = q.at(shares);
    for (size_t k = 0; k < shares.size(); ++k) {
      const size_t rank =
          std::max<size_t>(1, static_cast<size_t>(std::ceil(shares[k] * static_cast<double>(n) - 1e-9)));
      EXPECT_EQ(got[k], all[rank - 1]) << n << " " << shares[k];
    }
    uint64_t sum = 0;
    for (const uint64_t m : q.powers()) sum += m;
    EXPECT_EQ(sum, n);
  }
  EXPECT_EQ(Quantiles().at({0.5})[0], 0u);
}

Event call_at(uint64_t ts_ns, uint64_t dur_ns, int32_t tid = 1) {
  Event e;
  e.ts_ns = ts_ns;
  e.dur_ns = dur_ns;
  e.tid = e.pid = tid;
  return e;
}

TEST(Spans, AreTheCallsAsLongAsTheyFit) {
  Spans spans(10);
  for (uint64_t i = 0; i < 10; ++i) spans.add(call_at(1000 * i, 10), 1, "/x", 0);
  EXPECT_EQ(spans.size(), 10u);
  EXPECT_EQ(spans.grain_ns(), 0u);
  EXPECT_EQ(spans.names()[spans.lanes()[0].spans[3].place], "/x");
}

TEST(Spans, OfTooManyNeighboursAreJoinedAndNoCallIsLost) {
  Spans spans(100);
  uint64_t busy = 0;
  for (uint64_t i = 0; i < 10'000; ++i) {
    spans.add(call_at(1000 * i, i % 500, static_cast<int32_t>(i % 3)), 1 + i % 2, "",
              i % 100 == 0 ? kSpanAnswered : 0);
    busy += i % 500;
  }
  uint64_t calls = 0, inside = 0;
  bool answered = false;
  for (const Lane& lane : spans.lanes()) {
    uint64_t last = 0;
    for (const Span& s : lane.spans) {
      calls += s.calls;
      inside += s.busy_ns;
      answered |= s.flags & kSpanAnswered;
      EXPECT_GE(s.start_ns, last);
      EXPECT_LE(s.busy_ns, s.end_ns - s.start_ns);
      last = s.end_ns;
    }
  }
  EXPECT_LE(spans.size(), 100u);
  EXPECT_GT(spans.size(), 10u);
  EXPECT_EQ(calls, 10'000u);
  EXPECT_EQ(inside, busy);
  EXPECT_TRUE(answered);
}

TEST(Spans, OfAThreadDoNotOverlapWhateverTheTextSaid) {
  Spans spans;
  spans.add(call_at(0, 1000), 1, "", 0);
  spans.add(call_at(500, 100), 1, "", 0);
  EXPECT_EQ(spans.lanes()[0].spans[1].start_ns, 1000u);
}

TEST(Categories, AreThoseThatAReaderExpects) {
  EXPECT_EQ(category_of("openat"), Category::kOpen);
  EXPECT_EQ(category_of("newfstatat"), Category::kLook);
  EXPECT_EQ(category_of("getdents64"), Category::kLook);
  EXPECT_EQ(category_of("read"), Category::kRead);
  EXPECT_EQ(category_of("unlinkat"), Category::kWrite);
  EXPECT_EQ(category_of("epoll_wait"), Category::kWait);
  EXPECT_EQ(category_of("rea"), Category::kOther);
  EXPECT_EQ(category_of("syscall_999"), Category::kOther);
}

}  // namespace
}  // namespace sysvm::page
