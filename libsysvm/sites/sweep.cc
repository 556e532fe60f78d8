// SPDX-License-Identifier: MIT
#include "libsysvm/sites/sweep.h"

#include <algorithm>

namespace sysvm {

Sweep::Sweep(ExecRange range)
    : base_(range.vaddr),
      offset_(range.offset),
      bytes_(range.bytes),
      starts_(bytes_.size() + 1),
      targets_(bytes_.size() + 1) {
  ZydisDecoderInit(&fast_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  full_ = fast_;
  ZydisDecoderEnableMode(&fast_, ZYDIS_DECODER_MODE_MINIMAL, ZYAN_TRUE);
}

void Sweep::run(const std::vector<uint64_t>& functions, std::vector<uint64_t>& branches,
                std::vector<uint64_t>& syscalls, std::vector<uint64_t>& foreign) {
  auto next_function = std::lower_bound(functions.begin(), functions.end(), base_);
  ZydisDecodedInstruction insn;
  for (size_t at = 0; at < bytes_.size();) {
    while (next_function != functions.end() && *next_function <= base_ + at) ++next_function;
    if (!ZYAN_SUCCESS(
            ZydisDecoderDecodeInstruction(&fast_, nullptr, &bytes_[at], bytes_.size() - at, &insn))) {
      ++at;
      continue;
    }
    // An instruction that runs over a function's start was no instruction. (By one byte it is
    // right: the entries of signal restorers begin one byte early, so that an unwinder that looks
    // up pc - 1 finds them.)
    if (next_function != functions.end() && base_ + at + insn.length > *next_function + 1) {
      at = *next_function - base_;
      continue;
    }
    starts_.set(at);
    const uint64_t vaddr = base_ + at;
    if (insn.mnemonic == ZYDIS_MNEMONIC_SYSCALL) syscalls.push_back(vaddr);
    if (insn.mnemonic == ZYDIS_MNEMONIC_SYSENTER ||
        (insn.mnemonic == ZYDIS_MNEMONIC_INT && insn.raw.imm[0].value.u == 0x80))
      foreign.push_back(vaddr);
    if (insn.raw.imm[0].is_relative)
      branches.push_back(vaddr + insn.length + static_cast<uint64_t>(insn.raw.imm[0].value.s));
    at += insn.length;
  }
}

bool Sweep::decode(uint64_t vaddr, Insn& out) const {
  if (!contains(vaddr)) return false;
  out.vaddr = vaddr;
  return ZYAN_SUCCESS(
      ZydisDecoderDecodeFull(&full_, at(vaddr), bytes_.size() - (vaddr - base_), &out.i, out.op));
}

bool Sweep::before(uint64_t vaddr, Insn& out) const {
  for (uint64_t p = vaddr; p > base_ && vaddr - p < ZYDIS_MAX_INSTRUCTION_LENGTH;) {
    --p;
    if (starts_.get(p - base_)) return decode(p, out) && p + out.i.length == vaddr;
  }
  return false;
}

bool Sweep::start_at_or_after(uint64_t vaddr, uint64_t& out) const {
  for (uint64_t p = std::max(vaddr, base_); p < end(); ++p)
    if (starts_.get(p - base_)) return out = p, true;
  return false;
}

}  // namespace sysvm
