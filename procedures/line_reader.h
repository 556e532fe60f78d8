// SPDX-License-Identifier: MIT
// A cursor over text of one item a line: words, numbers, quoted strings; knows file and line for messages.
// Empty lines and comments (from `;` outside of quotes) are stepped over. Tested by
// tests/optimizer/svp_file_test.cc.
#pragma once

#include <fmt/format.h>

#include <charconv>
#include <string>
#include <string_view>

#include "common/result.h"

namespace sysvm {

class LineReader {
 public:
  LineReader(std::string_view text, std::string name) : text_(text), name_(std::move(name)) {}

  // Moves to the next line that says something.
  bool next_line() {
    while (!text_.empty()) {
      const size_t end = std::min(text_.find('\n'), text_.size());
      line_ = without_comment(text_.substr(0, end));
      text_.remove_prefix(std::min(end + 1, text_.size()));
      ++number_;
      rest_ = line_;
      skip_blanks();
      if (!rest_.empty()) return true;
    }
    rest_ = {};
    return false;
  }

  bool take(std::string_view expected) {
    skip_blanks();
    if (rest_.substr(0, expected.size()) != expected) return false;
    rest_.remove_prefix(expected.size());
    return true;
  }
  Result<> expect(std::string_view expected) {
    if (take(expected)) return Unit{};
    return fail("expected '{}' at '{}'", expected, rest_);
  }
  char peek() {
    skip_blanks();
    return rest_.empty() ? '\0' : rest_[0];
  }
  bool at_end() {
    skip_blanks();
    return rest_.empty();
  }
  std::string word() {  // letters, digits and _
    skip_blanks();
    size_t n = 0;
    while (n < rest_.size() && (isalnum(static_cast<unsigned char>(rest_[n])) || rest_[n] == '_')) ++n;
    std::string out(rest_.substr(0, n));
    rest_.remove_prefix(n);
    return out;
  }
  Result<uint64_t> number() {
    skip_blanks();
    std::string_view digits = rest_;
    const bool hex = digits.substr(0, 2) == "0x";
    if (hex) digits.remove_prefix(2);
    uint64_t value = 0;
    const auto [end, problem] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, hex ? 16 : 10);
    if (problem != std::errc()) return fail("expected a number at '{}'", rest_);
    rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
    return value;
  }
  Result<std::string> quoted_string() {
    TRY(expect("\""));
    std::string out;
    while (!rest_.empty() && rest_[0] != '"') {
      if (rest_[0] != '\\') {
        out += rest_[0];
        rest_.remove_prefix(1);
        continue;
      }
      const char kind = rest_.size() > 1 ? rest_[1] : '\0';
      unsigned value = 0;
      if (kind == '0') {
        out += '\0';
        rest_.remove_prefix(2);
      } else if (kind == '"' || kind == '\\') {
        out += kind;
        rest_.remove_prefix(2);
      } else if (kind == 'x' && rest_.size() >= 4 &&
                 std::from_chars(rest_.data() + 2, rest_.data() + 4, value, 16).ptr == rest_.data() + 4) {
        out += static_cast<char>(value);
        rest_.remove_prefix(4);
      } else {
        return fail("'\\{}': expected \\0, \\\", \\\\ or \\xHH", kind);
      }
    }
    TRY(expect("\""));
    return out;
  }

  std::string_view rest() const { return rest_; }
  std::string_view whole_line() const { return line_; }
  size_t line_number() const { return number_; }
  const std::string& name() const { return name_; }

  template <typename... Args>
  Error fail(fmt::format_string<Args...> format, Args&&... args) const {
    return error("{}:{}: {}", name_, number_, fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  static std::string_view without_comment(std::string_view line) {
    bool quoted = false;
    for (size_t i = 0; i < line.size(); ++i) {
      if (line[i] == '\\' && quoted)
        ++i;
      else if (line[i] == '"')
        quoted = !quoted;
      else if (line[i] == ';' && !quoted)
        return line.substr(0, i);
    }
    return line;
  }
  void skip_blanks() {
    while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\t' || rest_[0] == '\r'))
      rest_.remove_prefix(1);
  }

  std::string_view text_, line_, rest_;
  std::string name_;
  size_t number_ = 0;
};

}  // namespace sysvm
