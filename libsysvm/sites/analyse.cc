// SPDX-License-Identifier: MIT
// Which `syscall` instructions does a file have, and how can each be seen without breaking it?
//
// One linear sweep decodes the executable bytes, restarted at every function that .eh_frame_hdr names (so data
// between functions cannot put it out of step), and marks instruction starts and the targets of direct branches in
// two bitmaps. Then each `syscall` walks backwards through straight-line code for an instruction to overwrite. The
// instructions from there to the `syscall` run as a copy, so each must be copyable: no call, no jump away without
// condition, no change of the stack pointer (the unwind rule of a trampoline is "as at the syscall", entry.S).
// A branch that lands behind the overwritten instruction makes the site leaky; the search prefers a place that is
// not, then a 5-byte one, then the nearest.
//
// Not done: targets of indirect jumps (switch tables) are not known here; the proof looks for them (indirect.h) and
// refuses the place. One that it did not find and that landed between patch and syscall would run the original bytes,
// which are intact: a call unseen, never a wrong one.
//
// Tested by tests/sites/analyse_test.cc (hand-assembled cases, and the C library of this machine).
#include "libsysvm/sites/analyse.h"

#include <Zydis/Zydis.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "libsysvm/sites/frames.h"
#include "libsysvm/sites/proof.h"

namespace sysvm {
namespace {

constexpr int kNrUnknown = -1;
constexpr int kNrFromMemory = -2;

// Calls that may stay unseen in libc and ld.so without endangering a closed process (contract, rule 1): none of them
// touches a descriptor, a path or a mapping, and none can bring news of another process that run-ahead must not miss.
//   futex            one thread and no writable shared memory: nobody else can wake or wait; pthread_join, mutexes and
//                    condition variables of a process with threads are off anyway (THREADS)
//   rt_sigreturn     returns to interrupted code; the handler itself was counted by its stub (shim_signals)
//   exit, exit_group nothing follows
//   rt_sigprocmask, gettid, getpid, tgkill   abort, raise, pthread_exit: own signals reach a counted handler
//   brk, arch_prctl, set_tid_address, set_robust_list, rseq   start-up of ld.so, before the shim is there
// And in the loader alone:
//   getcwd           dlopen of a relative path, between the open of the object and its mapping, both of which are seen
//   readlink, readlinkat   of /proc/self/exe, for $ORIGIN, likewise or before the shim is there
constexpr int kHarmless[] = {202, 15, 60, 231, 14, 186, 39, 234, 12, 158, 218, 273, 334};

constexpr int kHarmlessInLoader[] = {79, 89, 267};

// The C library's only calls whose number comes from memory are those of __nptl_setxid, which changes the user of every
// thread and runs only when there are several: off by then.
bool harmless(const sysvm_site& site, const std::string& name) {
  if (site.nr == kNrFromMemory) return name == "libc.so.6";
  const auto among = [&](const auto& calls) { return std::find(std::begin(calls), std::end(calls), site.nr) != std::end(calls); };
  return among(kHarmless) || (name == "ld-linux-x86-64.so.2" && among(kHarmlessInLoader));
}

constexpr int kSigreturn = 15;  // Unwinders and debuggers know the restorer by its bytes.

class Bitmap {
 public:
  explicit Bitmap(size_t bits) : words_((bits + 63) / 64) {}
  void set(size_t i) { words_[i / 64] |= uint64_t{1} << (i % 64); }
  bool get(size_t i) const { return words_[i / 64] >> (i % 64) & 1; }

