// SPDX-License-Identifier: MIT
#include "traces/writer.h"

#include <fcntl.h>
#include <google/protobuf/descriptor.pb.h>
#include <sys/stat.h>
#include <xxhash.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "trace.pb.h"
#include "traces/columns.h"
#include "traces/format.h"
#include "traces/frames.h"
#include "traces/varint.h"

namespace sysvm {

using namespace trace_format;

namespace {

// The schema, which every file carries, has names for the numbers of event.h.
#define SAME(Enum, name, NAME) static_assert(static_cast<int>(pb::NAME) == static_cast<int>(Enum::name));
#define SYSVM_EVENT_FLAG(bit, name, NAME) SAME(EventFlag, name, NAME)
#define SYSVM_DATA_KIND(number, name, NAME, text) SAME(DataKind, name, NAME)
#define SYSVM_LOSS_REASON(number, name, NAME, text) SAME(LossReason, name, NAME)
#include "traces/event_codes.inc"
#undef SAME

// The strings of a chunk, each once and numbered from 1. An open-addressed table of numbers over one run of
// bytes: nearly every path of a find or du is new, so an allocation for each would be what is paid most for.
class StringTable {
 public:
  uint32_t number(std::string_view text) {
    if (!text.data()) return 0;
    if (2 * (ends_.size() + 1) > slots_.size()) grow();
    for (size_t at = XXH3_64bits(text.data(), text.size());; ++at) {
      uint32_t& slot = slots_[at & (slots_.size() - 1)];
      if (slot && view(slot) == text) return slot;
      if (slot) continue;
      all_ += text;
      ends_.push_back(all_.size());
      return slot = static_cast<uint32_t>(ends_.size());
    }
  }
  size_t bytes() const { return all_.size(); }
  const std::vector<std::string_view>& views() {
    views_.clear();
    for (uint32_t i = 1; i <= ends_.size(); ++i) views_.push_back(view(i));
    return views_;
  }
  void clear() {
    all_.clear();
    ends_.clear();
    std::fill(slots_.begin(), slots_.end(), 0);
  }

 private:
  std::string_view view(uint32_t i) const {
    const size_t begin = i == 1 ? 0 : ends_[i - 2];
    return std::string_view(all_).substr(begin, ends_[i - 1] - begin);
  }
  void grow() {
    slots_.assign(std::max<size_t>(4096, 2 * slots_.size()), 0);
    for (uint32_t i = 1; i <= ends_.size(); ++i) {
      const std::string_view text = view(i);
      size_t at = XXH3_64bits(text.data(), text.size());
      while (slots_[at & (slots_.size() - 1)]) ++at;
      slots_[at & (slots_.size() - 1)] = i;
    }
  }
  std::string all_;
  std::vector<size_t> ends_;     // of string i + 1 in all_
  std::vector<uint32_t> slots_;  // number of a string, 0: free; the size is a power of two
  std::vector<std::string_view> views_;
};

Result<> is_trace(int fd, const std::string& path) {
  char magic[8];
  if (pread(fd, magic, sizeof magic, 0) == sizeof magic && std::string_view(magic, 8) == kMagic)
    return Unit{};
  return error("{}: exists and is not a trace; it is not overwritten (remove it, or name another with -o)",
               path);
}

}  // namespace

// The chunk in the making, and what is kept from chunk to chunk so that memory is taken once: this runs
// beside the program that is recorded, at a million events a second.
struct TraceWriter::Pending {
  std::vector<Event> events;  // path: number of a string, from 1
  StringTable strings;
  ColumnEncoder encoder;
  std::string records;  // of the next batch
  std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> zstd{ZSTD_createCCtx(), ZSTD_freeCCtx};
  std::string raw;
  pb::Index index;

  void compress(std::string_view bytes, std::string& packed) {
    packed.resize(ZSTD_compressBound(bytes.size()));
    packed.resize(
        ZSTD_compressCCtx(zstd.get(), packed.data(), packed.size(), bytes.data(), bytes.size(), kZstdLevel));
  }

  void encode(pb::Chunk& chunk) {
    // Events come in order of return, which is nearly always that of entry.
    auto earlier = [](const Event& a, const Event& b) { return a.ts_ns < b.ts_ns; };
    if (!std::is_sorted(events.begin(), events.end(), earlier))
      std::stable_sort(events.begin(), events.end(), earlier);
    encoder.encode(events, strings.views(), raw);
    chunk.set_events(static_cast<uint32_t>(events.size()));
    chunk.set_first_ns(events.front().ts_ns);
    chunk.set_last_ns(events.back().ts_ns);
    chunk.set_raw_size(static_cast<uint32_t>(raw.size()));
    compress(raw, *chunk.mutable_columns());
  }

