// SPDX-License-Identifier: MIT
#include "optimizer/explain/lists_text.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "common/numbers.h"
#include "optimizer/prove/example.h"

namespace sysvm {
namespace {

constexpr size_t kShown = 5;  // items of a list
constexpr size_t kName = 1000;

struct Sums {
  uint64_t files = 0, directories = 0, names = 0, bytes = 0;
  explicit Sums(const PrefetchList& list) {
    for (const ListItem& i : list.items) {
      (i.kind == SVP_ITEM_FILE ? files : i.kind == SVP_ITEM_DIRECTORY ? directories : names) += 1;
      bytes += i.length;
    }
  }
};

std::string item_text(const ListItem& i) {
  const std::string name = printable(i.path, kName);
  if (i.kind == SVP_ITEM_FILE) return fmt::format("read   {} ({} bytes from {})", name, i.length, i.from);
  return fmt::format("{} {}", i.kind == SVP_ITEM_DIRECTORY ? "list  " : "look  ", name);
}

}  // namespace

std::string lists_lines(const std::vector<PrefetchList>& lists) {
  std::string out;
  for (const PrefetchList& list : lists) {
    const Sums sums(list);
    out += fmt::format(
        "{:>8} items for the prefetcher, {} files ({:.1f} MB), {} directories, {} names; {} waited  "
        "{:<10} {}\n",
        list.items.size(), sums.files, static_cast<double>(sums.bytes) / 1e6, sums.directories, sums.names,
        time_text(static_cast<double>(list.waited_ns)), svp_mode_name(SVP_PREFETCH),
        printable(list.name, kName));
  }
  return out;
}

std::string lists_text(const std::vector<PrefetchList>& lists) {
  std::string out;
  for (size_t i = 0; i < lists.size(); ++i) {
    const PrefetchList& list = lists[i];
    const Sums sums(list);
    out += fmt::format("\nlist {}: {} ({})\n", i, printable(list.name, kName), svp_mode_name(SVP_PREFETCH));
    out +=
        "  with --prefetch, another process reads this ahead while the program is seen to keep to it;\n"
        "  nothing is answered\n";
    out += fmt::format("  seen {} times, {} waited for storage in the calls on it", list.seen,
                       time_text(static_cast<double>(list.waited_ns)));
    out += list.exe.empty() ? "; for any executable\n" : fmt::format("; for the executable {}\n", list.exe);
    out += fmt::format("  reads    {} files ({:.1f} MB), lists {} directories, looks at {} names\n",
                       sums.files, static_cast<double>(sums.bytes) / 1e6, sums.directories, sums.names);
    for (size_t k = 0; k < list.items.size() && k < kShown; ++k)
      out += "           " + item_text(list.items[k]) + "\n";
    if (list.items.size() > kShown)
      out += fmt::format("           and {} more (sysvm disasm lists them)\n", list.items.size() - kShown);
  }
  return out;
}

nlohmann::json lists_json(const std::vector<PrefetchList>& lists) {
  nlohmann::json out = nlohmann::json::array();
  for (const PrefetchList& list : lists) {
    const Sums sums(list);
    out.push_back({{"name", printable(list.name, kName)},
                   {"mode", svp_mode_name(SVP_PREFETCH)},
                   {"exe", list.exe},
                   {"seen", list.seen},
                   {"waited_ns", list.waited_ns},
                   {"items", list.items.size()},
                   {"files", sums.files},
                   {"bytes", sums.bytes},
                   {"directories", sums.directories},
                   {"names", sums.names}});
  }
  return out;
}

}  // namespace sysvm
