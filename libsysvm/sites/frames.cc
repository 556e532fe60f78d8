// SPDX-License-Identifier: MIT
#include "libsysvm/sites/frames.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>

#include "libsysvm/sites/cursor.h"

namespace sysvm {
namespace {

constexpr uint8_t kPcRelative = 0x10, kOmit = 0xff;

struct Cie {
  uint64_t factor = 1;
  uint8_t pointer = 0, lsda = kOmit;
  bool augmented = false;
};

// Length and the bytes that it counts.
std::optional<Cursor> entry_at(const ExecRange& segment, uint64_t vaddr) {
  if (vaddr < segment.vaddr || vaddr - segment.vaddr >= segment.bytes.size()) return std::nullopt;
  Cursor all(vaddr, segment.bytes.subspan(vaddr - segment.vaddr));
  const uint32_t length = all.read<uint32_t>();
  const uint64_t start = all.vaddr();
  const auto bytes = all.take(length);
  if (!all.good() || length == 0 || length >= 0xfffffff0) return std::nullopt;  // the end, or the 64-bit form
  return Cursor(start, bytes);
}

std::optional<Cie> read_cie(const ExecRange& segment, uint64_t vaddr) {
  auto c = entry_at(segment, vaddr);
  if (!c || c->read<uint32_t>() != 0) return std::nullopt;
  const uint8_t version = c->read<uint8_t>();
  if (version != 1 && version != 3) return std::nullopt;
  std::string augmentation;
  for (char ch; c->good() && (ch = c->read<char>()) != 0;) augmentation += ch;
  Cie out;
  out.factor = c->uleb();
  c->uleb();  // factor of data: its sign does not matter here
  version == 1 ? c->read<uint8_t>() : c->uleb();
  if (!augmentation.empty() && augmentation[0] != 'z') return std::nullopt;
  out.augmented = !augmentation.empty();
  if (out.augmented) c->uleb();
  for (const char ch : augmentation) {
    if (ch == 'R') out.pointer = c->read<uint8_t>();
    if (ch == 'L') out.lsda = c->read<uint8_t>();
    if (ch == 'P') c->encoded(c->read<uint8_t>());
    if (ch != 'z' && ch != 'R' && ch != 'L' && ch != 'P' && ch != 'S') return std::nullopt;
  }
  return c->good() ? std::optional(out) : std::nullopt;
}

std::optional<Function> read_fde(const ExecRange& segment, uint64_t vaddr) {
  auto c = entry_at(segment, vaddr);
  if (!c) return std::nullopt;
  const uint64_t here = c->vaddr();
  const uint32_t back = c->read<uint32_t>();
  if (back == 0 || back > here) return std::nullopt;
  const auto cie = read_cie(segment, here - back);
  if (!cie || (cie->pointer & 0xf0 & ~kPcRelative)) return std::nullopt;
  Function out;
  const uint64_t base = cie->pointer & kPcRelative ? c->vaddr() : 0;
  out.begin = base + c->encoded(cie->pointer);
  const uint64_t length = c->encoded(cie->pointer & 0x0f);
  out.end = out.begin + length;
  out.factor = cie->factor;
  if (cie->augmented) {
    const uint64_t size = c->uleb(), start = c->vaddr();
    const auto data = c->take(size);
    Cursor lsda(start, data);
    if (cie->lsda != kOmit && !data.empty()) {
      const uint64_t pads = lsda.encoded(cie->lsda);
      out.lands = pads != 0;
      if (pads) out.pads = (cie->lsda & kPcRelative ? start : 0) + pads;
    }
  }
  if (!c->good() || length == 0 || out.end < out.begin) return std::nullopt;
  out.program = c->rest();
  return out;
}

// Skips what follows the opcode of a DW_CFA instruction that does not advance; false: it is not known.
bool skip_operands(Cursor& c, uint8_t op) {
  switch (op) {
    case 0x00:
    case 0x0a:
    case 0x0b:
    case 0x2d:  // nop, remember, restore, window save
      return true;
    case 0x06:
    case 0x07:
    case 0x08:
    case 0x0d:
    case 0x0e:
    case 0x13:
    case 0x2e:  // one number
      c.uleb();
      return c.good();
    case 0x05:
    case 0x09:
    case 0x0c:
    case 0x11:
    case 0x12:
    case 0x14:
    case 0x15:
    case 0x2f:  // two
      c.uleb();
      c.uleb();
      return c.good();
    case 0x0f:  // an expression
      c.take(c.uleb());
      return c.good();
    case 0x10:
    case 0x16:
      c.uleb();
      c.take(c.uleb());
      return c.good();
  }
  return false;
}

}  // namespace

Frames::Frames(const ElfImage& image) {
  const auto header = image.eh_frame_header();
  // Version 1, count udata4, table datarel sdata4: what every linker writes.
  if (!header || header->bytes.size() < 12 || header->bytes[0] != 1 || header->bytes[2] != 0x03 ||
      header->bytes[3] != 0x3b)
    return;
  uint32_t count;
  std::memcpy(&count, &header->bytes[8], sizeof count);
  count = static_cast<uint32_t>(std::min<uint64_t>(count, (header->bytes.size() - 12) / 8));
  std::optional<ExecRange> segment;
  for (uint32_t i = 0; i < count; ++i) {
    int32_t entry[2];  // the function and its FDE
    std::memcpy(entry, &header->bytes[12 + size_t{i} * 8], sizeof entry);
    const uint64_t begin = header->vaddr + static_cast<uint64_t>(int64_t{entry[0]});
    const uint64_t fde = header->vaddr + static_cast<uint64_t>(int64_t{entry[1]});
    if (!segment || fde < segment->vaddr || fde - segment->vaddr >= segment->bytes.size())
      segment = image.segment_at(fde);
    if (!segment) continue;
    if (const auto f = read_fde(*segment, fde); f && f->begin == begin) functions_.push_back(*f);
  }
  std::sort(functions_.begin(), functions_.end(),
            [](const auto& a, const auto& b) { return a.begin < b.begin; });
  // Two that overlap cannot both be right.
  std::vector<Function> sound;
  uint64_t covered = 0;
  for (size_t i = 0; i < functions_.size(); ++i) {
    const Function& f = functions_[i];
    const bool overlaps = f.begin < covered || (i + 1 < functions_.size() && functions_[i + 1].begin < f.end);
    covered = std::max(covered, f.end);
    if (!overlaps) sound.push_back(f);
  }
  functions_ = std::move(sound);
}

const Function* Frames::at(uint64_t vaddr) const {
  auto after = std::upper_bound(functions_.begin(), functions_.end(), vaddr,
                                [](uint64_t v, const Function& f) { return v < f.begin; });
  if (after == functions_.begin()) return nullptr;
  --after;
  return vaddr < after->end ? &*after : nullptr;
}

bool Frames::begins_in(uint64_t low, uint64_t high) const {
  const auto first = std::lower_bound(functions_.begin(), functions_.end(), low,
                                      [](const Function& f, uint64_t v) { return f.begin < v; });
  return first != functions_.end() && first->begin < high;
}

bool Frames::one_rule(const Function& f, uint64_t from, uint64_t last) {
  Cursor c(0, f.program);
  uint64_t at = f.begin;
  while (!c.at_end()) {
    const uint8_t op = c.read<uint8_t>();
    uint64_t step = 0;
    switch (op & 0xc0) {
      case 0x40: step = op & 0x3f; break;
      case 0x80: c.uleb(); continue;
      case 0xc0: continue;
      default:
        if (op == 0x02)
          step = c.read<uint8_t>();
        else if (op == 0x03)
          step = c.read<uint16_t>();
        else if (op == 0x04)
          step = c.read<uint32_t>();
        else if (skip_operands(c, op))
          continue;
        else
          return false;  // DW_CFA_set_loc too: no compiler writes it
    }
    if (!c.good()) return false;
    if (step == 0) continue;
    at += step * f.factor;
    if (at > from && at <= last) return false;
    if (at > last) return true;
  }
  return c.good();
}

}  // namespace sysvm
