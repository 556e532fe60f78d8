// SPDX-License-Identifier: MIT
// What both importers end with: events of threads whose processes are known only when all text has been read,
// turned into a trace file as the recorder would have written it.
//
// A thread id names one thread after the other: each life of an id is a Task of its own, with its own maker,
// process and numbering. A child may be seen at work, and even gone, before the call that made it returns in
// its parent: the call then adopts the life that began after it did.
// Tested by tests/traces/import_test.cc and tests/traces/import_tasks_test.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/result.h"
#include "traces/event.h"
#include "traces/import.h"

namespace sysvm {

class ImportBuilder {
 public:
  explicit ImportBuilder(std::string backend);

  ImportReport report;
  TraceHeader header;

  // In order of return for each thread. seq and pid are set here.
  void add(const Event& event, const std::string* path0 = nullptr, const std::string* path1 = nullptr,
           const std::string* data = nullptr);
  // A thread or process was made by a call that was entered at entered_ns and returned at ts_ns. thread:
  // nothing if the text does not say; then what the child does later decides.
  void child(int32_t parent_tid, int32_t tid, std::optional<bool> thread, const Event& call, uint64_t ts_ns);
  void process_of(int32_t tid, int32_t pid);  // where the text says so
  void is_process(int32_t tid);               // something showed that it is no thread of another
  void rename(int32_t tid, int32_t to);       // what was called tid turned out to be to
  // Before the event of the call itself.
  void exec(int32_t tid, uint64_t ts_ns, std::string exe, std::vector<std::string> argv);
  void end(int32_t tid, uint64_t ts_ns, std::optional<int32_t> wait_status);
  // Of i386's table: from now on; calls since its exec, too, if nothing speaks against it.
  void runs_32_bit(int32_t tid, bool now);
  void not_understood(uint64_t line, std::string_view text, uint64_t ts_ns);  // counts as a loss
  // a call that the trace cannot hold: a loss
  void left_out(uint64_t ts_ns);
  void note(std::string text);  // each once
  bool is_32_bit(int32_t tid) const;
  void modes_are_told() { modes_told_ = true; }  // an exec without a word about it keeps to its table
  const std::set<int32_t>& alive() const { return alive_; }

  static int32_t number_of(std::string_view name);  // -1 if the call is unknown
  static const CallInfo* call(int32_t nr);

  // "": nothing is written. Text without any event makes no trace either.
  Result<> write(const std::string& output);

 private:
  struct Row {
    Event event;
    uint32_t path[2];
    uint32_t data;
    size_t task;
  };
  struct Task {  // one life of a thread id
    int32_t tid = 0;
    std::optional<size_t> maker;
    std::optional<bool> thread;  // of another's process
    std::optional<int32_t> pid;  // from the text
    uint64_t first_ns = ~0ull;   // its first call
    uint32_t next_seq = 0;
    bool gone = false, compat = false, only_64 = false, called_exit = false;
    std::vector<size_t> image;  // its rows since its last exec
  };
  struct Life {  // what happens to a process
    uint64_t ts_ns;
    size_t task;
    enum What { kFork, kExec, kEnd } what;
    std::optional<int32_t> status;
    std::string exe;
    std::vector<std::string> argv;
    bool first;  // kExec: the first call of its thread
  };
  size_t task(int32_t tid);
  size_t fresh(int32_t tid);
  int32_t process(size_t task) const;
  void make_compat(Task& task);
  uint32_t intern(const std::string* text);
  void settle();
  Result<> write_file(const std::string& output);

  std::vector<Row> rows_;
  std::vector<Life> lives_;
  std::vector<Task> tasks_;
  std::unordered_map<int32_t, size_t> now_;  // the present life of an id
  std::set<int32_t> alive_;                  // ids whose present life has not ended
  std::vector<std::string> strings_{std::string()};
  std::unordered_map<std::string, uint32_t> string_ids_;
  bool modes_told_ = false;
  uint64_t losses_ = 0, loss_from_ns_ = ~0ull, loss_to_ns_ = 0;
};

}  // namespace sysvm