 private:
  std::vector<uint64_t> words_;
};

struct Insn {
  uint64_t vaddr = 0;
  ZydisDecodedInstruction i;
  ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
};

class Sweep {
 public:
  explicit Sweep(ExecRange range)
      : base_(range.vaddr), offset_(range.offset), bytes_(range.bytes), starts_(bytes_.size() + 1), targets_(bytes_.size() + 1) {
    ZydisDecoderInit(&fast_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    full_ = fast_;
    ZydisDecoderEnableMode(&fast_, ZYDIS_DECODER_MODE_MINIMAL, ZYAN_TRUE);
  }

  // Marks instructions; direct branch targets go to `branches`, system calls to `syscalls`.
  void run(const std::vector<uint64_t>& functions, std::vector<uint64_t>& branches, std::vector<uint64_t>& syscalls,
           uint32_t& foreign) {
    auto next_function = std::lower_bound(functions.begin(), functions.end(), base_);
    ZydisDecodedInstruction insn;
    for (size_t at = 0; at < bytes_.size();) {
      while (next_function != functions.end() && *next_function <= base_ + at) ++next_function;
      if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&fast_, nullptr, &bytes_[at], bytes_.size() - at, &insn))) {
        ++at;
        continue;
      }
      // An instruction that runs over a function's start was no instruction. (By one byte it is right: the entries of
      // signal restorers begin one byte early, so that an unwinder that looks up pc - 1 finds them.)
      if (next_function != functions.end() && base_ + at + insn.length > *next_function + 1) {
        at = *next_function - base_;
        continue;
      }
      starts_.set(at);
      const uint64_t vaddr = base_ + at;
      if (insn.mnemonic == ZYDIS_MNEMONIC_SYSCALL) syscalls.push_back(vaddr);
      if (insn.mnemonic == ZYDIS_MNEMONIC_SYSENTER ||
          (insn.mnemonic == ZYDIS_MNEMONIC_INT && insn.raw.imm[0].value.u == 0x80))
        ++foreign;
      if (insn.raw.imm[0].is_relative)
        branches.push_back(vaddr + insn.length + static_cast<uint64_t>(insn.raw.imm[0].value.s));
      at += insn.length;
    }
  }

  bool contains(uint64_t vaddr) const { return vaddr >= base_ && vaddr - base_ < bytes_.size(); }
  void mark_target(uint64_t vaddr) { targets_.set(vaddr - base_); }
  bool is_target(uint64_t vaddr) const { return targets_.get(vaddr - base_); }
  const uint8_t* at(uint64_t vaddr) const { return &bytes_[vaddr - base_]; }
  uint64_t begin() const { return base_; }
  uint64_t end() const { return base_ + bytes_.size(); }
  uint64_t file_offset(uint64_t vaddr) const { return offset_ + (vaddr - base_); }

  bool decode(uint64_t vaddr, Insn& out) const {
    if (!contains(vaddr)) return false;
    out.vaddr = vaddr;
    return ZYAN_SUCCESS(
        ZydisDecoderDecodeFull(&full_, at(vaddr), bytes_.size() - (vaddr - base_), &out.i, out.op));
  }

  // The instruction that ends where vaddr begins.
  bool before(uint64_t vaddr, Insn& out) const {
    for (uint64_t p = vaddr; p > base_ && vaddr - p < ZYDIS_MAX_INSTRUCTION_LENGTH;) {
      --p;
      if (starts_.get(p - base_)) return decode(p, out) && p + out.i.length == vaddr;
    }
    return false;
  }

  bool start_at_or_after(uint64_t vaddr, uint64_t& out) const {
    for (uint64_t p = std::max(vaddr, base_); p < end(); ++p)
      if (starts_.get(p - base_)) return out = p, true;
    return false;
  }

 private:
  uint64_t base_, offset_;
  std::span<const uint8_t> bytes_;
  Bitmap starts_, targets_;
  ZydisDecoder fast_, full_;
};

bool falls_through(const ZydisDecodedInstruction& i) {
  return i.meta.category != ZYDIS_CATEGORY_UNCOND_BR && i.meta.category != ZYDIS_CATEGORY_RET &&
         i.mnemonic != ZYDIS_MNEMONIC_HLT && i.mnemonic != ZYDIS_MNEMONIC_UD2;
}

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
    case ZYDIS_CATEGORY_CET:
      return false;
    default:
      break;
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

