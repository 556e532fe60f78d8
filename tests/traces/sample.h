// SPDX-License-Identifier: MIT
// A small trace made in memory, and a place to put it.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "traces/event.h"
#include "traces/writer.h"

namespace sysvm {

class TempFile {
 public:
  TempFile() {
    static int count = 0;
    path_ =
        testing::TempDir() + "sysvm_trace_test." + std::to_string(getpid()) + "." + std::to_string(++count);
  }
  ~TempFile() { unlink(path_.c_str()); }
  const std::string& path() const { return path_; }
  void put(const std::string& bytes) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc)
        .write(bytes.data(), static_cast<long>(bytes.size()));
  }
  std::string get() const {
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

 private:
  std::string path_;
};

inline TraceHeader sample_header() {
  TraceHeader h;
  h.tool = "sysvm test";
  h.command = {"grep", "-r", "x"};
  h.cwd = "/";
  h.backend = "bpf";
  h.calls = {{257, "openat", {"DIRFD", "PATH", "FLAGS", "MODE"}, "FD"},
             {0, "read", {"FD", "OUT(2)", "SIZE"}, "BYTES"},
             {5, "fstat", {"FD", "OUTS(144)"}, "ZERO"},
             {39, "getpid", {}, "PID"}};
  return h;
}

// Event i of the sample: four calls in turn, in two threads.
inline Event sample_event(uint32_t i) {
  static const int32_t kNrs[] = {257, 5, 0, 39};
  Event e;
  e.ts_ns = 1'000'000 + 700ull * i;
  e.dur_ns = 100 + i % 7;
  e.pid = 100;
  e.tid = 100 + static_cast<int32_t>(i % 2);
  e.seq = i / 2;
  e.nr = kNrs[i % 4];
  e.ret = i % 5 ? static_cast<int64_t>(i) : -2;
  const size_t nargs = e.nr == 257 ? 4 : e.nr == 0 ? 3 : e.nr == 5 ? 2 : 0;
  for (size_t k = 0; k < nargs; ++k) e.args[k] = k == 0 ? ~0ull - 99 : 0x7ffe00000000ull + 16 * i + k;
  e.ip = 0x401000 + 16 * (i % 4);
  e.caller = 0x402000 + i % 3;
  if (e.nr == 5) {
    e.flags = kHasStat;
    e.st_mode = 0100644;
    e.st_size = 10 * i;
    e.st_dev = 0xfe01;
    e.st_ino = 7 + i;
  }
  if (e.nr == 0) {
    e.flags = kHasData;
    e.data_kind = DataKind::kBytes;
  }
  return e;
}

inline std::string sample_path(uint32_t i) { return "/usr/include/file" + std::to_string(i % 50) + ".h"; }

// Any bytes, of event i if it has flag kHasData.
inline std::string sample_data(uint32_t i) { return std::string("\0\xff", 2) + std::to_string(i % 9); }

// n events in chunks of the given size.
inline void write_sample(const std::string& path, uint32_t n, uint32_t chunk) {
  auto writer = TraceWriter::create(path, sample_header());
  ASSERT_TRUE(writer) << writer.message();
  TraceWriter& w = **writer;
  ASSERT_TRUE(w.add(Process{100, 1, 900'000, true, "/usr/bin/grep", "abcd", {"grep", "-r", "x"}, {}, {}}));
  ASSERT_TRUE(w.add(Mapping{100, 900'001, 0x400000, 0x500000, 0x1000, "/usr/bin/grep", "abcd"}));
  for (uint32_t i = 0; i < n; ++i) {
    const std::string path_text = sample_path(i);
    const bool has_path = i % 4 == 0;
    ASSERT_TRUE(w.add(sample_event(i), has_path ? std::string_view(path_text) : std::string_view(), {},
                      sample_data(i)));
    if (i % chunk == chunk - 1) {
      ASSERT_TRUE(w.flush());
    }
  }
  ASSERT_TRUE(w.add(Loss{LossReason::kRingFull, 3, 1, 2}));
  ASSERT_TRUE(w.add(ThreadEnd{100, 100, 98'000'000, (n + 1) / 2, false}));
  ASSERT_TRUE(w.add(Throttle{101, 10, 20}));
  ASSERT_TRUE(w.end(100, 99'000'000, 0x100));
  ASSERT_TRUE(w.finish(TraceStats{n, 3, 2, 5'000'000, 0, 0, 0, 0, 9}));
}

inline void expect_sample_event(const TraceInfo& info, const Event& got, uint32_t i) {
  const Event want = sample_event(i);
  EXPECT_EQ(got.ts_ns, want.ts_ns) << i;
  EXPECT_EQ(got.dur_ns, want.dur_ns) << i;
  EXPECT_EQ(got.pid, want.pid) << i;
  EXPECT_EQ(got.tid, want.tid) << i;
  EXPECT_EQ(got.seq, want.seq) << i;
  EXPECT_EQ(got.nr, want.nr) << i;
  EXPECT_EQ(got.ret, want.ret) << i;
  EXPECT_EQ(got.args, want.args) << i;
  EXPECT_EQ(got.flags, want.flags) << i;
  EXPECT_EQ(got.ip, want.ip) << i;
  EXPECT_EQ(got.caller, want.caller) << i;
  EXPECT_EQ(got.st_mode, want.st_mode) << i;
  EXPECT_EQ(got.st_size, want.st_size) << i;
  EXPECT_EQ(got.st_dev, want.st_dev) << i;
  EXPECT_EQ(got.st_ino, want.st_ino) << i;
  EXPECT_EQ(got.data_kind, want.data_kind) << i;
  EXPECT_EQ(info.strings.at(got.data), want.has(kHasData) ? sample_data(i) : "") << i;
  EXPECT_EQ(got.path[1], kNoString) << i;
  ASSERT_LT(got.path[0], info.strings.size()) << i;
  EXPECT_EQ(info.strings[got.path[0]], i % 4 == 0 ? sample_path(i) : "") << i;
  EXPECT_EQ(got.path[0] == kNoString, i % 4 != 0) << i;
}

}  // namespace sysvm
