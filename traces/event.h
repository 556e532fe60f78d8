// SPDX-License-Identifier: MIT
// What a trace says, in memory: calls, processes, mappings, losses. No I/O here; the file is reader.h and
// writer.h, the layout on disk trace.proto and docs/trace-format.md.
//
// One Event is one system call, written when it returned (or, flag kNoExit, when its thread ended inside it),
// or one delivered signal (flag kSignal). Arguments are the registers as they were: a 32-bit argument may or
// may not be sign-extended, as the program left it. Tested by tests/traces/trace_test.cc.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sysvm {

// What the numbers mean: event_codes.inc.
enum EventFlag : uint32_t {
#define SYSVM_EVENT_FLAG(bit, name, NAME) name = 1u << bit,
#include "traces/event_codes.inc"
};

inline constexpr uint64_t kPointerUnknown = 1;
inline constexpr int64_t kUnknownError = -4095;  // an error that no kernel has

enum class DataKind : uint32_t {
#define SYSVM_DATA_KIND(number, name, NAME, text) name = number,
#include "traces/event_codes.inc"
};
const char* to_string(DataKind kind);  // "iovec"

inline constexpr int32_t kSignalNr = -1;  // Event::nr of a kSignal event
inline constexpr uint32_t kNoString = 0;  // Event::path: the call has no such argument, or it was not read

struct Event {
  uint64_t ts_ns = 0;   // entry, CLOCK_BOOTTIME
  uint64_t dur_ns = 0;  // entry to return
  int32_t pid = 0;      // thread group
  int32_t tid = 0;
  uint32_t seq = 0;  // counts the events of a thread from 0; a hole proves a loss
  int32_t nr = 0;    // x86-64 call number
  int64_t ret = 0;   // as the kernel returned it: -errno on error
  std::array<uint64_t, 6> args{};
  uint32_t flags = 0;              // EventFlag
  std::array<uint32_t, 2> path{};  // index into TraceInfo::strings: first and second string argument (kinds
                                   // PATH and STR, in argument order); kNoString if absent
  uint64_t ip = 0;                 // address after the syscall instruction, 0 if unknown
  uint64_t caller = 0;             // word at the stack pointer: often the caller's return address; a hint
  uint32_t st_mode = 0;            // stat family that returned 0 (kHasStat)
  uint64_t st_size = 0;
  uint64_t st_dev = 0;
  uint64_t st_ino = 0;
  DataKind data_kind = DataKind::kNone;
  uint32_t data = kNoString;  // index into TraceInfo::strings, which may hold any bytes (kHasData)

  bool has(EventFlag flag) const { return flags & flag; }
  bool failed() const {  // a call that the program saw fail; -ret is the errno
    return ret < 0 && ret >= -4095 && !(flags & (kSignal | kNoExit | kRestarted));
  }
  bool knows(size_t arg) const { return !(flags & (kUnknownArg0 << arg)); }
  uint64_t site() const { return ip >= 2 ? ip - 2 : 0; }  // address of the syscall instruction itself
};

// One row of the system call table that the trace was made with, so that it explains itself anywhere.
struct CallInfo {
  int32_t nr = 0;
  std::string name;
  std::vector<std::string> args;  // kinds as written in kmod/uapi/syscalls.inc ("DIRFD", "PATH", "OUT(2)")
  std::string result;             // "FD", "BYTES", "ZERO" ...
};

struct TraceHeader {
  std::string tool;  // "sysvm 0.1.0"
  std::string host, kernel, arch;
  std::vector<std::string> command;
  std::string cwd;
  std::string backend;  // "bpf", "ptrace", "import-strace" ...
  std::vector<std::string> options;
  uint64_t boottime_ns = 0;  // one moment on both clocks
  uint64_t realtime_ns = 0;
  uint64_t call_cost_ns = 0;  // what tracing added to one call on this machine, 0 if not measured
  // calls that were recorded, as given to -e. Not "": sequences have calls missing
  std::string filter;
  uint64_t window_ns = 0;  // flight recorder: only about the last so many are kept; 0: all
  std::vector<CallInfo> calls;
};

// One image of a process: a fork makes one (a copy of its parent's), every exec another with the same pid.
struct Process {
  int32_t pid = 0;
  int32_t parent = 0;
  uint64_t start_ns = 0;
  bool execed = false;   // this image came from an exec (or existed before the recording); false: from a fork
  std::string exe;       // path, "" if not known
  std::string build_id;  // hexadecimal, "" if not known
  std::vector<std::string> argv;
  std::optional<uint64_t> end_ns;      // next exec or exit
  std::optional<int32_t> exit_status;  // as wait(2) gives it; last image only
};

