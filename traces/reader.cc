// SPDX-License-Identifier: MIT
#include "traces/reader.h"

#include <zstd.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <optional>
#include <thread>
#include <unordered_set>
#include <variant>

#include "trace.pb.h"
#include "traces/columns.h"
#include "traces/format.h"
#include "traces/frames.h"
#include "traces/varint.h"

namespace sysvm {

using namespace trace_format;

namespace {

using Bytes = std::span<const uint8_t>;
using Decompressor = std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)>;

Decompressor make_decompressor() { return {ZSTD_createDCtx(), ZSTD_freeDCtx}; }

// The bytes stand in raw, which keeps its memory, and kReadAhead more may be read. The messages lack file and
// byte.
Result<Bytes> decompress(ZSTD_DCtx* zstd, std::string_view packed, uint64_t size, std::string& raw) {
  if (size > kMaxRecord) return error("{} bytes when decompressed, at most {} are allowed", size, kMaxRecord);
  if (raw.size() < size + kReadAhead) raw.resize(size + kReadAhead);
  const size_t got = ZSTD_decompressDCtx(zstd, raw.data(), size, packed.data(), packed.size());
  if (ZSTD_isError(got)) return error("does not decompress: {}", ZSTD_getErrorName(got));
  if (got != size) return error("decompresses to {} bytes, expected {}", got, size);
  return Bytes{reinterpret_cast<const uint8_t*>(raw.data()), size};
}

// Strings of all chunks, each kept once: a set of numbers that are compared as the strings that they stand
// for.
class Strings {
 public:
  explicit Strings(std::vector<std::string>& all) : all_(all), ids_(16, Hash{&all}, Equal{&all}) {}
  uint32_t intern(std::string_view text) {
    if (auto it = ids_.find(text); it != ids_.end()) return *it;
    all_.emplace_back(text);
    return *ids_.insert(static_cast<uint32_t>(all_.size() - 1)).first;
  }

 private:
  struct Hash {
    using is_transparent = void;
    const std::vector<std::string>* all;
    size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
    size_t operator()(uint32_t id) const { return (*this)(std::string_view((*all)[id])); }
  };
  struct Equal {
    using is_transparent = void;
    const std::vector<std::string>* all;
    bool operator()(uint32_t a, uint32_t b) const { return a == b; }
    bool operator()(std::string_view a, uint32_t b) const { return a == (*all)[b]; }
    bool operator()(uint32_t a, std::string_view b) const { return b == (*all)[a]; }
  };
  std::vector<std::string>& all_;
  std::unordered_set<uint32_t, Hash, Equal> ids_;
};

bool has_unknown_fields(const google::protobuf::Message& message) {
  return !message.GetReflection()->GetUnknownFields(message).empty();
}

// One chunk being decoded; keeps its memory for the next.
class ChunkDecoder {
 public:
  Columns columns;
  std::vector<std::string_view> strings;  // into raw_; [0] stands for none
  bool newer = false;

  Result<> decode(const Frame& frame) {
    TRY(frame.check());
    if (!record_.ParseFromArray(frame.payload.data(), static_cast<int>(frame.payload.size())) ||
        !record_.has_chunk())
      return error("not a Record");
    const pb::Chunk& chunk = record_.chunk();
    const size_t n = chunk.events();
    if (n == 0 || n > kMaxChunkEvents)
      return error("chunk says {} events, expected 1 to {}", n, kMaxChunkEvents);
    const Result<Bytes> raw = decompress(zstd_.get(), chunk.columns(), chunk.raw_size(), raw_);
    if (!raw) return error("columns: {}", raw.message());
    TRY(columns_.decode(*raw, n, chunk.first_ns(), columns, strings));
    newer = columns_.saw_unknown() || has_unknown_fields(chunk);
    return Unit{};
  }

 private:
  Decompressor zstd_ = make_decompressor();
  pb::Record record_;
  std::string raw_;
  ColumnDecoder columns_;
};

Result<> take_header(const pb::Header& h, ZSTD_DCtx* zstd, TraceHeader& out) {
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
  pb::CallTable table;
  table.mutable_calls()->CopyFrom(h.calls());
  if (!h.packed_calls().empty()) {
    std::string memory;
    const Bytes raw = TRY(decompress(zstd, h.packed_calls(), h.packed_calls_size(), memory));
    if (!table.ParseFromArray(raw.data(), static_cast<int>(raw.size())))
      return error("the header's call table is not a CallTable");
  }
  for (const pb::Call& c : table.calls())
    out.calls.push_back(
        {c.nr(), c.name(), {c.args().begin(), c.args().begin() + std::min(c.args_size(), 6)}, c.result()});
  std::sort(out.calls.begin(), out.calls.end(),
            [](const CallInfo& a, const CallInfo& b) { return a.nr < b.nr; });
  return Unit{};
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
      out.stats = TraceStats{s.events(),     s.lost(),      s.threads(),      s.wall_ns(),    s.probe_ns(),
                             s.probe_runs(), s.throttles(), s.throttled_ns(), s.consumer_ns()};
      break;
    }
    default: break;  // index and trailer are for random access; an unknown record is a newer writer's
  }
}

