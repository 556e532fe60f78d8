// SPDX-License-Identifier: MIT
#include "traces/reader.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <xxhash.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unordered_map>

#include "common/unique_fd.h"
#include "trace.pb.h"
#include "traces/format.h"

namespace sysvm {

using namespace trace_format;

namespace {

// The file's bytes; mapped, so that a trace larger than memory can be scanned.
class MappedFile {
 public:
  static Result<MappedFile> open(const std::string& path) {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd) return error("{}: cannot open: {}", path, strerror(errno));
    struct stat st;
    if (fstat(fd.get(), &st) != 0) return error("{}: fstat: {}", path, strerror(errno));
    if (!S_ISREG(st.st_mode)) return error("{}: not a regular file, so not a trace", path);
    MappedFile file;
    file.size_ = static_cast<size_t>(st.st_size);
    if (file.size_ == 0) return error("{}: empty file, so not a trace", path);
    void* base = mmap(nullptr, file.size_, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (base == MAP_FAILED) return error("{}: mmap of {} bytes: {}", path, file.size_, strerror(errno));
    file.base_ = static_cast<const uint8_t*>(base);
    return file;
  }
  MappedFile(MappedFile&& other) noexcept : base_(std::exchange(other.base_, nullptr)), size_(other.size_) {}
  ~MappedFile() {
    if (base_) munmap(const_cast<uint8_t*>(base_), size_);
  }
  const uint8_t* data() const { return base_; }
  size_t size() const { return size_; }

 private:
  MappedFile() = default;
  const uint8_t* base_ = nullptr;
  size_t size_ = 0;
};

// Strings of all chunks, each kept once.
class Strings {
 public:
  explicit Strings(std::vector<std::string>& all) : all_(all) {}
  uint32_t intern(const std::string& text) {
    auto [it, fresh] = ids_.try_emplace(text, static_cast<uint32_t>(all_.size()));
    if (fresh) all_.push_back(text);
    return it->second;
  }