  void clear() {
    events.clear();
    strings.clear();
  }
};

TraceWriter::TraceWriter() : pending_(std::make_unique<Pending>()) {}
TraceWriter::~TraceWriter() = default;

Result<> may_become_trace(const std::string& path) {
  struct stat st;
  if (stat(path.c_str(), &st) != 0 || (S_ISREG(st.st_mode) && st.st_size == 0)) return Unit{};
  if (!S_ISREG(st.st_mode)) return error("{}: not a regular file, and a trace must be one", path);
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return error("{}: cannot open: {}", path, strerror(errno));
  return is_trace(fd.get(), path);
}

Result<std::unique_ptr<TraceWriter>> TraceWriter::create(const std::string& path, const TraceHeader& header) {
  std::unique_ptr<TraceWriter> w(new TraceWriter());
  w->path_ = path;
  // Not O_TRUNC: what is there may be somebody's data. O_NONBLOCK: a FIFO must not hang us.
  w->fd_.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600));
  if (!w->fd_) return error("{}: cannot create: {}", path, strerror(errno));
  struct stat st;
  if (fstat(w->fd_.get(), &st) != 0) return error("{}: fstat: {}", path, strerror(errno));
  if (!S_ISREG(st.st_mode)) return error("{}: not a regular file, and a trace must be one", path);
  if (st.st_size > 0) TRY(is_trace(w->fd_.get(), path));
  if (ftruncate(w->fd_.get(), 0) != 0) return error("{}: truncate: {}", path, strerror(errno));
  if (fchmod(w->fd_.get(), 0600) != 0) return error("{}: chmod 0600: {}", path, strerror(errno));

  std::string preamble(kPreamble, '\0');
  preamble.replace(0, kMagic.size(), kMagic);
  preamble[kMagic.size()] = kVersion;
  TRY(w->write_all(preamble));

  pb::Record record;
  pb::Header& h = *record.mutable_header();
  h.set_tool(header.tool);
  h.set_host(header.host);
  h.set_kernel(header.kernel);
  h.set_arch(header.arch);
  for (const std::string& word : header.command) h.add_command(word);
  h.set_cwd(header.cwd);
  h.set_backend(header.backend);
  for (const std::string& option : header.options) h.add_options(option);
  h.set_boottime_ns(header.boottime_ns);
  h.set_realtime_ns(header.realtime_ns);
  h.set_call_cost_ns(header.call_cost_ns);
  h.set_filter(header.filter);
  h.set_window_ns(header.window_ns);
  std::vector<CallInfo> calls = header.calls;
  std::sort(calls.begin(), calls.end(), [](const CallInfo& a, const CallInfo& b) { return a.nr < b.nr; });
  pb::CallTable table;
  for (const CallInfo& c : calls) {
    pb::Call& call = *table.add_calls();
    call.set_nr(c.nr);
    call.set_name(c.name);
    for (const std::string& kind : c.args) call.add_args(kind);
    call.set_result(c.result);
    w->pending_->encoder.set_args(c.nr, static_cast<uint32_t>(std::min<size_t>(c.args.size(), 6)));
  }
  const std::string raw_table = table.SerializeAsString();
  h.set_packed_calls_size(static_cast<uint32_t>(raw_table.size()));
  w->pending_->compress(raw_table, *h.mutable_packed_calls());
  google::protobuf::FileDescriptorProto schema;
  pb::Record::descriptor()->file()->CopyTo(&schema);
  const std::string raw_schema = schema.SerializeAsString();
  h.set_schema_size(static_cast<uint32_t>(raw_schema.size()));
  w->pending_->compress(raw_schema, *h.mutable_schema());
  w->pending_->encoder.set_args(kSignalNr, 2);
  TRY(w->write_record(record));
  return w;
}

Result<> TraceWriter::write_all(const std::string& bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    ssize_t n = ::write(fd_.get(), bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      const int problem = n < 0 ? errno : ENOSPC;
      (void)!ftruncate(fd_.get(),
                       static_cast<off_t>(offset_));  // what is there stays whole: no part of a frame
      return error("{}: write at byte {}: {}", path_, offset_ + done, strerror(problem));
    }
    done += static_cast<size_t>(n);
  }
  offset_ += done;
  return Unit{};
}

template <typename R>
Result<> TraceWriter::write_record(const R& record) {
  return write_all(make_frame(record.SerializeAsString()));
}

// 64 KiB: worth compressing, and not much to lose when the recorder is killed.
template <typename R>
Result<> TraceWriter::add_to_batch(const R& record) {
  std::string& records = pending_->records;
  uint8_t length[kMaxVarint];
  const std::string bytes = record.SerializeAsString();
  records.append(reinterpret_cast<char*>(length),
                 static_cast<size_t>(put_varint(length, bytes.size()) - length));
  records += bytes;
  return records.size() < (64u << 10) ? Result<>(Unit{}) : flush_batch();
}

