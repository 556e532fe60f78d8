// SPDX-License-Identifier: MIT
#include "cli/base/options.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "cli/base/terminal.h"
#include "common/did_you_mean.h"

namespace sysvm {
namespace {

std::string plain_number(double n) {
  std::string out = std::to_string(n);
  while (out.back() == '0') out.pop_back();
  if (out.back() == '.') out.pop_back();
  return out;
}

// "auto, bpf or ptrace"
std::string either(const std::vector<std::string>& choices) {
  std::string out;
  for (size_t i = 0; i < choices.size(); ++i)
    out += (i == 0 ? "" : i + 1 == choices.size() ? " or " : ", ") + choices[i];
  return out;
}

}  // namespace

Options::Options(std::string command, std::string usage, std::string text, std::string notes)
    : command_(std::move(command)),
      usage_(std::move(usage)),
      text_(std::move(text)),
      notes_(std::move(notes)) {
  flag("-h,--help", help_, "this text");
}

Options::Option& Options::add(const std::string& names, const std::string& help, Read read) {
  Option option{{}, {names, help}, std::move(read)};
  std::string all = names.substr(0, names.find(' '));
  for (size_t comma; (comma = all.find(',')) != std::string::npos; all.erase(0, comma + 1))
    option.names.push_back(all.substr(0, comma));
  option.names.push_back(all);
  options_.push_back(std::move(option));
  return options_.back();
}

void Options::flag(const std::string& names, bool& value, const std::string& help) {
  add(names, help, [&value](const std::string&) { return value = true, std::string(); }).is_flag = true;
}

void Options::value_option(const std::string& names, const std::string& help, Read read) {
  add(names, help, std::move(read));
}

void Options::text(const std::string& names, std::string& value, const std::string& help) {
  add(names, help, [&value](const std::string& word) { return value = word, std::string(); });
}

void Options::list(const std::string& names, Words& values, const std::string& help) {
  add(names, help, [&values](const std::string& word) { return values.push_back(word), std::string(); });
}

// The help names the choices in braces: completions read them there.
void Options::choice(const std::string& names, std::string& value, const std::vector<std::string>& choices,
                     const std::string& help) {
  std::string shown;
  for (const std::string& one : choices) shown += (shown.empty() ? "" : ",") + one;
  add(names + " {" + shown + "}", help, [&value, choices](const std::string& word) {
    if (std::find(choices.begin(), choices.end(), word) == choices.end())
      return "expected " + either(choices) + did_you_mean(word, choices);
    return value = word, std::string();
  });
}

std::string Options::read_number(const std::string& word, double least, double most, double& value) {
  char* end;
  value = std::strtod(word.c_str(), &end);
  const bool number =
      end != word.c_str() && !*end && (std::isdigit(static_cast<unsigned char>(word[0])) || word[0] == '.');
  if (number && value >= least && value <= most) return "";
  return "expected a number from " + plain_number(least) + " to " + plain_number(most);
}

void Options::require(const std::string& name) { find(name)->required = true; }

void Options::argument(const std::string& name, std::string& value, const std::string& help) {
  arguments_.push_back({{name, help}, nullptr, &value});
}

void Options::arguments(const std::string& name, Words& values, const std::string& help) {
  arguments_.push_back({{name, help}, &values, nullptr});
}

void Options::command(Words& words) { user_command_ = &words; }

Options::Option* Options::find(const std::string& name) {
  for (Option& option : options_)
    if (std::find(option.names.begin(), option.names.end(), name) != option.names.end()) return &option;
  return nullptr;
}

std::string Options::give(Option& option, const std::string& name, const std::string* value,
                          const Words& words, size_t& at) {
  option.given = true;
  if (option.is_flag) return value ? name + " takes no value" : option.read("");
  if (!value && at + 1 >= words.size()) return name + " needs a value";
  const std::string& word = value ? *value : words[++at];
  const std::string wrong = option.read(word);
  return wrong.empty() ? wrong : name + " " + word + ": " + wrong;
}

std::string Options::take_long(const Words& words, size_t& at) {
  const std::string& word = words[at];
  const size_t equals = word.find('=');
  const std::string name = word.substr(0, equals);
  if (Option* option = find(name)) {
    const std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
    return give(*option, name, equals == std::string::npos ? nullptr : &value, words, at);
  }
  Words known;
  for (const Option& option : options_) known.insert(known.end(), option.names.begin(), option.names.end());
  return "unknown option '" + word + "'" + did_you_mean(name, known);
}

std::string Options::take_short(const Words& words, size_t& at) {
  const std::string word = words[at];
  for (size_t i = 1; i < word.size(); ++i) {
    const std::string name{'-', word[i]};
    Option* option = find(name);
    if (!option) return "unknown option '" + (i == 1 ? word : name) + "'";
    if (!option->is_flag) {
      const std::string rest = word.substr(i + 1);
      return give(*option, name, rest.empty() ? nullptr : &rest, words, at);
    }
    give(*option, name, nullptr, words, at);
  }
  return "";
}

std::string Options::take_arguments(const Words& loose) {
  size_t at = 0;
  std::string missing;
  const auto miss = [&missing](const std::string& name, const std::string& help) {
    missing += (missing.empty() ? "" : ", ") + name + " (" + help + ")";
  };
  for (Argument& argument : arguments_) {
    if (at == loose.size())
      miss(argument.help.names, argument.help.text);
    else if (argument.many)
      for (; at < loose.size(); ++at) argument.many->push_back(loose[at]);
    else
      *argument.one = loose[at++];
  }
  for (const Option& option : options_)
    if (option.required && !option.given) miss(option.names.back(), option.help.text);
  if (!missing.empty()) return "expected " + missing;
  return at < loose.size() ? "unexpected argument '" + loose[at] + "'" : "";
}

std::optional<int> Options::parse(const Words& words) {
  Words loose;
  std::string wrong;
  for (size_t at = 0; at < words.size() && wrong.empty() && !help_; ++at) {
    const std::string& word = words[at];
    const bool ends = word == "--", option = word.size() > 1 && word[0] == '-' && !ends;
    if (option) {
      wrong = word[1] == '-' ? take_long(words, at) : take_short(words, at);
    } else if (ends || user_command_) {
      Words& rest = user_command_ ? *user_command_ : loose;
      rest.insert(rest.end(), words.begin() + static_cast<long>(at + ends), words.end());
      break;
    } else {
      loose.push_back(word);
    }
  }
  if (help_) return print_help(), 0;
  if (wrong.empty()) wrong = take_arguments(loose);
  return wrong.empty() ? std::optional<int>() : usage_error(wrong);
}

void Options::print_help() const {
  std::vector<HelpLine> arguments, options;
  for (const Argument& one : arguments_) arguments.push_back(one.help);
  for (const Option& one : options_) options.push_back(one.help);
  const std::string out = help_text(usage_, text_, arguments, options, notes_, terminal_width());
  std::fwrite(out.data(), 1, out.size(), stdout);
}

int Options::usage_error(const std::string& mistake) const {
  say_error(command_ + ": " + mistake + " ('sysvm " + command_ + " --help' says more)");
  return kExitUsage;
}

}  // namespace sysvm
