// SPDX-License-Identifier: MIT
// One linear sweep over executable bytes: where instructions begin, and where direct branches land.
//
// It is restarted at every function that .eh_frame_hdr names, so data between functions cannot put it out of
// step.
// Tested by tests/sites/analyse_test.cc.
#pragma once

#include <Zydis/Zydis.h>

#include <cstdint>
#include <span>
#include <vector>

#include "libsysvm/sites/elf_image.h"

namespace sysvm {

struct Insn {
  uint64_t vaddr = 0;
  ZydisDecodedInstruction i;
  ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
};

class Bitmap {
 public:
  explicit Bitmap(size_t bits) : words_((bits + 63) / 64) {}
  void set(size_t i) { words_[i / 64] |= uint64_t{1} << (i % 64); }
  bool get(size_t i) const { return words_[i / 64] >> (i % 64) & 1; }

 private:
  std::vector<uint64_t> words_;
};

class Sweep {
 public:
  explicit Sweep(ExecRange range);

  // Marks instructions; direct branch targets go to `branches`, system calls to `syscalls`, those of
  // 32-bit programs to `foreign`.
  void run(const std::vector<uint64_t>& functions, std::vector<uint64_t>& branches,
           std::vector<uint64_t>& syscalls, std::vector<uint64_t>& foreign);

  bool contains(uint64_t vaddr) const { return vaddr >= base_ && vaddr - base_ < bytes_.size(); }
  void mark_target(uint64_t vaddr) { targets_.set(vaddr - base_); }
  bool is_start(uint64_t vaddr) const { return starts_.get(vaddr - base_); }
  bool is_target(uint64_t vaddr) const { return targets_.get(vaddr - base_); }
  const uint8_t* at(uint64_t vaddr) const { return &bytes_[vaddr - base_]; }
  uint64_t begin() const { return base_; }
  uint64_t end() const { return base_ + bytes_.size(); }
  uint64_t file_offset(uint64_t vaddr) const { return offset_ + (vaddr - base_); }

  bool decode(uint64_t vaddr, Insn& out) const;
  bool before(uint64_t vaddr, Insn& out) const;  // the instruction that ends where vaddr begins
  bool start_at_or_after(uint64_t vaddr, uint64_t& out) const;

 private:
  uint64_t base_, offset_;
  std::span<const uint8_t> bytes_;
  Bitmap starts_, targets_;
  ZydisDecoder fast_, full_;
};

}  // namespace sysvm
