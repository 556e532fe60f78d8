// SPDX-License-Identifier: MIT
#include "optimizer/explain/advice.h"

#include <fmt/format.h>

#include <algorithm>

#include "optimizer/prove/replay.h"
#include "uapi/syscalls.h"

namespace sysvm {
namespace {

constexpr double kWorthSaying = 0.03;  // of all calls

double share(uint64_t part, uint64_t whole) {
  return whole ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0;
}

// The table's number of a call by the name that begins a text.
uint32_t number_of(const std::string& text) {
  const sysvm_syscall_info* row = sysvm_syscall_by_name(text.substr(0, text.find(' ')).c_str());
  return row ? row->nr : UINT32_MAX;
}

}  // namespace

std::vector<Advice> advise(const MinePart& part, const CostModel& cost, const Replay* procedures) {
  std::vector<Advice> out;
  const auto say = [&](std::string text, uint64_t calls, uint32_t nr, double least = kWorthSaying) {
    if (static_cast<double>(calls) < least * static_cast<double>(part.calls) || !part.calls) return;
    out.push_back(
        {std::move(text), calls, static_cast<double>(calls) * (cost.crossing_ns + cost.inner_ns(nr))});
  };
  for (const auto& [name, total] : part.by_name_and_path) {
    const size_t space = name.find(' ');
    const std::string call = name.substr(0, space), path = name.substr(space + 1);
    const double percent = share(total.count, part.calls);
    const bool stat = call.find("stat") != std::string::npos;
    if (path.empty() || path[0] != '/') continue;  // relative: another file in another folder
    if (path == "/etc/localtime" && stat)
      say(fmt::format("set TZ (TZ=:/etc/localtime keeps the zone): {:.0f} % of the calls stat /etc/localtime",
                      percent),
          total.count, number_of(call));
    else if (total.failed == total.count)
      say(fmt::format(
              "{:.0f} % of the calls look for \"{}\", which is never there ({}): can it be switched off?",
              percent, path, call),
          total.count, number_of(call));
    else
      say(fmt::format("{:.0f} % of the calls are {} of \"{}\" again: keep the answer", percent, call, path),
          total.count, number_of(call));
  }
  uint64_t xattr = 0, missing = 0, links = 0;
  for (const auto& [name, total] : part.by_name) {
    if (name.find("getxattr") != std::string::npos) xattr += total.failed;
    if (name == "openat" || name == "open" || name == "access" || name == "stat" || name == "newfstatat")
      missing += total.failed;
    if (name == "readlink" || name == "readlinkat") links += total.failed;
  }
  say(fmt::format("{:.0f} % of the calls ask for extended attributes that are not there: "
                  "can the program leave that out?",
                  share(xattr, part.calls)),
      xattr, SYSVM_NR_getxattr);
  say(fmt::format(
          "{:.0f} % of the calls look for files that are not there: fewer or better ordered search paths",
          share(missing, part.calls)),
      missing, SYSVM_NR_newfstatat, 0.1);
  say(fmt::format(
          "{:.0f} % of the calls resolve names that are no links (realpath): shorter or resolved paths",
          share(links, part.calls)),
      links, SYSVM_NR_readlink, 0.1);
  if (procedures && procedures->entries < procedures->calls)
    out.push_back({fmt::format("compile and run it with the module: {} of {} entries fewer",
                               procedures->calls - procedures->entries, procedures->calls),
                   procedures->calls - procedures->entries, saved_ns(cost, *procedures)});
  std::erase_if(out, [](const Advice& a) { return a.saved_ns <= 0; });
  std::stable_sort(out.begin(), out.end(),
                   [](const Advice& a, const Advice& b) { return a.saved_ns > b.saved_ns; });
  if (out.size() > 3) out.resize(3);
  return out;
}

}  // namespace sysvm
