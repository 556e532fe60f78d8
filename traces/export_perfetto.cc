// SPDX-License-Identifier: MIT
// Perfetto's trace is a sequence of packets, each one protobuf message with a time stamp and an event.
// Written by hand, a packet at a time: of its schema of thousands of messages these few fields are all that
// is needed. The numbers are Perfetto's own: tests/traces/export_perfetto_test.cc reads the output with its
// published schema, tests/cli/consumers_test.py in its trace processor.
#include <fmt/format.h>

#include <map>
#include <set>
#include <unordered_map>

#include "traces/export.h"
#include "traces/in_order.h"
#include "traces/strace_text.h"
#include "traces/varint.h"

namespace sysvm {

namespace {

class Message {
 public:
  Message& number(uint32_t field, uint64_t v) {
    varint(field << 3);
    varint(v);
    return *this;
  }
  Message& text(uint32_t field, std::string_view v) {
    varint(field << 3 | 2);
    varint(v.size());
    bytes_ += v;
    return *this;
  }
  Message& message(uint32_t field, const Message& m) { return text(field, m.bytes_); }
  const std::string& bytes() const { return bytes_; }

 private:
  void varint(uint64_t v) {
    uint8_t buffer[kMaxVarint];
    bytes_.append(reinterpret_cast<char*>(buffer), static_cast<size_t>(put_varint(buffer, v) - buffer));
  }
  std::string bytes_;
};

// Field numbers, by message.
namespace trace {
enum { kPacket = 1 };
}
namespace packet {
enum {
  kClockSnapshot = 6,
  kTimestamp = 8,
  kSequence = 10,
  kTrackEvent = 11,
  kInterned = 12,
  kSequenceFlags = 13,
  kTrackDescriptor = 60
};
enum { kStateCleared = 1, kNeedsState = 2 };  // values of kSequenceFlags
}  // namespace packet
namespace track {
enum { kUuid = 1, kName = 2, kProcess = 3, kThread = 4, kParent = 5 };
}
namespace process {
enum { kPid = 1, kCmdline = 2, kName = 6 };
}
namespace thread {
enum { kPid = 1, kTid = 2, kName = 5 };
}
namespace event {
enum { kAnnotations = 4, kType = 9, kNameIid = 10, kTrack = 11, kCategory = 22, kName = 23 };
enum { kBegin = 1, kEnd = 2, kInstant = 3 };
}  // namespace event
namespace annotation {
enum { kNameIid = 1, kUint = 3, kInt = 4, kString = 6, kName = 10 };
}
namespace interned {
enum { kEventNames = 2, kIid = 1, kName = 2 };
}
namespace clocks {
enum { kClock = 1, kPrimary = 2, kId = 1, kTimestamp = 2, kRealtime = 1, kBoottime = 6 };
}

constexpr uint64_t kSequenceId = 1;
constexpr uint64_t kLossTrack = 1;
uint64_t procedure_track(int32_t tid) { return 3ull << 32 | static_cast<uint32_t>(tid); }
uint64_t process_track(int32_t pid) { return 1ull << 32 | static_cast<uint32_t>(pid); }
uint64_t thread_track(int32_t tid) { return 2ull << 32 | static_cast<uint32_t>(tid); }

// Perfetto's strings are UTF-8: other bytes are written as C would.
std::string utf8(std::string_view text) {
  for (const char c : text)
    if (static_cast<signed char>(c) < 32) {
      const std::string quoted = quote(text);
      return quoted.substr(1, quoted.size() - 2);
    }
  return std::string(text);
}

class PerfettoWriter {
 public:
  explicit PerfettoWriter(const Output& out) : out_(out) {}
  bool ok() const { return ok_; }

  void begin(const TraceInfo& info) {
    Message first;
    first.number(packet::kSequence, kSequenceId).number(packet::kSequenceFlags, packet::kStateCleared);
    if (info.header.realtime_ns) {
      auto clock = [](uint64_t id, uint64_t ns) {
        return Message().number(clocks::kId, id).number(clocks::kTimestamp, ns);
      };
      first.number(packet::kTimestamp, info.header.boottime_ns)
          .message(packet::kClockSnapshot,
                   Message()
                       .message(clocks::kClock, clock(clocks::kBoottime, info.header.boottime_ns))
                       .message(clocks::kClock, clock(clocks::kRealtime, info.header.realtime_ns))
                       .number(clocks::kPrimary, clocks::kBoottime));
    }
    write(first);
    std::map<int32_t, const Process*> last;  // what each process ran last
    for (const Process& p : info.processes) last[p.pid] = &p;
    for (const auto& [pid, p] : last) {
      const std::string name = !p->exe.empty() ? p->exe : p->argv.empty() ? "" : p->argv[0];
      name_[pid] = utf8(name.substr(name.rfind('/') + 1));
      Message process;
      process.number(process::kPid, static_cast<uint64_t>(int64_t{pid}));
      for (const std::string& word : p->argv) process.text(process::kCmdline, utf8(word));
      process.text(process::kName, name_[pid]);
      descriptor(Message().number(track::kUuid, process_track(pid)).message(track::kProcess, process));
    }
    if (info.losses.empty()) return;
    descriptor(Message().number(track::kUuid, kLossTrack).text(track::kName, "lost events"));
    for (const Loss& l : info.losses) {
      const Message count = Message().text(annotation::kName, "count").number(annotation::kUint, l.count);
      slice(l.from_ns, event::kBegin,
            Message()
                .number(event::kTrack, kLossTrack)
                .text(event::kCategory, "loss")
                .text(event::kName, fmt::format("{} lost: {}", l.count, to_string(l.reason)))
                .message(event::kAnnotations, count));
      slice(std::max(l.to_ns, l.from_ns), event::kEnd, Message().number(event::kTrack, kLossTrack));
    }
  }

