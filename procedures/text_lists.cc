// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/hex.h"
#include "procedures/text_parts.h"

namespace sysvm {

std::string quoted(std::span<const uint8_t> bytes) {
  std::string out = "\"";
  for (uint8_t b : bytes) {
    if (b == 0)
      out += "\\0";
    else if (b == '"' || b == '\\')
      out += fmt::format("\\{}", static_cast<char>(b));
    else if (b < 0x20 || b >= 0x7f)
      out += fmt::format("\\x{:02x}", b);
    else
      out += static_cast<char>(b);
  }
  return out + "\"";
}

std::string quoted(const std::string& text) {
  return quoted({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

namespace {

std::string item_text(const ListItem& i) {
  switch (i.kind) {
    case SVP_ITEM_DIRECTORY: return "directory " + quoted(i.path);
    case SVP_ITEM_FILE:
      return fmt::format("file {} {}+{} of {} modified {}{}.{:09}", quoted(i.path), i.from, i.length, i.size,
                         i.mtime < 0 ? "-" : "",
                         i.mtime < 0 ? -static_cast<uint64_t>(i.mtime) : static_cast<uint64_t>(i.mtime),
                         i.mtime_ns);
    default: return "name " + quoted(i.path);
  }
}

Result<ListItem> read_file_item(LineReader& in) {
  ListItem out;
  out.kind = SVP_ITEM_FILE;
  out.path = TRY(in.quoted_string());
  out.from = TRY(in.number());
  TRY(in.expect("+"));
  out.length = TRY(in.number());
  TRY(in.expect("of "));
  out.size = TRY(in.number());
  TRY(in.expect("modified "));
  const bool negative = in.take("-");
  const uint64_t seconds = TRY(in.number());
  out.mtime = static_cast<int64_t>(negative ? -seconds : seconds);
  TRY(in.expect("."));
  out.mtime_ns = static_cast<uint32_t>(TRY(in.number()));
  return out;
}

}  // namespace

std::string to_text(const PrefetchList& list) {
  std::string out =
      fmt::format("list {} {} {{\n  seen {}\n", quoted(list.name), svp_mode_name(SVP_PREFETCH), list.seen);
  if (!list.exe.empty()) out += fmt::format("  exe {}\n", list.exe);
  out += fmt::format("  command {:#x}\n  waited {}\n", list.command, list.waited_ns);
  for (const ListItem& i : list.items) out += "  " + item_text(i) + "\n";
  return out + "}\n";
}

Result<PrefetchList> read_list(LineReader& in) {
  PrefetchList out;
  out.name = TRY(in.quoted_string());
  TRY(in.expect(svp_mode_name(SVP_PREFETCH)));
  TRY(in.expect("{"));
  for (;;) {
    if (!in.next_line()) return in.fail("list \"{}\" has no closing '}}'", out.name);
    if (in.take("}")) return out;
    const std::string item = in.word();
    if (item == "seen") {
      out.seen = TRY(in.number());
    } else if (item == "exe") {
      out.exe = in.word();
      if (!from_hex(out.exe)) return in.fail("'{}' is not a build-id in hexadecimal", out.exe);
    } else if (item == "command") {
      out.command = TRY(in.number());
    } else if (item == "waited") {
      out.waited_ns = TRY(in.number());
    } else if (item == "name" || item == "directory") {
      ListItem& named = out.items.emplace_back();
      named.kind = item == "name" ? SVP_ITEM_NAME : SVP_ITEM_DIRECTORY;
      named.path = TRY(in.quoted_string());
    } else if (item == "file") {
      out.items.push_back(TRY(read_file_item(in)));
    } else {
      return in.fail("'{}': expected seen, exe, command, waited, name, file, directory or '}}'", item);
    }
    if (!in.at_end()) return in.fail("'{}' was not expected at the end of the line", in.rest());
  }
}

}  // namespace sysvm
