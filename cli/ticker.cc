// SPDX-License-Identifier: MIT
#include "cli/ticker.h"

#include <fmt/format.h>

#include <utility>

#include "cli/base/terminal.h"

namespace sysvm {

using namespace std::chrono_literals;

Ticker::Ticker(std::string stage) : stage_(std::move(stage)) {
  if (shows_progress()) thread_ = std::jthread([this](std::stop_token stop) { tick(stop); });
}

Ticker::~Ticker() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
  show_progress("");
}

void Ticker::stage(std::string what) {
  const std::lock_guard lock(mutex_);
  stage_ = std::move(what);
  stage_start_ = std::chrono::steady_clock::now();
  progress.begin(0);
}

void Ticker::tick(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, stop, 1s, [&stop] { return stop.stop_requested(); })) {
    const auto now = std::chrono::steady_clock::now();
    std::string line = fmt::format("sysvm {}, {} s", stage_, (now - start_) / 1s);
    const auto all = static_cast<double>(progress.all), done = static_cast<double>(progress.done);
    if (all > 0 && done > 0 && done <= all) {
      const double took = std::chrono::duration<double>(now - stage_start_).count();
      line += fmt::format(", {:.0f} %, about {:.0f} s left", 100 * done / all, took * (all - done) / done);
    }
    show_progress(line);
  }
}

}  // namespace sysvm