// The call number, as far as the code before the instruction says it. Looks through one register copy
// (`mov $202,%r9d; ... mov %r9d,%eax; syscall`), which libc's futex loops use.
int call_number(const Sweep& sweep, uint64_t vaddr) {
  ZydisRegister wanted = ZYDIS_REGISTER_RAX;
  Insn insn;
  for (int steps = 0; steps < 400 && sweep.before(vaddr, insn); ++steps, vaddr = insn.vaddr) {
    // Before the constant is behind a copy, the code must be straight; a copied register keeps its value over loops.
    if (wanted == ZYDIS_REGISTER_RAX && steps > 0 && insn.i.meta.category == ZYDIS_CATEGORY_CALL) return kNrUnknown;
    if (wanted == ZYDIS_REGISTER_RAX && !falls_through(insn.i)) return kNrUnknown;
    if (insn.i.meta.category == ZYDIS_CATEGORY_SYSCALL && wanted == ZYDIS_REGISTER_RAX) return kNrUnknown;
    const ZydisDecodedOperand& to = insn.op[0];
    if (insn.i.operand_count_visible == 0 || to.type != ZYDIS_OPERAND_TYPE_REGISTER ||
        !(to.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) ||
        ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, to.reg.value) != wanted)
      continue;
    const ZydisDecodedOperand& from = insn.op[1];
    if (insn.i.mnemonic == ZYDIS_MNEMONIC_XOR && from.type == ZYDIS_OPERAND_TYPE_REGISTER &&
        from.reg.value == to.reg.value)
      return 0;
    if (insn.i.mnemonic != ZYDIS_MNEMONIC_MOV) return kNrUnknown;
    if (from.type == ZYDIS_OPERAND_TYPE_MEMORY && wanted == ZYDIS_REGISTER_RAX) return kNrFromMemory;
    if (from.type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
      return from.imm.value.u < 1024 ? static_cast<int>(from.imm.value.u) : kNrUnknown;
    if (from.type != ZYDIS_OPERAND_TYPE_REGISTER || wanted != ZYDIS_REGISTER_RAX) return kNrUnknown;
    wanted = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, from.reg.value);
  }
  return kNrUnknown;
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

// What could be overwritten so that the call is seen, best first: not leaky before leaky, a plain jump before a hop, near
// before far.
std::vector<Place> find_places(const Sweep& sweep, uint64_t syscall, std::vector<Insn>& chain) {
  std::vector<Place> out;
  bool leaky = sweep.is_target(syscall);
  for (uint64_t vaddr = syscall; chain.size() < 16;) {
    Insn insn;
    if (!sweep.before(vaddr, insn) || !copyable(insn)) break;
    chain.push_back(insn);
    if (syscall + 2 - insn.vaddr > SITES_EXPECT_MAX) break;
    if (insn.i.length >= 2) out.push_back({insn, chain.size(), leaky, (leaky ? 0 : 2) + (insn.i.length >= 5 ? 2 : 1)});
    leaky |= sweep.is_target(insn.vaddr);
    vaddr = insn.vaddr;
  }
  std::stable_sort(out.begin(), out.end(), [](const Place& a, const Place& b) { return a.rank > b.rank; });
  return out;
}

