// SPDX-License-Identifier: MIT
#include "traces/strace_prefix.h"

#include <cctype>
#include <string>

#include "traces/strace_args.h"

namespace sysvm {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "<comm>" after a process id (-Y). The name may have anything in it, so it ends where a blank or bracket
// follows.
bool skip_comm(std::string_view& text, std::string_view closing) {
  if (!text.starts_with('<')) return true;
  const size_t end = text.find(closing);
  if (end == std::string_view::npos) return false;
  text.remove_prefix(end + 1);
  return true;
}

bool take_pid(std::string_view& text, StracePrefix& p, size_t& blanks) {
  blanks = 0;
  if (take(text, "[pid ")) {
    skip_blanks(text);
    const auto pid = take_decimal(text);
    if (!pid || *pid == 0 || *pid > kPidMax || !skip_comm(text, ">] ") || !take(text, "]")) return false;
    p.pid = static_cast<int32_t>(*pid);
    blanks = 1;
    return text.empty() || text.front() == ' ';
  }
  std::string_view at = text;
  const auto pid = take_decimal(at);
  if (!pid || *pid == 0 || *pid > kPidMax) return true;
  if (!skip_comm(at, "> ") || !at.starts_with(' ')) return true;
  p.pid = static_cast<int32_t>(*pid);
  const size_t width = text.size() - at.size();
  blanks = width < 5 ? 6 - width : 1;
  text = at;
  return true;
}

bool take_clock(std::string_view& text, StracePrefix& p, bool padded) {
  using Clock = StracePrefix::Clock;
  std::string_view at = text;
  const auto value = take_seconds(at);
  if (value && at.starts_with(':')) {
    take(at, ":");
    const auto minutes = take_decimal(at);
    if (!minutes || *minutes > 59 || !take(at, ":")) return false;
    const auto seconds = take_seconds(at);
    if (!seconds || !at.starts_with(' ')) return false;
    p.clock = Clock::kTimeOfDay;
    p.ns = *value * 3600 + *minutes * 60'000'000'000 + *seconds;
  } else if (value && at.starts_with(' ')) {
    p.clock = padded ? Clock::kRelative : Clock::kSeconds;
    p.ns = *value;
  } else {
    return true;
  }
  skip_blanks(at);
  if (take(at, "(+")) {  // -r beside a time
    const size_t end = at.find(')');
    if (end == std::string_view::npos) return false;
    at.remove_prefix(end + 1);
    skip_blanks(at);
  }
  text = at;
  return true;
}

// -n: "[ 257] ", -i: "[00007f0123456789] ", --secontext: "[user_u:role_r:type_t:s0] ".
bool take_brackets(std::string_view& text, StracePrefix& p) {
  while (text.starts_with('[')) {
    const size_t end = text.find("] ");
    if (end == std::string_view::npos) return false;
    const std::string_view inside = text.substr(1, end - 1);
    if (inside.size() == 16 || inside.size() == 8) p.ip = constant("0x" + std::string(inside)).value_or(0);
    text.remove_prefix(end + 2);
    skip_blanks(text);
  }
  return true;
}

}  // namespace

size_t name_length(std::string_view text) {
  size_t length = 0;
  while (length < text.size() && (isalnum(static_cast<unsigned char>(text[length])) || text[length] == '_'))
    ++length;
  return length;
}

std::optional<uint64_t> take_seconds(std::string_view& text) {
  std::string_view at = text;
  const auto whole = take_decimal(at);
  if (!whole || *whole > 10'000'000'000) return std::nullopt;
  uint64_t ns = 0;
  if (take(at, "."))
    for (uint64_t unit = 100'000'000; !at.empty() && is_digit(at.front()); at.remove_prefix(1), unit /= 10)
      ns += static_cast<uint64_t>(at.front() - '0') * unit;
  text = at;
  return *whole * 1'000'000'000 + ns;
}

bool StracePrefix::event_follows() const {
  for (const char* const mark : {"+++ ", "--- ", "<... "})
    if (rest.starts_with(mark)) return true;
  const size_t length = name_length(rest);
  return length && length < rest.size() && rest[length] == '(' && !is_digit(rest.front());
}

std::optional<StracePrefix> take_strace_prefix(std::string_view text) {
  StracePrefix p;
  size_t blanks;  // that stand before the time if nothing pads it
  if (!take_pid(text, p, blanks)) return std::nullopt;
  const size_t before = text.size();
  skip_blanks(text);
  const bool padded = before - text.size() > blanks;
  if (!take_brackets(text, p)) return std::nullopt;
  if (!take_clock(text, p, padded)) return std::nullopt;
  if (!take_brackets(text, p)) return std::nullopt;
  p.rest = text;
  return p;
}

}  // namespace sysvm
