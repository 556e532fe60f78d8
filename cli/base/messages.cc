// SPDX-License-Identifier: MIT
#include "cli/base/messages.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <ctime>
#include <memory>

#include "cli/base/terminal.h"
#include "common/printable.h"

namespace sysvm {
namespace {

// The text of a message, whatever the names in it.
class Visible : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    const std::string text = without_controls({message.payload.data(), message.payload.size()});
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<Visible>(); }
};

}  // namespace

void begin_messages() {
  spdlog::set_default_logger(spdlog::stderr_color_mt(
      "sysvm", use_color("auto", STDERR_FILENO) ? spdlog::color_mode::always : spdlog::color_mode::never));
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<Visible>('*').set_pattern("%n: %^%l%$: %*");
  spdlog::set_formatter(std::move(formatter));
}

void log_line(Level level, const std::string& text) {
  constexpr spdlog::level::level_enum kLevels[] = {spdlog::level::info, spdlog::level::warn,
                                                   spdlog::level::err};
  spdlog::log(kLevels[static_cast<size_t>(level)], "{}", text);
}

int fail(int exit_code, const Error& error) {
  show_progress("");
  log_line(Level::kError, error.message);
  return exit_code;
}

int fail(int exit_code, std::string_view command, const Error& error) {
  return fail(exit_code, Error{fmt::format("{}: {}", command, error.message)});
}

}  // namespace sysvm
