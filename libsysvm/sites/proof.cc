// SPDX-License-Identifier: MIT
#include "libsysvm/sites/proof.h"

#include <Zydis/Zydis.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

#include "libsysvm/sites/frames.h"
#include "libsysvm/sites/indirect.h"

namespace sysvm {
namespace {

constexpr uint64_t kJump = 5, kShortJump = 2;

struct Decoded {
  ZydisDecodedInstruction i;
  ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
};

bool goes_on(const ZydisDecodedInstruction& i) {
  return i.meta.category != ZYDIS_CATEGORY_UNCOND_BR && i.meta.category != ZYDIS_CATEGORY_RET &&
         i.mnemonic != ZYDIS_MNEMONIC_HLT && i.mnemonic != ZYDIS_MNEMONIC_UD2;
}

// 70+cc rel8 or 0f 80+cc rel32, without a prefix: the condition; else -1.
int condition(std::span<const uint8_t> bytes) {
  if (bytes.size() == 2 && (bytes[0] & 0xf0) == 0x70) return bytes[0] & 0xf;
  if (bytes.size() == 6 && bytes[0] == 0x0f && (bytes[1] & 0xf0) == 0x80) return bytes[1] & 0xf;
  return -1;
}

bool stays_in_line(const ZydisDecodedInstruction& i) {
  switch (i.meta.category) {
    case ZYDIS_CATEGORY_CALL:
    case ZYDIS_CATEGORY_COND_BR:
    case ZYDIS_CATEGORY_INTERRUPT:
    case ZYDIS_CATEGORY_RET:
    case ZYDIS_CATEGORY_SYSCALL:
    case ZYDIS_CATEGORY_SYSRET:
    case ZYDIS_CATEGORY_SYSTEM:
    case ZYDIS_CATEGORY_UNCOND_BR:
    case ZYDIS_CATEGORY_CET:  // endbr64 has to stay where it is
      return false;
    default:
      return goes_on(i) && i.mnemonic != ZYDIS_MNEMONIC_XBEGIN && i.mnemonic != ZYDIS_MNEMONIC_XABORT &&
             i.mnemonic != ZYDIS_MNEMONIC_ENDBR64;
  }
}

bool writes_stack_pointer(const Decoded& d) {
  for (unsigned k = 0; k < d.i.operand_count; ++k) {
    const ZydisDecodedOperand& op = d.op[k];
    if (op.type == ZYDIS_OPERAND_TYPE_REGISTER && op.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE &&
        ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, op.reg.value) == ZYDIS_REGISTER_RSP)
      return true;
  }
  return false;
}

bool uses_rip(const Decoded& d) {
  for (unsigned k = 0; k < d.i.operand_count; ++k)
    if (d.op[k].type == ZYDIS_OPERAND_TYPE_MEMORY &&
        (d.op[k].mem.base == ZYDIS_REGISTER_RIP || d.op[k].mem.base == ZYDIS_REGISTER_EIP))
      return true;
  return false;
}

uint64_t read_rel(const uint8_t* at, uint64_t end, unsigned bytes) {
  int8_t short_one;
  int32_t long_one;
  if (bytes == 1) return std::memcpy(&short_one, at, 1), end + static_cast<uint64_t>(int64_t{short_one});
  return std::memcpy(&long_one, at, 4), end + static_cast<uint64_t>(int64_t{long_one});
}

}  // namespace

struct Proof::Parts {
  explicit Parts(const ElfImage& image);
  site_doubt prove(const sysvm_site& site) const;
  site_doubt prove_copy(const sysvm_site& site, const uint8_t* bytes) const;
  site_doubt prove_hop(const sysvm_site& site, const ExecRange& segment) const;
  bool decode(const uint8_t* bytes, uint64_t room, Decoded& out) const;
  const ExecRange* segment_of(uint64_t from, uint64_t to) const;
  bool target_in(uint64_t low, uint64_t high) const;
  bool entered_by_call(uint64_t vaddr) const;
  bool closed(const Function& f, const ExecRange& segment) const;
  void decode_all(bool fixed);

  Frames frames;
  ZydisDecoder decoder, fast;
  std::vector<ExecRange> segments;
  struct Branch {
    uint64_t target, source;
    bool call;
    bool operator<(const Branch& other) const { return target < other.target; }
  };
  std::vector<Branch> branches;             // by target
  std::vector<uint64_t> symbols, syscalls;  // sorted
  std::vector<Computed> computed;           // by instructions
  std::optional<Indirect> indirect;
  std::map<uint64_t, uint64_t> taken;  // first byte to end of what belongs to an admitted site
};