Result<> TraceWriter::flush_batch() {
  Pending& p = *pending_;
  if (p.records.empty()) return Unit{};
  pb::Record record;
  record.mutable_batch()->set_raw_size(static_cast<uint32_t>(p.records.size()));
  p.compress(p.records, *record.mutable_batch()->mutable_records());
  p.records.clear();
  p.index.add_other(offset_);
  return write_record(record);
}

Result<> TraceWriter::add(const Event& event, std::string_view path0, std::string_view path1,
                          std::string_view data) {
  Pending& p = *pending_;
  Event& e = p.events.emplace_back(event);
  e.path = {p.strings.number(path0), p.strings.number(path1)};
  e.data = e.has(kHasData) ? p.strings.number(data) : kNoString;
  ++events_;
  // 8 MiB: keeps a chunk of long paths far below kMaxRecord.
  if (p.events.size() >= kChunkEvents || p.strings.bytes() > (8u << 20)) return flush();
  return Unit{};
}

Result<> TraceWriter::flush() {
  Pending& p = *pending_;
  TRY(flush_batch());  // before the chunk: a process is known before its events
  if (p.events.empty()) return Unit{};
  pb::Record record;
  p.encode(*record.mutable_chunk());
  p.index.add_offset(offset_);
  p.index.add_first_ns(record.chunk().first_ns());
  p.index.add_last_ns(record.chunk().last_ns());
  p.index.add_events(record.chunk().events());
  p.clear();
  return write_record(record);
}

Result<> TraceWriter::add(const Process& process) {
  pb::Record record;
  pb::Process& p = *record.mutable_process();
  p.set_pid(process.pid);
  p.set_parent(process.parent);
  p.set_start_ns(process.start_ns);
  p.set_execed(process.execed);
  p.set_exe(process.exe);
  p.set_build_id(process.build_id);
  for (const std::string& word : process.argv) p.add_argv(word);
  return add_to_batch(record);
}

Result<> TraceWriter::end(int32_t pid, uint64_t end_ns, int32_t exit_status) {
  pb::Record record;
  record.mutable_process_end()->set_pid(pid);
  record.mutable_process_end()->set_end_ns(end_ns);
  record.mutable_process_end()->set_status(exit_status);
  return add_to_batch(record);
}

Result<> TraceWriter::add(const Mapping& mapping) {
  pb::Record record;
  pb::Mapping& m = *record.mutable_mapping();
  m.set_pid(mapping.pid);
  m.set_seen_ns(mapping.seen_ns);
  m.set_start(mapping.start);
  m.set_end(mapping.end);
  m.set_offset(mapping.offset);
  m.set_path(mapping.path);
  m.set_build_id(mapping.build_id);
  return add_to_batch(record);
}

Result<> TraceWriter::add(const Loss& loss) {
  pb::Record record;
  record.mutable_loss()->set_reason(static_cast<pb::LossReason>(loss.reason));
  record.mutable_loss()->set_count(loss.count);
  record.mutable_loss()->set_from_ns(loss.from_ns);
  record.mutable_loss()->set_to_ns(loss.to_ns);
  return add_to_batch(record);
}

Result<> TraceWriter::add(const ThreadEnd& end) {
  pb::Record record;
  pb::ThreadEnd& t = *record.mutable_thread_end();
  t.set_tid(end.tid);
  t.set_pid(end.pid);
  t.set_end_ns(end.end_ns);
  t.set_next_seq(end.next_seq);
  t.set_alive(end.alive);
  return add_to_batch(record);
}

Result<> TraceWriter::add(const Throttle& throttle) {
  pb::Record record;
  record.mutable_throttle()->set_tid(throttle.tid);
  record.mutable_throttle()->set_from_ns(throttle.from_ns);
  record.mutable_throttle()->set_to_ns(throttle.to_ns);
  return add_to_batch(record);
}

Result<> TraceWriter::finish(const TraceStats& stats) {
  TRY(flush());
  pb::Record record;
  pb::Stats& s = *record.mutable_stats();
  s.set_events(stats.events);
  s.set_lost(stats.lost);
  s.set_threads(stats.threads);
  s.set_wall_ns(stats.wall_ns);
  s.set_probe_ns(stats.probe_ns);
  s.set_probe_runs(stats.probe_runs);
  s.set_throttles(stats.throttles);
  s.set_throttled_ns(stats.throttled_ns);
  s.set_consumer_ns(stats.consumer_ns);
  pending_->index.add_other(offset_);
  TRY(write_record(record));
  const uint64_t index_offset = offset_;
  pb::Record index;
  index.mutable_index()->CopyFrom(pending_->index);
  TRY(write_record(index));
  pb::Record trailer;
  trailer.mutable_trailer()->set_index_offset(index_offset);
  return write_record(trailer);
}

}  // namespace sysvm