// A chunk's frame begins with field 2 of Record: known without parsing, so that another thread can do that.
bool is_chunk(const Frame& frame) {
  return !frame.payload.empty() && frame.payload[0] == (pb::Record::kChunkFieldNumber << 3 | 2);
}

bool has_unknown(const pb::Record& record) {
  if (has_unknown_fields(record) || record.kind_case() == pb::Record::KIND_NOT_SET) return true;
  const auto* field = pb::Record::descriptor()->FindFieldByNumber(record.kind_case());
  return has_unknown_fields(record.GetReflection()->GetMessage(record, field));
}

// Everything in a file but the events.
class Records {
 public:
  Records(const MappedFile& file, TraceInfo& info) : file_(file), info_(info) {}

  Result<> take(const Frame& frame) {
    TRY(frame.check());
    pb::Record record;
    if (!record.ParseFromArray(frame.payload.data(), static_cast<int>(frame.payload.size())))
      return error("not a Record");
    if (have_header_ == record.has_header())
      return error("{}", have_header_ ? "second header" : "the first record is not the header");
    if (has_unknown(record)) newer(frame.offset);
    if (record.has_header()) {
      have_header_ = true;
      return take_header(record.header(), zstd_.get(), info_.header);
    }
    if (record.has_chunk()) return error("a chunk whose record does not begin with it");
    if (record.has_batch()) return take_batch(record.batch(), frame.offset);
    take_record(record, info_);
    return Unit{};
  }

  void newer(size_t offset) {
    if (info_.newer.empty())
      info_.newer =
          fmt::format("{}: byte {}: written by a newer version; what this one does not know was skipped",
                      file_.path(), offset);
  }
  bool have_header() const { return have_header_; }

 private:
  Result<> take_batch(const pb::Batch& batch, size_t offset) {
    std::string memory;
    const Result<Bytes> raw = decompress(zstd_.get(), batch.records(), batch.raw_size(), memory);
    if (!raw) return error("batch of records: {}", raw.message());
    const uint8_t *at = raw->data(), *const end = at + raw->size();
    for (uint64_t size; at != end; at += size) {
      pb::Record record;
      if (!get_varint(at, end, size) || size > static_cast<uint64_t>(end - at))
        return error("batch of records: cut inside a record");
      if (!record.ParseFromArray(at, static_cast<int>(size))) return error("batch of records: not a Record");
      if (record.has_header() || record.has_chunk() || record.has_batch())
        return error("batch of records: holds one of a kind that may not be there");
      if (has_unknown(record)) newer(offset);
      take_record(record, info_);
    }
    return Unit{};
  }

  const MappedFile& file_;
  TraceInfo& info_;
  bool have_header_ = false;
  Decompressor zstd_ = make_decompressor();
};

std::string damage_at(const MappedFile& file, size_t offset, const std::string& what) {
  return fmt::format("{}: byte {}: {}", file.path(), offset, what);
}

// The chunks between two other records, decoded by several threads and handed over in order.
class Window {
 public:
  explicit Window(unsigned threads) : threads_(threads) {}

  bool full() const { return used_ == (threads_ == 1 ? 1 : 4 * threads_); }
  void add(const Frame& frame) {
    if (used_ == slots_.size()) slots_.emplace_back();
    slots_[used_++].frame = frame;
  }

  // deliver(slot's decoder, frame) returns false to stop. The error is that of the first bad chunk.
  template <typename Deliver>
  Result<bool> drain(const MappedFile& file, Deliver deliver) {
    const size_t n = std::exchange(used_, 0);
    std::atomic<size_t> next{0};
    auto work = [&] {
      for (size_t i; (i = next.fetch_add(1)) < n;)
        slots_[i].result = slots_[i].decoder.decode(slots_[i].frame);
    };
    {
      std::vector<std::jthread> helpers;
      for (size_t k = 1; k < std::min<size_t>(threads_, n); ++k) helpers.emplace_back(work);
      work();
    }
    for (size_t i = 0; i < n; ++i) {
      if (!slots_[i].result)
        return error("{}", damage_at(file, slots_[i].frame.offset, slots_[i].result.message()));
      if (!deliver(slots_[i].decoder, slots_[i].frame)) return false;
    }
    return true;
  }