Proof::Parts::Parts(const ElfImage& image) : frames(image), symbols(image.symbol_addresses()) {
  ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  fast = decoder;
  ZydisDecoderEnableMode(&fast, ZYDIS_DECODER_MODE_MINIMAL, ZYAN_TRUE);
  for (const CodeSegment& s : image.code_segments())
    if (auto all = image.segment_at(s.vaddr); all && all->vaddr == s.vaddr && !s.writable)
      segments.push_back(*all);
  decode_all(image.at_fixed_address());
  indirect.emplace(image, frames, std::move(computed));
}

// Direct branches, computed addresses and system calls, wherever they are: each function from its beginning,
// what lies between them as it comes.
void Proof::Parts::decode_all(bool fixed) {
  const std::vector<Function>& functions = frames.functions();
  ZydisDecodedInstruction i;
  for (const ExecRange& s : segments) {
    auto next = functions.begin();
    for (uint64_t at = s.vaddr, end = s.vaddr + s.bytes.size(); at < end;) {
      while (next != functions.end() && next->begin <= at) ++next;
      const uint64_t limit = next != functions.end() ? std::min(next->begin, end) : end;
      if (!ZYAN_SUCCESS(
              ZydisDecoderDecodeInstruction(&fast, nullptr, &s.bytes[at - s.vaddr], limit - at, &i))) {
        ++at;
        continue;
      }
      if (i.raw.imm[0].is_relative)
        branches.push_back({at + i.length + static_cast<uint64_t>(i.raw.imm[0].value.s), at,
                            i.meta.category == ZYDIS_CATEGORY_CALL});
      if (i.mnemonic == ZYDIS_MNEMONIC_SYSCALL) syscalls.push_back(at);
      if (i.mnemonic == ZYDIS_MNEMONIC_LEA && i.raw.modrm.mod == 0 && i.raw.modrm.rm == 5)
        computed.push_back({at + i.length + static_cast<uint64_t>(i.raw.disp.value), at});
      if (fixed && i.raw.imm[0].size >= 32 && !i.raw.imm[0].is_relative)
        computed.push_back({i.raw.imm[0].value.u, at});
      at += i.length;
    }
  }
  std::sort(branches.begin(), branches.end());
  std::sort(syscalls.begin(), syscalls.end());
}

bool Proof::Parts::decode(const uint8_t* bytes, uint64_t room, Decoded& out) const {
  return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, room, &out.i, out.op));
}

const ExecRange* Proof::Parts::segment_of(uint64_t from, uint64_t to) const {
  for (const ExecRange& s : segments)
    if (from >= s.vaddr && to >= from && to - s.vaddr <= s.bytes.size()) return &s;
  return nullptr;
}

bool Proof::Parts::target_in(uint64_t low, uint64_t high) const {
  const auto first = std::lower_bound(branches.begin(), branches.end(), Branch{low, 0, false});
  return first != branches.end() && first->target < high;
}

// Part of a function that its compiler moved away is jumped to, never called.
bool Proof::Parts::entered_by_call(uint64_t vaddr) const {
  if (std::binary_search(symbols.begin(), symbols.end(), vaddr)) return true;
  for (auto b = std::lower_bound(branches.begin(), branches.end(), Branch{vaddr, 0, false});
       b != branches.end() && b->target == vaddr; ++b)
    if (b->call) return true;
  return false;
}

// Every way into and through f is a direct one: no switch table, no landing pad, and no part of it lies
// elsewhere, which might have either.
bool Proof::Parts::closed(const Function& f, const ExecRange& segment) const {
  if (f.lands || !entered_by_call(f.begin)) return false;
  for (auto b = std::upper_bound(branches.begin(), branches.end(), Branch{f.begin, 0, false});
       b != branches.end() && b->target < f.end; ++b)
    if (b->source < f.begin || b->source >= f.end) return false;
  Decoded d{};
  for (uint64_t at = f.begin; at < f.end; at += d.i.length) {
    if (!decode(&segment.bytes[at - segment.vaddr], f.end - at, d)) return false;
    if (d.i.meta.category != ZYDIS_CATEGORY_UNCOND_BR && d.i.meta.category != ZYDIS_CATEGORY_COND_BR)
      continue;
    if (!d.i.raw.imm[0].is_relative) return false;
    const uint64_t target = at + d.i.length + static_cast<uint64_t>(d.i.raw.imm[0].value.s);
    if ((target < f.begin || target >= f.end) && !entered_by_call(target)) return false;
  }
  return true;
}

