// SPDX-License-Identifier: MIT
// trace_format_bench [-r ROUNDS] FILE...: how small the trace format is, and how fast, on recordings of real
// programs. Nothing is traced here, and no disk is involved: files live in memory (memfd).
//
// Printed for each recording, and for all of them together:
//   all     bytes of the file for each event, everything that was captured
//   base    the same after call sites, stat results and other decoded structures, processes and mappings
//           are left out: time, duration, thread, call, result, arguments, strings
//   encode  events per second through TraceWriter::add to the closed file, one thread
//   decode  events per second through for_each_chunk into columns, checksums and strings included, one thread
//   zstd    the part of that time that the library needs for the same chunks alone
// The speeds are by processor time, the best of the rounds: what else the machine does only ever slows down.
// A small recording is repeated until it has 200,000 events.
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <string_view>

#include "common/unique_fd.h"
#include "trace.pb.h"
#include "traces/format.h"
#include "traces/frames.h"
#include "traces/reader.h"
#include "traces/writer.h"

namespace sysvm {
namespace {

constexpr uint64_t kRoundEvents = 200'000;

double cpu_seconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

[[noreturn]] void fail(const std::string& what) {
  fmt::print(stderr, "trace_format_bench: {}\n", what);
  exit(1);
}

template <typename T>
T need(Result<T> result) {
  if (!result) fail(result.message());
  return std::move(*result);
}

struct MemoryFile {
  UniqueFd fd{memfd_create("trace", MFD_CLOEXEC)};
  std::string path() const { return fmt::format("/proc/self/fd/{}", fd.get()); }
};

// The recording over and over, as if the program had run so often, until it has kRoundEvents: small ones
// would measure how fast a file is opened.
Trace repeated(const Trace& trace) {
  Trace out = trace;
  const uint64_t length = trace.events.back().ts_ns - trace.events.front().ts_ns + 1'000'000;
  for (uint64_t round = 1; out.events.size() < kRoundEvents; ++round)
    for (Event event : trace.events) {
      event.ts_ns += round * length;
      out.events.push_back(event);
    }
  return out;
}

enum class What { kAll, kBase };

uint64_t write(const Trace& trace, const std::string& path, What what) {
  auto writer = need(TraceWriter::create(path, trace.header));
  if (what == What::kAll) {
    for (const Process& p : trace.processes) need(writer->add(p));
    for (const Mapping& m : trace.mappings) need(writer->add(m));
    for (const ThreadEnd& t : trace.thread_ends) need(writer->add(t));
    for (const Throttle& t : trace.throttles) need(writer->add(t));
  }
  for (const Event& event : trace.events) {
    std::string_view strings[2];
    for (size_t k = 0; k < 2; ++k)
      if (event.path[k] != kNoString) strings[k] = trace.strings[event.path[k]];
    if (what == What::kAll) {
      need(writer->add(event, strings[0], strings[1], trace.strings[event.data]));
      continue;
    }
    Event base;
    base.ts_ns = event.ts_ns, base.dur_ns = event.dur_ns, base.pid = event.pid, base.tid = event.tid;
    base.seq = event.seq, base.nr = event.nr, base.ret = event.ret, base.args = event.args;
    base.flags = event.flags & ~(kHasStat | kHasData);
    need(writer->add(base, strings[0], strings[1]));
  }
  need(writer->finish({}));
  return writer->bytes();
}

struct Figures {
  uint64_t events = 0, all = 0, base = 0;
  double encode_s = 0, decode_s = 0, zstd_s = 0;  // for `events` events, best round