 private:
  std::vector<std::string>& all_;
  std::unordered_map<std::string, uint32_t> ids_;
};

// Decodes one chunk into out, which is empty. The message lacks file and byte; the caller adds them.
Result<> decode(const pb::Chunk& chunk, Strings& strings, Columns& out) {
  const size_t n = chunk.events();
  if (n == 0 || n > kMaxChunkEvents)
    return error("chunk says {} events, expected 1 to {}", n, kMaxChunkEvents);
  if (chunk.raw_size() > kMaxRecord)
    return error("chunk says {} bytes of columns, at most {} are allowed", chunk.raw_size(), kMaxRecord);
  std::string raw(chunk.raw_size(), '\0');
  const size_t got = ZSTD_decompress(raw.data(), raw.size(), chunk.columns().data(), chunk.columns().size());
  if (ZSTD_isError(got)) return error("columns do not decompress: {}", ZSTD_getErrorName(got));
  if (got != raw.size()) return error("columns are {} bytes, expected {}", got, raw.size());
  pb::ColumnBlock b;
  if (!b.ParseFromString(raw)) return error("columns are not a ColumnBlock");

  auto full = [n](const auto& column) { return static_cast<size_t>(column.size()) == n; };
  if (!full(b.delta_ns()) || !full(b.dur_ns()) || !full(b.thread()) || !full(b.seq_step()) ||
      !full(b.call()) || !full(b.ret()) || !full(b.flags()) || !full(b.path0()) || !full(b.path1()) ||
      !full(b.site()))
    return error("a column has not {} values", n);
  if (b.pid_size() != b.tid_size() || b.first_seq_size() != b.tid_size() ||
      b.call_args_size() != b.call_nr_size() || b.site_caller_size() != b.site_ip_size())
    return error("the columns of a table differ in length");

  std::vector<uint32_t> ids{kNoString};
  for (const std::string& s : b.strings()) ids.push_back(strings.intern(s));
  std::vector<uint32_t> next_seq(b.first_seq().begin(), b.first_seq().end());
  const google::protobuf::RepeatedField<uint64_t>* args[6] = {&b.arg0(), &b.arg1(), &b.arg2(),
                                                              &b.arg3(), &b.arg4(), &b.arg5()};
  int at[6] = {};
  int stat_at = 0, data_at = 0;
  if (b.st_ino_size() != 0 && b.st_ino_size() != b.st_mode_size())
    return error("column st_ino has not {} values", b.st_mode_size());
  uint64_t ts = chunk.first_ns();
  out.reserve(n);
  Event e;
  for (size_t row = 0; row < n; ++row) {
    const int i = static_cast<int>(row);
    const uint32_t thread = b.thread(i), call = b.call(i), site = b.site(i);
    if (thread >= next_seq.size() || call >= static_cast<uint32_t>(b.call_nr_size()) ||
        site >= static_cast<uint32_t>(b.site_ip_size()) || b.path0(i) >= ids.size() ||
        b.path1(i) >= ids.size())
      return error("event {}: index past the end of its table", row);
    ts += static_cast<uint64_t>(b.delta_ns(i));
    e.ts_ns = ts;
    e.dur_ns = b.dur_ns(i);
    e.tid = b.tid(static_cast<int>(thread));
    e.pid = b.pid(static_cast<int>(thread));
    e.seq = next_seq[thread] + static_cast<uint32_t>(b.seq_step(i));
    next_seq[thread] = e.seq + 1;
    e.nr = b.call_nr(static_cast<int>(call));
    e.ret = b.ret(i);
    e.flags = b.flags(i);
    e.path = {ids[b.path0(i)], ids[b.path1(i)]};
    e.ip = b.site_ip(static_cast<int>(site));
    e.caller = b.site_caller(static_cast<int>(site));
    e.args = {};
    for (uint32_t k = 0; k < std::min(b.call_args(static_cast<int>(call)), 6u); ++k) {
      if (at[k] >= args[k]->size()) return error("event {}: argument {} is missing", row, k);
      e.args[k] = args[k]->Get(at[k]++);
    }
    e.st_mode = 0, e.st_size = 0, e.st_dev = 0, e.st_ino = 0;
    if (e.has(kHasStat)) {
      if (stat_at >= b.st_mode_size() || stat_at >= b.st_size_size() || stat_at >= b.st_dev_size())
        return error("event {}: its stat columns are missing", row);
      e.st_mode = b.st_mode(stat_at);
      e.st_size = b.st_size(stat_at);
      e.st_dev = b.st_dev(stat_at);
      if (b.st_ino_size()) e.st_ino = b.st_ino(stat_at);
      ++stat_at;
    }
    e.data_kind = DataKind::kNone, e.data = kNoString;
    if (e.has(kHasData)) {
      if (data_at >= b.data_kind_size() || data_at >= b.data_size())
        return error("event {}: its data columns are missing", row);
      if (b.data(data_at) >= ids.size()) return error("event {}: index past the end of its table", row);
      e.data_kind = static_cast<DataKind>(b.data_kind(data_at));
      e.data = ids[b.data(data_at++)];
    }
    out.push_back(e);
  }
  return Unit{};
}

void take_header(const pb::Header& h, TraceHeader& out) {
  out.tool = h.tool();
  out.host = h.host();
  out.kernel = h.kernel();
  out.arch = h.arch();
  out.command.assign(h.command().begin(), h.command().end());
  out.cwd = h.cwd();
  out.backend = h.backend();
  out.options.assign(h.options().begin(), h.options().end());
  out.boottime_ns = h.boottime_ns();
  out.realtime_ns = h.realtime_ns();
  out.call_cost_ns = h.call_cost_ns();
  out.filter = h.filter();
  out.window_ns = h.window_ns();
  for (const pb::Call& c : h.calls())
    out.calls.push_back(
        {c.nr(), c.name(), {c.args().begin(), c.args().begin() + std::min(c.args_size(), 6)}, c.result()});
  std::sort(out.calls.begin(), out.calls.end(),
            [](const CallInfo& a, const CallInfo& b) { return a.nr < b.nr; });
}

void take_record(const pb::Record& record, TraceInfo& out) {
  switch (record.kind_case()) {
    case pb::Record::kProcess: {
      const pb::Process& p = record.process();
      Process process;
      process.pid = p.pid();
      process.parent = p.parent();
      process.start_ns = p.start_ns();
      process.execed = p.execed();
      process.exe = p.exe();
      process.build_id = p.build_id();
      process.argv.assign(p.argv().begin(), p.argv().end());
      for (auto it = out.processes.rbegin(); it != out.processes.rend(); ++it)
        if (it->pid == process.pid) {
          if (!it->end_ns) it->end_ns = process.start_ns;  // an exec ends the image before it
          break;
        }
      out.processes.push_back(std::move(process));
      break;
    }
    case pb::Record::kProcessEnd:
      for (auto it = out.processes.rbegin(); it != out.processes.rend(); ++it)
        if (it->pid == record.process_end().pid()) {
          it->end_ns = record.process_end().end_ns();
          it->exit_status = record.process_end().status();
          break;
        }
      break;
    case pb::Record::kMapping: {
      const pb::Mapping& m = record.mapping();
      out.mappings.push_back({m.pid(), m.seen_ns(), m.start(), m.end(), m.offset(), m.path(), m.build_id()});
      break;
    }
    case pb::Record::kLoss: {
      const pb::Loss& l = record.loss();
      out.losses.push_back({static_cast<LossReason>(l.reason()), l.count(), l.from_ns(), l.to_ns()});
      break;
    }
    case pb::Record::kThreadEnd: {
      const pb::ThreadEnd& t = record.thread_end();
      out.thread_ends.push_back({t.tid(), t.pid(), t.end_ns(), t.next_seq(), t.alive()});
      break;
    }
    case pb::Record::kThrottle: {
      const pb::Throttle& t = record.throttle();
      out.throttles.push_back({t.tid(), t.from_ns(), t.to_ns()});
      break;
    }
    case pb::Record::kStats: {
      const pb::Stats& s = record.stats();
      out.stats = TraceStats{s.events(),   s.lost(),       s.threads(),   s.wall_ns(),
                             s.probe_ns(), s.probe_runs(), s.throttles(), s.throttled_ns(), s.consumer_ns()};
      break;
    }
    default:
      break;  // Index is for random access; an unknown record is a newer writer's
  }
}

// Walks the frames. on_chunk returns an error (the damage) or whether to go on.
using OnChunk = std::function<Result<bool>(const pb::Chunk&, TraceInfo&)>;

Result<TraceInfo> scan(const std::string& path, const OnChunk& on_chunk) {
  const MappedFile file = TRY(MappedFile::open(path));
  const uint8_t* bytes = file.data();
  const size_t size = file.size();
  if (size < kMagic.size() || memcmp(bytes, kMagic.data(), kMagic.size()) != 0)
    return error("{}: not a trace: it does not begin with {}", path, kMagic);
  if (size < kPreamble) return error("{}: cut after {} bytes, before its header", path, size);
  if (bytes[kMagic.size()] != kVersion)
    return error("{}: trace format version {}, this program reads version {}", path, bytes[kMagic.size()],
                 kVersion);
  for (size_t i = kMagic.size() + 1; i < kPreamble; ++i)
    if (bytes[i] != 0) return error("{}: byte {} is {}, expected 0", path, i, bytes[i]);

  TraceInfo info;
  bool have_header = false;
  size_t at = kPreamble;
  while (at < size && info.damage.empty()) {
    uint64_t length = 0;
    size_t p = at;
    int shift = 0;
    bool more = true;
    while (more && p < size && shift < 35) {
      length |= static_cast<uint64_t>(bytes[p] & 0x7f) << shift;
      more = bytes[p++] & 0x80;
      shift += 7;
    }
    if (more && shift < 35) {
      info.damage = fmt::format("{}: byte {}: cut inside the length of a record", path, at);
    } else if (more || length > kMaxRecord) {
      info.damage =
          fmt::format("{}: byte {}: length of a record is bad, at most {} are allowed", path, at, kMaxRecord);
    } else if (length + 8 > size - p) {
      info.damage = fmt::format("{}: byte {}: record of {} bytes is cut after {}", path, at, length,
                                size - p < 8 ? 0 : size - p - 8);
    } else {
      uint64_t sum = 0;
      for (int i = 0; i < 8; ++i) sum |= static_cast<uint64_t>(bytes[p + static_cast<size_t>(i)]) << (8 * i);
      const uint8_t* payload = bytes + p + 8;
      pb::Record record;
      if (XXH64(payload, length, 0) != sum) {
        info.damage =
            fmt::format("{}: byte {}: checksum of a record of {} bytes does not match", path, at, length);
      } else if (!record.ParseFromArray(payload, static_cast<int>(length))) {
        info.damage = fmt::format("{}: byte {}: not a Record", path, at);
      } else if (have_header == record.has_header()) {
        info.damage = fmt::format("{}: byte {}: {}", path, at,
                                  have_header ? "second header" : "the first record is not the header");
      } else if (record.has_header()) {
        take_header(record.header(), info.header);
        have_header = true;
      } else if (record.has_chunk()) {
        Result<bool> go_on = on_chunk(record.chunk(), info);
        if (!go_on) {
          info.damage = fmt::format("{}: byte {}: {}", path, at, go_on.message());
        } else if (!*go_on) {
          return info;
        }
      } else {
        take_record(record, info);
      }
      at = p + 8 + length;
    }
  }
  if (!have_header) return error("{}", info.damage.empty() ? path + ": cut before its header" : info.damage);
  return info;
}

}  // namespace

Result<TraceInfo> for_each_chunk(const std::string& path, const ChunkVisitor& visit) {
  std::optional<Strings> strings;
  Columns columns;
  return scan(path, [&](const pb::Chunk& chunk, TraceInfo& info) -> Result<bool> {
    if (!strings) strings.emplace(info.strings);
    columns.clear();
    TRY(decode(chunk, *strings, columns));
    return visit(columns, info);
  });
}

Result<TraceInfo> read_trace_info(const std::string& path) {
  return scan(path, [](const pb::Chunk&, TraceInfo&) -> Result<bool> { return true; });
}

Result<ColumnTrace> read_columns(const std::string& path) {
  ColumnTrace out;
  std::optional<Strings> strings;
  TraceInfo info = TRY(scan(path, [&](const pb::Chunk& chunk, TraceInfo& so_far) -> Result<bool> {
    if (!strings) strings.emplace(so_far.strings);
    Columns columns;
    TRY(decode(chunk, *strings, columns));
    out.columns.append(columns);
    return true;
  }));
  static_cast<TraceInfo&>(out) = std::move(info);
  return out;
}

Result<Trace> read_trace(const std::string& path) {
  Trace trace;
  TraceInfo info = TRY(for_each_chunk(path, [&](Columns& columns, const TraceInfo&) {
    for (size_t i = 0; i < columns.size(); ++i) trace.events.push_back(columns.event(i));
    return true;
  }));
  static_cast<TraceInfo&>(trace) = std::move(info);
  auto earlier = [](const Event& a, const Event& b) {
    if (a.ts_ns != b.ts_ns) return a.ts_ns < b.ts_ns;
    return a.tid != b.tid ? a.tid < b.tid : a.seq < b.seq;
  };
  if (!std::is_sorted(trace.events.begin(), trace.events.end(), earlier))
    std::stable_sort(trace.events.begin(), trace.events.end(), earlier);
  return trace;
}

}  // namespace sysvm