// Property 3, and 4 on the way. bytes: the file's, from patch on.
site_doubt Proof::Parts::prove_copy(const sysvm_site& site, const uint8_t* bytes) const {
  const uint64_t length = site.syscall - site.patch;
  uint64_t from = 0, to = 0;
  unsigned fix = 0;
  while (from < length) {
    Decoded original, copy;
    const uint64_t vaddr = site.patch + from;
    if (!decode(bytes + from, length - from, original)) return SITE_OUT_OF_STEP;
    if (to >= site.code_len || !decode(site.code + to, site.code_len - to, copy)) return SITE_OTHER_CODE;
    const std::span<const uint8_t> a(bytes + from, original.i.length), b(site.code + to, copy.i.length);
    const bool jump = condition(a) >= 0;
    if (!jump && !stays_in_line(original.i)) return SITE_LEAVES_LINE;
    if (writes_stack_pointer(original)) return SITE_MOVES_STACK;
    const uint64_t end = vaddr + a.size();
    unsigned at = 0;  // of four bytes in the copy that a fix fills in; no instruction begins with them
    uint64_t target = 0;
    if (jump) {
      if (b.size() != 6 || condition(b) != condition(a)) return SITE_OTHER_CODE;
      at = 2;
      target = a.size() == 2 ? read_rel(&a[1], end, 1) : read_rel(&a[2], end, 4);
    } else {
      if (a.size() != b.size()) return SITE_OTHER_CODE;
      if (uses_rip(original)) {
        at = original.i.raw.disp.offset;
        if (at == 0 || original.i.raw.disp.size != 32 || original.i.address_width != 64)
          return SITE_OTHER_CODE;
        target = read_rel(&a[at], end, 4);
      }
      for (size_t k = 0; k < a.size(); ++k)
        if (a[k] != b[k] && !(at && k >= at && k < at + 4)) return SITE_OTHER_CODE;
    }
    if (at) {
      if (fix == site.fixes || fix == SITES_FIX_MAX) return SITE_OTHER_CODE;
      const auto& f = site.fix[fix++];
      if (f.at != to + at || f.end != to + b.size() || f.target != target) return SITE_OTHER_CODE;
    }
    from += a.size();
    to += b.size();
  }
  return from == length && to == site.code_len && fix == site.fixes ? SITE_SOUND : SITE_OTHER_CODE;
}

site_doubt Proof::Parts::prove_hop(const sysvm_site& site, const ExecRange& segment) const {
  const uint64_t end = site.hop + kJump, back = site.patch + kShortJump;
  if (site.hop < segment.vaddr || end < site.hop || segment_of(site.hop, end) != &segment)
    return SITE_OTHER_BYTES;
  if (std::memcmp(&segment.bytes[site.hop - segment.vaddr], site.hop_expect, kJump) != 0)
    return SITE_OTHER_BYTES;
  const int64_t distance = static_cast<int64_t>(site.hop - back);
  if (distance < INT8_MIN || distance > INT8_MAX) return SITE_HOP_REACHED;
  // It lies in a function all of whose ways are known, or between two.
  const std::vector<Function>& functions = frames.functions();
  const auto after = std::upper_bound(functions.begin(), functions.end(), site.hop,
                                      [](uint64_t v, const Function& f) { return v < f.begin; });
  if (after == functions.begin() || (after != functions.end() && after->begin < end)) return SITE_HOP_REACHED;
  const Function& f = *std::prev(after);
  if (f.begin < segment.vaddr || f.end > segment.vaddr + segment.bytes.size()) return SITE_HOP_REACHED;
  if (site.hop < f.end && (end > f.end || !closed(f, segment))) return SITE_HOP_REACHED;
  // From the function's beginning on: the filler that holds it follows an instruction that does not go on.
  Decoded d{};
  uint64_t filler = 0;
  bool reached = true;
  for (uint64_t at = f.begin; at < end; at += d.i.length) {
    const uint64_t limit = at < f.end ? f.end : segment.vaddr + segment.bytes.size();
    if (!decode(&segment.bytes[at - segment.vaddr], limit - at, d)) return SITE_HOP_REACHED;
    if (d.i.mnemonic != ZYDIS_MNEMONIC_NOP && d.i.mnemonic != ZYDIS_MNEMONIC_INT3) {
      reached = goes_on(d.i);
      filler = 0;
    } else if (!filler) {
      filler = at;
    }
  }
  if (reached || !filler || filler > site.hop || target_in(filler, end)) return SITE_HOP_REACHED;
  const auto symbol = std::lower_bound(symbols.begin(), symbols.end(), filler);
  return symbol != symbols.end() && *symbol < end ? SITE_HOP_REACHED : SITE_SOUND;
}

