// SPDX-License-Identifier: MIT
// Exports, read back: strace's text by our import, the rest as text. Perfetto's: export_perfetto_test.cc.
#include "traces/export.h"

#include <sstream>

#include "tests/traces/sample.h"
#include "traces/import.h"
#include "traces/in_order.h"
#include "traces/reader.h"
#include "traces/strace_text.h"

namespace sysvm {
namespace {

template <typename Export>
std::string exported(Export run) {
  std::string text;
  const auto info = run([&](std::string_view part) {
    text += part;
    return true;
  });
  EXPECT_TRUE(info) << info.message();
  return text;
}

// Two threads; the second's call lasts over three chunks, and one event of the first was lost.
void write_overlapping(const std::string& path) {
  auto w = TraceWriter::create(path, sample_header());
  ASSERT_TRUE((*w)->add(Process{100, 1, 900, true, "/bin/a;b c", "", {"x\n\xff"}, {}, {}}));
  for (uint32_t i = 0; i < 30; ++i) {
    Event e;
    e.pid = e.tid = 100;
    e.seq = i < 20 ? i : i + 1;
    e.nr = 39;
    e.ts_ns = 1000 + 100 * i;
    e.dur_ns = 50;
    e.ret = i % 10 ? 100 : -1;
    ASSERT_TRUE((*w)->add(e));
    if (i == 25) {
      e.tid = 101;
      e.seq = 0;
      e.ts_ns = 1050;
      e.dur_ns = 2600;
      e.nr = 257;
      ASSERT_TRUE((*w)->add(e, "/\x01<>\"\xff"));
    }
    if (i % 10 == 9) {
      ASSERT_TRUE((*w)->flush());
    }
  }
  ASSERT_TRUE((*w)->add(Loss{LossReason::kRingFull, 1, 2900, 3100}));
  ASSERT_TRUE((*w)->end(100, 99'000, 9));
  ASSERT_TRUE((*w)->finish({}));
}

TEST(InOrder, MergesCallsThatLastOverChunks) {
  TempFile file;
  write_overlapping(file.path());
  uint64_t last = 0;
  size_t events = 0, at_101 = 0;
  auto info = for_each_in_order(
      file.path(), [](const TraceInfo& whole) { EXPECT_EQ(whole.losses.size(), 1u); },
      [&](const Event& e, const TraceInfo& info) {
        EXPECT_GE(e.ts_ns, last);
        last = e.ts_ns;
        if (e.tid == 101) {
          at_101 = events;
          EXPECT_EQ(info.strings.at(e.path[0]), "/\x01<>\"\xff");
        }
        ++events;
        return true;
      });
  ASSERT_TRUE(info);
  EXPECT_EQ(events, 31u);
  EXPECT_EQ(at_101, 1u);
}

TEST(ExportStrace, ComesBackThroughTheImport) {
  TempFile file, again;
  write_overlapping(file.path());
  const std::string text =
      exported([&](const Output& out) { return export_strace(file.path(), out, StraceTimes::kNanoseconds); });
  EXPECT_NE(text.find("101   0.000001050 openat(0, \"/\\001<>\\\"\\377\", O_RDONLY) = 100 <0.000002600>\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("100   0.000099000 +++ killed by SIGKILL +++\n"), std::string::npos) << text;
  std::istringstream in(text);
  auto report = import_strace(in, "x", again.path());
  ASSERT_TRUE(report);
  EXPECT_EQ(report->not_understood, 0u) << report->examples[0];
  auto before = read_trace(file.path()), after = read_trace(again.path());
  ASSERT_EQ(after->events.size(), before->events.size());
  for (size_t i = 0; i < before->events.size(); ++i) {
    EXPECT_EQ(after->events[i].ts_ns, before->events[i].ts_ns);
    EXPECT_EQ(after->events[i].dur_ns, before->events[i].dur_ns);
    EXPECT_EQ(after->events[i].ret, before->events[i].ret);
    EXPECT_EQ(after->strings[after->events[i].path[0]], before->strings[before->events[i].path[0]]);
  }
}

TEST(ExportStrace, CutsTimesToMicrosecondsAsStraceHasThem) {
  TempFile file;
  write_overlapping(file.path());
  const std::string text = exported([&](const Output& out) { return export_strace(file.path(), out); });
  EXPECT_NE(text.find("101   0.000001 openat(0, \"/\\001<>\\\"\\377\", O_RDONLY) = 100 <0.000002>\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("100   0.000099 +++ killed by SIGKILL +++\n"), std::string::npos) << text;
}

TEST(ExportFolded, IsWhatFlameGraphsTake) {
  TempFile file;
  write_overlapping(file.path());
  EXPECT_EQ(
      exported([&](const Output& out) { return export_folded(file.path(), FoldedWeight::kCount, out); }),
      "a_b_c;getpid 27\na_b_c;getpid;EPERM 3\na_b_c;openat 1\n");
  EXPECT_EQ(exported([&](const Output& out) { return export_folded(file.path(), FoldedWeight::kTime, out); }),
            "a_b_c;getpid 1350\na_b_c;getpid;EPERM 150\na_b_c;openat 2600\n");
}

TEST(Exports, EndWhenNobodyReads) {
  TempFile file;
  write_sample(file.path(), 20000, 1000);
  const auto stop_after_three = [] { return [n = 0](std::string_view) mutable { return ++n < 3; }; };
  EXPECT_TRUE(export_strace(file.path(), stop_after_three()));
  EXPECT_TRUE(export_ndjson(file.path(), stop_after_three()));
  EXPECT_TRUE(export_perfetto(file.path(), stop_after_three()));
}

TEST(TraceFileAccess, ReadsAnyChunkWithAndWithoutAnIndex) {
  TempFile file, cut;
  write_sample(file.path(), 1000, 100);
  const std::string bytes = file.get();
  cut.put(bytes.substr(0, bytes.size() - 1));  // the trailer is damaged: the file is scanned
  for (const TempFile* f : {&file, &cut}) {
    auto trace = TraceFile::open(f->path());
    ASSERT_TRUE(trace) << trace.message();
    ASSERT_EQ(trace->chunks().size(), 10u);
    EXPECT_EQ(trace->info().damage.empty(), f == &file);
    EXPECT_EQ(trace->info().processes.size(), 1u);
    Columns columns;
    TraceInfo info = trace->info();
    for (uint32_t chunk : {7u, 2u, 9u}) {
      ASSERT_TRUE(trace->read(chunk, columns, info.strings));
      EXPECT_EQ(trace->chunks()[chunk].first_ns, columns.ts_ns.front());
      EXPECT_EQ(trace->chunks()[chunk].last_ns, columns.ts_ns.back());
      ASSERT_EQ(columns.size(), 100u);
      for (uint32_t i = 0; i < 100; ++i) expect_sample_event(info, columns.event(i), 100 * chunk + i);
    }
  }
}

TEST(TraceFileAccess, DecodesInThreadsAsInOne) {
  TempFile file;
  write_sample(file.path(), 20000, 500);
  uint32_t next = 0;
  auto info = for_each_chunk(
      file.path(),
      [&](Columns& columns, const TraceInfo& so_far) {
        for (size_t i = 0; i < columns.size(); ++i) expect_sample_event(so_far, columns.event(i), next++);
        return true;
      },
      4);
  ASSERT_TRUE(info);
  EXPECT_EQ(next, 20000u);
}

}  // namespace
}  // namespace sysvm
