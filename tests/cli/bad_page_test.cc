// SPDX-License-Identifier: MIT
// A page with random contents: header, registers, code. Whatever stands there, a run ends with a status that
// the ABI names, and the process lives. What random *valid* programs do is compared by tests/fuzz/engines,
// and what the module makes of such pages by tests/qemu/test_fuzz.c.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <random>

#include "libsysvm/sysvm.h"

namespace {

constexpr int kPages = 3000;

// In a child: now and then such a page is a valid program, and then it makes real calls with random
// arguments.
int run_random_pages(unsigned seed) {
  alarm(60);
  std::mt19937_64 random(seed);
  auto* vm = static_cast<sysvm_vm*>(aligned_alloc(64, sysvm_size()));
  if (!vm || sysvm_init(vm, SYSVM_ENGINE_USER)) return 10;
  struct sysvm_page* page = sysvm_page(vm);
  int invalid = 0;
  for (int i = 0; i < kPages; ++i) {
    auto* words = reinterpret_cast<uint64_t*>(page);
    for (size_t w = 0; w < SYSVM_PAGE_SIZE / sizeof *words; ++w) words[w] = random();
    // else: nearly always too long
    if (i % 2) page->code_len = static_cast<uint32_t>(random() % (SYSVM_PAGE_CODE_MAX + 2));
    if (sysvm_run(vm, SYSVM_PROC_PAGE, 10000)) return 11;
    if (page->status == SYSVM_IDLE || page->status > SYSVM_YIELD) return 12;
    if (page->status == SYSVM_INVALID) {
      ++invalid;
      if (page->pc > SYSVM_PAGE_CODE_MAX) return 13;
    }
  }
  return invalid > kPages / 2 ? 0 : 14;
}

TEST(BadPage, RandomContentsEndARunWithANamedStatus) {
  for (unsigned seed = 1; seed <= 3; ++seed) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) _exit(run_random_pages(seed));
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status)) << "seed " << seed << ": ended by signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 0) << "seed " << seed;
  }
}

}  // namespace