site_doubt Proof::Parts::prove(const sysvm_site& site) const {
  const uint64_t after = site.syscall + 2;
  if (site.patch >= site.syscall || after - site.patch > SITES_EXPECT_MAX ||
      site.expect_len != after - site.patch || site.code_len > SITES_CODE_MAX)
    return SITE_OTHER_BYTES;
  const ExecRange* segment = segment_of(site.patch, after);
  if (!segment) return SITE_CROSSES;
  const uint8_t* bytes = &segment->bytes[site.patch - segment->vaddr];
  if (site.offset != segment->offset + (site.patch - segment->vaddr) ||
      std::memcmp(bytes, site.expect, site.expect_len) != 0)
    return SITE_OTHER_BYTES;

  const Function* function = frames.at(site.patch);
  // The call that makes a task ends its function's entry right before the `syscall`: the new task has no
  // caller.
  const bool last = function && function->end == site.syscall && !frames.at(site.syscall);
  if (!function || (function->end < after && !last) || function->begin < segment->vaddr)
    return SITE_NO_FUNCTION;
  // In step: from the beginning, through patch, to the syscall.
  Decoded d{};
  uint64_t at = function->begin, covered = 0;
  bool met = false;
  while (at < site.syscall) {
    if (!decode(&segment->bytes[at - segment->vaddr], site.syscall - at, d)) return SITE_OUT_OF_STEP;
    if (at == site.patch) {
      met = true;
      covered = d.i.length;
    }
    at += d.i.length;
  }
  if (!met || at != site.syscall || bytes[site.expect_len - 2] != 0x0f || bytes[site.expect_len - 1] != 0x05)
    return SITE_OUT_OF_STEP;

  if (const site_doubt doubt = prove_copy(site, bytes)) return doubt;
  if (!Frames::one_rule(*function, site.patch, last ? site.syscall - 1 : site.syscall + 1))
    return SITE_UNWINDS;
  const uint64_t written = site.flags & SITE_HOP ? kShortJump : kJump;
  if (covered < written) return SITE_TOO_SHORT;
  if (target_in(site.patch + 1, site.patch + covered)) return SITE_TARGET_INSIDE;
  if (target_in(site.patch + covered, after) && !(site.flags & SITE_LEAKY)) return SITE_TARGET_INSIDE;
  if (indirect->into(site.patch + 1, site.patch + covered)) return SITE_POINTED_INTO;
  if (indirect->into(site.patch + covered, after) && !(site.flags & SITE_LEAKY)) return SITE_POINTED_INTO;
  return site.flags & SITE_HOP ? prove_hop(site, *segment) : SITE_SOUND;
}

Proof::Proof(const ElfImage& image) : parts_(std::make_unique<Parts>(image)) {}
Proof::~Proof() = default;

site_doubt Proof::admit(const sysvm_site& site) {
  if (const site_doubt doubt = parts_->prove(site)) return doubt;
  std::vector<std::pair<uint64_t, uint64_t>> own{{site.patch, site.syscall + 2}};
  if (site.flags & SITE_HOP) own.push_back({site.hop, site.hop + kJump});
  for (const auto& [low, high] : own) {
    const auto next = parts_->taken.lower_bound(low);
    if (next != parts_->taken.end() && next->first < high) return SITE_TAKEN;
    if (next != parts_->taken.begin() && std::prev(next)->second > low) return SITE_TAKEN;
    const auto other = std::lower_bound(parts_->syscalls.begin(), parts_->syscalls.end(), low ? low - 1 : 0);
    for (auto s = other; s != parts_->syscalls.end() && *s < high; ++s)
      if (*s != site.syscall) return SITE_TAKEN;
  }
  for (const auto& [low, high] : own) parts_->taken[low] = high;
  return SITE_SOUND;
}

const char* doubt_text(uint32_t doubt) {
  switch (doubt) {
    case SITE_SOUND: return "sound";
    case SITE_NO_PLACE: return "no instruction that a jump could replace";
    case SITE_RESTORER: return "returns from signal handlers, known by its bytes";
    case SITE_OTHER_BYTES: return "its bytes are not the file's";
    case SITE_CROSSES: return "not in one executable segment";
    case SITE_NO_FUNCTION: return "in no function that .eh_frame knows";
    case SITE_OUT_OF_STEP: return "its function does not decode up to it";
    case SITE_OTHER_CODE: return "the slot is not the code that it replaces";
    case SITE_LEAVES_LINE: return "an instruction that leaves the line";
    case SITE_MOVES_STACK: return "the stack pointer changes";
    case SITE_UNWINDS: return "the rule for unwinding changes";
    case SITE_TOO_SHORT: return "the jump is longer than the instruction";
    case SITE_TARGET_INSIDE: return "something jumps into it";
    case SITE_HOP_REACHED: return "the padding may be reached";
    case SITE_TAKEN: return "bytes of another site";
    case SITE_POINTED_INTO: return "something may point into it";
  }
  return "?";
}

}  // namespace sysvm
