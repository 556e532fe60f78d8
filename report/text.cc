// SPDX-License-Identifier: MIT
#include "report/text.h"

#include <fmt/format.h>

#include <array>
#include <vector>

#include "common/numbers.h"

namespace sysvm::page {
namespace {

struct Range {
  uint32_t from, to;
};
// Characters without a form of their own, or that act on their neighbours: controls, format and direction
// marks, variation
// selectors, tags, private use, what is no character. (Unicode 15: categories Cc, Cf, Co, Cs, Zl, Zp.)
constexpr std::array kUnseen = std::to_array<Range>(
    {{0x00, 0x1f},       {0x7f, 0x9f},       {0xad, 0xad},       {0x34f, 0x34f},     {0x600, 0x605},
     {0x61c, 0x61c},     {0x6dd, 0x6dd},     {0x70f, 0x70f},     {0x890, 0x891},     {0x8e2, 0x8e2},
     {0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180b, 0x180f},   {0x200b, 0x200f},   {0x2028, 0x202e},
     {0x2060, 0x206f},   {0x3164, 0x3164},   {0xd800, 0xf8ff},   {0xfdd0, 0xfdef},   {0xfe00, 0xfe0f},
     {0xfeff, 0xfeff},   {0xffa0, 0xffa0},   {0xfff0, 0xfffb},   {0xfffe, 0xffff},   {0x110bd, 0x110bd},
     {0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0x10ffff}});

bool unseen(uint32_t c) {
  for (const Range& r : kUnseen)
    if (c >= r.from && c <= r.to) return true;
  return false;
}

// The character at the front of text and its length; length 0: no UTF-8.
struct Character {
  uint32_t code = 0;
  size_t length = 0;
};
Character first_of(std::string_view text) {
  const auto at = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(text[i])); };
  const uint32_t lead = at(0);
  if (lead < 0x80) return {lead, 1};
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return {};
  uint32_t code = lead & (0xffu >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (at(i) & 0x3f);
  }
  const uint32_t least = length == 4 ? 0x10000 : length == 3 ? 0x800 : 0x80;
  if (code < least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return {};
  return {code, length};
}

std::string escape(uint32_t code) {
  switch (code) {
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    default:
      return code < 0x100     ? fmt::format("\\x{:02x}", code)
             : code < 0x10000 ? fmt::format("\\u{:04x}", code)
                              : fmt::format("\\U{:08x}", code);
  }
}

// One piece for each character of the text.
std::vector<std::string> pieces(std::string_view bytes) {
  std::vector<std::string> out;
  while (!bytes.empty()) {
    const Character c = first_of(bytes);
    if (!c.length) {
      out.push_back(fmt::format("\\x{:02x}", static_cast<unsigned char>(bytes[0])));
      bytes.remove_prefix(1);
      continue;
    }
    if (c.code == '\\')
      out.push_back("\\\\");
    else
      out.push_back(unseen(c.code) ? escape(c.code) : std::string(bytes.substr(0, c.length)));
    bytes.remove_prefix(c.length);
  }
  return out;
}

bool plain(std::string_view bytes) {
  for (const char c : bytes)
    if (static_cast<signed char>(c) < 32 || c == 127 || c == '\\') return false;
  return true;
}

}  // namespace

std::string visible(std::string_view bytes, size_t most) {
  if (bytes.size() <= most && plain(bytes)) return std::string(bytes);
  const std::vector<std::string> all = pieces(bytes);
  std::string out;
  const size_t head = most * 2 / 3, tail = most - head;
  for (size_t i = 0; i < all.size(); ++i) {
    if (all.size() > most && i == head) {
      out += fmt::format("\u2026[{} bytes]\u2026", bytes.size());
      i = all.size() - tail;
    }
    out += all[i];
  }
  return out;
}

std::string html(std::string_view bytes, size_t most) {
  std::string out;
  const std::string shown = visible(bytes, most);
  std::string_view text = shown;
  while (!text.empty()) {
    const Character c = first_of(text);
    switch (c.code) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default:
        if (c.code >= 0x80)
          out += fmt::format("&#{};", c.code);
        else
          out += static_cast<char>(c.code);
    }
    text.remove_prefix(c.length);
  }
  return out;
}

std::string bytes_text(uint64_t n) {
  if (n < 10'000) return fmt::format("{} B", thousands(n));
  if (n < 10'000'000) return fmt::format("{:.0f} kB", static_cast<double>(n) / 1e3);
  if (n < 10'000'000'000) return fmt::format("{:.1f} MB", static_cast<double>(n) / 1e6);
  return fmt::format("{:.1f} GB", static_cast<double>(n) / 1e9);
}

std::string inert(std::string json) {
  std::string out;
  out.reserve(json.size());
  for (const char c : json)
    if (c == '<')
      out += "\\u003c";
    else
      out += c;
  return out;
}

}  // namespace sysvm::page
