// SPDX-License-Identifier: MIT
#include "traces/strace_lines.h"

#include <algorithm>
#include <array>

#include "traces/strace_args.h"
#include "traces/strace_prefix.h"

namespace sysvm {

namespace {

// A program that prints more in the middle of one call has lost its call: the log is then read from there on
// again.
constexpr size_t kMostPrintedLines = 1000, kMostPrintedBytes = 1 << 20;

// Colours of a terminal: ESC [ ... m.
std::string without_colours(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\033' && i + 1 < text.size() && text[i + 1] == '[') {
      size_t end = i + 2;
      while (end < text.size() && (isdigit(static_cast<unsigned char>(text[end])) || text[end] == ';')) ++end;
      if (end < text.size() && (text[end] == 'm' || text[end] == 'K')) {
        i = end;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

// "Process 12 attached", "[ Process PID=12 runs in 32 bit mode. ]"; of what follows "strace: ", anything.
std::optional<StraceNotice> message_after_name(std::string_view text) {
  using What = StraceNotice::What;
  auto pid_of = [](std::string_view& at) {
    const auto pid = take_decimal(at);
    return pid && *pid <= kPidMax ? static_cast<int32_t>(*pid) : 0;
  };
  if (take(text, "Process ")) {
    const int32_t pid = pid_of(text);
    if (!pid || !take(text, " ")) return std::nullopt;
    const std::string_view verb = text.substr(0, text.find(' '));
    const std::string_view more = text.substr(verb.size());
    // "attached with 3 threads", "attached - interrupt to quit", "attached (waiting for parent)"
    const bool known = more.empty() || more.starts_with(" with ") || more.starts_with(" - ") ||
                       (more.starts_with(" (") && more.ends_with(')'));
    if (!known) return std::nullopt;
    if (verb == "attached") return StraceNotice{What::kAttached, pid};
    if (verb == "detached") return StraceNotice{What::kDetached, pid};
    if (verb == "suspended" || verb == "resumed") return StraceNotice{What::kOther, pid};
    return std::nullopt;
  }
  if (take(text, "[ Process PID=")) {
    const int32_t pid = pid_of(text);
    if (!pid || !take(text, " runs in ") || !text.ends_with(" mode. ]")) return std::nullopt;
    return StraceNotice{text.starts_with("32")    ? What::kMode32
                        : text.starts_with("x32") ? What::kModeX32
                                                  : What::kMode64,
                        pid};
  }
  return std::nullopt;
}

// Where in a line a message begins that strace printed into it; outside of strings only.
size_t message_inside(std::string_view text, StraceNotice& notice) {
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (quoted && text[i] == '\\') {
      ++i;
      continue;
    }
    if (text[i] == '"') quoted = !quoted;
    if (quoted || i == 0) continue;
    const char c = text[i];
    if (c != 's' && c != 'P' && c != '[') continue;
    std::string_view at = text.substr(i);
    take(at, "strace: ");
    if (auto found = message_after_name(at)) {
      notice = *found;
      return i;
    }
  }
  return std::string_view::npos;
}

// A frame of -k's stacks: " > /usr/lib/libc.so.6(_exit+0x29) [0xd4409]".
bool is_frame(std::string_view text) {
  const size_t address = text.rfind(" [0x");
  return text.starts_with(" > ") && address != std::string_view::npos &&
         text.find_first_not_of("0123456789abcdef", address + 4) == text.size() - 1 && text.ends_with(']');
}

// Where in a line the stack of a thread that has exited begins, which strace prints after the beginning of
// another thread's call.
size_t stack_inside(std::string_view text) {
  const size_t at = text.find(" > ");
  const bool begun = at != std::string_view::npos && text.substr(0, at).find('(') != std::string_view::npos;
  return begun && is_frame(text.substr(at)) ? at : std::string_view::npos;
}

bool is_rule(std::string_view text) {  // "------ ----------- ---------"
  return text.size() > 8 && text.find_first_not_of("- ") == std::string_view::npos &&
         text.find("---- ----") != std::string_view::npos;
}

// The head of a summary, whatever columns -U chose.
bool is_summary_head(std::string_view text) {
  static constexpr std::array<std::string_view, 17> kColumns = {
      "%",   "time", "seconds", "usecs/call", "calls",    "errors",  "syscall", "total",     "avg",
      "min", "max",  "name",    "count",      "shortest", "longest", "average", "total-time"};
  size_t words = 0;
  while (!text.empty()) {
    skip_blanks(text);
    const std::string_view word = text.substr(0, text.find(' '));
    if (word.empty()) break;
    if (std::find(kColumns.begin(), kColumns.end(), word) == kColumns.end()) return false;
    ++words;
    text.remove_prefix(word.size());
  }
  return words > 1;
}

// What a program printed may look like anything, an open quotation mark too. It begins somewhere in the last
// argument that the call's first line has: that one is not known then. "" if the last line does not end the
// call.
std::string without_print(std::string_view first, std::string_view last) {
  size_t closing = std::string_view::npos;
  for (size_t at = last.find(')'); at != std::string_view::npos; at = last.find(')', at + 1)) {
    const size_t next = last.find_first_not_of(' ', at + 1);
    if (next != std::string_view::npos && next > at + 1 && last.substr(next).starts_with("= ")) closing = at;
  }
  const auto prefix = take_strace_prefix(first);
  if (closing == std::string_view::npos || !prefix) return {};
  const size_t open = static_cast<size_t>(prefix->rest.data() - first.data()) + name_length(prefix->rest);
  size_t begin = open + 1;
  int depth = 0;
  bool quoted = false;
  for (size_t i = begin; i < first.size(); ++i) {
    const char c = first[i];
    if (quoted && c == '\\')
      ++i;
    else if (c == '"')
      quoted = !quoted;
    else if (quoted)
      continue;
    else if (c == '(' || c == '[' || c == '{')
      ++depth;
    else if (c == ')' || c == ']' || c == '}')
      --depth;
    else if (c == ',' && depth == 0)
      begin = i + 1;
  }
  const std::string cleaned = std::string(first.substr(0, begin)) + " ?" + std::string(last.substr(closing));
  const auto whole = take_strace_prefix(cleaned);
  return whole && whole_strace_call(whole->rest) ? cleaned : std::string();
}

// A dump of a buffer: " | 00000  61 62 63 ..." and "* 3 bytes in buffer 0".
bool is_dump(std::string_view text) {
  if (take(text, " | ")) {
    size_t digits = 0;
    while (digits < text.size() && isxdigit(static_cast<unsigned char>(text[digits]))) ++digits;
    return digits >= 4;
  }
  skip_blanks(text);
  return take(text, "* ") && take_decimal(text) && text.find(" bytes in ") != std::string_view::npos;
}

}  // namespace

std::optional<StraceNotice> strace_message(std::string_view text) {
  std::string_view after = text;
  if (take(after, "strace: ")) {
    if (auto notice = message_after_name(after)) return notice;
    return StraceNotice{};
  }
  return message_after_name(text);
}

bool whole_strace_call(std::string_view rest) {
  rest.remove_prefix(name_length(rest));
  if (!take(rest, "(") || !take_arguments(rest)) return false;
  skip_blanks(rest);
  return rest.starts_with('=');
}

bool StraceLines::belongs_to_no_event(std::string_view text) {
  if (text.empty() || text.find_first_not_of(' ') == std::string_view::npos) return true;
  if (text.starts_with(" > ") || is_dump(text)) return true;
  if (text.starts_with("System call usage summary for ")) return true;
  if (is_summary_head(text)) {
    table_ = Table::kHead;
    return true;
  }
  switch (table_) {
    case Table::kNone: return false;
    case Table::kHead: table_ = is_rule(text) ? Table::kRows : Table::kNone; return table_ == Table::kRows;
    case Table::kRows: {
      const auto prefix = take_strace_prefix(text);
      if (prefix && prefix->event_follows()) {
        table_ = Table::kNone;
        return false;
      }
      if (is_rule(text)) table_ = Table::kTotal;
      return true;
    }
    case Table::kTotal: table_ = Table::kNone; return text.find("total") != std::string_view::npos;
  }
  return false;
}

void StraceLines::add(std::string_view physical) {
  if (++number_ == 1) take(physical, "\xef\xbb\xbf");
  while (physical.ends_with('\r')) physical.remove_suffix(1);
  std::string plain;
  if (physical.find('\033') != std::string_view::npos) physical = plain = without_colours(physical);
  if (strace_message(physical)) {
    notice_(*strace_message(physical));
    return;
  }
  if (!cut_) return whole(number_, physical);
  Numbered head = std::move(*cut_);
  cut_.reset();
  // strace ends what it has begun before it begins another line.
  const auto prefix = take_strace_prefix(physical);
  if (prefix && (prefix->pid || prefix->clock != StracePrefix::Clock::kNone) && prefix->event_follows()) {
    whole(head.number, head.text + " <unfinished ...>");
    return whole(number_, physical);
  }
  head.text += physical;
  whole(head.number, head.text);
}

void StraceLines::whole(uint64_t number, std::string_view text) {
  StraceNotice notice;
  if (const size_t at = message_inside(text, notice); at != std::string_view::npos) {
    notice_(notice);
    const std::string_view head = text.substr(0, at);
    if (head.find('(') != std::string_view::npos || head.find("<... ") != std::string_view::npos)
      cut_ = {number, std::string(head)};
    return;  // else it had the prefix of a line in front
  }
  if (printed_.empty() && belongs_to_no_event(text)) return;
  if (const size_t at = stack_inside(text); at != std::string_view::npos)
    return line_(number, std::string(text.substr(0, at)) + " <unfinished ...>");
  const auto prefix = take_strace_prefix(text);
  const bool event = prefix && prefix->event_follows();
  const bool call = event && !prefix->rest.starts_with('+') && !prefix->rest.starts_with('-') &&
                    !prefix->rest.starts_with('<');
  const bool ends_here = !call || text.ends_with("...>") || whole_strace_call(prefix->rest);
  if (!printed_.empty()) {
    // Another event begins: of the one before, the end is lost. But a program may print what looks like one.
    if (event && ends_here) {
      give_up();
    } else {
      std::string joined = printed_.front().text;
      for (size_t i = 1; i < printed_.size(); ++i) joined += "\n" + printed_[i].text;
      joined += "\n";
      joined += text;
      const bool last = text.find(") ") != std::string_view::npos || text.ends_with("<unfinished ...>");
      const auto first = last ? take_strace_prefix(joined) : std::nullopt;
      if (first && (text.ends_with("<unfinished ...>") || whole_strace_call(first->rest))) {
        return line_(printed_over(), joined);
      }
      if (const std::string cleaned = last ? without_print(printed_.front().text, text) : std::string();
          !cleaned.empty())
        return line_(printed_over(), cleaned);
      printed_bytes_ += text.size();
      printed_.push_back({number, std::string(text)});
      if (printed_.size() > kMostPrintedLines || printed_bytes_ > kMostPrintedBytes) give_up();
      return;
    }
  }
  if (call && !ends_here) {
    printed_.push_back({number, std::string(text)});
    printed_bytes_ = text.size();
    return;
  }
  line_(number, text);
}

// The call that was printed over has ended; the number of its line.
uint64_t StraceLines::printed_over() {
  const uint64_t begun = printed_.front().number;
  printed_.clear();
  printed_bytes_ = 0;
  return begun;
}

// The call's end never came: each line for itself.
void StraceLines::give_up() {
  std::vector<Numbered> lines = std::move(printed_);
  printed_.clear();
  printed_bytes_ = 0;
  for (const Numbered& one : lines) line_(one.number, one.text);
}

void StraceLines::finish() {
  if (cut_) {
    Numbered head = std::move(*cut_);
    cut_.reset();
    whole(head.number, head.text);
  }
  give_up();
}

}  // namespace sysvm
