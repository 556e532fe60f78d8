// SPDX-License-Identifier: MIT
#include "traces/writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <xxhash.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <unordered_map>

#include "trace.pb.h"
#include "traces/format.h"

namespace sysvm {

using namespace trace_format;

namespace {

struct PairHash {
  size_t operator()(const std::pair<uint64_t, uint64_t>& p) const {
    return p.first * 0x9e3779b97f4a7c15ull ^ (p.second + (p.first >> 29));
  }
};

}  // namespace

// The events of the chunk in the making, and what is kept from chunk to chunk so that memory is taken once:
// this runs beside the program that is recorded, at a million events a second.
struct TraceWriter::Pending {
  std::vector<Event> events;  // path: index into block.strings plus 1
  pb::ColumnBlock block;      // holds the strings from the start; the columns are made in encode()
  std::unordered_map<std::string_view, uint32_t> string_ids;  // keys are the strings of block
  size_t string_bytes = 0;
  std::unordered_map<uint64_t, std::pair<uint32_t, uint32_t>> threads;  // pid and tid -> index, next seq
  std::unordered_map<int32_t, uint32_t> calls;
  std::unordered_map<std::pair<uint64_t, uint64_t>, uint32_t, PairHash> sites;
  std::unordered_map<int32_t, uint32_t> args_of;  // call number -> argument columns that it has
  std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> zstd{ZSTD_createCCtx(), ZSTD_freeCCtx};
  std::string raw;
  pb::Index index;

  uint32_t intern(std::string_view text) {
    if (!text.data()) return 0;
    if (auto it = string_ids.find(text); it != string_ids.end()) return it->second;
    std::string* kept = block.add_strings();
    kept->assign(text);
    string_bytes += text.size();
    return string_ids.emplace(*kept, static_cast<uint32_t>(block.strings_size())).first->second;
  }

  void encode(pb::Chunk& chunk);
  void clear() {
    events.clear();
    string_ids.clear();
    block.Clear();
    string_bytes = 0;
    threads.clear();
    calls.clear();
    sites.clear();
  }
};

namespace {

std::string frame(const std::string& payload) {
  std::string out;
  uint64_t n = payload.size();
  for (; n >= 0x80; n >>= 7) out.push_back(static_cast<char>(n | 0x80));
  out.push_back(static_cast<char>(n));
  const uint64_t sum = XXH64(payload.data(), payload.size(), 0);
  for (int i = 0; i < 8; ++i) out.push_back(static_cast<char>(sum >> (8 * i)));
  return out += payload;
}

}  // namespace

void TraceWriter::Pending::encode(pb::Chunk& chunk) {
  // Events come in order of return, which is nearly always that of entry.
  auto earlier = [](const Event& a, const Event& b) { return a.ts_ns < b.ts_ns; };
  if (!std::is_sorted(events.begin(), events.end(), earlier))
    std::stable_sort(events.begin(), events.end(), earlier);
  uint64_t previous = events.front().ts_ns;
  for (const Event& e : events) {
    auto [thread, new_thread] = threads.try_emplace(
        static_cast<uint64_t>(static_cast<uint32_t>(e.pid)) << 32 | static_cast<uint32_t>(e.tid),
        threads.size(), e.seq);
    if (new_thread) {
      block.add_tid(e.tid);
      block.add_pid(e.pid);
      block.add_first_seq(e.seq);
    }
    auto [call, new_call] = calls.try_emplace(e.nr, calls.size());
    if (new_call) {
      auto known = args_of.find(e.nr);
      block.add_call_nr(e.nr);
      block.add_call_args(known == args_of.end() ? 6 : known->second);
    }
    auto [site, new_site] = sites.try_emplace({e.ip, e.caller}, sites.size());
    if (new_site) {
      block.add_site_ip(e.ip);
      block.add_site_caller(e.caller);
    }
    block.add_delta_ns(static_cast<int64_t>(e.ts_ns - previous));
    previous = e.ts_ns;
    block.add_dur_ns(e.dur_ns);
    block.add_thread(thread->second.first);
    block.add_seq_step(static_cast<int64_t>(e.seq) - thread->second.second);
    thread->second.second = e.seq + 1;
    block.add_call(call->second);
    block.add_ret(e.ret);
    block.add_flags(e.flags);
    block.add_path0(e.path[0]);
    block.add_path1(e.path[1]);
    block.add_site(site->second);
    switch (block.call_args(static_cast<int>(call->second))) {
      default:
        block.add_arg5(e.args[5]);
        [[fallthrough]];
      case 5:
        block.add_arg4(e.args[4]);
        [[fallthrough]];
      case 4:
        block.add_arg3(e.args[3]);
        [[fallthrough]];
      case 3:
        block.add_arg2(e.args[2]);
        [[fallthrough]];
      case 2:
        block.add_arg1(e.args[1]);
        [[fallthrough]];
      case 1:
        block.add_arg0(e.args[0]);
        [[fallthrough]];
      case 0:
        break;
    }
    if (e.has(kHasStat)) {
      block.add_st_mode(e.st_mode);
      block.add_st_size(e.st_size);
      block.add_st_dev(e.st_dev);
      block.add_st_ino(e.st_ino);
    }
    if (e.has(kHasData)) {
      block.add_data_kind(static_cast<uint32_t>(e.data_kind));
      block.add_data(e.data);
    }
  }

  block.SerializeToString(&raw);
  chunk.set_events(static_cast<uint32_t>(events.size()));
  chunk.set_first_ns(events.front().ts_ns);
  chunk.set_last_ns(events.back().ts_ns);
  chunk.set_raw_size(static_cast<uint32_t>(raw.size()));
  std::string* packed = chunk.mutable_columns();
  packed->resize(ZSTD_compressBound(raw.size()));
  packed->resize(
      ZSTD_compressCCtx(zstd.get(), packed->data(), packed->size(), raw.data(), raw.size(), kZstdLevel));
}

TraceWriter::TraceWriter() : pending_(std::make_unique<Pending>()) {}
TraceWriter::~TraceWriter() = default;

Result<std::unique_ptr<TraceWriter>> TraceWriter::create(const std::string& path, const TraceHeader& header) {
  std::unique_ptr<TraceWriter> w(new TraceWriter());
  w->path_ = path;
  // Not O_TRUNC: what is there may be somebody's data. O_NONBLOCK: a FIFO must not hang us.
  w->fd_.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600));
  if (!w->fd_) return error("{}: cannot create: {}", path, strerror(errno));
  struct stat st;
  if (fstat(w->fd_.get(), &st) != 0) return error("{}: fstat: {}", path, strerror(errno));
  if (!S_ISREG(st.st_mode)) return error("{}: not a regular file, and a trace must be one", path);
  if (st.st_size > 0) {
    char magic[8];
    if (pread(w->fd_.get(), magic, sizeof magic, 0) != sizeof magic || std::string_view(magic, 8) != kMagic)
      return error(
          "{}: exists and is not a trace; it is not overwritten (remove it, or name another with -o)", path);
  }
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
  for (const CallInfo& c : calls) {
    pb::Call& call = *h.add_calls();
    call.set_nr(c.nr);
    call.set_name(c.name);
    for (const std::string& kind : c.args) call.add_args(kind);
    call.set_result(c.result);
    w->pending_->args_of[c.nr] = static_cast<uint32_t>(std::min<size_t>(c.args.size(), 6));
  }
  w->pending_->args_of[kSignalNr] = 2;
  TRY(w->write_record(record));
  return w;
}

