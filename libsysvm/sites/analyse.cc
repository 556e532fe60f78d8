// SPDX-License-Identifier: MIT
// Which `syscall` instructions does a file have, and how can each be seen without breaking it?
//
// The executable bytes are decoded once (sweep.h), the call number of each `syscall` is read from the code
// before it, and a place is chosen where its jump is written (place.h).
//
// Not done: targets of indirect jumps (switch tables) are not known here; the proof looks for them
// (indirect.h) and refuses the place. One that it did not find and that landed between patch and syscall
// would run the original bytes, which are intact: a call unseen, never a wrong one.
//
// Tested by tests/sites/analyse_test.cc (hand-assembled cases, and the C library of this machine).
#include "libsysvm/sites/analyse.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "libsysvm/sites/frames.h"
#include "libsysvm/sites/place.h"
#include "libsysvm/sites/proof.h"
#include "libsysvm/sites/reach.h"
#include "libsysvm/sites/sweep.h"

namespace sysvm {
namespace {

constexpr int kNrUnknown = -1;
constexpr int kNrFromMemory = -2;

// Calls that may stay unseen in libc and ld.so while the shim answers calls (docs/semantics.md, 1): none of
// them touches a descriptor, a path or a mapping, and none can bring news of another process that run-ahead
// must not miss.
//   futex            one thread and no writable shared memory: nobody else can wake or wait; pthread_join,
//                    mutexes and condition variables of a process with threads are off anyway (THREADS)
//   rt_sigreturn     returns to interrupted code; the handler itself was counted by its stub (shim_signals)
//   exit, exit_group nothing follows
//   rt_sigprocmask, gettid, getpid, tgkill   abort, raise, pthread_exit: own signals reach a counted handler
//   brk, arch_prctl, set_tid_address, set_robust_list, rseq   start-up of ld.so, before the shim is there
// And in the loader alone:
//   getcwd           dlopen of a relative path, between the open of the object and its mapping, both seen
//   readlink, readlinkat   of /proc/self/exe, for $ORIGIN, likewise or before the shim is there
constexpr int kHarmless[] = {202, 15, 60, 231, 14, 186, 39, 234, 12, 158, 218, 273, 334};

constexpr int kHarmlessInLoader[] = {79, 89, 267};

// The C library's only calls whose number comes from memory are those of __nptl_setxid, which changes the
// user of every thread and runs only when there are several: off by then.
bool harmless(const sysvm_site& site, const std::string& name) {
  if (site.nr == kNrFromMemory) return name == "libc.so.6";
  const auto among = [&](const auto& calls) {
    return std::find(std::begin(calls), std::end(calls), site.nr) != std::end(calls);
  };
  return among(kHarmless) || (name == "ld-linux-x86-64.so.2" && among(kHarmlessInLoader));
}

constexpr int kSigreturn = 15;  // Unwinders and debuggers know the restorer by its bytes.

bool falls_through(const ZydisDecodedInstruction& i) {
  return i.meta.category != ZYDIS_CATEGORY_UNCOND_BR && i.meta.category != ZYDIS_CATEGORY_RET &&
         i.mnemonic != ZYDIS_MNEMONIC_HLT && i.mnemonic != ZYDIS_MNEMONIC_UD2;
}

// The call number, as far as the code before the instruction says it. Looks through one register copy
// (`mov $202,%r9d; ... mov %r9d,%eax; syscall`), which libc's futex loops use.
int call_number(const Sweep& sweep, uint64_t vaddr) {
  ZydisRegister wanted = ZYDIS_REGISTER_RAX;
  Insn insn;
  for (int steps = 0; steps < 400 && sweep.before(vaddr, insn); ++steps, vaddr = insn.vaddr) {
    // Until a register copy has been found, the code must be straight; a copied register keeps
    // its value over loops.
    if (wanted == ZYDIS_REGISTER_RAX && steps > 0 && insn.i.meta.category == ZYDIS_CATEGORY_CALL)
      return kNrUnknown;
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

// By its bytes, as unwinders know it, and not by what the sweep made of them.
bool is_restorer(const Sweep& sweep, uint64_t vaddr) {
  static constexpr uint8_t kMov[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0};
  static constexpr uint8_t kMov32[] = {0xb8, 0x0f, 0, 0, 0};
  return (sweep.contains(vaddr - sizeof kMov) &&
          std::memcmp(sweep.at(vaddr - sizeof kMov), kMov, sizeof kMov) == 0) ||
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

// System calls of which the end of a section or segment hides half: no linker does that, and no sweep meets
// them.
uint32_t split_calls(const std::vector<ExecRange>& ranges) {
  uint32_t found = 0;
  for (size_t i = 0; i + 1 < ranges.size(); ++i)
    if (ranges[i].vaddr + ranges[i].bytes.size() == ranges[i + 1].vaddr)
      found += reads_as_call(ranges[i].bytes.back(), ranges[i + 1].bytes.front());
  return found;
}

// The pages that will be executable; false: there are too many pieces, or some twice.
bool note_pieces(std::vector<CodeSegment> segments, sysvm_object& object) {
  std::sort(segments.begin(), segments.end(),
            [](const auto& a, const auto& b) { return a.offset < b.offset; });
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

// Between functions only what can be executed is a call (reach.h), wherever the sweep has put the boundaries
// of instructions there.
void judge_gaps(const ElfImage& image, const Frames& frames, const std::vector<Sweep>& sweeps,
                std::vector<uint64_t>& syscalls, std::vector<uint64_t>& foreign) {
  std::vector<std::pair<const Sweep*, uint64_t>> found;
  for (const Sweep& sweep : sweeps)
    for (uint64_t at = sweep.begin(); at + 1 < sweep.end(); ++at)
      if (reads_as_call(*sweep.at(at), *sweep.at(at + 1)) && !frames.at(at)) found.emplace_back(&sweep, at);
  if (found.empty()) return;
  const auto in_gap = [&](uint64_t vaddr) { return !frames.at(vaddr); };
  std::erase_if(syscalls, in_gap);
  std::erase_if(foreign, in_gap);
  const Reach reach(image, frames);
  for (const auto& [sweep, vaddr] : found) {
    if (!reach.may_run(vaddr) && !(reach.unknown(vaddr) && sweep->is_start(vaddr))) continue;
    (sweep->at(vaddr)[0] == 0x0f && sweep->at(vaddr)[1] == 0x05 ? syscalls : foreign).push_back(vaddr);
  }
  std::sort(syscalls.begin(), syscalls.end());
}

void find_sites(const ElfImage& image, Analysis& out) {
  out.object.verdict = OBJECT_CLEAN;
  const std::vector<ExecRange> ranges = image.exec_ranges();
  const uint32_t split = split_calls(ranges);
  const auto may = [](const ExecRange& r) { return may_hold_syscall(r.bytes); };
  if (split == 0 && std::none_of(ranges.begin(), ranges.end(), may)) return;

  const Frames frames(image);
  std::vector<uint64_t> functions;
  for (const Function& f : frames.functions()) functions.push_back(f.begin);
  std::vector<Sweep> sweeps;
  std::vector<uint64_t> branches, syscalls, foreign;
  for (const ExecRange& range : ranges) {
    sweeps.emplace_back(range);
    sweeps.back().run(functions, branches, syscalls, foreign);
  }
  judge_gaps(image, frames, sweeps, syscalls, foreign);
  if (syscalls.empty() && foreign.empty() && split == 0) return;
  for (const uint64_t target : branches)
    for (Sweep& sweep : sweeps)
      if (sweep.contains(target)) sweep.mark_target(target);

  out.object.unseen = split + static_cast<uint32_t>(foreign.size());
  out.foreign = foreign;
  Proof proof(image);
  const std::string name = image.soname();
  for (const uint64_t vaddr : syscalls) {
    const auto sweep =
        std::find_if(sweeps.begin(), sweeps.end(), [&](const Sweep& s) { return s.contains(vaddr); });
    sysvm_site site{};
    site.syscall = vaddr;
    site.nr = call_number(*sweep, vaddr);
    if (is_restorer(*sweep, vaddr)) site.nr = kSigreturn;
    site.offset = sweep->file_offset(vaddr);
    if (site.nr == kSigreturn) {
      site.flags |= SITE_LEFT;
      site.doubt = SITE_RESTORER;
    } else {
      choose_place(*sweep, proof, site);
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
    out.foreign.clear();
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
    case WHY_PIECES: return "more executable segments than are read, or some that overlap";
    case WHY_CHANGED: return "it was written while it was read";
  }
  return "?";
}

std::string why_unseen(const Analysis& analysis) {
  const sysvm_object& object = analysis.object;
  if (object.verdict != OBJECT_UNSEEN) return "";
  if (object.why != WHY_SITES) return why_text(object.why);
  struct Calls {
    unsigned n = 0;
    uint64_t first = 0;
  };
  std::map<std::string, Calls> reasons;
  unsigned counted = 0;
  const auto count = [&](const std::string& reason, uint64_t vaddr) {
    Calls& calls = reasons[reason];
    if (++calls.n == 1) calls.first = vaddr;
    ++counted;
  };
  for (const sysvm_site& s : analysis.sites)
    if (s.flags & (SITE_LEFT | SITE_LEAKY) && !(s.flags & SITE_HARMLESS))
      count(s.flags & SITE_LEFT ? doubt_text(s.doubt) : "something jumps past the place where it is seen",
            s.syscall);
  const unsigned own = counted;
  for (const uint64_t vaddr : analysis.foreign) count("of 32-bit programs", vaddr);
  if (object.unseen > counted) reasons["across the end of a section"].n = object.unseen - counted;
  std::string list;
  for (const auto& [reason, calls] : reasons)
    list += fmt::format("{}{} ({}{})", list.empty() ? "" : ", ", reason, calls.n,
                        calls.first ? fmt::format(", at {:#x}", calls.first) : "");
  return fmt::format("{} of {} system calls cannot be seen: {}", object.unseen,
                     object.sites + object.unseen - own, list);
}

}  // namespace sysvm
