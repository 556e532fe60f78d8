// SPDX-License-Identifier: MIT
// What both importers end with: events of threads whose processes are known only when all text has been read,
// turned into a trace file as the recorder would have written it.
#pragma once

#include <cstdint>
#include <map>
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
  void child(int32_t parent_tid, int32_t tid, bool thread, int32_t nr, uint64_t ts_ns);
  void process_of(int32_t tid, int32_t pid) { pid_of_[tid] = pid; }  // where the text tells it
  void rename(int32_t tid, int32_t to) { renamed_ = {tid, to}; }  // what was called tid turned out to be to
  // Before the event of the call itself.
  void exec(int32_t tid, uint64_t ts_ns, std::string exe, std::vector<std::string> argv);
  void end(int32_t tid, uint64_t ts_ns, int32_t wait_status);
  void not_understood(uint64_t line, std::string_view text);
  void note(std::string text);  // each once

  int32_t number_of(std::string_view name) const;  // -1 if the call is unknown
  const CallInfo* call(int32_t nr) const;

  Result<> write(const std::string& output);

 private:
  struct Row {
    Event event;
    uint32_t path[2];
    uint32_t data;
  };
  struct Life {  // what happens to a process
    uint64_t ts_ns;
    int32_t tid;
    enum { kFork, kExec, kEnd } what;
    int32_t parent_tid = 0, status = 0;
    std::string exe;
    std::vector<std::string> argv;
  };
  int32_t process(int32_t tid) const;
  uint32_t intern(const std::string* text);

  std::vector<Row> rows_;
  std::vector<Life> lives_;
  std::vector<std::string> strings_{std::string()};
  std::unordered_map<std::string, uint32_t> string_ids_;
  std::map<int32_t, uint32_t> next_seq_;
  std::unordered_map<int32_t, int32_t> pid_of_;      // of a thread
  std::set<int32_t> made_;  // threads made by a call that the text has
  std::pair<int32_t, int32_t> renamed_{0, 0};
};

}  // namespace sysvm
