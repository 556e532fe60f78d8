// SPDX-License-Identifier: MIT
// A packed event is the event, and they come in the order of read_trace.
#include "traces/packed.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/traces/sample.h"
#include "traces/reader.h"

namespace sysvm {
namespace {

void expect_equal(const Event& a, const Event& b) {
  for_each_column(a, b, [](const auto& one, const auto& other) { EXPECT_EQ(one, other); });
}

Event packed_and_back(const Event& e) {
  Trace trace;
  trace.events = {e};
  const PackedTrace small = packed(trace);
  EXPECT_EQ(small.events.size(), 1u);
  return small.events.begin()->event();
}

// Each member alone, small and as large as it can be, and all of them together.
TEST(Packed, GivesEachEventBackAsItWas) {
  const std::vector<std::function<void(Event&, uint64_t)>> set = {
      [](Event& e, uint64_t v) { e.ts_ns = v; },
      [](Event& e, uint64_t v) { e.dur_ns = v; },
      [](Event& e, uint64_t v) { e.pid = static_cast<int32_t>(v); },
      [](Event& e, uint64_t v) { e.tid = static_cast<int32_t>(v); },
      [](Event& e, uint64_t v) { e.seq = static_cast<uint32_t>(v); },
      [](Event& e, uint64_t v) { e.nr = static_cast<int32_t>(v); },
      [](Event& e, uint64_t v) { e.ret = static_cast<int64_t>(v); },
      [](Event& e, uint64_t v) { e.args[0] = v; },
      [](Event& e, uint64_t v) { e.args[3] = v; },
      [](Event& e, uint64_t v) { e.args[5] = v; },
      [](Event& e, uint64_t v) { e.flags = static_cast<uint32_t>(v); },
      [](Event& e, uint64_t v) { e.path[0] = static_cast<uint32_t>(v); },
      [](Event& e, uint64_t v) { e.path[1] = static_cast<uint32_t>(v); },
      [](Event& e, uint64_t v) { e.ip = v; },
      [](Event& e, uint64_t v) { e.caller = v; },
      [](Event& e, uint64_t v) { e.st_mode = static_cast<uint32_t>(v); },
      [](Event& e, uint64_t v) { e.st_size = v; },
      [](Event& e, uint64_t v) { e.st_dev = v; },
      [](Event& e, uint64_t v) { e.st_ino = v; },
      [](Event& e, uint64_t v) { e.data_kind = static_cast<DataKind>(v & 7); },
      [](Event& e, uint64_t v) { e.data = static_cast<uint32_t>(v); },
  };
  for (const uint64_t value : {uint64_t{0}, uint64_t{1}, uint64_t{0x7fffffff}, uint64_t{0x80000000},
                               uint64_t{0xffffffff}, uint64_t{1} << 32, ~uint64_t{0}, ~uint64_t{99}}) {
    Event all;
    for (const auto& each : set) {
      Event e;
      each(e, value);
      each(all, value);
      expect_equal(packed_and_back(e), e);
      expect_equal(packed_and_back(all), all);
    }
  }
}

TEST(Packed, TellsEveryMemberByItself) {
  Event e;
  e.args = {1, uint64_t{2} << 40, 3, 0, uint64_t{5} << 40, 6};
  e.ret = -2;
  e.dur_ns = uint64_t{7} << 33;
  e.path = {8, 9};
  e.data = 10;
  e.data_kind = DataKind::kPoll;
  e.st_mode = 11, e.st_size = uint64_t{12} << 40, e.st_dev = 13, e.st_ino = 14;
  Trace trace;
  trace.events = {e};
  const PackedTrace small = packed(trace);
  const PackedEvent& p = *small.events.begin();
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(p.arg(i), e.args[i]) << i;
  EXPECT_EQ(p.args(), e.args);
  EXPECT_EQ(p.ret(), -2);
  EXPECT_EQ(p.dur_ns(), e.dur_ns);
  EXPECT_EQ(p.path(1), 9u);
  EXPECT_EQ(p.data(), 10u);
  EXPECT_EQ(p.st_size(), e.st_size);
  EXPECT_EQ(p.st_ino(), 14u);
}

// Calls that took long are written late; the file's order is not that of time.
TEST(Packed, ComesInTheOrderOfReadTrace) {
  const TempFile file;
  {
    auto writer = TraceWriter::create(file.path(), sample_header());
    ASSERT_TRUE(writer) << writer.message();
    for (uint32_t i = 100; i < 50000; ++i) {
      Event e = sample_event(i);
      e.ts_ns = i % 7 == 6 ? i * 10 - 500 : i % 11 ? i * 10 : i * 10 - 10;
      const std::string path = sample_path(i);
      ASSERT_TRUE((*writer)->add(e, i % 4 ? std::string_view() : std::string_view(path), {}, sample_data(i)));
    }
    ASSERT_TRUE((*writer)->finish(TraceStats{}));
  }
  const Result<Trace> whole = read_trace(file.path());
  const Result<PackedTrace> small = read_packed(file.path());
  ASSERT_TRUE(whole) << whole.message();
  ASSERT_TRUE(small) << small.message();
  ASSERT_EQ(small->events.size(), whole->events.size());
  auto at = whole->events.begin();
  for (const PackedEvent& e : small->events) expect_equal(e.event(), *at++);
  EXPECT_EQ(at, whole->events.end());
  EXPECT_EQ(small->events.first_ns(), whole->events.front().ts_ns);
  EXPECT_EQ(small->events.last_ns(), whole->events.back().ts_ns + whole->events.back().dur_ns);
}

TEST(Packed, OfNothingIsEmpty) {
  const PackedTrace none = packed({});
  EXPECT_TRUE(none.events.empty());
  for (const PackedEvent& e : none.events) FAIL() << e.nr();
  EXPECT_EQ(none.events.first_ns(), 0u);
  EXPECT_EQ(none.events.last_ns(), 0u);
}

}  // namespace
}  // namespace sysvm