 private:
  struct Slot {
    Frame frame;
    Result<> result{Unit{}};
    ChunkDecoder decoder;
  };
  unsigned threads_;
  std::deque<Slot> slots_;  // as many as were needed so far
  size_t used_ = 0;
};

// Walks the whole file. deliver(columns, strings, info) may change what it gets; false stops.
template <typename Deliver>
Result<TraceInfo> walk(const std::string& path, unsigned threads, Deliver deliver) {
  const MappedFile file = TRY(MappedFile::open(path));
  TRY(check_preamble(file));
  TraceInfo info;
  Records records(file, info);
  Window window(threads);
  bool stopped = false;
  auto drain = [&] {
    Result<bool> more = window.drain(file, [&](ChunkDecoder& chunk, const Frame& frame) {
      if (chunk.newer) records.newer(frame.offset);
      return deliver(chunk, info);
    });
    if (!more)
      info.damage = more.message();
    else
      stopped = !*more;
  };
  for (size_t at = kPreamble; at < file.bytes().size() && info.damage.empty() && !stopped;) {
    const Result<Frame> frame = frame_at(file, at);
    if (frame && is_chunk(*frame) && records.have_header()) {
      window.add(*frame);
      if (window.full()) drain();
    } else {
      drain();  // what stands before this frame
      if (!info.damage.empty() || stopped) break;
      Result<> taken = frame ? records.take(*frame) : Result<>(frame.error());
      if (!taken) info.damage = damage_at(file, at, taken.message());
    }
    if (!frame) break;
    at = frame->end;
  }
  if (info.damage.empty() && !stopped) drain();
  if (!records.have_header())
    return error("{}", info.damage.empty() ? path + ": cut before its header" : info.damage);
  return info;
}

unsigned default_threads() { return std::clamp(std::thread::hardware_concurrency(), 1u, 8u); }

// The string columns from numbers in a chunk's strings to those of all.
void renumber(Columns& columns, const std::vector<std::string_view>& strings, Strings& all,
              std::vector<uint32_t>& ids) {
  ids.assign(1, kNoString);
  for (size_t i = 1; i < strings.size(); ++i) ids.push_back(all.intern(strings[i]));
  for (std::vector<uint32_t>& path : columns.path)
    for (uint32_t& id : path) id = ids[id];
  for (uint32_t& id : columns.data) id = ids[id];
}

}  // namespace

Result<TraceInfo> for_each_chunk(const std::string& path, const ChunkVisitor& visit, unsigned threads) {
  return walk(path, threads ? threads : default_threads(), [&](ChunkDecoder& chunk, TraceInfo& info) {
    // Never shortened, so that no string gives its memory back.
    if (info.strings.size() < chunk.strings.size()) info.strings.resize(chunk.strings.size());
    for (size_t i = 1; i < chunk.strings.size(); ++i) info.strings[i].assign(chunk.strings[i]);
    return visit(chunk.columns, info);
  });
}

Result<TraceInfo> read_trace_info(const std::string& path) {
  TraceFile file = TRY(TraceFile::open(path));
  return file.info();
}

Result<ColumnTrace> read_columns(const std::string& path, unsigned threads) {
  ColumnTrace out;
  std::vector<std::string> all{std::string()};
  Strings strings(all);
  std::vector<uint32_t> ids;
  static_cast<TraceInfo&>(out) =
      TRY(walk(path, threads ? threads : default_threads(), [&](ChunkDecoder& chunk, TraceInfo&) {
        renumber(chunk.columns, chunk.strings, strings, ids);
        out.columns.append(chunk.columns);
        return true;
      }));
  out.strings = std::move(all);
  return out;
}

Result<Trace> read_trace(const std::string& path, unsigned threads) {
  Trace trace;
  std::vector<std::string> all{std::string()};
  Strings strings(all);
  std::vector<uint32_t> ids;
  static_cast<TraceInfo&>(trace) =
      TRY(walk(path, threads ? threads : default_threads(), [&](ChunkDecoder& chunk, TraceInfo&) {
        renumber(chunk.columns, chunk.strings, strings, ids);
        for (size_t i = 0; i < chunk.columns.size(); ++i) trace.events.push_back(chunk.columns.event(i));
        return true;
      }));
  trace.strings = std::move(all);
  auto earlier = [](const Event& a, const Event& b) {
    if (a.ts_ns != b.ts_ns) return a.ts_ns < b.ts_ns;
    return a.tid != b.tid ? a.tid < b.tid : a.seq < b.seq;
  };
  if (!std::is_sorted(trace.events.begin(), trace.events.end(), earlier))
    std::stable_sort(trace.events.begin(), trace.events.end(), earlier);
  return trace;
}

