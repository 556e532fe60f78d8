// SPDX-License-Identifier: MIT
#include "traces/strace_args.h"

#include <sys/sysmacros.h>

#include <cctype>
#include <charconv>

#include "traces/symbols.h"

namespace sysvm {

namespace {

bool is_word(char c) { return isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// Length of a quoted string with its quotes, or 0 if it does not end.
size_t quoted_length(std::string_view text) {
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '\\') ++i;
    else if (text[i] == '"') return i + 1;
  }
  return 0;
}

// Length of the <...> behind a descriptor, brackets inside counted; "->" of a connection is none. 0: no end.
size_t decoration_length(std::string_view text) {
  int depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') ++i;
    else if (text[i] == '<') ++depth;
    else if (text[i] == '>' && text[i - 1] != '-' && --depth == 0) return i + 1;
  }
  return 0;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

}  // namespace

bool take(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

void skip_blanks(std::string_view& text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
}

std::optional<uint64_t> take_decimal(std::string_view& text) {
  uint64_t v = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (problem != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return v;
}

std::optional<std::vector<std::string>> take_arguments(std::string_view& text) {
  std::vector<std::string> out;
  std::string current;
  int depth = 0;
  size_t i = 0;
  auto finish = [&] {
    const std::string_view word = trimmed(current);
    if (!word.empty() || !out.empty()) out.emplace_back(word);
    current.clear();
  };
  while (i < text.size()) {
    const char c = text[i];
    if (c == '"') {
      const size_t length = quoted_length(text.substr(i));
      if (!length) return std::nullopt;
      current += text.substr(i, length);
      i += length;
      continue;
    }
    if (text.substr(i).starts_with("/*")) {
      const size_t end = text.find("*/", i + 2);
      if (end == std::string_view::npos) return std::nullopt;
      i = end + 2;
      continue;
    }
    if (c == '<' && i > 0 && is_word(text[i - 1]) && !text.substr(i).starts_with("<<")) {
      const size_t length = decoration_length(text.substr(i));
      if (!length) return std::nullopt;
      i += length;
      continue;
    }
    if (c == '(' || c == '[' || c == '{') ++depth;
    if (c == ')' && depth == 0) {
      finish();
      text.remove_prefix(i + 1);
      return out;
    }
    if (c == ')' || c == ']' || c == '}') --depth;
    if (c == ',' && depth == 0) {
      finish();
      ++i;
      continue;
    }
    current += c;
    ++i;
  }
  return std::nullopt;
}

std::optional<Quoted> take_quoted(std::string_view& text) {
  if (!text.starts_with('"')) return std::nullopt;
  const size_t length = quoted_length(text);
  if (!length) return std::nullopt;
  Quoted out;
  for (size_t i = 1; i + 1 < length; ++i) {
    if (text[i] != '\\') {
      out.text += text[i];
      continue;
    }
    const char c = text[++i];
    if (c >= '0' && c <= '7') {  // one to three octal digits
      unsigned v = 0;
      size_t digits = 0;
      for (; digits < 3 && text[i] >= '0' && text[i] <= '7'; ++digits, ++i) v = v * 8 + static_cast<unsigned>(text[i] - '0');
      --i;
      out.text += static_cast<char>(v);
    } else if (c == 'x') {
      unsigned v = 0;
      const auto [end, problem] = std::from_chars(text.data() + i + 1, text.data() + std::min(i + 3, length - 1), v, 16);
      if (problem != std::errc()) return std::nullopt;
      i = static_cast<size_t>(end - text.data()) - 1;
      out.text += static_cast<char>(v);
    } else {
      static constexpr std::string_view kFrom = "abfnrtv", kTo = "\a\b\f\n\r\t\v";
      const size_t at = kFrom.find(c);
      out.text += at == std::string_view::npos ? c : kTo[at];
    }
  }
  text.remove_prefix(length);
  out.cut = take(text, "...");
  return out;
}

std::optional<uint64_t> constant(std::string_view text, std::vector<std::string>* unknown) {
  text = trimmed(text);
  if (const size_t or_word = text.find(" or "); or_word != std::string_view::npos)  // an ioctl's number has two names
    text = trimmed(text.substr(0, or_word));
  if (text.empty()) return std::nullopt;
  uint64_t value = 0;
  for (;;) {
    const bool invert = take(text, "~"), minus = take(text, "-");
    uint64_t v = 0;
    if (text.empty()) return std::nullopt;
    if (isdigit(static_cast<unsigned char>(text.front()))) {
      int base = 10;
      if (text.size() > 1 && text[0] == '0') {
        base = text[1] == 'x' ? 16 : 8;
        if (base == 16) text.remove_prefix(2);
      }
      const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), v, base);
      if (problem != std::errc()) return std::nullopt;
      text.remove_prefix(static_cast<size_t>(end - text.data()));
      if (take(text, "<<")) {
        std::string_view rest = text.substr(0, text.find('|'));
        const auto shift = constant(rest, unknown);
        if (!shift) return std::nullopt;
        v = *shift < 64 ? v << *shift : 0;
        text.remove_prefix(rest.size());
      }
    } else {
      size_t length = 0;
      while (length < text.size() && is_word(text[length])) ++length;
      if (length == 0) return std::nullopt;
      const std::string_view name = text.substr(0, length);
      text.remove_prefix(length);
      if (take(text, "(")) {
        const auto args = take_arguments(text);
        if (!args) return std::nullopt;
        if (name == "makedev" && args->size() == 2) {
          const auto major = constant((*args)[0]), minor = constant((*args)[1]);
          if (!major || !minor) return std::nullopt;
          v = makedev(static_cast<unsigned>(*major), static_cast<unsigned>(*minor));
        } else if (unknown) {
          unknown->emplace_back(name);
        }
      } else if (const auto known = symbol_value(name)) {
        v = *known;
      } else if (unknown) {
        unknown->emplace_back(name);
      } else {
        return std::nullopt;
      }
    }
    if (minus) v = ~v + 1;
    if (invert) v = ~v;
    value |= v;
    text = trimmed(text);
    if (text.empty()) return value;
    if (!take(text, "|")) return std::nullopt;
    text = trimmed(text);
  }
}

std::optional<std::string_view> member(std::string_view structure, std::string_view name) {
  for (size_t at = structure.find(name); at != std::string_view::npos; at = structure.find(name, at + 1)) {
    const size_t end = at + name.size();
    if (end >= structure.size() || structure[end] != '=' || (at && is_word(structure[at - 1]))) continue;
    size_t to = end + 1;
    for (int depth = 0; to < structure.size(); ++to) {
      const char c = structure[to];
      if (c == '(' || c == '[' || c == '{') ++depth;
      if ((c == ')' || c == ']' || c == '}') && depth-- == 0) break;
      if (c == ',' && depth == 0) break;
    }
    return structure.substr(end + 1, to - end - 1);
  }
  return std::nullopt;
}

}  // namespace sysvm
