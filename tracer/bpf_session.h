// SPDX-License-Identifier: MIT
// The eBPF programs of sysvm_trace.bpf.c, loaded and attached. While a session is attached every process of
// the machine pays some 0.1 us for each of its calls, so it is detached the moment it is not needed any
// more. Tested by tests/tracer/.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/result.h"
#include "tracer/event.h"
#include "tracer/stream.h"

namespace sysvm {

struct BpfOptions {
  size_t ring_bytes = 16u << 20;  // power of two, multiple of the page size
  bool count_only = false;
  std::string site_file;   // count_only: entries whose instruction lies in this file are counted apart
  int32_t attach_pid = 0;  // a running process, or 0
};

class BpfSession {
 public:
  // Loads and attaches. If the system does not let us, the message says what to do about it.
  static Result<std::unique_ptr<BpfSession>> open(const BpfOptions& options);
  ~BpfSession();

  Result<> trace_from_exec(int pidfd);  // this child, beginning with its next successful exec
  Result<> trace_now(int pidfd);        // this process, which has one thread, from now on
  Result<> add_threads();               // all threads of attach_pid

  // Copies all that is in the ring to the end of block; hand_over() makes a stream of it. From different
  // threads, but each from one at a time.
  void drain(std::vector<uint8_t>& block);
  void hand_over(const std::vector<uint8_t>& block, TraceSink& sink);
  void detach();

  uint64_t lost(lost_reason reason) const;
  uint64_t recursion_misses() const;  // of the programs at entry and exit
  uint64_t live_tasks() const;
  uint64_t seen_tasks() const;
  uint64_t bad_records() const { return bad_records_; }  // records that made no sense; always 0

  std::vector<call_count> counts() const;  // by call number; the last element: all others
  std::vector<thread_count> thread_counts() const;

 private:
  struct Impl;
  BpfSession();
  static int on_record(void* context, void* data, size_t size);
  Result<> run_iterator(bool threads);
  Result<> mark(int pidfd, bool waiting);
  void hand_over_one(TraceSink& sink, const uint8_t* data, size_t size);

  std::unique_ptr<Impl> impl_;
  uint64_t bad_records_ = 0;
};

}  // namespace sysvm
