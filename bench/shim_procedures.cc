// SPDX-License-Identifier: MIT
// By hand, so that what is measured does not depend on what the compiler finds worth while. The text is that
// of `sysvm asm`; the file passes the shim's own check before it is used.
#include "bench/shim_procedures.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cstddef>
#include <fstream>
#include <nlohmann/json.hpp>

#include "bench/shim_loop.h"
#include "procedures/reader.h"
#include "procedures/svp.h"
#include "procedures/text.h"
#include "procedures/writer.h"

namespace sysvm::bench {

namespace {

constexpr int kFirstResult = 32;  // register of the first follower
constexpr int kStaged = 192;      // after the guard's struct stat
constexpr int kStat = static_cast<int>(sizeof(struct stat));

size_t stat_offset(size_t member) { return SVP_GUARD_STAT + member; }

// Goes on only if the file may be read ahead (procedures/svp.h: the guard).
std::string guard() {
  const size_t atime = stat_offset(offsetof(struct stat, st_atim));
  std::string text = fmt::format(
      "newfstatat r12, r7, r8, r{0}, r9\n"
      "ld64 r13, [r{0}+{1}]\n"
      "jne r13, r{2}, done\n"
      "ld32 r13, [r{0}+{3}]\n"
      "andi r13, r13, {4}\n"
      "movi32 r14, {5}\n"
      "jne r13, r14, done\n"
      "ld64 r13, [r{0}+{6}]\n"
      "jz r13, done\n"
      "jnz r{7}, read\n"
      "ld64 r13, [r{0}+{8}]\n"
      "ld64 r14, [r{0}+{9}]\n"
      "jle r13, r{10}, done\n",
      SVP_REG_STAGING, stat_offset(offsetof(struct stat, st_dev)), SVP_REG_DEVICE,
      stat_offset(offsetof(struct stat, st_mode)), S_IFMT, S_IFREG,
      stat_offset(offsetof(struct stat, st_size)), SVP_REG_NOATIME, atime, atime + 8, SVP_REG_ATIME);
  int label = 0;
  for (const size_t other : {offsetof(struct stat, st_mtim), offsetof(struct stat, st_ctim)}) {
    text += fmt::format(
        "ld64 r15, [r{0}+{1}]\n"
        "jlt r15, r13, later{3}\n"
        "jne r15, r13, done\n"
        "ld64 r15, [r{0}+{2}]\n"
        "jle r14, r15, done\n"
        "later{3}:\n",
        SVP_REG_STAGING, stat_offset(other), stat_offset(other) + 8, label);
    ++label;
  }
  return text + "read:\n";
}

}  // namespace

std::string procedure_text(const std::string& what, int size) {
  const bool read = what == "read", answers = read || what == "fstat";
  const int slot = (size + 63) / 64 * 64;
  std::string followers, code;
  if (read) {
    // shim_loop makes no fstat before it reads: the guard's is nobody's follower.
    code += guard() + fmt::format("movi32 r10, {}\nmovi8 r11, 0\n", size);
  }
  for (int i = 0; answers && i < SHIM_LOOP_CALLS; ++i) {
    const int result = kFirstResult + i, at = kStaged + i * slot;
    if (read) {
      followers += fmt::format("  follower r{} = pread64(r7, out@{}:{}, count r10, 0)\n", result, at, size);
      code += fmt::format("addi r13, r{}, {}\npread64 r{}, r7, r13, r10, r11\n", SVP_REG_STAGING, at, result);
    } else {
      followers += fmt::format("  follower r{} = newfstatat(r7, string@0, out@0:{}, {})\n", result, kStat,
                               AT_EMPTY_PATH);
      code += fmt::format("newfstatat r{}, r7, r8, r{}, r9\n", result, SVP_REG_STAGING);
    }
  }
  // A loop that is not to be answered gets flags that it does not use.
  const int flags = answers ? O_RDONLY | O_CLOEXEC : O_RDONLY | O_CLOEXEC | O_NOCTTY;
  return fmt::format(
      "procedure \"shim_loop: {} {}\" run_ahead {{\n"
      "  staging {}\n"
      "  result r7\n"
      "  trigger openat(_, _, {}, _) path 1\n"
      "{}  data \"\\0\"\n"
      "  code {{\n"
      "jneg r{}, open\n"
      "goon close r6, r{}\n"
      "open:\n"
      "openat r7, r0, r1, r2, r3\n"
      "data r8, 0\n"
      "movi32 r9, {}\n"
      "{}done:\n"
      "end\n"
      "  }}\n"
      "}}\n",
      what, size, kStaged + (read ? SHIM_LOOP_CALLS * slot : 0), flags, followers, SVP_REG_CLOSE,
      SVP_REG_CLOSE, AT_EMPTY_PATH, code);
}

Result<> write_procedures(const std::string& path, const std::string& what, int size) {
  const ProcedureFile file = TRY(from_text(procedure_text(what, size), "shim_loop's procedure"));
  return write_whole_file(path, TRY(write_svp(file)));
}

Result<uint64_t> hits_of(const std::string& stats) {
  std::ifstream in(stats);
  const auto json = nlohmann::json::parse(in, nullptr, false);
  if (!json.is_object() || !json.contains("procedures"))
    return error("{}: expected the counters of `sysvm run`", stats);
  uint64_t hits = 0;
  for (const auto& procedure : json["procedures"]) hits += procedure.value("hits", uint64_t{0});
  return hits;
}

}  // namespace sysvm::bench
