// SPDX-License-Identifier: MIT
// The C API on the user engine; what programs do is in tests/cases/.
#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "procedures/assembler.h"
#include "sysvm.h"
#include "uapi/syscalls.h"

namespace {

class Engine : public ::testing::Test {
 protected:
  void SetUp() override {
    memory_.reset(std::aligned_alloc(64, sysvm_size()));
    vm = static_cast<struct sysvm_vm*>(memory_.get());
    ASSERT_EQ(sysvm_init(vm, SYSVM_ENGINE_USER), 0);
    page = sysvm_page(vm);
  }
  void TearDown() override { sysvm_exit(vm); }

  uint32_t define(const char* text, uint64_t data = 0) {
    auto code = sysvm::assemble(text);
    EXPECT_TRUE(code.ok()) << code.message();
    char message[128];
    uint32_t proc = ~0u;
    EXPECT_EQ(sysvm_define(vm, code->data(), code->size(), data, &proc, message, sizeof message), 0)
        << message;
    return proc;
  }

  struct sysvm_vm* vm = nullptr;
  struct sysvm_page* page = nullptr;

 private:
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  std::unique_ptr<void, Free> memory_;
};

TEST_F(Engine, IsTheUserEngineWithAPageAndNoDevice) {
  EXPECT_EQ(sysvm_size() % 64, 0u);
  EXPECT_EQ(sysvm_engine(vm), SYSVM_ENGINE_USER);
  EXPECT_EQ(sysvm_device_fd(vm), -1);
  EXPECT_EQ(page->abi, uint32_t{SYSVM_ABI_VERSION});
  EXPECT_EQ(page->status, uint32_t{SYSVM_IDLE});
}

TEST_F(Engine, SupportsTheCallsWithAnIndexOnly) {
  EXPECT_EQ(sysvm_supports(vm, SYSVM_NR_read), 1);
  EXPECT_EQ(sysvm_supports(vm, SYSVM_NR_clock_gettime), 1);
  EXPECT_EQ(sysvm_supports(vm, SYSVM_NR_fork), 0);
  EXPECT_EQ(sysvm_supports(vm, 100000), 0);
}

TEST_F(Engine, RunsAProcedureAndCounts) {
  const uint32_t proc = define("getpid r7\nend");
  ASSERT_EQ(sysvm_run(vm, proc, 100), 0);
  EXPECT_EQ(page->status, uint32_t{SYSVM_DONE});
  EXPECT_EQ(page->reg[7], uint64_t(getpid()));
  EXPECT_EQ(page->proc, proc);
  EXPECT_EQ(page->fuel, 98u);
  EXPECT_EQ(page->insns, 2u);
  EXPECT_EQ(page->calls, 1u);
  EXPECT_EQ(page->runs, 1u);
  EXPECT_EQ(page->fallbacks, 0u);
}

TEST_F(Engine, ResumesWhereFuelRanOutAndStartsAnewWithANewRun) {
  const uint32_t proc = define("addi r1, r1, 1\naddi r1, r1, 1\nend");
  ASSERT_EQ(sysvm_run(vm, proc, 1), 0);
  EXPECT_EQ(page->status, uint32_t{SYSVM_FUEL});
  EXPECT_EQ(page->pc, 7u);
  ASSERT_EQ(sysvm_resume(vm, 10), 0);
  EXPECT_EQ(page->status, uint32_t{SYSVM_DONE});
  EXPECT_EQ(page->reg[1], 2u);
  EXPECT_EQ(sysvm_resume(vm, 10), -EINVAL);
  ASSERT_EQ(sysvm_run(vm, proc, 1), 0);
  ASSERT_EQ(sysvm_run(vm, proc, 10), 0);
  EXPECT_EQ(page->status, uint32_t{SYSVM_DONE});
  EXPECT_EQ(page->reg[1], 5u);
}

TEST_F(Engine, AResumePointThatWasMovedIntoAnInstructionIsRefused) {
  const uint32_t proc = define("movi64 r1, 1\nend");
  ASSERT_EQ(sysvm_run(vm, proc, 0), 0);
  ASSERT_EQ(page->status, uint32_t{SYSVM_FUEL});
  for (uint32_t pc : {1u, 9u, 11u, 4000u, 0xffffffffu}) {
    page->status = SYSVM_FUEL;
    page->pc = pc;
    ASSERT_EQ(sysvm_resume(vm, 10), 0);
    EXPECT_EQ(page->status, uint32_t{SYSVM_INVALID}) << pc;
    EXPECT_EQ(page->reg[1], 0u);
  }
}

TEST_F(Engine, RefusesBadCodeByMessageAndUnknownProceduresByNumber) {
  const uint8_t code[] = {0x01, 0x00};
  char message[64];
  uint32_t proc;
  EXPECT_EQ(sysvm_define(vm, code, sizeof code, 0, &proc, message, sizeof message), -EINVAL);
  EXPECT_STREQ(message, "byte 1: unknown opcode 0x00");
  EXPECT_EQ(sysvm_define(vm, code, SYSVM_PROC_CODE_MAX + 1, 0, &proc, message, sizeof message), -E2BIG);
  EXPECT_EQ(sysvm_run(vm, 0, 10), -ENOENT);
  EXPECT_EQ(sysvm_undefine(vm, 0), -ENOENT);
  EXPECT_EQ(sysvm_undefine(vm, 5000), -ENOENT);
}

TEST_F(Engine, HoldsAsManyProceduresAsPromisedAndReusesTheirNumbers) {
  for (uint32_t i = 0; i < SYSVM_MAX_PROCS; i++) EXPECT_EQ(define("end"), i);
  const uint8_t end = 1;
  uint32_t proc;
  EXPECT_EQ(sysvm_define(vm, &end, 1, 0, &proc, nullptr, 0), -ENOSPC);
  EXPECT_EQ(sysvm_undefine(vm, 17), 0);
  EXPECT_EQ(define("end"), 17u);
}

TEST_F(Engine, CodeInThePageIsVerifiedAtEachRun) {
  page->code[0] = 1;
  page->code_len = 1;
  ASSERT_EQ(sysvm_run(vm, SYSVM_PROC_PAGE, 10), 0);
  EXPECT_EQ(page->status, uint32_t{SYSVM_DONE});
  page->code[0] = 0xff;
  ASSERT_EQ(sysvm_run(vm, SYSVM_PROC_PAGE, 10), 0);
  EXPECT_EQ(page->status, uint32_t{SYSVM_INVALID});
  EXPECT_EQ(page->error, EINVAL);
  page->code_len = 1 << 30;
  ASSERT_EQ(sysvm_run(vm, SYSVM_PROC_PAGE, 10), 0);
  EXPECT_EQ(page->status, uint32_t{SYSVM_INVALID});
}

TEST_F(Engine, BadAddressesStopTheProgramInsteadOfTheProcess) {
  char* memory =
      static_cast<char*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(memory, MAP_FAILED);
  ASSERT_EQ(mprotect(memory + 4096, 4096, PROT_NONE), 0);
  const uint32_t load = define("ld64 r1, [r2]\nend"), store = define("st64 [r2], r3\nend");
  page->reg[3] = 0x1122334455667788;
  for (uint64_t address : {uint64_t{0}, ~uint64_t{0}, uint64_t(memory) + 4096, uint64_t(memory) + 4092}) {
    page->reg[2] = address;
    for (uint32_t proc : {load, store}) {
      ASSERT_EQ(sysvm_run(vm, proc, 10), 0);
      EXPECT_EQ(page->status, uint32_t{SYSVM_FAULT}) << address;
      EXPECT_EQ(page->error, EFAULT);
      EXPECT_EQ(page->pc, 0u);
    }
  }
  page->reg[2] = uint64_t(memory) + 4088;
  ASSERT_EQ(sysvm_run(vm, store, 10), 0);
  ASSERT_EQ(sysvm_run(vm, load, 10), 0);
  EXPECT_EQ(page->status, uint32_t{SYSVM_DONE});
  EXPECT_EQ(page->reg[1], 0x1122334455667788u);
  munmap(memory, 8192);
}

TEST_F(Engine, WhatIsMappedForWritingOnlyCanBeReadAsTheProcessorCan) {
  void* memory = mmap(nullptr, 4096, PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  page->reg[2] = uint64_t(memory);
  page->reg[3] = 99;
  ASSERT_EQ(sysvm_run(vm, define("st64 [r2], r3\nld64 r1, [r2]\nend"), 10), 0);
  EXPECT_EQ(page->status, uint32_t{SYSVM_DONE});
  EXPECT_EQ(page->reg[1], 99u);
  munmap(memory, 4096);
}

TEST_F(Engine, TrustedRangesAreAccessedToTheirLastByteAndNotBeyond) {
  alignas(8) static unsigned char memory[16];
  const uint32_t store = define("st64 [r2], r3\nld64 r1, [r2]\nend");
  ASSERT_EQ(sysvm_trust(vm, memory, 16, 1), 0);
  page->reg[3] = 77;
  for (uint64_t offset : {0, 8}) {
    page->reg[2] = uint64_t(memory) + offset;
    ASSERT_EQ(sysvm_run(vm, store, 10), 0);
    EXPECT_EQ(page->status, uint32_t{SYSVM_DONE});
    EXPECT_EQ(memory[offset], 77);
  }
  for (int i = 1; i < SYSVM_MAX_TRUSTED; i++) EXPECT_EQ(sysvm_trust(vm, memory, 16, 0), 0);
  EXPECT_EQ(sysvm_trust(vm, memory, 16, 0), -ENOSPC);
}

TEST_F(Engine, AStoreIntoARangeTrustedForReadingIsCheckedByTheKernel) {
  void* memory = mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_EQ(sysvm_trust(vm, memory, 4096, 0), 0);
  page->reg[2] = uint64_t(memory);
  ASSERT_EQ(sysvm_run(vm, define("st8 [r2], r3\nend"), 10), 0);
  EXPECT_EQ(page->status, uint32_t{SYSVM_FAULT});
  munmap(memory, 4096);
}

TEST_F(Engine, StopsBeforeTheNextCallOnceASignalWasCounted) {
  // The program itself counts the "signal" up, as a handler would in the middle of a run.
  uint64_t counter = 5;
  sysvm_watch_signals(vm, &counter);
  page->reg[1] = uint64_t(&counter);
  page->reg[2] = 6;
  ASSERT_EQ(sysvm_run(vm, define("getpid r7\nst64 [r1], r2\ngetppid r8\nend"), 10), 0);
  EXPECT_EQ(page->status, uint32_t{SYSVM_SIGNAL});
  EXPECT_EQ(page->pc, 7u);
  EXPECT_EQ(page->reg[8], 0u);
  ASSERT_EQ(sysvm_resume(vm, 10), 0);
  EXPECT_EQ(page->status, uint32_t{SYSVM_DONE});
  EXPECT_EQ(page->reg[8], uint64_t(getppid()));
}

TEST_F(Engine, AnEndlessLoopStopsAtABackwardJumpOnceASignalWasCounted) {
  uint64_t counter = 0;
  sysvm_watch_signals(vm, &counter);
  page->reg[1] = uint64_t(&counter);
  page->reg[2] = 1;
  ASSERT_EQ(sysvm_run(vm, define("a: st64 [r1], r2\njmp a\nend"), 1000), 0);
  EXPECT_EQ(page->status, uint32_t{SYSVM_SIGNAL});
  EXPECT_EQ(page->insns, 2u);
}

TEST_F(Engine, FuelIsCutToTheLargestAllowed) {
  ASSERT_EQ(sysvm_run(vm, define("a: jmp a"), ~uint64_t{0}), 0);
  EXPECT_EQ(page->status, uint32_t{SYSVM_FUEL});
  EXPECT_EQ(page->insns, uint64_t{SYSVM_FUEL_MAX});
}

TEST_F(Engine, LeavesErrnoAlone) {
  errno = 12345;
  page->reg[1] = 9999;
  ASSERT_EQ(sysvm_run(vm, define("close r1, r1\nend"), 10), 0);
  EXPECT_EQ(page->status, uint32_t{SYSVM_ERROR});
  EXPECT_EQ(page->error, EBADF);
  EXPECT_EQ(page->reg[1], uint64_t(-EBADF));
  EXPECT_EQ(errno, 12345);
}

TEST(Init, KernelEngineSaysWhyItCannotBeMadeAndAutoTakesTheUserEngine) {
  std::unique_ptr<void, void (*)(void*)> memory(std::aligned_alloc(64, sysvm_size()), std::free);
  auto* vm = static_cast<struct sysvm_vm*>(memory.get());
  const bool device = access("/dev/sysvm", R_OK | W_OK) == 0;
  const int err = sysvm_init(vm, SYSVM_ENGINE_KERNEL);
  if (device) {
    EXPECT_EQ(err, 0);
    EXPECT_LT(sysvm_device_fd(vm), 256);
    EXPECT_EQ(fcntl(sysvm_device_fd(vm), F_GETFD), FD_CLOEXEC);
    sysvm_exit(vm);
  } else {
    EXPECT_EQ(err, -errno);  // of access()
  }
  ASSERT_EQ(sysvm_init(vm, SYSVM_ENGINE_AUTO), 0);
  EXPECT_EQ(sysvm_engine(vm), device ? SYSVM_ENGINE_KERNEL : SYSVM_ENGINE_USER);
  sysvm_exit(vm);
  EXPECT_EQ(sysvm_init(vm, static_cast<enum sysvm_engine>(9)), -EINVAL);
  auto* askew = reinterpret_cast<struct sysvm_vm*>(static_cast<char*>(memory.get()) + 8);
  EXPECT_EQ(sysvm_init(askew, SYSVM_ENGINE_USER), -EINVAL);
  EXPECT_EQ(sysvm_init(nullptr, SYSVM_ENGINE_USER), -EINVAL);
}

}  // namespace
