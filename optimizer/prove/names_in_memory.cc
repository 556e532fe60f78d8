// SPDX-License-Identifier: MIT
#include "optimizer/prove/names_in_memory.h"

#include <algorithm>
#include <cstring>

#include "procedures/svp.h"
#include "uapi/syscalls.h"

namespace sysvm {
namespace {

constexpr uint64_t kNear = 64 << 10;                       // addresses closer than that belong together
constexpr size_t kFewest = 8;                              // of them
constexpr uint64_t kMost = 64 << 20;                       // bytes in all
constexpr uint64_t kLongest = 4096;                        // a path
constexpr uint64_t kAfter = 2 * (kLongest + SVP_ROW_GAP);  // readable after each

// address, text of each string that the call passes
template <typename F>
void each_string(const PackedTrace& trace, const PackedEvent& e, F f) {
  const sysvm_syscall_info* row =
      e.has(kSignal) ? nullptr : sysvm_syscall_by_nr(static_cast<uint32_t>(e.nr()));
  size_t text = 0;
  for (size_t i = 0; row && i < row->nargs && text < 2; ++i) {
    if (row->arg[i].kind != SYSVM_KIND_PATH && row->arg[i].kind != SYSVM_KIND_STR) continue;
    if (e.arg(i) && e.path(text) != kNoString && !e.has(kPathFault) && !e.has(kPathCut))
      f(e.arg(i), trace.strings[e.path(text)]);
    ++text;
  }
}

}  // namespace

NamesInMemory::NamesInMemory(const PackedTrace& trace, std::span<const PackedEvent* const> events)
    : elsewhere_{std::vector<uint8_t>(2 * kLongest + kAfter), std::vector<uint8_t>(2 * kLongest + kAfter)} {
  std::vector<uint64_t> addresses;
  for (const PackedEvent* e : events)
    each_string(trace, *e, [&](uint64_t address, const std::string&) { addresses.push_back(address); });
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  uint64_t left = kMost;
  for (size_t from = 0, to; from < addresses.size(); from = to) {
    for (to = from + 1; to < addresses.size() && addresses[to] - addresses[to - 1] <= kNear;) ++to;
    // As in the program: what is aligned there is so here.
    const uint64_t low = addresses[from] & ~uint64_t{4095},
                   size = addresses[to - 1] - low + kLongest + kAfter;
    if (to - from < kFewest || size > left) continue;
    left -= size;
    regions_.push_back({low, addresses[to - 1], std::vector<uint8_t>(size + 4096)});
  }
  for (size_t i = events.size(); i-- > 0;)  // the first that was passed there stays
    each_string(trace, *events[i], [&](uint64_t address, const std::string& text) {
      if (Region* region = region_of(address)) write(*region, address, text.c_str());
    });
}

NamesInMemory::Region* NamesInMemory::region_of(uint64_t address) {
  const auto after = std::upper_bound(regions_.begin(), regions_.end(), address,
                                      [](uint64_t a, const Region& r) { return a < r.low; });
  if (after == regions_.begin() || address > std::prev(after)->high) return nullptr;
  return &*std::prev(after);
}

uint64_t NamesInMemory::write(Region& region, uint64_t address, const char* text) {
  const uint64_t base = (reinterpret_cast<uint64_t>(region.bytes.data()) + 4095) & ~uint64_t{4095};
  char* to = reinterpret_cast<char*>(base + (address - region.low));
  const size_t n = std::min<size_t>(strlen(text), kLongest - 1);
  std::memcpy(to, text, n);
  to[n] = 0;
  return reinterpret_cast<uint64_t>(to);
}

uint64_t NamesInMemory::at(uint64_t address, const char* text, size_t which) {
  if (Region* region = region_of(address)) return write(*region, address, text);
  std::vector<uint8_t>& place = elsewhere_[which];
  std::fill(place.begin(), place.begin() + kLongest, 0);
  const size_t n = std::min<size_t>(strlen(text), kLongest - 1);
  std::memcpy(place.data(), text, n);
  return reinterpret_cast<uint64_t>(place.data());
}

}  // namespace sysvm
