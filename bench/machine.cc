// SPDX-License-Identifier: MIT
// What the machine adds: an entry into it, one instruction, one jump, one call made inside a run, and the
// verifier.
//
// Each is the difference between two programs that differ in nothing else, measured in the same run: an empty
// one, a loop of 1,000 turns, the same with 32 arithmetic instructions in each, one of 32 calls. The call is
// fstat, made plainly beside it by one inline instruction, as the engine makes it. With the user engine a
// call inside a run is still an entry; the kernel engine is where it is not.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cstdlib>
#include <cstring>
#include <memory>

#include "bench/figures.h"
#include "bench/plain_file.h"
#include "common/unique_fd.h"
#include "libsysvm/sysvm.h"
#include "procedures/assemble.h"
#include "vm/vm.h"

namespace sysvm::bench {

namespace {

using benchmark::State;

constexpr int kLoops = 1000;  // of one arithmetic instruction and one jump
constexpr int kBodies = 4;    // of eight arithmetic instructions each, in a turn of the longer loop
constexpr int kBody = 8;
constexpr int kCalls = 32;                // of one program: about what a whole-directory procedure makes
constexpr uint32_t kFd = 0, kBuffer = 1;  // registers

struct Free {
  void operator()(void* memory) const { free(memory); }
};

class Machine {
 public:
  explicit Machine(enum sysvm_engine engine)
      : memory_(aligned_alloc(64, sysvm_size())), error_(memory_ ? sysvm_init(vm(), engine) : -ENOMEM) {}
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  ~Machine() {
    if (!error_) sysvm_exit(vm());
  }
  sysvm_vm* vm() const { return static_cast<sysvm_vm*>(memory_.get()); }
  int error() const { return error_; }

 private:
  std::unique_ptr<void, Free> memory_;
  int error_;
};

std::string loop_program(int bodies) {
  std::string text = fmt::format("movi32 r2, {}\nagain:", kLoops);
  // What procedures do between calls: offsets, masks, counts, moves.
  for (int i = 0; i < bodies; ++i)
    text +=
        " add r10, r11, r12\nmov r13, r10\nandi r14, r13, 4095\nsub r15, r11, r14\nmovi8 r16, 3\n"
        "shl r17, r12, r16\nor r18, r17, r10\naddi r19, r15, 24\n";
  return text + "addi r2, r2, -1\njnz r2, again\nend\n";
}

std::string calls_program() {
  std::string text;
  for (int i = 0; i < kCalls; ++i) text += fmt::format("fstat r2, r{}, r{}\n", kFd, kBuffer);
  return text + "end\n";
}

// Some of everything: what the verifier is timed with.
std::string mixed_program() { return calls_program() + loop_program(kBodies); }

struct Code {
  uint8_t bytes[SYSVM_PROC_CODE_MAX];
  size_t len = 0;
  std::string message;
};

Code assembled(const std::string& text) {
  Code code;
  char message[128] = "";
  if (sysvm_assemble(text.c_str(), code.bytes, sizeof code.bytes, &code.len, message, sizeof message))
    code.message = message;
  return code;
}

// Runs a program once for each iteration and sees that it ends where it should.
void run_program(State& state, enum sysvm_engine engine, const std::string& text) {
  const Machine machine(engine);
  const PlainFile file(4096);
  const UniqueFd fd(open(file.path(), O_RDONLY | O_CLOEXEC));
  const Code code = assembled(text);
  uint32_t proc = 0;
  char message[128] = "";
  struct stat st;
  if (machine.error()) return state.SkipWithError(strerror(-machine.error()));
  if (!code.message.empty()) return state.SkipWithError(code.message.c_str());
  if (sysvm_define(machine.vm(), code.bytes, code.len, 0, &proc, message, sizeof message))
    return state.SkipWithError(message);
  struct sysvm_page* page = sysvm_page(machine.vm());
  for (auto _ : state) {
    page->reg[kFd] = static_cast<uint64_t>(fd.get());
    page->reg[kBuffer] = reinterpret_cast<uint64_t>(&st);
    const int error = sysvm_run(machine.vm(), proc, SYSVM_FUEL_MAX);
    if (error || page->status != SYSVM_DONE) {
      state.SkipWithError(
          fmt::format("the program stopped at byte {}: {}", page->pc, sysvm_status_name(page->status))
              .c_str());
      break;
    }
  }
}

void verify(State& state) {
  const Code code = assembled(mixed_program());
  uint8_t starts[SYSVM_STARTS_SIZE(SYSVM_PROC_CODE_MAX)];
  __u32 at = 0;
  for (auto _ : state)
    if (sysvm_verify(code.bytes, static_cast<__u32>(code.len), starts, &at, nullptr, 0))
      return state.SkipWithError("the verifier refused the program");
}

void fstat_inline(State& state) {
  const PlainFile file(4096);
  const UniqueFd fd(open(file.path(), O_RDONLY | O_CLOEXEC));
  struct stat st;
  for (auto _ : state) {
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(SYS_fstat), "D"(fd.get()), "S"(&st)
                     : "rcx", "r11", "memory");
    if (result) return state.SkipWithError("fstat failed");
  }
}

void add(const std::string& name, enum sysvm_engine engine, std::string text) {
  benchmark::RegisterBenchmark(name.c_str(), [engine, text = std::move(text)](State& state) {
    run_program(state, engine, text);
  })->UseRealTime();
}

constexpr const char* kKernelFigures[] = {"kernel_run", "kernel_insn", "kernel_jump", "kernel_call"};

size_t instructions(const Code& code) {
  size_t n = 0;
  struct sysvm_insn insn;
  for (__u32 at = 0; at < code.len; ++n)
    at += static_cast<__u32>(sysvm_decode(code.bytes, static_cast<__u32>(code.len), at, &insn));
  return n;
}

}  // namespace

