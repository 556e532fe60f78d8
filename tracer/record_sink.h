// SPDX-License-Identifier: MIT
// Turns the stream of a backend into a trace file. Without a file it only remembers the images of the
// processes that live, so that a file can be begun later (flight.h).
#pragma once

#include <array>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include "tracer/images.h"
#include "tracer/stream.h"
#include "traces/writer.h"

namespace sysvm {

class RecordSink : public TraceSink {
 public:
  explicit RecordSink(TraceWriter* writer = nullptr) : writer_(writer) {}
  void on_call(const Event& event, const CallText& text) override;
  void on_hidden(const Event& event) override;
  void on_fork(int32_t pid, int32_t parent, uint64_t ts_ns) override;
  void on_exec(const ExecInfo& exec) override;
  void on_thread_end(const ThreadEnd& end) override;
  void on_held(const Throttle& throttle) override;
  void on_exit(int32_t pid, uint64_t ts_ns, int32_t status) override;

  void attached(int32_t pid, uint64_t now_ns);  // a process that was there before us
  void lost(LossReason reason, uint64_t count, uint64_t from_ns, uint64_t to_ns);
  void begin_file(TraceWriter& writer);  // writes what is remembered, and from now on everything
  // Replace the bytes of buffers by a hash under this key.
  void hash_data(const std::array<uint64_t, 2>& key) { hash_key_ = key; }

  uint64_t events() const { return events_; }
  uint64_t calls() const { return calls_; }  // a fork, which returns twice, is one call
  uint64_t signals() const { return signals_; }
  uint64_t processes() const { return processes_.size(); }
  uint64_t threads() const { return threads_.size(); }
  uint64_t lost() const { return lost_; }
  uint64_t throttles() const { return throttles_; }
  uint64_t throttled_ns() const { return throttled_ns_; }
  const std::string& write_error() const {
    return write_error_;
  }  // the first one; nothing is written after it

 private:
  void check(Result<> result);
  template <typename T>
  void put(const T& record);

  TraceWriter* writer_;
  Images images_;
  struct Image {
    std::string exe, build_id;
    std::vector<std::string> argv;
  };
  std::unordered_map<int32_t, Image> running_;          // what a fork copies
  std::unordered_map<int32_t, std::string> exec_name_;  // of an exec whose call has not returned yet
  std::unordered_set<int32_t> processes_, threads_;
  std::unordered_map<int32_t, std::vector<std::variant<Process, Mapping>>> remembered_;  // without a file
  std::optional<std::array<uint64_t, 2>> hash_key_;
  int32_t last_tid_ = -1;
  uint64_t events_ = 0, calls_ = 0, signals_ = 0, lost_ = 0, throttles_ = 0, throttled_ns_ = 0;
  std::string write_error_;
};

}  // namespace sysvm