Result<> TraceWriter::write_all(const std::string& bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    ssize_t n = ::write(fd_.get(), bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      return error("{}: write at byte {}: {}", path_, offset_ + done, strerror(n < 0 ? errno : ENOSPC));
    done += static_cast<size_t>(n);
  }
  offset_ += done;
  return Unit{};
}

template <typename R>
Result<> TraceWriter::write_record(const R& record) {
  return write_all(frame(record.SerializeAsString()));
}

Result<> TraceWriter::add(const Event& event, std::string_view path0, std::string_view path1,
                          std::string_view data) {
  Pending& p = *pending_;
  Event e = event;
  e.path = {p.intern(path0), p.intern(path1)};
  e.data = e.has(kHasData) ? p.intern(data) : 0;
  p.events.push_back(e);
  ++events_;
  // 8 MiB: keeps a chunk of long paths far below kMaxRecord.
  if (p.events.size() >= kChunkEvents || p.string_bytes > (8u << 20)) return flush();
  return Unit{};
}

Result<> TraceWriter::flush() {
  Pending& p = *pending_;
  if (p.events.empty()) return Unit{};
  pb::Record record;
  p.encode(*record.mutable_chunk());
  p.index.add_offset(offset_);
  p.index.add_first_ns(record.chunk().first_ns());
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
  return write_record(record);
}

Result<> TraceWriter::end(int32_t pid, uint64_t end_ns, int32_t exit_status) {
  pb::Record record;
  record.mutable_process_end()->set_pid(pid);
  record.mutable_process_end()->set_end_ns(end_ns);
  record.mutable_process_end()->set_status(exit_status);
  return write_record(record);
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
  return write_record(record);
}

Result<> TraceWriter::add(const Loss& loss) {
  pb::Record record;
  record.mutable_loss()->set_reason(static_cast<uint32_t>(loss.reason));
  record.mutable_loss()->set_count(loss.count);
  record.mutable_loss()->set_from_ns(loss.from_ns);
  record.mutable_loss()->set_to_ns(loss.to_ns);
  return write_record(record);
}

Result<> TraceWriter::add(const ThreadEnd& end) {
  pb::Record record;
  pb::ThreadEnd& t = *record.mutable_thread_end();
  t.set_tid(end.tid);
  t.set_pid(end.pid);
  t.set_end_ns(end.end_ns);
  t.set_next_seq(end.next_seq);
  t.set_alive(end.alive);
  return write_record(record);
}

Result<> TraceWriter::add(const Throttle& throttle) {
  pb::Record record;
  record.mutable_throttle()->set_tid(throttle.tid);
  record.mutable_throttle()->set_from_ns(throttle.from_ns);
  record.mutable_throttle()->set_to_ns(throttle.to_ns);
  return write_record(record);
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
  TRY(write_record(record));
  pb::Record index;
  index.mutable_index()->CopyFrom(pending_->index);
  return write_record(index);
}

}  // namespace sysvm
