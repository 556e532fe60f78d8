// SPDX-License-Identifier: MIT
// A line on the terminal while a command is silent for more than a second: what it does, and for how long.
// Nothing where standard error is no terminal.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace sysvm {

class Ticker {
 public:
  explicit Ticker(std::string stage);
  ~Ticker();  // takes the line away
  void stage(std::string what);

 private:
  void tick(std::stop_token stop);

  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::string stage_;    // guarded by mutex_
  std::jthread thread_;  // last, so that it ends before what it uses
};

}  // namespace sysvm
