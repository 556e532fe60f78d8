// SPDX-License-Identifier: MIT
// Turns the stream of a backend into a trace file.
#pragma once

#include <string>
#include <unordered_map>
#include <unordered_set>

#include "tracer/images.h"
#include "tracer/stream.h"
#include "traces/writer.h"

namespace sysvm {

class RecordSink : public TraceSink {
 public:
  explicit RecordSink(TraceWriter& writer) : writer_(writer) {}
  void on_call(const Event& event, std::string_view path0, std::string_view path1) override;
  void on_fork(int32_t pid, int32_t parent, uint64_t ts_ns) override;
  void on_exec(const ExecInfo& exec) override;
  void on_exit(int32_t pid, uint64_t ts_ns, int32_t status) override;

  void attached(int32_t pid, uint64_t now_ns);  // a process that was there before us
  void lost(LossReason reason, uint64_t count, uint64_t from_ns, uint64_t to_ns);

  uint64_t events() const { return events_; }
  uint64_t calls() const { return calls_; }  // a fork, which returns twice, is one call
  uint64_t signals() const { return signals_; }
  uint64_t processes() const { return processes_.size(); }
  uint64_t threads() const { return threads_.size(); }
  uint64_t lost() const { return lost_; }
  const std::string& write_error() const {
    return write_error_;
  }  // the first one; nothing is written after it

 private:
  void check(Result<> result);

  TraceWriter& writer_;
  Images images_;
  struct Image {
    std::string exe, build_id;
    std::vector<std::string> argv;
  };
  std::unordered_map<int32_t, Image> running_;          // what a fork copies
  std::unordered_map<int32_t, std::string> exec_name_;  // of an exec whose call has not returned yet
  std::unordered_set<int32_t> processes_, threads_;
  int32_t last_tid_ = -1;
  uint64_t events_ = 0, calls_ = 0, signals_ = 0, lost_ = 0;
  std::string write_error_;
};

}  // namespace sysvm
