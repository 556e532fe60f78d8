// SPDX-License-Identifier: MIT
// A line on the terminal while a command is silent for more than a second: what it does, for how long, and
// where that is known how far it is and how long it will take.
// Nothing where standard error is no terminal.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "common/progress.h"

namespace sysvm {

class Ticker {
 public:
  explicit Ticker(std::string stage);
  ~Ticker();                     // takes the line away
  void stage(std::string what);  // nothing is known of how far it is
  Progress progress;             // of the present stage, for whoever works on it

 private:
  void tick(std::stop_token stop);

  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::string stage_;  // guarded by mutex_, as is the next
  std::chrono::steady_clock::time_point stage_start_ = start_;
  std::jthread thread_;  // last, so that it ends before what it uses
};

}  // namespace sysvm