struct Mapping {  // an executable mapping
  int32_t pid = 0;
  uint64_t seen_ns = 0;  // when the recorder looked
  uint64_t start = 0, end = 0;
  uint64_t offset = 0;  // of start in the file
  std::string path;
  std::string build_id;  // hexadecimal, "" if the file has none
};

enum class LossReason : uint32_t {
#define SYSVM_LOSS_REASON(number, name, NAME, text) name = number,
#include "traces/event_codes.inc"
};
const char* to_string(LossReason reason);

struct Loss {
  LossReason reason = LossReason::kRingFull;
  uint64_t count = 0;
  uint64_t from_ns = 0, to_ns = 0;  // no event was lost outside
};

// How far the numbering of a thread went. Events of a thread and its ThreadEnd prove that nothing is missing;
// a thread without one ended when the recorder was killed. Ids are used again: a thread's numbers begin at 0.
struct ThreadEnd {
  int32_t tid = 0;
  int32_t pid = 0;
  uint64_t end_ns = 0;
  uint32_t next_seq = 0;  // it used the numbers 0 ... next_seq - 1
  bool alive = false;     // it went on after the recording
};

// A thread was held by the recorder, so that nothing is lost. To be taken out of the time between its calls.
struct Throttle {
  int32_t tid = 0;
  uint64_t from_ns = 0, to_ns = 0;
};

struct TraceStats {
  uint64_t events = 0;  // calls and signals in the file
  uint64_t lost = 0;    // sum of all losses
  uint64_t threads = 0;
  uint64_t wall_ns = 0;   // exec of the command to its end
  uint64_t probe_ns = 0;  // time inside the eBPF programs, 0 if not measured
  uint64_t probe_runs = 0;
  uint64_t throttles = 0;     // how often the command was stopped so that nothing is lost
  uint64_t throttled_ns = 0;  // of all threads together
  uint64_t consumer_ns = 0;   // processor time of the recorder
};

struct TraceInfo {
  TraceHeader header;
  std::vector<std::string> strings{std::string()};  // strings[0] stands for "none"
  std::vector<Process> processes;                   // in order of start
  std::vector<Mapping> mappings;
  std::vector<Loss> losses;
  std::vector<ThreadEnd> thread_ends;
  std::vector<Throttle> throttles;  // in order of from_ns for each thread
  std::optional<TraceStats> stats;  // written at the end: absent if the recorder was killed
  std::string damage;               // "" or what is wrong with the file and where; all before it was read
  std::string newer;                // "" or what this version does not know and stepped over

  uint64_t lost() const;                    // the sum of all losses
  const CallInfo* call(int32_t nr) const;   // nullptr if the table has no such row
  std::string call_name(int32_t nr) const;  // "openat", or "syscall_999"
};

// "openat", "i386_open", "signal": what a call is called, whichever table it is of.
std::string call_label(const TraceInfo& info, const Event& event);

struct Trace : TraceInfo {
  std::vector<Event> events;  // sorted by ts_ns; the events of one thread are in order of seq
};

// Events as columns, for tools that want arrays (Python). All vectors have the same length.
struct Columns {
#define SYSVM_COLUMN(type, name) std::vector<type> name;
#define SYSVM_COLUMN_ARRAY(type, name, count) std::array<std::vector<type>, count> name;
#include "traces/columns.inc"

  size_t size() const { return ts_ns.size(); }
  void resize(size_t n);
  void push_back(const Event& event);
  void append(const Columns& other);
  Event event(size_t i) const;
};

// f(member of a, the same member of b), for each column; a and b are events or Columns.
template <typename A, typename B, typename F>
void for_each_column(A&& a, B&& b, F f) {
#define SYSVM_COLUMN(type, name) f(a.name, b.name);
#define SYSVM_COLUMN_ARRAY(type, name, count) \
  for (size_t k = 0; k < count; ++k) f(a.name[k], b.name[k]);
#include "traces/columns.inc"
}

// A code address as the procedure file wants it: build-id and offset in the file.
struct Place {
  std::string build_id;  // hexadecimal
  std::string path;
  uint64_t offset = 0;
};

// Finds the file that a code address belongs to. A fork child without mappings of its own has those of its
// parent.
class MappingIndex {
 public:
  explicit MappingIndex(const TraceInfo& info);
  const Mapping* find(int32_t pid, uint64_t address, uint64_t ts_ns) const;
  std::optional<Place> place(int32_t pid, uint64_t address, uint64_t ts_ns) const;

 private:
  struct Image {
    uint64_t start_ns = 0;
    bool execed = false;
    int32_t parent = 0;
    std::vector<const Mapping*> mappings;  // sorted by address
  };
  const Mapping* find_in(int32_t pid, uint64_t address, uint64_t ts_ns, int depth) const;
  std::map<int32_t, std::vector<Image>> images_;
};

}  // namespace sysvm
