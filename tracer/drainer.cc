// SPDX-License-Identifier: MIT
#include "tracer/drainer.h"

#include <sched.h>
#include <sys/resource.h>

#include <chrono>

namespace sysvm {

Drainer::Drainer(BpfSession& session, int interval_ms, size_t max_bytes)
    : session_(session), interval_ms_(interval_ms), max_bytes_(max_bytes), thread_([this] { run(); }) {}

Drainer::~Drainer() { stop(); }

void Drainer::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) {
    thread_.join();
    drain_once(true);
  }
}

void Drainer::run() {
  sched_param priority{};
  priority.sched_priority = 1;
  if (sched_setscheduler(0, SCHED_RR, &priority) != 0) setpriority(PRIO_PROCESS, 0, -10);  // this thread only
  if (sched_getaffinity(0, sizeof allowed_, &allowed_) != 0) CPU_ZERO(&allowed_);
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait_for(lock, std::chrono::milliseconds(interval_ms_),
                   [this] { return stop_ || asked_ != answered_; });
    if (stop_) return;
    const uint64_t asked = asked_;
    if (waiting_bytes_ <= max_bytes_) {
      lock.unlock();
      drain_once(false);
      stay_off(session_.rings().busy_cpu());
      lock.lock();
    }
    answered_ = asked;
    turned_.notify_all();
  }
}

void Drainer::stay_off(int cpu) {
  if (cpu == off_) return;
  cpu_set_t mask = allowed_;
  if (cpu >= 0 && cpu < CPU_SETSIZE) CPU_CLR(cpu, &mask);
  if (CPU_COUNT(&mask) > 0 && sched_setaffinity(0, sizeof mask, &mask) == 0) off_ = cpu;
}

void Drainer::sync() {
  // what is younger than the clocks agree is left to wait
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::unique_lock lock(mutex_);
  const uint64_t mine = ++asked_;
  wake_.notify_one();
  turned_.wait(lock, [&] { return answered_ >= mine; });
}

void Drainer::drain_once(bool everything) {
  Block block;
  {
    const std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      block = std::move(free_.back());
      free_.pop_back();
    }
  }
  session_.drain(block, everything);
  const std::lock_guard lock(mutex_);
  if (block.empty()) {
    free_.push_back(std::move(block));
    return;
  }
  waiting_bytes_ += block.size();
  full_.push_back(std::move(block));
}

Drainer::Block Drainer::take() {
  const std::lock_guard lock(mutex_);
  if (full_.empty()) return {};
  Block block = std::move(full_.front());
  full_.pop_front();
  waiting_bytes_ -= block.size();
  return block;
}

void Drainer::give_back(Block block) {
  block.clear();
  const std::lock_guard lock(mutex_);
  if (free_.size() < 8) free_.push_back(std::move(block));
}

}  // namespace sysvm