void register_machine(Report& report) {
  benchmark::RegisterBenchmark("fstat_inline", fstat_inline)->UseRealTime();
  benchmark::RegisterBenchmark("verify_program", verify)->UseRealTime();
  add("user_run", SYSVM_ENGINE_USER, "end\n");
  add("user_run_loop", SYSVM_ENGINE_USER, loop_program(0));
  add("user_run_body", SYSVM_ENGINE_USER, loop_program(kBodies));
  add("user_run_calls", SYSVM_ENGINE_USER, calls_program());
  const Machine kernel(SYSVM_ENGINE_KERNEL);
  if (kernel.error()) {
    for (const char* name : kKernelFigures)
      report.absent[name] = fmt::format("no kernel engine: /dev/sysvm: {}", strerror(-kernel.error()));
    return;
  }
  add("kernel_run", SYSVM_ENGINE_KERNEL, "end\n");
  add("kernel_run_loop", SYSVM_ENGINE_KERNEL, loop_program(0));
  add("kernel_run_body", SYSVM_ENGINE_KERNEL, loop_program(kBodies));
  add("kernel_run_calls", SYSVM_ENGINE_KERNEL, calls_program());
}

void derive_machine(Report& report) {
  auto& f = report.figures;
  for (const std::string engine : {"user", "kernel"}) {
    const auto run = f.find(engine + "_run"), loop = f.find(engine + "_run_loop"),
               body = f.find(engine + "_run_body"), calls = f.find(engine + "_run_calls");
    if (run == f.end() || loop == f.end() || body == f.end() || calls == f.end()) continue;
    const Figure insn = difference(body->second, loop->second, 1.0 / (kLoops * kBodies * kBody));
    f[engine + "_insn"] = insn;
    f[engine + "_jump"] = difference(difference(loop->second, run->second, 1.0 / kLoops), insn);
    f[engine + "_call"] = difference(difference(calls->second, run->second, 1.0 / kCalls), f["fstat_inline"]);
    for (const char* part : {"_run_loop", "_run_body", "_run_calls"}) f.erase(engine + part);
  }
  const auto verified = f.find("verify_program");
  if (verified != f.end()) {
    const Code code = assembled(mixed_program());
    f["verify_insn"] = difference(verified->second, Figure{}, 1.0 / static_cast<double>(instructions(code)));
    f["verify_byte"] = difference(verified->second, Figure{}, 1.0 / static_cast<double>(code.len));
    f.erase(verified);
  }
}

}  // namespace sysvm::bench
