// SPDX-License-Identifier: MIT
// The lines of a strace log as strace would have written them alone.
//
// A log that went to a terminal or to standard error has more in it than events: strace's own messages, which
// come at any moment, even in the middle of a line
//
//     [pid 500] clone(flags=CLONE_CHILD_CLEARTID|SIGCHLDstrace: Process 501 attached
//      <unfinished ...>
//
// and what the program itself printed, which comes while its write is under way
//
//     write(1, "one\ntwo\n", 8one
//     two
//     )               = 8
//
// and what belongs to no event: stacks (-k), dumps of buffers (-e read=, -e write=), summaries (-C), blank
// lines, a byte order mark, colours. Messages are taken out and reported, the halves of lines put together
// again, the rest left out. What a program printed stays in its line: whoever reads the call sees that it is
// none of the call's.
// Tested by tests/traces/import_pasted_test.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sysvm {

struct StraceNotice {
  enum class What { kOther, kAttached, kDetached, kMode32, kModeX32, kMode64 } what = What::kOther;
  int32_t pid = 0;
};

class StraceLines {
 public:
  using Line = std::function<void(uint64_t number, std::string_view text)>;
  using Notice = std::function<void(const StraceNotice&)>;
  StraceLines(Line line, Notice notice) : line_(std::move(line)), notice_(std::move(notice)) {}

  void add(std::string_view physical);
  void finish();
  uint64_t lines() const { return number_; }

 private:
  struct Numbered {
    uint64_t number;
    std::string text;
  };
  void whole(uint64_t number, std::string_view text);
  bool belongs_to_no_event(std::string_view text);
  uint64_t printed_over();
  void give_up();

  Line line_;
  Notice notice_;
  uint64_t number_ = 0;
  std::optional<Numbered> cut_;    // by a message; goes on in the next line
  std::vector<Numbered> printed_;  // a call that lacks its end, and what a program printed since
  size_t printed_bytes_ = 0;
  // the part of a summary (-C) that comes next
  enum class Table { kNone, kHead, kRows, kTotal } table_ = Table::kNone;
};

// Whether such text has all of a call: its closing parenthesis and what it returned.
bool whole_strace_call(std::string_view rest);

// What a line is that is a message of strace from its beginning; nothing if it is none.
std::optional<StraceNotice> strace_message(std::string_view text);

}  // namespace sysvm
