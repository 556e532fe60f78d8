// SPDX-License-Identifier: MIT
// The table of i386's calls against the C library's header.
#include <asm/unistd_32.h>

#include <utility>

// Before other headers come, which define the same macros as x86-64's numbers. A selection of all ages.
constexpr std::pair<const char*, int> kOfHeader[] = {{"restart_syscall", __NR_restart_syscall},
                                                     {"exit", __NR_exit},
                                                     {"read", __NR_read},
                                                     {"open", __NR_open},
                                                     {"close", __NR_close},
                                                     {"execve", __NR_execve},
                                                     {"oldstat", __NR_oldstat},
                                                     {"mmap", __NR_mmap},
                                                     {"stat", __NR_stat},
                                                     {"_llseek", __NR__llseek},
                                                     {"_newselect", __NR__newselect},
                                                     {"mmap2", __NR_mmap2},
                                                     {"stat64", __NR_stat64},
                                                     {"fstat64", __NR_fstat64},
                                                     {"fcntl64", __NR_fcntl64},
                                                     {"exit_group", __NR_exit_group},
                                                     {"openat", __NR_openat},
                                                     {"fstatat64", __NR_fstatat64},
                                                     {"arch_prctl", __NR_arch_prctl},
                                                     {"clock_gettime64", __NR_clock_gettime64},
                                                     {"openat2", __NR_openat2},
                                                     {"faccessat2", __NR_faccessat2}};

#include <gtest/gtest.h>

#include "traces/calls32.h"

namespace sysvm {
namespace {

TEST(Calls32, NumbersAreThoseOfTheHeader) {
  for (const auto& [name, nr] : kOfHeader) {
    EXPECT_EQ(call32_number(name), nr) << name;
    ASSERT_NE(call32_name(nr), nullptr) << nr;
    EXPECT_STREQ(call32_name(nr), name);
  }
}

TEST(Calls32, WhatIsNotInTheTableIsNotNamed) {
  EXPECT_EQ(call32_number("newfstatat"), -1);
  EXPECT_EQ(call32_number("telepathy"), -1);
  EXPECT_EQ(call32_name(17 + 100'000), nullptr);
  EXPECT_EQ(call32_label(3), "i386_read");
  EXPECT_EQ(call32_label(100'000), "i386_syscall_100000");
}

}  // namespace
}  // namespace sysvm
