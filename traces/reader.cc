// SPDX-License-Identifier: MIT
#include "traces/reader.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <filesystem>
#include <thread>
#include <tuple>

#include "traces/format.h"
#include "traces/packed.h"
#include "traces/records.h"
#include "traces/string_table.h"

namespace sysvm {

using namespace trace_format;

namespace {

constexpr uint64_t kEventsOfAByte = 16;  // of a file: more were never seen

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
void renumber(Columns& columns, const std::vector<std::string_view>& strings, StringTable& all,
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

namespace {

// All chunks, their strings numbered as one.
template <typename Take>
Result<TraceInfo> read_all(const std::string& path, unsigned threads, Take take) {
  std::vector<std::string> all{std::string()};
  StringTable strings(all);
  std::vector<uint32_t> ids;
  TraceInfo info =
      TRY(walk(path, threads ? threads : default_threads(), [&](ChunkDecoder& chunk, TraceInfo&) {
        renumber(chunk.columns, chunk.strings, strings, ids);
        take(chunk.columns);
        return true;
      }));
  info.strings = std::move(all);
  return info;
}

}  // namespace

namespace {

// A call is written when it returned, so those that took long (a shell's wait4) lie behind others that began
// later. They are few: they are taken out, and merged with the rest, which is in order.
void sort_by_time(std::vector<Event>& events) {
  const auto earlier = [](const Event& a, const Event& b) {
    return std::tie(a.ts_ns, a.tid, a.seq) < std::tie(b.ts_ns, b.tid, b.seq);
  };
  std::vector<Event> late;
  size_t in_order = 0;
  for (Event& e : events)
    if (in_order && earlier(e, events[in_order - 1]))
      late.push_back(e);
    else
      events[in_order++] = e;
  std::stable_sort(late.begin(), late.end(), earlier);
  for (size_t to = events.size(); !late.empty();) {
    const bool from_late = !in_order || !earlier(late.back(), events[in_order - 1]);
    events[--to] = from_late ? late.back() : events[--in_order];
    if (from_late) late.pop_back();
  }
}

}  // namespace

Result<ColumnTrace> read_columns(const std::string& path, unsigned threads) {
  ColumnTrace out;
  static_cast<TraceInfo&>(out) =
      TRY(read_all(path, threads, [&](const Columns& columns) { out.columns.append(columns); }));
  return out;
}

Result<Trace> read_trace(const std::string& path, unsigned threads) {
  Trace trace;
  // Growing would copy all of them again and again, and hold them twice. The file may say anything, so no
  // more than its size makes likely.
  std::error_code failed;
  const uint64_t most = kEventsOfAByte * std::filesystem::file_size(path, failed);
  if (const auto info = read_trace_info(path); info && info->stats && !failed)
    trace.events.reserve(std::min(info->stats->events, most));
  static_cast<TraceInfo&>(trace) = TRY(read_all(path, threads, [&](const Columns& columns) {
    for (size_t i = 0; i < columns.size(); ++i) trace.events.push_back(columns.event(i));
  }));
  sort_by_time(trace.events);
  return trace;
}

Result<PackedTrace> read_packed(const std::string& path, unsigned threads) {
  PackedTrace trace;
  static_cast<TraceInfo&>(trace) = TRY(read_all(path, threads, [&](const Columns& columns) {
    for (size_t i = 0; i < columns.size(); ++i) trace.events.add(columns.event(i));
  }));
  trace.events.sort_by_time();
  return trace;
}

}  // namespace sysvm
