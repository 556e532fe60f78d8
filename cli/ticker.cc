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
}

void Ticker::tick(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, stop, 1s, [&stop] { return stop.stop_requested(); })) {
    const auto seconds = (std::chrono::steady_clock::now() - start_) / 1s;
    show_progress(fmt::format("sysvm {}, {} s", stage_, seconds));
  }
}

}  // namespace sysvm
