// SPDX-License-Identifier: MIT
// What is written is what is read; what must not be overwritten is not.
#include <sys/stat.h>

#include "tests/traces/sample.h"
#include "traces/format.h"
#include "traces/frames.h"
#include "traces/reader.h"
#include "traces/varint.h"

namespace sysvm {
namespace {

TEST(Trace, ReadsBackEveryField) {
  TempFile file;
  write_sample(file.path(), 20000, 1u << 30);
  auto trace = read_trace(file.path());
  ASSERT_TRUE(trace) << trace.message();
  EXPECT_EQ(trace->damage, "");
  ASSERT_EQ(trace->events.size(), 20000u);
  for (uint32_t i = 0; i < 20000; ++i) expect_sample_event(*trace, trace->events[i], i);
  EXPECT_EQ(trace->header.command, (std::vector<std::string>{"grep", "-r", "x"}));
  EXPECT_EQ(trace->call_name(257), "openat");
  EXPECT_EQ(trace->call_name(999), "syscall_999");
  EXPECT_EQ(trace->call(0)->args[1], "OUT(2)");
  ASSERT_EQ(trace->processes.size(), 1u);
  EXPECT_EQ(trace->processes[0].exe, "/usr/bin/grep");
  EXPECT_EQ(trace->processes[0].argv.size(), 3u);
  EXPECT_EQ(*trace->processes[0].exit_status, 0x100);
  EXPECT_EQ(*trace->processes[0].end_ns, 99'000'000u);
  ASSERT_EQ(trace->losses.size(), 1u);
  EXPECT_EQ(trace->losses[0].count, 3u);
  ASSERT_EQ(trace->thread_ends.size(), 1u);
  EXPECT_EQ(trace->thread_ends[0].tid, 100);
  EXPECT_EQ(trace->thread_ends[0].next_seq, 10000u);
  EXPECT_FALSE(trace->thread_ends[0].alive);
  ASSERT_EQ(trace->throttles.size(), 1u);
  EXPECT_EQ(trace->throttles[0].to_ns, 20u);
  EXPECT_EQ(trace->stats->events, 20000u);
  EXPECT_EQ(trace->stats->consumer_ns, 9u);
  EXPECT_LT(file.get().size(), 20000u * 12) << "columns no longer compress";
}

TEST(Trace, GivesTheSameEventsAsColumns) {
  TempFile file;
  write_sample(file.path(), 20000, 1000);
  auto columns = read_columns(file.path());
  ASSERT_TRUE(columns) << columns.message();
  ASSERT_EQ(columns->columns.size(), 20000u);
  for (uint32_t i = 0; i < 20000; ++i) expect_sample_event(*columns, columns->columns.event(i), i);
}

TEST(Trace, VisitsChunksUntilToldToStop) {
  TempFile file;
  write_sample(file.path(), 500, 100);
  size_t visits = 0;
  auto info = for_each_chunk(file.path(), [&](Columns& columns, const TraceInfo&) {
    EXPECT_EQ(columns.size(), 100u);
    return ++visits < 3;
  });
  ASSERT_TRUE(info);
  EXPECT_EQ(visits, 3u);
}

TEST(Trace, SortsEventsThatArriveInOrderOfReturn) {
  TempFile file;
  {
    auto w = TraceWriter::create(file.path(), sample_header());
    ASSERT_TRUE(w);
    for (uint64_t ts : {300u, 100u, 200u}) {
      Event e = sample_event(0);
      e.ts_ns = ts;
      e.seq = static_cast<uint32_t>(ts);
      ASSERT_TRUE((*w)->add(e));
      if (ts == 300) {
        ASSERT_TRUE((*w)->flush());
      }
    }
    ASSERT_TRUE((*w)->finish({}));
  }
  auto trace = read_trace(file.path());
  ASSERT_EQ(trace->events.size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(trace->events[i].seq, 100 * (i + 1));
}

TEST(Trace, TellsAnEmptyStringFromNoString) {
  TempFile file;
  {
    auto w = TraceWriter::create(file.path(), sample_header());
    ASSERT_TRUE((*w)->add(sample_event(0), std::string_view("")));
    ASSERT_TRUE((*w)->finish({}));
  }
  auto trace = read_trace(file.path());
  ASSERT_EQ(trace->events.size(), 1u);
  EXPECT_NE(trace->events[0].path[0], kNoString);
  EXPECT_EQ(trace->strings[trace->events[0].path[0]], "");
  EXPECT_EQ(trace->events[0].path[1], kNoString);
}

TEST(Trace, IsReadableWithoutItsEnd) {
  TempFile file;
  auto w = TraceWriter::create(file.path(), sample_header());
  for (uint32_t i = 0; i < 10; ++i) ASSERT_TRUE((*w)->add(sample_event(i)));
  ASSERT_TRUE((*w)->flush());
  auto trace = read_trace(file.path());  // The writer is still open, as if killed.
  ASSERT_TRUE(trace);
  EXPECT_EQ(trace->events.size(), 10u);
  EXPECT_EQ(trace->damage, "");
  EXPECT_FALSE(trace->stats);
}

// What a later version may add: a kind of record, a field of a record, alone or in a batch. Columns:
// columns_test.cc.
TEST(Trace, OfANewerWriterIsReadButForWhatIsNew) {
  TempFile file;
  write_sample(file.path(), 100, 10);
  const std::string bytes = file.get();
  const std::string unknown_record =
      "\xe2\x03\x03"
      "abc";  // field 60 of Record
  // field 6, a Loss: count 5, and a field 10
  const std::string longer_loss =
      "\x32\x07\x10\x05\x52\x03"
      "abc";
  for (const std::string& payload : {unknown_record, longer_loss}) {
    TempFile newer;
    const size_t header_end = trace_format::kPreamble + [&] {  // after the first frame
      const uint8_t *at = reinterpret_cast<const uint8_t*>(bytes.data()) + trace_format::kPreamble,
                    *const begin = at;
      uint64_t length = 0;
      EXPECT_TRUE(get_varint(at, at + 10, length));
      return static_cast<size_t>(at - begin) + 8 + length;
    }();
    newer.put(bytes.substr(0, header_end) + trace_format::make_frame(payload) + bytes.substr(header_end));
    auto trace = read_trace(newer.path());
    ASSERT_TRUE(trace) << trace.message();
    EXPECT_EQ(trace->damage, "");
    EXPECT_EQ(trace->newer,
              fmt::format("{}: byte {}: written by a newer version; what this one does not know was skipped",
                          newer.path(), header_end));
    ASSERT_EQ(trace->events.size(), 100u);
    for (uint32_t i = 0; i < 100; ++i) expect_sample_event(*trace, trace->events[i], i);
    ASSERT_EQ(trace->losses.size(), payload == longer_loss ? 2u : 1u);  // the sample has one
    EXPECT_EQ(trace->losses[0].count, payload == longer_loss ? 5u : 3u) << "what is known of it is taken";
  }
  TempFile same;
  same.put(bytes);
  EXPECT_EQ(read_trace(same.path())->newer, "");
}

TEST(TraceFile, IsPrivateAndReplacesOnlyTraces) {
  TempFile file;
  write_sample(file.path(), 10, 10);
  struct stat st;
  ASSERT_EQ(stat(file.path().c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0600u);
  EXPECT_TRUE(TraceWriter::create(file.path(), sample_header())) << "a trace may be replaced";
  for (const char* other : {"hello", "something longer than a magic"}) {
    file.put(other);
    auto w = TraceWriter::create(file.path(), sample_header());
    ASSERT_FALSE(w);
    EXPECT_NE(w.message().find("is not a trace"), std::string::npos) << w.message();
    EXPECT_EQ(file.get(), other);
  }
  EXPECT_FALSE(TraceWriter::create("/dev/null", sample_header()));
}

TEST(MappingIndex, FindsPlacesAlsoForForksAndAfterExec) {
  TraceInfo info;
  info.processes = {{1, 0, 0, true, "/a", "aa", {}, {}, {}},
                    {2, 1, 100, false, "/a", "aa", {}, {}, {}},
                    {2, 1, 200, true, "/b", "bb", {}, {}, {}}};
  info.mappings = {{1, 10, 0x1000, 0x2000, 0x500, "/a", "aa"}, {2, 210, 0x1000, 0x3000, 0, "/b", "bb"}};
  MappingIndex index(info);
  EXPECT_EQ(index.place(1, 0x1010, 50)->offset, 0x510u);
  EXPECT_EQ(index.place(2, 0x1010, 150)->build_id, "aa") << "the fork has its parent's mappings";
  EXPECT_EQ(index.place(2, 0x1010, 250)->build_id, "bb");
  EXPECT_EQ(index.place(2, 0x1010, 250)->offset, 0x10u);
  EXPECT_FALSE(index.place(1, 0x2000, 50));
  EXPECT_FALSE(index.place(3, 0x1010, 50));
}

}  // namespace
}  // namespace sysvm
