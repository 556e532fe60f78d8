// SPDX-License-Identifier: MIT
#include "cli/help_text.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "common/did_you_mean.h"

namespace sysvm {

namespace {

constexpr size_t kHelpColumn = 24;  // where the explanations of options begin

std::string names_of(const CLI::Option& option) {
  if (option.get_positional()) return option.get_name(true);
  std::string out = option.get_name(false, true);
  std::string type = option.get_type_name();  // "" of a flag
  // Of "TEXT:{auto,bpf,ptrace}" the choices, which completions read here; else the type alone.
  if (const size_t open = type.find('{'), close = type.find('}'); open < close && close != std::string::npos)
    type = type.substr(open, close + 1 - open);
  else
    type = type.substr(0, type.find_first_of(": "));
  return type.empty() ? out : out + " " + type;
}

// An example: a command on one line, and if it is too long, on several, as a shell reads them.
std::string example(std::string_view line, size_t width) {
  std::string out;
  while (line.size() > width) {
    const size_t blank = line.rfind(' ', width - 2);
    if (blank == std::string_view::npos ||
        line.substr(0, blank).find_first_not_of(' ') == std::string_view::npos)
      break;
    out += std::string(line.substr(0, blank)) + " \\\n";
    static const std::string indent(6, ' ');
    const std::string rest = indent + std::string(line.substr(blank + 1));
    return out + example(rest, width);
  }
  return out + std::string(line) + "\n";
}

std::string description(std::string_view text, size_t width) {
  std::string out, paragraph;
  auto end_paragraph = [&] {
    if (!paragraph.empty()) out += filled(paragraph, width, 0, 0) + "\n";
    paragraph.clear();
  };
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == ' ') {
      end_paragraph();
      out += line.empty() ? "\n" : example(line, width);
    } else {
      paragraph += (paragraph.empty() ? "" : " ") + std::string(line);
    }
  }
  end_paragraph();
  return out;
}

}  // namespace

size_t help_width() {
  if (const char* columns = getenv("COLUMNS"))
    if (const int n = atoi(columns); n >= 40) return std::min(n, 120);
  winsize size{};
  if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40)
    return std::min<size_t>(size.ws_col, 120);
  return 80;
}

std::string filled(std::string_view text, size_t width, size_t first_indent, size_t indent) {
  std::string out;
  size_t column = first_indent;
  bool first = true;
  while (!text.empty()) {
    const size_t skip = text.find_first_not_of(" \n");
    if (skip == std::string_view::npos) break;
    text.remove_prefix(skip);
    const size_t end = std::min(text.find_first_of(" \n"), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(end);
    // Columns, not bytes: what continues a UTF-8 character takes none.
    const auto columns = static_cast<size_t>(
        std::count_if(word.begin(), word.end(), [](char c) { return (c & 0xc0) != 0x80; }));
    if (!first && column + 1 + columns > width) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (!first) {
      out += ' ';
      ++column;
    }
    out += word;
    column += columns;
    first = false;
  }
  return out;
}

std::string help_text(const CLI::App& app, std::string_view usage, size_t width) {
  std::string out = filled(usage, width, 0, 7) + "\n\n" + description(app.get_description(), width);
  for (const bool positional : {true, false}) {
    std::string part;
    for (const CLI::Option* option : app.get_options()) {
      if (option->get_positional() != positional) continue;
      std::string line = "  " + names_of(*option);
      if (option->get_description().empty()) {
        part += line + "\n";
        continue;
      }
      if (line.size() + 2 > kHelpColumn) {
        part += "  " + filled(line, width, 2, 4) + "\n";
        line.clear();
      }
      line.resize(kHelpColumn, ' ');
      part += line + filled(option->get_description(), width, kHelpColumn, kHelpColumn) + "\n";
    }
    if (!part.empty()) out += std::string(positional ? "\narguments:\n" : "\noptions:\n") + part;
  }
  return out;
}

std::string mistake(const CLI::App& app, const CLI::ParseError& problem) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  const std::string what = problem.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&problem)) {
    const std::vector<std::string> extra = app.remaining();
    // CLI11 may give several; the first option is what was mistyped.
    auto word = std::find_if(extra.begin(), extra.end(),
                             [](const std::string& w) { return w.starts_with('-') && w.size() > 1; });
    if (word != extra.end()) {
      const std::string name = word->substr(0, word->find('='));
      return "unknown option '" + *word + "'" + did_you_mean(name, names);
    }
    if (!extra.empty()) return "unexpected argument '" + extra.front() + "'";
  }
  if (dynamic_cast<const CLI::RequiredError*>(&problem)) {
    std::string missing;
    for (const CLI::Option* option : app.get_options())
      if (option->get_required() && option->count() == 0)
        missing += (missing.empty() ? "" : ", ") + option->get_name(option->get_positional()) +
                   (option->get_description().empty() ? "" : " (" + option->get_description() + ")");
    if (!missing.empty()) return "expected " + missing;
  }
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&problem))
    return what.substr(0, what.find(':')) + " needs a value";
  if (dynamic_cast<const CLI::ValidationError*>(&problem)) {
    // "--color: aut not in {auto,always,never}"
    const size_t begin = what.find(": "), middle = what.find(" not in {"), end = what.rfind('}');
    if (begin != std::string::npos && middle != std::string::npos && end != std::string::npos &&
        begin < middle && middle < end) {
      std::vector<std::string> choices;
      std::string all = what.substr(middle + 9, end - middle - 9);
      for (size_t at = 0; at <= all.size();) {
        const size_t comma = std::min(all.find(',', at), all.size());
        choices.push_back(all.substr(at, comma - at));
        at = comma + 1;
      }
      std::string list;
      for (size_t i = 0; i < choices.size(); ++i)
        list += (i == 0 ? "" : i + 1 == choices.size() ? " or " : ", ") + choices[i];
      const std::string given = what.substr(begin + 2, middle - begin - 2);
      return what.substr(0, begin) + " " + given + ": expected " + list + did_you_mean(given, choices);
    }
  }
  return what;
}

}  // namespace sysvm
