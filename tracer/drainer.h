// SPDX-License-Identifier: MIT
// Empties the rings in a thread of its own, into memory. What makes a trace of the records (compression, a
// write that waits for the disk) may then be late without a loss; only this thread has to be in time, so it
// asks for real-time priority and does nothing but copy. Where one processor makes most of the records it
// stays off that one, for there it would run in the place of the traced thread.
//
// Memory is bounded: with max_bytes waiting it stops emptying the rings, which then fill, so that threads are
// held back or losses counted. Tested by tests/tracer/.
#pragma once

#include <sched.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "tracer/bpf_session.h"

namespace sysvm {

class Drainer {
 public:
  using Block = std::vector<uint8_t>;

  Drainer(BpfSession& session, int interval_ms, size_t max_bytes);
  ~Drainer();

  // What has been drained so far, oldest first; empty if there is nothing. give_back() keeps its memory for
  // the next.
  Block take();
  void give_back(Block block);
  void sync();  // returns once all that was made before has been drained
  void stop();  // after one last look into the rings, whose programs are detached by now

 private:
  void run();
  void drain_once(bool everything);
  void stay_off(int cpu);

  BpfSession& session_;
  const int interval_ms_;
  const size_t max_bytes_;
  cpu_set_t allowed_{};  // where this process may run
  int off_ = -1;         // of these the processor to stay off, -1: none
  std::mutex mutex_;     // protects what follows
  std::condition_variable wake_;
  std::deque<Block> full_;
  std::vector<Block> free_;  // emptied ones, so that their memory is not given back and taken again
  size_t waiting_bytes_ = 0;
  bool stop_ = false;
  uint64_t asked_ = 0, answered_ = 0;  // turns that sync() waits for
  std::condition_variable turned_;
  std::thread thread_;  // last: starts when all else is there
};

}  // namespace sysvm