void choose_patch(const Sweep& sweep, Proof& proof, sysvm_site& site) {
  std::vector<Insn> chain;  // nearest first
  uint8_t doubt = SITE_NO_PLACE;
  for (const Place& place : find_places(sweep, site.syscall, chain)) {
    sysvm_site trial = site;
    trial.patch = place.insn.vaddr;
    trial.offset = sweep.file_offset(trial.patch);
    bool room = true;
    for (size_t i = place.copied; i-- > 0 && room;) room = append_copy(chain[i], sweep.at(chain[i].vaddr), trial);
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

// By its bytes, as unwinders know it, and not by what the sweep made of them.
bool is_restorer(const Sweep& sweep, uint64_t vaddr) {
  static constexpr uint8_t kMov[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0};
  static constexpr uint8_t kMov32[] = {0xb8, 0x0f, 0, 0, 0};
  return (sweep.contains(vaddr - sizeof kMov) && std::memcmp(sweep.at(vaddr - sizeof kMov), kMov, sizeof kMov) == 0) ||
         (sweep.contains(vaddr - sizeof kMov32) &&
          std::memcmp(sweep.at(vaddr - sizeof kMov32), kMov32, sizeof kMov32) == 0);
}

bool takes_shim(const ElfImage& image) {
  if (image.interpreter() != "/lib64/ld-linux-x86-64.so.2") return false;
  for (const std::string& needed : image.needed())
    for (const char* sanitizer : {"libasan", "libtsan", "liblsan", "libhwasan", "libmsan"})
      if (needed.rfind(sanitizer, 0) == 0) return false;
  return true;
}

bool reads_as_call(uint8_t a, uint8_t b) {
  return (a == 0x0f && (b == 0x05 || b == 0x34)) || (a == 0xcd && b == 0x80);
}

bool may_hold_syscall(std::span<const uint8_t> bytes) {
  for (size_t i = 0; i + 1 < bytes.size(); ++i)
    if (reads_as_call(bytes[i], bytes[i + 1])) return true;
  return false;
}

// System calls of which the end of a section or segment hides half: no linker does that, and no sweep meets them.
uint32_t split_calls(const std::vector<ExecRange>& ranges) {
  uint32_t found = 0;
  for (size_t i = 0; i + 1 < ranges.size(); ++i)
    if (ranges[i].vaddr + ranges[i].bytes.size() == ranges[i + 1].vaddr)
      found += reads_as_call(ranges[i].bytes.back(), ranges[i + 1].bytes.front());
  return found;
}

// The pages that will be executable; false: there are too many pieces, or some twice.
bool note_pieces(std::vector<CodeSegment> segments, sysvm_object& object) {
  std::sort(segments.begin(), segments.end(), [](const auto& a, const auto& b) { return a.offset < b.offset; });
  size_t n = 0;
  for (const CodeSegment& s : segments) {
    const uint64_t first = s.offset / 4096, end = (s.offset + s.filesz + 4095) / 4096;
    if (end > UINT32_MAX) return false;
    const uint64_t last_end = n ? uint64_t{object.code[n - 1].page} + object.code[n - 1].pages : 0;
    if (n && first <= last_end) {
      object.code[n - 1].pages += static_cast<uint32_t>(std::max(end, last_end) - last_end);
      continue;
    }
    if (n == SITES_PIECES_MAX) return false;
    object.code[n++] = {static_cast<uint32_t>(first), static_cast<uint32_t>(end - first)};
  }
  return true;
}

bool in_file(const CodeSegment& s, uint64_t size) { return s.offset <= size && s.filesz <= size - s.offset; }

// Why no system call of the file needs to be looked for: whatever they are, it is not known what would run.
object_why why_unknown(const ElfImage& image, sysvm_object& object) {
  if (!image.is_x86_64()) return WHY_MACHINE;
  const std::vector<CodeSegment> segments = image.code_segments();
  const auto cut = [&](const CodeSegment& s) { return !in_file(s, image.identity().size); };
  if (std::any_of(segments.begin(), segments.end(), cut)) return WHY_CUT;
  if (std::any_of(segments.begin(), segments.end(), [](const CodeSegment& s) { return s.writable; }) ||
      image.relocates_text())
    return WHY_WRITABLE;
  uint64_t all = 0;
  for (const CodeSegment& s : segments) all += s.filesz;
  return all <= image.identity().size && note_pieces(segments, object) ? WHY_NOTHING : WHY_PIECES;
}

void find_sites(const ElfImage& image, Analysis& out) {
  out.object.verdict = OBJECT_CLEAN;
  const std::vector<ExecRange> ranges = image.exec_ranges();
  uint32_t foreign = split_calls(ranges);
  const auto may = [](const ExecRange& r) { return may_hold_syscall(r.bytes); };
  if (foreign == 0 && std::none_of(ranges.begin(), ranges.end(), may)) return;

  const Frames frames(image);
  std::vector<uint64_t> functions;
  for (const Function& f : frames.functions()) functions.push_back(f.begin);
  std::vector<Sweep> sweeps;
  std::vector<uint64_t> branches, syscalls;
  for (const ExecRange& range : ranges) {
    sweeps.emplace_back(range);
    sweeps.back().run(functions, branches, syscalls, foreign);
  }
  if (syscalls.empty() && foreign == 0) return;
  for (const uint64_t target : branches)
    for (Sweep& sweep : sweeps)
      if (sweep.contains(target)) sweep.mark_target(target);

  out.object.unseen = foreign;
  Proof proof(image);
  const std::string name = image.soname();
  for (const uint64_t vaddr : syscalls) {
    const auto sweep = std::find_if(sweeps.begin(), sweeps.end(), [&](const Sweep& s) { return s.contains(vaddr); });
    sysvm_site site{};
    site.syscall = vaddr;
    site.nr = call_number(*sweep, vaddr);
    if (is_restorer(*sweep, vaddr)) site.nr = kSigreturn;
    site.offset = sweep->file_offset(vaddr);
    if (site.nr == kSigreturn) {
      site.flags |= SITE_LEFT;
      site.doubt = SITE_RESTORER;
    } else {
      choose_patch(*sweep, proof, site);
    }
    if (site.flags & (SITE_LEFT | SITE_LEAKY)) {
      if (harmless(site, name))
        site.flags |= SITE_HARMLESS;
      else
        ++out.object.unseen;
    }
    if (site.nr == kNrFromMemory) site.nr = kNrUnknown;
    out.sites.push_back(site);
  }
  out.object.sites = static_cast<uint32_t>(out.sites.size());
  out.object.verdict = out.object.unseen ? OBJECT_UNSEEN : OBJECT_PATCHED;
  out.object.why = out.object.unseen ? WHY_SITES : WHY_NOTHING;
}

}  // namespace

Analysis analyse(const ElfImage& image) {
  image.wait_for_times();
  Analysis out;
  out.path = image.path();
  out.object.identity = image.identity();
  const auto id = image.build_id();
  out.object.build_id_len = static_cast<uint32_t>(id.size());
  std::copy(id.begin(), id.end(), out.object.build_id);
  out.object.takes_shim = image.is_x86_64() && takes_shim(image);
  out.object.why = why_unknown(image, out.object);
  if (!out.object.why) find_sites(image, out);
  if (!image.unchanged()) out.object.why = WHY_CHANGED;
  if (out.object.why && out.object.why != WHY_SITES) {
    out.sites.clear();
    out.object.sites = 0;
    out.object.unseen = 1;
    out.object.verdict = OBJECT_UNSEEN;
  }
  return out;
}

const char* why_text(uint32_t why) {
  switch (why) {
    case WHY_NOTHING: return "nothing";
    case WHY_SITES: return "some of its system calls cannot be seen";
    case WHY_MACHINE: return "not a 64-bit x86 file";
    case WHY_WRITABLE: return "its text can be written";
    case WHY_CUT: return "an executable segment lies past the end of the file";
    case WHY_PIECES: return "more executable segments than are looked at, or some that overlap";
    case WHY_CHANGED: return "it was written while it was read";
  }
  return "?";
}

std::string why_unseen(const Analysis& analysis) {
  const sysvm_object& object = analysis.object;
  if (object.verdict != OBJECT_UNSEEN) return "";
  if (object.why != WHY_SITES) return why_text(object.why);
  std::map<std::string, unsigned> reasons;
  unsigned counted = 0;
  for (const sysvm_site& s : analysis.sites)
    if (s.flags & (SITE_LEFT | SITE_LEAKY) && !(s.flags & SITE_HARMLESS)) {
      ++reasons[s.flags & SITE_LEFT ? doubt_text(s.doubt) : "something jumps past the place where it is seen"];
      ++counted;
    }
  if (object.unseen > counted) reasons["of 32-bit programs"] = object.unseen - counted;
  std::string list;
  for (const auto& [reason, n] : reasons) list += fmt::format("{}{} ({})", list.empty() ? "" : ", ", reason, n);
  return fmt::format("{} of {} system calls cannot be seen: {}", object.unseen, object.sites + object.unseen - counted, list);
}

}  // namespace sysvm
