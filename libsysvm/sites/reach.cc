// SPDX-License-Identifier: MIT
#include "libsysvm/sites/reach.h"

#include <algorithm>

namespace sysvm {
namespace {

bool computes_address(const ZydisDecodedInstruction& i) {
  return i.mnemonic == ZYDIS_MNEMONIC_LEA && i.raw.modrm.mod == 0 && i.raw.modrm.rm == 5;
}

uint64_t address_of(const ZydisDecodedInstruction& i, uint64_t vaddr) {
  return vaddr + i.length + static_cast<uint64_t>(i.raw.disp.value);
}

bool is_jump_or_call(const ZydisDecodedInstruction& i) {
  return i.meta.category == ZYDIS_CATEGORY_UNCOND_BR || i.meta.category == ZYDIS_CATEGORY_CALL;
}

// To the address in a word of data, which indirect.h knows.
bool through_a_word(const ZydisDecodedInstruction& i) { return i.raw.modrm.mod == 0 && i.raw.modrm.rm == 5; }

bool ends(const ZydisDecodedInstruction& i) {
  return i.meta.category == ZYDIS_CATEGORY_UNCOND_BR || i.meta.category == ZYDIS_CATEGORY_RET ||
         i.mnemonic == ZYDIS_MNEMONIC_UD2 || i.attributes & ZYDIS_ATTRIB_IS_PRIVILEGED;
}

// The same of what functions end with, by the name alone: the category is not known to the fast decoder.
bool ends_function(const ZydisDecodedInstruction& i) {
  return i.mnemonic == ZYDIS_MNEMONIC_JMP || i.mnemonic == ZYDIS_MNEMONIC_RET ||
         i.mnemonic == ZYDIS_MNEMONIC_UD2 || i.mnemonic == ZYDIS_MNEMONIC_HLT;
}

}  // namespace

Reach::Reach(const ElfImage& image, const Frames& frames)
    : frames_(frames), fixed_(image.at_fixed_address()) {
  ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  fast_ = decoder_;
  ZydisDecoderEnableMode(&fast_, ZYDIS_DECODER_MODE_MINIMAL, ZYAN_TRUE);
  for (const ExecRange& range : image.exec_ranges()) parts_.push_back({range, Bitmap(range.bytes.size())});
  for (const Part& part : parts_) enter(part.range.vaddr);
  std::vector<Computed> computed;
  for (const Function& f : frames_.functions()) scan_function(f, computed);
  const Indirect indirect(image, frames, std::move(computed));
  for (const uint64_t vaddr : indirect.targets()) enter(vaddr);
  follow();
}

Reach::Part* Reach::part_of(uint64_t vaddr) {
  for (Part& part : parts_)
    if (vaddr >= part.range.vaddr && vaddr - part.range.vaddr < part.range.bytes.size()) return &part;
  return nullptr;
}

void Reach::enter(uint64_t vaddr) {
  if (!frames_.at(vaddr) && part_of(vaddr)) waiting_.push_back(vaddr);
}

bool Reach::decode(const ZydisDecoder& decoder, uint64_t vaddr, ZydisDecodedInstruction& out) {
  const Part* part = part_of(vaddr);
  if (!part) return false;
  const auto bytes = part->range.bytes.subspan(vaddr - part->range.vaddr);
  return ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, nullptr, bytes.data(), bytes.size(), &out));
}

// Where an instruction leads, but for the next one.
void Reach::leads(const ZydisDecodedInstruction& i, uint64_t vaddr, std::vector<Computed>* computed) {
  if (i.raw.imm[0].is_relative) {
    enter(vaddr + i.length + static_cast<uint64_t>(i.raw.imm[0].value.s));
  } else if (computes_address(i)) {
    computed ? computed->push_back({address_of(i, vaddr), vaddr}) : enter(address_of(i, vaddr));
  } else if (fixed_ && i.raw.imm[0].size >= 32) {
    computed ? computed->push_back({i.raw.imm[0].value.u, vaddr}) : enter(i.raw.imm[0].value.u);
  }
}

void Reach::scan_function(const Function& f, std::vector<Computed>& computed) {
  ZydisDecodedInstruction i;
  bool goes_on = false;
  for (uint64_t at = f.begin; at < f.end; at += i.length) {
    goes_on = decode(fast_, at, i);
    if (!goes_on) {
      i.length = 1;
      continue;
    }
    leads(i, at, &computed);
    goes_on = !ends_function(i);
  }
  if (goes_on) enter(f.end);
}

void Reach::follow() {
  while (!waiting_.empty()) {
    uint64_t at = waiting_.back();
    waiting_.pop_back();
    for (ZydisDecodedInstruction i; !frames_.at(at); at += i.length) {
      Part* part = part_of(at);
      if (!part || part->starts.get(at - part->range.vaddr) || !decode(decoder_, at, i)) break;
      part->starts.set(at - part->range.vaddr);
      leads(i, at, nullptr);
      if (is_jump_or_call(i) && !i.raw.imm[0].is_relative && !through_a_word(i)) wild_.push_back(gap(at));
      if (ends(i)) break;
    }
  }
}

// Between the functions on both sides.
std::pair<uint64_t, uint64_t> Reach::gap(uint64_t vaddr) const {
  const auto& functions = frames_.functions();
  const auto next = std::upper_bound(functions.begin(), functions.end(), vaddr,
                                     [](uint64_t v, const Function& f) { return v < f.begin; });
  return {next == functions.begin() ? 0 : std::prev(next)->end,
          next == functions.end() ? UINT64_MAX : next->begin};
}

bool Reach::may_run(uint64_t vaddr) const {
  if (frames_.at(vaddr)) return true;
  return std::any_of(parts_.begin(), parts_.end(), [&](const Part& p) {
    return vaddr >= p.range.vaddr && vaddr - p.range.vaddr < p.range.bytes.size() &&
           p.starts.get(vaddr - p.range.vaddr);
  });
}

bool Reach::unknown(uint64_t vaddr) const {
  return std::any_of(wild_.begin(), wild_.end(),
                     [&](const auto& g) { return vaddr >= g.first && vaddr < g.second; });
}

}  // namespace sysvm