  void add(const Event& e, const TraceInfo& info) {
    if (threads_.insert(e.tid).second)
      descriptor(Message()
                     .number(track::kUuid, thread_track(e.tid))
                     .number(track::kParent, process_track(e.pid))
                     .message(track::kThread, Message()
                                                  .number(thread::kPid, static_cast<uint64_t>(int64_t{e.pid}))
                                                  .number(thread::kTid, static_cast<uint64_t>(int64_t{e.tid}))
                                                  .text(thread::kName, name_[e.pid])));
    const Message track = Message().number(event::kTrack, thread_track(e.tid));
    auto [seq, first] = next_seq_.try_emplace(e.tid, e.seq);
    if (e.seq > seq->second) missing(e.tid, e.ts_ns, e.seq - seq->second);
    seq->second = e.seq + 1;
    if (e.has(kSignal)) return mark(e.tid, e.ts_ns, "signal", signal_name(static_cast<int>(e.args[0])));
    if (e.has(kForkChild)) return mark(e.tid, e.ts_ns, "fork", "made by " + info.call_name(e.nr));
    const std::string name = call_label(info, e);
    Message begin(track);
    begin.number(event::kNameIid, iid(name)).text(event::kCategory, "syscall");
    std::string args = format_call(info, e);
    args = args.substr(args.find('('));
    begin.message(event::kAnnotations,
                  Message().text(annotation::kName, "args").text(annotation::kString, utf8(args)));
    begin.message(
        event::kAnnotations,
        Message().text(annotation::kName, "return").text(annotation::kString, format_result(info, e)));
    slice(e.ts_ns, event::kBegin, begin);
    slice(e.ts_ns + e.dur_ns, event::kEnd, track);
  }

  void add(const ProcedureRun& run) {
    if (procedures_.insert(run.tid).second)
      descriptor(Message()
                     .number(track::kUuid, procedure_track(run.tid))
                     .number(track::kParent, process_track(run.pid))
                     .text(track::kName, fmt::format("procedures of {}", run.tid)));
    const Message track = Message().number(event::kTrack, procedure_track(run.tid));
    slice(
        run.from_ns, event::kBegin,
        Message(track)
            .text(event::kCategory, "procedure")
            .text(event::kName, run.name)
            .message(event::kAnnotations,
                     Message().text(annotation::kName, "answered").number(annotation::kUint, run.answered)));
    slice(std::max(run.to_ns, run.from_ns), event::kEnd, track);
  }

  // What is missing after a thread's last event.
  void end(const TraceInfo& info) {
    std::map<int32_t, const ThreadEnd*> last;  // of the threads that had the number
    for (const ThreadEnd& t : info.thread_ends)
      if (const ThreadEnd*& l = last[t.tid]; !l || t.end_ns >= l->end_ns) l = &t;
    for (const auto& [tid, t] : last)
      if (const auto seq = next_seq_.find(tid); seq != next_seq_.end() && t->next_seq > seq->second)
        missing(tid, t->end_ns, t->next_seq - seq->second);
  }

 private:
  void mark(int32_t tid, uint64_t ts_ns, std::string_view category, const std::string& name) {
    slice(ts_ns, event::kInstant,
          Message()
              .number(event::kTrack, thread_track(tid))
              .text(event::kCategory, category)
              .text(event::kName, name));
  }
  void missing(int32_t tid, uint64_t ts_ns, uint32_t count) {
    mark(tid, ts_ns, "loss", fmt::format("{} events of this thread missing", count));
  }
  // Names of calls are written once, in a packet of their own, and then referred to by number.
  uint64_t iid(const std::string& name) {
    auto [it, fresh] = iids_.try_emplace(name, iids_.size() + 1);
    if (fresh)
      write(Message()
                .number(packet::kSequence, kSequenceId)
                .number(packet::kSequenceFlags, packet::kNeedsState)
                .message(packet::kInterned,
                         Message().message(
                             interned::kEventNames,
                             Message().number(interned::kIid, it->second).text(interned::kName, name))));
    return it->second;
  }
  void descriptor(const Message& track) {
    write(Message().number(packet::kSequence, kSequenceId).message(packet::kTrackDescriptor, track));
  }
  void slice(uint64_t ts_ns, uint64_t type, const Message& event) {
    Message p;
    p.number(packet::kTimestamp, ts_ns)
        .number(packet::kSequence, kSequenceId)
        .number(packet::kSequenceFlags, packet::kNeedsState);
    write(p.message(packet::kTrackEvent, Message(event).number(event::kType, type)));
  }
  void write(const Message& packet) {
    if (ok_) ok_ = out_(Message().message(trace::kPacket, packet).bytes());
  }

  const Output& out_;
  bool ok_ = true;
  std::set<int32_t> threads_, procedures_;
  std::map<int32_t, std::string> name_;
  std::unordered_map<int32_t, uint32_t> next_seq_;
  std::unordered_map<std::string, uint64_t> iids_;
};

}  // namespace

Result<TraceInfo> export_perfetto(const std::string& path, const Output& out,
                                  const std::vector<ProcedureRun>& runs) {
  PerfettoWriter writer(out);
  size_t next = 0;
  auto info = for_each_in_order(
      path, [&](const TraceInfo& whole) { writer.begin(whole); },
      [&](const Event& e, const TraceInfo& info) {
        for (; next < runs.size() && runs[next].from_ns <= e.ts_ns; ++next) writer.add(runs[next]);
        writer.add(e, info);
        return writer.ok();
      });
  if (info && writer.ok()) writer.end(*info);
  return info;
}

}  // namespace sysvm
