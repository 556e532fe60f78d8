// SPDX-License-Identifier: MIT
#include "cli/options.h"

#include <fmt/format.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <cstring>

#include "cli/help_text.h"

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

void Options::list(const std::string& names, std::vector<std::string>& values, const std::string& help) {
  impl_->app.add_option(names, values, help)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void Options::option(const std::string& names, int& value, const std::string& help) {
  impl_->app.add_option(names, value, help);
}

void Options::argument(const std::string& name, std::string& value, const std::string& help) {
  impl_->app.add_option(name, value, help)->required();
}

void Options::arguments(const std::string& name, std::vector<std::string>& values, const std::string& help) {
  impl_->app.add_option(name, values, help)->required();
}

std::optional<int> Options::parse(const Words& words) {
  CLI::App& app = impl_->app;
  Words reversed(words.rbegin(), words.rend());  // CLI11 takes them from the back
  try {
    app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", help_text(app, impl_->usage, help_width()));
    return 0;
  } catch (const CLI::ParseError& e) {
    return usage_error(mistake(app, e));
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

std::optional<uint64_t> parse_duration(const std::string& text) {
  char* end;
  const double n = strtod(text.c_str(), &end);
  const std::string unit = end;
  const double scale = unit.empty() || unit == "s" ? 1e9
                       : unit == "ms"              ? 1e6
                       : unit == "us"              ? 1e3
                       : unit == "m"               ? 60e9
                       : unit == "h"               ? 3600e9
                                                   : 0;
  if (end == text.c_str() || scale == 0 || !(n >= 0) || n * scale > 1e18) return std::nullopt;
  return static_cast<uint64_t>(n * scale);
}

Result<std::optional<Identity>> run_as(const std::string& user, bool as_root) {
  if (!user.empty()) {
    auto identity = find_user(user);
    if (!identity) return error("-u: {}", identity.message());
    return std::optional(*identity);
  }
  const char* caller = getenv("SUDO_UID");
  if (as_root || geteuid() != 0 || !caller || !strcmp(caller, "0")) return std::optional<Identity>();
  auto identity = find_user(caller);
  if (!identity)
    return error("SUDO_UID={}: {} (--as-root runs the command as root)", caller, identity.message());
  return std::optional(*identity);
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
