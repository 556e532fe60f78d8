// SPDX-License-Identifier: MIT
// Fuzzes what reads traces. The first byte of the input says how the rest is taken, by its value modulo 4:
//
//   0  frames as they are                    2  a column block, decompressed
//   1  payloads of frames, checksums right   3  records of a batch, compressed and framed rightly
//
// What has events is also written out in one format; the byte's upper half says in which. Text is
// import_fuzz.cc's. One file in memory for all inputs and one thread: an input takes a fraction of a
// millisecond.
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "trace.pb.h"
#include "traces/columns.h"
#include "traces/export.h"
#include "traces/format.h"
#include "traces/frames.h"
#include "traces/reader.h"
#include "traces/strace_text.h"
#include "traces/varint.h"

namespace {

using namespace sysvm;

struct MemoryFile {
  int fd = memfd_create("fuzz", MFD_CLOEXEC);
  std::string path = "/proc/self/fd/" + std::to_string(fd);
  void put(const std::string& bytes) const {
    if (ftruncate(fd, 0) != 0 ||
        pwrite(fd, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
      abort();
  }
};

void read_all(const std::string& path, unsigned format) {
  const auto trace = read_trace(path, 1);
  auto file = TraceFile::open(path);
  if (!trace) return;
  if (file) {
    Columns some;
    std::vector<std::string> strings;
    for (size_t i = 0; i < file->chunks().size() && i < 8; ++i) (void)file->read(i, some, strings);
  }
  const MappingIndex index(*trace);
  for (const Event& e : trace->events) (void)index.place(e.pid, e.site(), e.ts_ns);
  if (trace->events.empty() && trace->losses.empty()) return;
  size_t bytes = 0;
  const Output count = [&bytes](std::string_view text) {
    bytes += text.size();
    return bytes < (1u << 20);
  };
  switch (format % 5) {
    case 0: {
      const auto columns = read_columns(path, 1);
      if (!columns || trace->events.size() != columns->columns.size()) abort();
      break;
    }
    case 1: (void)export_strace(path, count); break;
    case 2: (void)export_ndjson(path, count); break;
    case 3: (void)export_perfetto(path, count); break;
    case 4: (void)export_folded(path, FoldedWeight::kCount, count); break;
  }
}

void decode_block(const uint8_t* data, size_t size) {
  if (size < 1) return;
  static ColumnDecoder decoder;  // as a reader's: what it keeps from one block must not harm the next
  Columns columns;
  std::vector<std::string_view> strings;
  const size_t n = 1 + data[0];
  std::vector<uint8_t> raw(data + 1, data + size);
  raw.resize(size - 1 + kReadAhead, 0xff);
  if (!decoder.decode({raw.data(), size - 1}, n, 1000, columns, strings)) return;
  TraceInfo info;
  info.strings.assign(strings.begin(), strings.end());
  for (size_t i = 0; i < n; ++i) {
    const Event e = columns.event(i);
    if (e.path[0] >= strings.size() || e.path[1] >= strings.size() || e.data >= strings.size()) abort();
    (void)format_call(info, e);
    (void)format_result(info, e);
    (void)ndjson_event(info, e);
  }
}

std::string preamble() {
  std::string out(trace_format::kPreamble, '\0');
  out.replace(0, trace_format::kMagic.size(), trace_format::kMagic);
  out[trace_format::kMagic.size()] = static_cast<char>(trace_format::kVersion);
  return out;
}

std::string header() {
  pb::Record record;
  record.mutable_header()->set_tool("fuzz");
  auto* call = record.mutable_header()->add_calls();
  call->set_name("read");
  call->add_args("FD");
  call->add_args("OUT(2)");
  call->add_args("SIZE");
  return trace_format::make_frame(record.SerializeAsString());
}

// Pieces of the input: two bytes of length, then that many.
std::string framed(const uint8_t* data, size_t size) {
  std::string out;
  while (size >= 2) {
    const size_t n = std::min<size_t>(static_cast<size_t>(data[0] | data[1] << 8), size - 2);
    out += trace_format::make_frame({reinterpret_cast<const char*>(data) + 2, n});
    data += 2 + n;
    size -= 2 + n;
  }
  return out;
}

std::string batch(const uint8_t* data, size_t size) {
  pb::Record record;
  std::string packed(ZSTD_compressBound(size), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), data, size, 1));
  record.mutable_batch()->set_raw_size(static_cast<uint32_t>(size));
  record.mutable_batch()->set_records(packed);
  return trace_format::make_frame(record.SerializeAsString());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const uint8_t mode = *data++;
  --size;
  static const MemoryFile file;
  const std::string text(reinterpret_cast<const char*>(data), size);
  switch (mode % 4) {
    case 0: file.put(preamble() + text); break;
    case 1: file.put(preamble() + (size && data[size - 1] % 2 ? header() : "") + framed(data, size)); break;
    case 2: decode_block(data, size); return 0;
    case 3: file.put(preamble() + header() + batch(data, size)); break;
  }
  read_all(file.path, mode >> 4);
  return 0;
}
