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
    if (text[i] == '\\')
      ++i;
    else if (text[i] == '"')
      return i + 1;
  }
  return 0;
}

// Length of the <...> after a descriptor, brackets inside counted; 0: no end. Paths have their < and >
// escaped, but not those of old versions, and any path may end in "-": so what ends it is a > that something
// follows which can follow a descriptor. The arrow of a connection, "TCP:[1.2.3.4:5->6.7.8.9:10]", is none.
size_t decoration_length(std::string_view text) {
  auto may_follow = [&](size_t at) {
    if (at >= text.size()) return true;
    if (text.substr(at).starts_with("(deleted)")) return true;
    return std::string_view(",)]} ").find(text[at]) != std::string_view::npos;
  };
  // "UNIX-STREAM:[1->2, \"/a\"]", "NETLINK:[ROUTE:5]"
  size_t letters = 1;
  while (letters < text.size() &&
         (isupper(static_cast<unsigned char>(text[letters])) ||
          isdigit(static_cast<unsigned char>(text[letters])) || text[letters] == '-' || text[letters] == 'v'))
    ++letters;
  const bool socket = letters > 1 && text.substr(letters).starts_with(":[");
  int depth = 0;
  size_t last = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (socket && text[i] == '"') {
      const size_t length = quoted_length(text.substr(i));
      if (length) i += length - 1;
    } else if (text[i] == '<') {
      ++depth;
    } else if (text[i] == '>') {
      if (socket && text[i - 1] != ']') continue;
      // of a device: 3</dev/null<char 1:3>>
      if (--depth > 0 && i + 1 < text.size() && text[i + 1] == '>') continue;
      if (depth <= 0 && may_follow(i + 1)) return i + 1;
      if (!last && may_follow(i + 1)) last = i + 1;
      if (depth < 0) depth = 0;
    }
  }
  return last;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

