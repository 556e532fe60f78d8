// SPDX-License-Identifier: MIT
// The eBPF programs of bpf/sysvm_trace.bpf.c, loaded and attached. While a session is attached every process
// of the machine pays some 0.1 us for each of its calls, so it is detached the moment it is not needed any
// more. Tested by tests/tracer/.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/result.h"
#include "tracer/call_table.h"
#include "tracer/cpu_rings.h"
#include "tracer/event.h"
#include "traces/event.h"

namespace sysvm {

struct BpfOptions {
  size_t ring_bytes = 0;  // of each processor's ring: a power of two, at least RING_MIN; 0: as the machine is
  bool lossless = false;  // hold threads back when their ring fills
  CallSet wanted = CallSet().set();
  Capture capture;
  bool iterate = false;  // add() will be called
  bool count_only = false;
  bool count_times = false;  // with count_only: errors, latencies and sequences too
  std::string btf;           // the kernel's types, if not at the usual place
  std::string site_file;     // count_only: entries whose instruction lies in this file are counted apart
};

struct ProgramCost {
  uint64_t runs = 0, ns = 0;
};

class BpfSession {
 public:
  // Loads and attaches. If the system does not let us, the message says what to do about it.
  static Result<std::unique_ptr<BpfSession>> open(const BpfOptions& options);
  ~BpfSession();

  Result<> trace_from_exec(int pidfd);  // this child, beginning with its next successful exec
  Result<> trace_now(int pidfd);        // this process, which has one thread, from now on
  // All threads of these processes, and all that they make from now on. Process 0 stands for all but our own.
  Result<> add(const std::vector<int32_t>& pids);

  // Moves what is in the rings to the end of block, for hand_over() of bpf_records.h. At the end, everything.
  void drain(std::vector<uint8_t>& block, bool everything = false) { rings_.drain(block, everything); }
  void detach();
  std::vector<ThreadEnd> threads_alive() const;  // how far the numbers of those go that are still traced

  const CpuRings& rings() const { return rings_; }
  uint64_t missed_threads() const;    // that could not be followed
  uint64_t recursion_misses() const;  // of the programs at entry and exit
  uint64_t live_tasks() const;
  uint64_t seen_tasks() const;

  // The kernel's own account of the programs' time. It costs time itself, so it is taken by samples: while
  // the returned descriptor is open.
  int start_cost_sample() const;
  ProgramCost cost() const;  // of the programs at entry and exit

  std::vector<call_count> counts() const;  // by call number; the last element: all others
  std::vector<thread_count> thread_counts() const;
  std::vector<std::pair<uint32_t, image_count>> images() const;  // by number; what has ended
  std::vector<std::pair<uint64_t, uint64_t>> grams() const;  // sequences, as task_state::gram, and how often
  uint64_t grams_lost() const;

 private:
  struct Impl;
  BpfSession();
  Result<std::string> run_iterator(void* program) const;
  Result<> attach_tracing();
  Result<> run_once(void* program);
  Result<> mark(int pidfd, bool waiting);

  std::unique_ptr<Impl> impl_;
  CpuRings rings_;
};

}  // namespace sysvm
