// SPDX-License-Identifier: MIT
#include "cli/base/help_text.h"

#include <algorithm>

namespace sysvm {
namespace {

constexpr size_t kColumn = 24;  // where the explanations of options begin

// A command on one line, and if it is too long, on several, as a shell reads them.
std::string example(std::string_view line, size_t width) {
  if (line.size() <= width) return std::string(line) + "\n";
  const size_t blank = line.rfind(' ', width - 2);
  if (line.substr(0, blank).find_first_not_of(' ') == std::string_view::npos) return std::string(line) + "\n";
  return std::string(line.substr(0, blank)) + " \\\n" +
         example(std::string(6, ' ') + std::string(line.substr(blank + 1)), width);
}

std::string paragraphs(std::string_view text, size_t width) {
  std::string out, paragraph;
  const auto end_paragraph = [&] {
    if (!paragraph.empty()) out += filled(paragraph, width) + "\n";
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

std::string two_columns(const char* title, const std::vector<HelpLine>& lines, size_t width) {
  std::string out;
  for (const HelpLine& one : lines) {
    std::string line = "  " + one.names;
    if (line.size() + 2 > kColumn) {
      out += "  " + filled(line, width, 2, 4) + "\n";
      line.clear();
    }
    line.resize(kColumn, ' ');
    out += line + filled(one.text, width, kColumn, kColumn) + "\n";
  }
  return out.empty() ? out : title + out;
}

}  // namespace

std::string filled(std::string_view text, size_t width, size_t first_indent, size_t indent) {
  std::string out;
  size_t column = first_indent;
  for (bool first = true;; first = false) {
    const size_t skip = text.find_first_not_of(" \n");
    if (skip == std::string_view::npos) return out;
    text.remove_prefix(skip);
    const std::string_view word = text.substr(0, text.find_first_of(" \n"));
    text.remove_prefix(word.size());
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
  }
}

std::string help_text(std::string_view usage, std::string_view text, const std::vector<HelpLine>& arguments,
                      const std::vector<HelpLine>& options, std::string_view notes, size_t width) {
  std::string out = filled(usage, width, 0, 7) + "\n\n" + paragraphs(text, width) +
                    two_columns("\narguments:\n", arguments, width) +
                    two_columns("\noptions:\n", options, width);
  return notes.empty() ? out : out + "\n" + paragraphs(notes, width);
}

}  // namespace sysvm
