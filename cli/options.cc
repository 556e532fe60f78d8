// SPDX-License-Identifier: MIT
#include "cli/options.h"

#include <fmt/format.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>

namespace sysvm {

std::optional<int> parse_options(CLI::App& app, const Words& words, const char* usage) {
  Words reversed(words.rbegin(), words.rend());  // CLI11 takes them from the back
  try {
    app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}\n\n{}{}", usage, app.get_description(),
               std::static_pointer_cast<CLI::Formatter>(app.get_formatter())
                   ->make_groups(&app, CLI::AppFormatMode::Normal));
    return 0;
  } catch (const CLI::ParseError& e) {
    spdlog::error("{}: {} ('sysvm {} --help' says more)", app.get_name(), e.what(), app.get_name());
    return kExitUsage;
  }
  return std::nullopt;
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
