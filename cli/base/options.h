// SPDX-License-Identifier: MIT
// A command's own options, the same way for every command: --help goes to standard output and ends with 0, a
// mistake to standard error and with 2. The front program uses it too, so there is no library in it but the
// standard one.
//
//     Options options("stat", "usage: sysvm stat [options] [--] CMD...", "Count how often ...");
//     options.flag("-q,--quiet", quiet, "no progress");
//     options.text("-o,--output FILE", output, "write there");
//     options.command(words_of_the_user);
//     if (auto code = options.parse(words)) return *code;
//
// Values may be written as --output FILE, --output=FILE, -o FILE or -oFILE; flags may share a dash (-qa).
// Where the user's command follows (command()), our options end at the first "--" or at the first word that
// is no option, so that the command's own --help stays its own. Tested by tests/cli/options_test.cc and
// tests/cli/help_test.py.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/base/exit_codes.h"
#include "cli/base/help_text.h"

namespace sysvm {

class Options {
 public:
  // Reads a value; returns what is wrong with it ("expected a number"), or "".
  using Read = std::function<std::string(const std::string&)>;

  // usage: the first line of the help; text: what the command does, with an example; notes: what follows the
  // options.
  Options(std::string command, std::string usage, std::string text, std::string notes = "");

  // names: "-q,--quiet" or, with a value, "-o,--output FILE".
  void flag(const std::string& names, bool& value, const std::string& help);
  void text(const std::string& names, std::string& value, const std::string& help);
  void choice(const std::string& names, std::string& value, const std::vector<std::string>& choices,
              const std::string& help);
  void list(const std::string& names, Words& values, const std::string& help);  // may be repeated
  template <typename Number>
  void number(const std::string& names, Number& value, double least, double most, const std::string& help) {
    value_option(names, help, [=, &value](const std::string& word) {
      double read = 0;
      std::string wrong = read_number(word, least, most, read);
      if (wrong.empty()) value = static_cast<Number>(read);
      return wrong;
    });
  }
  void value_option(const std::string& names, const std::string& help, Read read);
  void require(const std::string& name);  // "--output": the command needs it

  void argument(const std::string& name, std::string& value, const std::string& help);
  void arguments(const std::string& name, Words& values, const std::string& help);  // at least one
  void command(Words& words);

  std::optional<int> parse(const Words& words);  // the exit code to return at once, or nothing if all is well
  int usage_error(const std::string& mistake) const;  // says it and returns kExitUsage

 private:
  struct Option {
    Words names;
    HelpLine help;
    Read read;  // of a flag: called with ""
    bool is_flag = false, required = false, given = false;
  };
  struct Argument {
    HelpLine help;
    Words* many = nullptr;
    std::string* one = nullptr;
  };

  static std::string read_number(const std::string& word, double least, double most, double& value);
  Option& add(const std::string& names, const std::string& help, Read read);
  Option* find(const std::string& name);
  std::string take_long(const Words& words, size_t& at);
  std::string take_short(const Words& words, size_t& at);
  std::string give(Option& option, const std::string& name, const std::string* value, const Words& words,
                   size_t& at);
  std::string take_arguments(const Words& loose);
  void print_help() const;

  std::string command_, usage_, text_, notes_;
  std::vector<Option> options_;
  std::vector<Argument> arguments_;
  Words* user_command_ = nullptr;
  bool help_ = false;
};

}  // namespace sysvm