bool ends_in_word(std::string_view text) {
  text = trimmed(text);
  return !text.empty() && is_word(text.back());
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
    if (c == '<' && ends_in_word(current) && !text.substr(i).starts_with("<<")) {
      const size_t length = decoration_length(text.substr(i));
      if (!length) return std::nullopt;
      i += length;
      if (text.substr(i).starts_with("(deleted)")) i += 9;
      continue;
    }
    if (text.substr(i).starts_with("<... ")) {  // restart_syscall(<... resuming interrupted poll ...>)
      const size_t end = text.find("...>", i + 5);
      if (end == std::string_view::npos) return std::nullopt;
      i = end + 4;
      continue;
    }
    // The context of a file (--secontext) after its path or descriptor: "/etc/passwd"
    // [system_u:object_r:passwd_file_t:s0]
    if (c == ' ' && text.substr(i).starts_with(" [") && i > 0 && !current.ends_with("=>") &&
        (text[i - 1] == '"' || text[i - 1] == '>' || text[i - 1] == '.' ||
         (is_word(text[i - 1]) && depth == 0))) {
      const size_t end = text.find(']', i);
      if (end != std::string_view::npos && text.substr(i, end - i).find(':') != std::string_view::npos) {
        i = end + 1;
        continue;
      }
    }
    if (c == '\'' && i + 2 < text.size() && text[i + 2] == '\'') {  // 'x'
      current += text.substr(i, 3);
      i += 3;
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
      for (; digits < 3 && text[i] >= '0' && text[i] <= '7'; ++digits, ++i)
        v = v * 8 + static_cast<unsigned>(text[i] - '0');
      --i;
      out.text += static_cast<char>(v);
    } else if (c == 'x') {
      unsigned v = 0;
      const auto [end, problem] =
          std::from_chars(text.data() + i + 1, text.data() + std::min(i + 3, length - 1), v, 16);
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

namespace {

std::optional<uint64_t> take_number(std::string_view& text) {
  int base = 10;
  if (text.size() > 1 && text[0] == '0') {
    base = text[1] == 'x' ? 16 : 8;
    if (base == 16) text.remove_prefix(2);
  }
  uint64_t v = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), v, base);
  if (problem != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  if (!text.empty() && is_word(text.front())) return std::nullopt;  // 12x4
  return v;
}

// makedev(0x8, 0x1); _IOC(_IOC_READ, 0x54, 0x1, 0x4) and its short forms, as <asm-generic/ioctl.h> puts
// numbers together.
std::optional<uint64_t> function_value(std::string_view name, const std::vector<std::string>& args) {
  uint64_t v[4] = {};
  if (args.size() > 4) return std::nullopt;
  for (size_t i = 0; i < args.size(); ++i) {
    const std::string& arg = args[i];
    if (arg.size() == 3 && arg.front() == '\'' && arg.back() == '\'') {
      v[i] = static_cast<unsigned char>(arg[1]);
      continue;
    }
    const auto value = constant(arg);
    if (!value) return std::nullopt;
    v[i] = *value;
  }
  auto ioc = [](uint64_t direction, uint64_t type, uint64_t nr, uint64_t size) -> std::optional<uint64_t> {
    if (direction > 3 || type > 0xff || nr > 0xff || size > 0x3fff) return std::nullopt;
    return direction << 30 | size << 16 | type << 8 | nr;
  };
  if (name == "makedev" && args.size() == 2)
    return makedev(static_cast<unsigned>(v[0]), static_cast<unsigned>(v[1]));
  if (name == "_IOC" && args.size() == 4) return ioc(v[0], v[1], v[2], v[3]);
  if (name == "_IO" && args.size() == 2) return ioc(0, v[0], v[1], 0);
  if (name == "_IOW" && args.size() == 3) return ioc(1, v[0], v[1], v[2]);
  if (name == "_IOR" && args.size() == 3) return ioc(2, v[0], v[1], v[2]);
  if (name == "_IOWR" && args.size() == 3) return ioc(3, v[0], v[1], v[2]);
  return std::nullopt;
}

// Takes one number, name or NAME(...) from the front. Nothing, and the name in unknown, if its value is not
// known here.
std::optional<uint64_t> take_term(std::string_view& text, std::vector<std::string>* unknown) {
  if (text.empty()) return std::nullopt;
  if (isdigit(static_cast<unsigned char>(text.front()))) return take_number(text);
  size_t length = 0;
  while (length < text.size() && is_word(text[length])) ++length;
  if (length == 0) return std::nullopt;
  const std::string_view name = text.substr(0, length);
  text.remove_prefix(length);
  std::optional<uint64_t> v;
  if (take(text, "(")) {
    const auto args = take_arguments(text);
    if (args) v = function_value(name, *args);
  } else {
    v = symbol_value(name);
  }
  if (!v && unknown) unknown->emplace_back(name);
  return v;
}

}  // namespace

std::optional<uint64_t> constant(std::string_view text, std::vector<std::string>* unknown) {
  text = trimmed(text);
  if (text.find(" or ") != std::string_view::npos) {  // an ioctl's number may have several names
    std::optional<uint64_t> value;
    for (size_t at = 0; !value && at != std::string_view::npos;) {
      const size_t end = text.find(" or ", at);
      value = constant(text.substr(at, end == std::string_view::npos ? end : end - at));
      at = end == std::string_view::npos ? end : end + 4;
    }
    if (!value && unknown) unknown->emplace_back(text.substr(0, text.find(' ')));
    return value;
  }
  uint64_t value = 0;
  for (;;) {
    const bool invert = take(text, "~"), minus = take(text, "-");
    auto term = take_term(text, unknown);
    if (!term) return std::nullopt;
    uint64_t v = *term;
    if (take(text, "<<")) {
      const auto shift = take_term(text, unknown);
      if (!shift) return std::nullopt;
      v = *shift < 64 ? v << *shift : 0;
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
  for (size_t at = 0; at < structure.size();) {
    if (structure[at] == '"') {
      const size_t length = quoted_length(structure.substr(at));
      if (!length) return std::nullopt;
      at += length;
      continue;
    }
    if (!is_word(structure[at])) {
      ++at;
      continue;
    }
    size_t end = at;
    while (end < structure.size() && is_word(structure[end])) ++end;
    if (structure.substr(at, end - at) != name || end >= structure.size() || structure[end] != '=') {
      at = end;
      continue;
    }
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
