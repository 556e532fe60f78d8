// SPDX-License-Identifier: MIT
#include "libsysvm/sites/place.h"

#include <algorithm>
#include <cstring>

namespace sysvm {
namespace {

bool is_jcc(const Insn& insn) {
  return insn.i.meta.category == ZYDIS_CATEGORY_COND_BR && insn.i.raw.imm[0].is_relative &&
         (insn.i.opcode & 0xf0) == (insn.i.opcode_map == ZYDIS_OPCODE_MAP_0F ? 0x80 : 0x70);
}

bool copyable(const Insn& insn) {
  switch (insn.i.meta.category) {
    case ZYDIS_CATEGORY_CALL:
    case ZYDIS_CATEGORY_RET:
    case ZYDIS_CATEGORY_UNCOND_BR:
    case ZYDIS_CATEGORY_SYSCALL:
    case ZYDIS_CATEGORY_INTERRUPT:
    case ZYDIS_CATEGORY_SYSTEM:
    case ZYDIS_CATEGORY_PUSH:
    case ZYDIS_CATEGORY_POP:
    case ZYDIS_CATEGORY_CET: return false;
    default: break;
  }
  if (insn.i.meta.category == ZYDIS_CATEGORY_COND_BR) return is_jcc(insn);
  if (insn.i.mnemonic == ZYDIS_MNEMONIC_XBEGIN || insn.i.raw.imm[0].is_relative) return false;
  for (unsigned k = 0; k < insn.i.operand_count; ++k) {
    const ZydisDecodedOperand& op = insn.op[k];
    if (op.type == ZYDIS_OPERAND_TYPE_REGISTER && (op.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
        ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, op.reg.value) == ZYDIS_REGISTER_RSP)
      return false;
  }
  return true;
}

// Appends a relocated copy of insn. False: there is no room.
bool append_copy(const Insn& insn, const uint8_t* bytes, sysvm_site& site) {
  unsigned length = insn.i.length;
  uint8_t buffer[ZYDIS_MAX_INSTRUCTION_LENGTH + 1];
  std::memcpy(buffer, bytes, length);
  int at = -1;
  uint64_t target = 0;
  if (is_jcc(insn)) {
    target = insn.vaddr + length + static_cast<uint64_t>(insn.i.raw.imm[0].value.s);
    buffer[0] = 0x0f;
    buffer[1] = 0x80 | (insn.i.opcode & 0xf);
    at = 2;
    length = 6;
  } else {
    for (unsigned k = 0; k < insn.i.operand_count; ++k) {
      const ZydisDecodedOperand& op = insn.op[k];
      if (op.type != ZYDIS_OPERAND_TYPE_MEMORY || op.mem.base != ZYDIS_REGISTER_RIP) continue;
      at = insn.i.raw.disp.offset;
      target = insn.vaddr + length + static_cast<uint64_t>(insn.i.raw.disp.value);
    }
  }
  if (site.code_len + length > SITES_CODE_MAX) return false;
  if (at >= 0) {
    if (site.fixes == SITES_FIX_MAX) return false;
    site.fix[site.fixes++] = {site.code_len + static_cast<uint32_t>(at), site.code_len + length, target};
    std::memset(buffer + at, 0, 4);
  }
  std::memcpy(site.code + site.code_len, buffer, length);
  site.code_len = static_cast<uint8_t>(site.code_len + length);
  return true;
}

// Five bytes of filler each, within reach of a 2-byte jump that ends at `from`.
std::vector<uint64_t> find_hops(const Sweep& sweep, uint64_t from) {
  constexpr uint64_t kReach = 120;
  std::vector<uint64_t> out;
  uint64_t at = from > sweep.begin() + kReach ? from - kReach : sweep.begin(), run = 0;
  if (!sweep.start_at_or_after(at, at)) return out;
  Insn insn;
  for (; at < from + kReach && sweep.decode(at, insn); at += insn.i.length) {
    const bool filler = insn.i.mnemonic == ZYDIS_MNEMONIC_NOP || insn.i.mnemonic == ZYDIS_MNEMONIC_INT3;
    if (!filler)
      run = 0;
    else if (run == 0)
      run = at;
    for (; run && at + insn.i.length - run >= 5; run += 5)
      if (run + 5 < from + kReach) out.push_back(run);
  }
  return out;
}

struct Place {
  Insn insn;
  size_t copied;  // instructions from here to the syscall
  bool leaky;
  int rank;
};

// What could be overwritten so that the call is seen, best first: not leaky before leaky, a plain jump before
// a hop, near before far.
std::vector<Place> find_places(const Sweep& sweep, uint64_t syscall, std::vector<Insn>& chain) {
  std::vector<Place> out;
  bool leaky = sweep.is_target(syscall);
  for (uint64_t vaddr = syscall; chain.size() < 16;) {
    Insn insn;
    if (!sweep.before(vaddr, insn) || !copyable(insn)) break;
    chain.push_back(insn);
    if (syscall + 2 - insn.vaddr > SITES_EXPECT_MAX) break;
    if (insn.i.length >= 2)
      out.push_back({insn, chain.size(), leaky, (leaky ? 0 : 2) + (insn.i.length >= 5 ? 2 : 1)});
    leaky |= sweep.is_target(insn.vaddr);
    vaddr = insn.vaddr;
  }
  std::stable_sort(out.begin(), out.end(), [](const Place& a, const Place& b) { return a.rank > b.rank; });
  return out;
}

}  // namespace

void choose_place(const Sweep& sweep, Proof& proof, sysvm_site& site) {
  std::vector<Insn> chain;  // nearest first
  uint8_t doubt = SITE_NO_PLACE;
  for (const Place& place : find_places(sweep, site.syscall, chain)) {
    sysvm_site trial = site;
    trial.patch = place.insn.vaddr;
    trial.offset = sweep.file_offset(trial.patch);
    bool room = true;
    for (size_t i = place.copied; i-- > 0 && room;)
      room = append_copy(chain[i], sweep.at(chain[i].vaddr), trial);
    if (!room) continue;
    if (place.leaky) trial.flags |= SITE_LEAKY;
    trial.expect_len = static_cast<uint8_t>(site.syscall + 2 - trial.patch);
    std::memcpy(trial.expect, sweep.at(trial.patch), trial.expect_len);
    const bool hops = place.insn.i.length < 5;
    for (const uint64_t hop : hops ? find_hops(sweep, trial.patch + 2) : std::vector<uint64_t>{0}) {
      if (hops) {
        trial.flags |= SITE_HOP;
        trial.hop = hop;
        std::memcpy(trial.hop_expect, sweep.at(hop), sizeof trial.hop_expect);
      }
      const site_doubt why = proof.admit(trial);
      if (why == SITE_SOUND) {
        site = trial;
        return;
      }
      if (doubt == SITE_NO_PLACE) doubt = static_cast<uint8_t>(why);
    }
  }
  site.flags |= SITE_LEFT;
  site.doubt = doubt;
}

}  // namespace sysvm
