// SPDX-License-Identifier: MIT
#include "traces/records.h"

#include <algorithm>

#include "traces/format.h"
#include "traces/varint.h"

namespace sysvm::trace_format {

namespace {

using Bytes = std::span<const uint8_t>;

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

bool has_unknown_fields(const google::protobuf::Message& message) {
  return !message.GetReflection()->GetUnknownFields(message).empty();
}

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

void take_record(const pb::Record& record, TraceInfo& out, std::unordered_map<int32_t, size_t>& newest) {
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
      const auto [at, first] = newest.try_emplace(process.pid, 0);
      if (!first && !out.processes[at->second].end_ns)  // an exec ends the image before it
        out.processes[at->second].end_ns = process.start_ns;
      at->second = out.processes.size();
      out.processes.push_back(std::move(process));
      break;
    }
    case pb::Record::kProcessEnd:
      if (const auto at = newest.find(record.process_end().pid()); at != newest.end()) {
        out.processes[at->second].end_ns = record.process_end().end_ns();
        out.processes[at->second].exit_status = record.process_end().status();
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

bool has_unknown(const pb::Record& record) {
  if (has_unknown_fields(record) || record.kind_case() == pb::Record::KIND_NOT_SET) return true;
  const auto* field = pb::Record::descriptor()->FindFieldByNumber(record.kind_case());
  return has_unknown_fields(record.GetReflection()->GetMessage(record, field));
}

}  // namespace

Result<> parse_record(const Frame& frame, pb::Record& record) {
  TRY(frame.check());
  if (record.ParseFromArray(frame.payload.data(), static_cast<int>(frame.payload.size()))) return Unit{};
  return error("not a Record");
}

// A chunk's frame begins with field 2 of Record: known without parsing, so that another thread can do that.
bool is_chunk(const Frame& frame) {
  return !frame.payload.empty() && frame.payload[0] == (pb::Record::kChunkFieldNumber << 3 | 2);
}

std::string damage_at(const MappedFile& file, size_t offset, const std::string& what) {
  return fmt::format("{}: byte {}: {}", file.path(), offset, what);
}

Result<> ChunkDecoder::decode(const Frame& frame) {
  TRY(parse_record(frame, record_));
  if (!record_.has_chunk()) return error("not a Record");
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

Result<> Records::take(const Frame& frame) {
  pb::Record record;
  TRY(parse_record(frame, record));
  if (have_header_ == record.has_header())
    return error("{}", have_header_ ? "second header" : "the first record is not the header");
  if (has_unknown(record)) newer(frame.offset);
  if (record.has_header()) {
    have_header_ = true;
    return take_header(record.header(), zstd_.get(), info_.header);
  }
  if (record.has_chunk()) return error("a chunk whose record does not begin with it");
  if (record.has_batch()) return take_batch(record.batch(), frame.offset);
  take_record(record, info_, newest_);
  return Unit{};
}

void Records::newer(size_t offset) {
  if (info_.newer.empty())
    info_.newer =
        fmt::format("{}: byte {}: written by a newer version; what this one does not know was skipped",
                    file_.path(), offset);
}

Result<> Records::take_batch(const pb::Batch& batch, size_t offset) {
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
    take_record(record, info_, newest_);
  }
  return Unit{};
}

}  // namespace sysvm::trace_format
