// SPDX-License-Identifier: MIT
#include "libsysvm/sites/indirect.h"

#include <algorithm>
#include <cstring>

#include "libsysvm/sites/cursor.h"

namespace sysvm {
namespace {

constexpr size_t kTableMax = 1 << 16;  // words of one switch table

template <typename T>
T word_at(std::span<const uint8_t> bytes, size_t at) {
  T value;
  std::memcpy(&value, &bytes[at], sizeof value);
  return value;
}

}  // namespace

Indirect::Indirect(const ElfImage& image, const Frames& frames, std::vector<Computed> computed) {
  for (const CodeSegment& s : image.code_segments())
    if (const auto all = image.segment_at(s.vaddr); all && all->vaddr == s.vaddr) code_.push_back(*all);
  for (const uint64_t vaddr : image.symbol_addresses()) add(vaddr);
  for (const uint64_t vaddr : image.relocated_addresses()) add(vaddr);
  for (const ExecRange& data : image.data_segments()) add_words(data.bytes);
  std::sort(computed.begin(), computed.end(),
            [](const auto& a, const auto& b) { return a.address < b.address; });
  uint64_t next = UINT64_MAX;
  for (size_t i = computed.size(); i-- > 0;) {
    const auto& [address, by] = computed[i];
    if (i + 1 < computed.size() && computed[i + 1].address != address) next = computed[i + 1].address;
    add(address);
    if (!frames.at(address)) add_table(image, address, next, frames.at(by));
  }
  for (const Function& f : frames.functions())
    if (f.pads) add_pads(image, f);
  std::sort(targets_.begin(), targets_.end());
}

bool Indirect::in_code(uint64_t vaddr) const {
  return std::any_of(code_.begin(), code_.end(), [&](const ExecRange& r) {
    return vaddr >= r.vaddr && vaddr - r.vaddr < r.bytes.size();
  });
}

void Indirect::add(uint64_t vaddr) {
  if (in_code(vaddr)) targets_.push_back(vaddr);
}

void Indirect::add_words(std::span<const uint8_t> bytes) {
  for (size_t at = 0; at + 8 <= bytes.size(); at += 8) add(word_at<uint64_t>(bytes, at));
}

void Indirect::add_table(const ElfImage& image, uint64_t vaddr, uint64_t next, const Function* f) {
  const auto segment = image.segment_at(vaddr);
  if (!segment) return;
  const auto bytes = segment->bytes.subspan(vaddr - segment->vaddr);
  for (size_t at = 0; at + 4 <= bytes.size() && at < 4 * kTableMax; at += 4) {
    const uint64_t target = vaddr + static_cast<uint64_t>(int64_t{word_at<int32_t>(bytes, at)});
    if (!in_code(target)) return;
    if (vaddr + at < next || (f && target >= f->begin && target < f->end)) targets_.push_back(target);
  }
}

// The table of call sites of a function (the C++ ABI's "language-specific data area"): for each, where an
// exception lands.
void Indirect::add_pads(const ElfImage& image, const Function& f) {
  constexpr uint8_t kOmitted = 0xff;
  const auto segment = image.segment_at(f.pads);
  std::vector<uint64_t> found;
  const auto read = [&] {
    if (!segment) return false;
    Cursor c(f.pads, segment->bytes.subspan(f.pads - segment->vaddr));
    if (c.read<uint8_t>() != kOmitted)
      return false;                               // pads relative to something else: no compiler writes it
    if (c.read<uint8_t>() != kOmitted) c.uleb();  // where the types are
    const uint8_t form = c.read<uint8_t>();
    const uint64_t size = c.uleb();
    if (!c.good() || form & 0xf0) return false;
    Cursor sites(c.vaddr(), c.take(size));
    while (c.good() && sites.good() && !sites.at_end()) {
      sites.encoded(form);
      sites.encoded(form);
      const uint64_t pad = sites.encoded(form);
      sites.uleb();
      if (pad) found.push_back(f.begin + pad);
    }
    return c.good() && sites.good();
  };
  if (!read()) {
    anywhere_.emplace_back(f.begin, f.end);
    return;
  }
  for (const uint64_t pad : found) add(pad);
}

bool Indirect::into(uint64_t low, uint64_t high) const {
  const auto first = std::lower_bound(targets_.begin(), targets_.end(), low);
  if (first != targets_.end() && *first < high) return true;
  return std::any_of(anywhere_.begin(), anywhere_.end(),
                     [&](const auto& f) { return low < f.second && high > f.first; });
}

}  // namespace sysvm
