// SPDX-License-Identifier: MIT
// make_trace FILE EVENTS CHUNK: a trace whose content the Python tests know (tests/python/conftest.py says
// what). Chunks overlap in time as they do with several threads; path 0 is not UTF-8, path 100 spells the
// same byte in four characters; event 3 is a signal.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "traces/writer.h"

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const uint32_t events = static_cast<uint32_t>(atol(argv[2])), chunk = static_cast<uint32_t>(atol(argv[3]));
  sysvm::TraceHeader header;
  header.tool = "make_trace";
  header.command = {"cat",
                    "a\xff"
                    "b"};
  header.cwd = "/tmp";
  header.backend = "test";
  header.calls = {{257, "openat", {"DIRFD", "PATH", "FLAGS", "MODE"}, "FD"},
                  {0, "read", {"FD", "OUT(2)", "SIZE"}, "BYTES"}};
  auto made = sysvm::TraceWriter::create(argv[1], header);
  if (!made) {
    fprintf(stderr, "%s\n", made.message().c_str());
    return 1;
  }
  sysvm::TraceWriter& w = **made;
  bool ok = bool(w.add(sysvm::Process{100, 1, 900, true, "/usr/bin/cat", "abcd", {"cat"}, {}, {}}));
  for (uint32_t i = 0; i < events; ++i) {
    sysvm::Event e;
    const bool late = chunk > 1 && i % chunk == chunk - 1;  // belongs into the middle of the next chunk
    e.ts_ns = 1'000 + 10ull * i + (late ? 10ull * (chunk / 2) + 5 : 0);
    e.dur_ns = i;
    e.pid = 100;
    e.tid = 100 + static_cast<int32_t>(i % 2);
    e.seq = i / 2;
    e.nr = i % 2 ? 0 : 257;
    e.ret = i % 5 ? static_cast<int64_t>(i) : -2;
    e.args = {~0ull - 99, i, 2, 3, 4, 5};
    if (i == 3) {
      e.nr = sysvm::kSignalNr;
      e.flags = sysvm::kSignal;
      e.args = {17, 1};
    }
    const std::string path = i == 0                 ? "/\xff"
                             : i == 100 || i == 150 ? "/\\xff"
                                                    : "/f" + std::to_string(i % 50);
    ok = ok && bool(w.add(e, e.nr == 257 ? std::string_view(path) : std::string_view()));
    if (i % chunk == chunk - 1) ok = ok && bool(w.flush());
  }
  ok = ok && bool(w.add(sysvm::Loss{sysvm::LossReason::kRingFull, 3, 1, 2})) && bool(w.finish({}));
  return ok ? 0 : 1;
}