  void print(const char* name) const {
    const auto n = static_cast<double>(events);
    fmt::print("{:<28} {:>9} {:>7.1f} {:>7.1f} {:>10.1f} {:>10.1f} {:>5.0f} %\n", name, events,
               static_cast<double>(all) / n, static_cast<double>(base) / n, n / encode_s / 1e6,
               n / decode_s / 1e6, 100 * zstd_s / decode_s);
  }
};

uint64_t decode(const std::string& path) {
  uint64_t events = 0;
  need(for_each_chunk(path, [&](Columns& columns, const TraceInfo&) {
    events += columns.size();
    return true;
  }));
  return events;
}

// The chunks of a file, still compressed.
struct Packed {
  std::vector<std::string> chunks;
  std::string raw;  // room for the largest

  explicit Packed(const std::string& path) {
    using namespace trace_format;
    const MappedFile file = need(MappedFile::open(path));
    for (size_t at = kPreamble; at < file.bytes().size();) {
      const Frame frame = need(frame_at(file, at));
      pb::Record record;
      record.ParseFromArray(frame.payload.data(), static_cast<int>(frame.payload.size()));
      if (record.has_chunk()) {
        chunks.push_back(record.chunk().columns());
        raw.resize(std::max<size_t>(raw.size(), record.chunk().raw_size()));
      }
      at = frame.end;
    }
  }
  void unpack() {
    ZSTD_DCtx* const zstd = ZSTD_createDCtx();
    for (const std::string& chunk : chunks)
      if (ZSTD_isError(ZSTD_decompressDCtx(zstd, raw.data(), raw.size(), chunk.data(), chunk.size())))
        fail("a chunk does not decompress");
    ZSTD_freeDCtx(zstd);
  }
};

Figures measure(const Trace& trace, int rounds) {
  Figures f;
  f.events = trace.events.size();
  const MemoryFile file;
  f.base = write(trace, file.path(), What::kBase);
  f.all = write(trace, file.path(), What::kAll);
  const Trace longer = repeated(trace);
  const double times = static_cast<double>(longer.events.size()) / static_cast<double>(f.events);
  f.encode_s = f.decode_s = f.zstd_s = 1e9;
  for (int round = 0; round < rounds; ++round) {
    double begin = cpu_seconds();
    write(longer, file.path(), What::kAll);
    f.encode_s = std::min(f.encode_s, (cpu_seconds() - begin) / times);
    begin = cpu_seconds();
    if (decode(file.path()) != longer.events.size()) fail("decoded another number of events");
    f.decode_s = std::min(f.decode_s, (cpu_seconds() - begin) / times);
    Packed packed(file.path());
    begin = cpu_seconds();
    packed.unpack();
    f.zstd_s = std::min(f.zstd_s, (cpu_seconds() - begin) / times);
  }
  return f;
}

int main(int argc, char** argv) {
  int rounds = 15, at = 1;
  if (argc > 2 && std::string_view(argv[1]) == "-r") {
    rounds = atoi(argv[2]);
    at = 3;
  }
  if (at >= argc || rounds < 1) {
    fmt::print(stderr, "usage: trace_format_bench [-r ROUNDS] FILE...\n");
    return 2;
  }
  fmt::print("{:<28} {:>9} {:>7} {:>7} {:>10} {:>10} {:>7}\n", "recording", "events", "all", "base", "encode",
             "decode", "zstd");
  fmt::print("{:<28} {:>9} {:>7} {:>7} {:>10} {:>10} {:>7}\n", "", "", "B/event", "B/event", "M events/s",
             "M events/s", "of that");
  Figures sum;
  for (; at < argc; ++at) {
    const Trace trace = need(read_trace(argv[at]));
    if (trace.events.empty()) fail(fmt::format("{}: no events", argv[at]));
    const Figures f = measure(trace, rounds);
    const std::string_view path = argv[at];
    f.print(std::string(path.substr(path.rfind('/') + 1)).c_str());
    sum.events += f.events, sum.all += f.all, sum.base += f.base;
    sum.encode_s += f.encode_s, sum.decode_s += f.decode_s, sum.zstd_s += f.zstd_s;
  }
  sum.print("all together");
  return 0;
}

}  // namespace
}  // namespace sysvm

int main(int argc, char** argv) { return sysvm::main(argc, argv); }
