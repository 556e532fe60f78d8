// SPDX-License-Identifier: MIT
#include "cli/options.h"

#include <fmt/format.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>

namespace sysvm {

struct Options::Impl {
  CLI::App app;
  std::string command, usage;
};

Options::Options(const std::string& command, std::string usage, const std::string& text)
    : impl_(new Impl{CLI::App(text, command), command, std::move(usage)}) {}
Options::~Options() = default;

void Options::flag(const std::string& names, bool& value, const std::string& help) {
  impl_->app.add_flag(names, value, help);
}

void Options::option(const std::string& names, std::string& value, const std::string& help,
                     const std::vector<std::string>& choices) {
  CLI::Option* option = impl_->app.add_option(names, value, help);
  if (!choices.empty()) option->check(CLI::IsMember(choices));
}

void Options::option(const std::string& names, int& value, const std::string& help) {
  impl_->app.add_option(names, value, help);
}

void Options::argument(const std::string& name, std::string& value, const std::string& help) {
  impl_->app.add_option(name, value, help)->required();
}

std::optional<int> Options::parse(const Words& words) {
  CLI::App& app = impl_->app;
  Words reversed(words.rbegin(), words.rend());  // CLI11 takes them from the back
  try {
    app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    auto formatter = std::static_pointer_cast<CLI::Formatter>(app.get_formatter());
    fmt::print("{}\n\n{}{}", impl_->usage, app.get_description(),
               formatter->make_groups(&app, CLI::AppFormatMode::Normal));
    return 0;
  } catch (const CLI::ParseError& e) {
    return usage_error(e.what());
  }
  return std::nullopt;
}

int Options::usage_error(const std::string& what) const {
  spdlog::error("{}: {} ('sysvm {} --help' says more)", impl_->command, what, impl_->command);
  return kExitUsage;
}

std::optional<size_t> parse_size(const std::string& text) {
  char* end;
  const unsigned long long n = strtoull(text.c_str(), &end, 10);
  int shift = 0;
  if (*end == 'k' || *end == 'K')
    shift = 10, ++end;
  else if (*end == 'm' || *end == 'M')
    shift = 20, ++end;
  else if (*end == 'g' || *end == 'G')
    shift = 30, ++end;
  if (end == text.c_str() || *end || text[0] == '-' || n > (1ull << 40)) return std::nullopt;
  return static_cast<size_t>(n) << shift;
}

int exit_like(int wait_status) {
  if (WIFEXITED(wait_status)) return WEXITSTATUS(wait_status);
  const int sig = WTERMSIG(wait_status);
  fflush(nullptr);
  const rlimit no_core{0, 0};  // The command has left its core; ours would only hide it.
  setrlimit(RLIMIT_CORE, &no_core);
  signal(sig, SIG_DFL);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, sig);
  sigprocmask(SIG_UNBLOCK, &set, nullptr);
  raise(sig);
  return 128 + sig;
}

}  // namespace sysvm