struct TraceFile::Impl {
  MappedFile file;
  TraceInfo info;
  std::vector<ChunkRef> chunks;
  ChunkDecoder decoder;

  // The index that a closed file ends with, or nothing: then the file is scanned.
  std::optional<pb::Index> index() const {
    const size_t size = file.bytes().size();
    if (size < kPreamble + kTrailer) return std::nullopt;
    auto record_at = [this](size_t offset) -> std::optional<pb::Record> {
      const Result<Frame> frame = frame_at(file, offset);
      pb::Record record;
      if (!frame || !frame->check() ||
          !record.ParseFromArray(frame->payload.data(), static_cast<int>(frame->payload.size())))
        return std::nullopt;
      return record;
    };
    const auto trailer = record_at(size - kTrailer);
    if (!trailer || !trailer->has_trailer()) return std::nullopt;
    const uint64_t at = trailer->trailer().index_offset();
    if (at < kPreamble || at >= size - kTrailer) return std::nullopt;
    const auto record = record_at(at);
    if (!record || !record->has_index()) return std::nullopt;
    const pb::Index& index = record->index();
    const int n = index.offset_size();
    if (index.first_ns_size() != n || index.last_ns_size() != n || index.events_size() != n)
      return std::nullopt;
    auto inside = [size](uint64_t offset) { return offset >= kPreamble && offset < size; };
    if (!std::all_of(index.offset().begin(), index.offset().end(), inside) ||
        !std::all_of(index.other().begin(), index.other().end(), inside))
      return std::nullopt;
    return index;
  }

  Result<> take_chunk(const Frame& frame) {
    pb::Record record;
    TRY(frame.check());
    if (!record.ParseFromArray(frame.payload.data(), static_cast<int>(frame.payload.size())) ||
        !record.has_chunk())
      return error("not a Record");
    const pb::Chunk& c = record.chunk();
    chunks.push_back({frame.offset, c.first_ns(), c.last_ns(), c.events()});
    return Unit{};
  }
};

TraceFile::TraceFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TraceFile::TraceFile(TraceFile&&) noexcept = default;
TraceFile::~TraceFile() = default;
const TraceInfo& TraceFile::info() const { return impl_->info; }
const std::vector<ChunkRef>& TraceFile::chunks() const { return impl_->chunks; }

Result<TraceFile> TraceFile::open(const std::string& path) {
  std::unique_ptr<Impl> impl(new Impl{TRY(MappedFile::open(path)), {}, {}, {}});
  const MappedFile& file = impl->file;
  TRY(check_preamble(file));
  Records records(file, impl->info);
  std::string& damage = impl->info.damage;
  auto take = [&](size_t at) -> size_t {
    const Result<Frame> frame = frame_at(file, at);
    const Result<> taken = !frame                                      ? Result<>(frame.error())
                           : is_chunk(*frame) && records.have_header() ? impl->take_chunk(*frame)
                                                                       : records.take(*frame);
    if (!taken) damage = damage_at(file, at, taken.message());
    return frame ? frame->end : file.bytes().size();
  };
  const size_t header_end = take(kPreamble);
  if (!damage.empty()) return error("{}", damage);
  if (const auto index = impl->index()) {
    for (int i = 0; i < index->offset_size(); ++i)
      impl->chunks.push_back({index->offset(i), index->first_ns(i), index->last_ns(i), index->events(i)});
    for (int i = 0; i < index->other_size() && damage.empty(); ++i) take(index->other(i));
  } else {
    for (size_t at = header_end; at < file.bytes().size() && damage.empty();) at = take(at);
  }
  return TraceFile(std::move(impl));
}

Result<> TraceFile::read(size_t i, Columns& columns, std::vector<std::string>& strings) {
  const ChunkRef& ref = impl_->chunks.at(i);
  const Result<Frame> frame = frame_at(impl_->file, ref.offset);
  const Result<> decoded = frame ? impl_->decoder.decode(*frame) : Result<>(frame.error());
  if (!decoded) return error("{}", damage_at(impl_->file, ref.offset, decoded.message()));
  std::swap(columns, impl_->decoder.columns);
  strings.resize(impl_->decoder.strings.size());
  for (size_t k = 0; k < strings.size(); ++k) strings[k].assign(impl_->decoder.strings[k]);
  return Unit{};
}

}  // namespace sysvm
