// SPDX-License-Identifier: MIT
// The system call table against the C library's headers, and against its own rules.
#include "uapi/syscalls.h"

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/times.h>

#include <map>
#include <set>
#include <string>

// Newer than the oldest headers that we build with, or hidden by feature macros there.
#ifndef F_GETOWNER_UIDS
#define F_GETOWNER_UIDS 17
#endif
#ifndef F_DUPFD_QUERY
#define F_DUPFD_QUERY 1027
#endif
#ifndef F_CREATED_QUERY
#define F_CREATED_QUERY 1028
#endif
#ifndef F_CANCELLK
#define F_CANCELLK 1029
#endif

namespace {

struct Number {
  const char* name;
  unsigned nr;
};
constexpr Number kLibc[] = {
#include "libc_syscalls.inc"
};

struct Command {
  bool fcntl;
  const char* name;
  unsigned table, headers;
};
constexpr Command kCommands[] = {
#define SYSVM_FCNTL(cmd_, name_, ...) {true, #name_, cmd_, unsigned(name_)},
#define SYSVM_IOCTL(cmd_, name_, ...) {false, #name_, cmd_, unsigned(name_)},
#include "uapi/syscalls.inc"
};

struct Words {
  unsigned nr;
  const char *effect, *result, *undo;
};
constexpr Words kWords[] = {
#define SYSVM_SYSCALL(nr_, name_, index_, nargs_, effect_, result_, undo_, ...) \
  {nr_, #effect_, #result_, #undo_},
#include "uapi/syscalls.inc"
};

constexpr unsigned kCalls = 175;  // rows with a call index

TEST(Syscalls, EveryCallOfTheHeadersHasARowWithItsNumber) {
  ASSERT_GT(std::size(kLibc), 350u);
  for (const Number& n : kLibc) {
    if (n.nr >= SYSVM_NR_END) continue;  // headers newer than the table's Linux 6.18
    const sysvm_syscall_info* row = sysvm_syscall_by_nr(n.nr);
    ASSERT_NE(row, nullptr) << n.name;
    EXPECT_STREQ(row->name, n.name);
    EXPECT_EQ(sysvm_syscall_by_name(n.name), row);
  }
}

TEST(Syscalls, RowsBeyondTheHeadersAreTheNewerCallsOnly) {
  std::set<unsigned> known;
  for (const Number& n : kLibc) known.insert(n.nr);
  for (unsigned nr = 0; nr < SYSVM_NR_END; nr++)
    if (sysvm_syscall_by_nr(nr) && !known.count(nr)) {
      EXPECT_TRUE(nr == 335 || nr == 336 || nr > 450) << nr << " " << sysvm_syscall_by_nr(nr)->name;
    }
  EXPECT_EQ(SYSVM_NR_END - 1, 469);
}

TEST(Syscalls, CallIndicesAreDenseAndUsedOnce) {
  std::map<int, std::string> owner;
  for (unsigned nr = 0; nr < SYSVM_NR_END; nr++) {
    const sysvm_syscall_info* row = sysvm_syscall_by_nr(nr);
    if (!row || row->index < 0) continue;
    EXPECT_TRUE(owner.emplace(row->index, row->name).second) << row->name << " and " << owner[row->index];
    EXPECT_EQ(sysvm_syscall_by_index(row->index), row);
  }
  EXPECT_EQ(owner.size(), kCalls);
  EXPECT_EQ(owner.rbegin()->first, int(kCalls) - 1);
  EXPECT_EQ(sysvm_syscall_by_index(kCalls), nullptr);
  EXPECT_EQ(sysvm_syscall_by_index(255), nullptr);
}

TEST(Syscalls, ArgumentsFillTheRowFromTheFront) {
  for (unsigned nr = 0; nr < SYSVM_NR_END; nr++) {
    const sysvm_syscall_info* row = sysvm_syscall_by_nr(nr);
    if (!row) continue;
    for (unsigned i = 0; i < 6; i++)
      EXPECT_EQ(row->arg[i].kind != SYSVM_KIND_NONE, i < row->nargs) << row->name << " argument " << i;
  }
}

TEST(Syscalls, SizesOfBuffersAreInASizeArgument) {
  for (unsigned nr = 0; nr < SYSVM_NR_END; nr++) {
    const sysvm_syscall_info* row = sysvm_syscall_by_nr(nr);
    if (!row) continue;
    for (unsigned i = 0; i < row->nargs; i++) {
      const sysvm_arg_info& a = row->arg[i];
      if (a.kind == SYSVM_KIND_IN || a.kind == SYSVM_KIND_OUT || a.kind == SYSVM_KIND_OUTN) {
        EXPECT_EQ(row->arg[a.param].kind, SYSVM_KIND_SIZE) << row->name << " argument " << i;
      }
      if (a.kind == SYSVM_KIND_INS || a.kind == SYSVM_KIND_OUTS) {
        EXPECT_GT(a.param, 0) << row->name;
      }
    }
  }
}

TEST(Syscalls, NothingIsRunAheadThatCannotBeTakenBack) {
  for (unsigned nr = 0; nr < SYSVM_NR_END; nr++) {
    const sysvm_syscall_info* row = sysvm_syscall_by_nr(nr);
    if (!row || !(row->flags & SYSVM_FLAG_AHEAD)) continue;
    EXPECT_GE(row->index, 0) << row->name;
    EXPECT_TRUE(row->flags & SYSVM_FLAG_TRIGGER) << row->name;
    if (nr == SYSVM_NR_fcntl || nr == SYSVM_NR_ioctl) continue;  // by command
    EXPECT_NE(row->undo, SYSVM_UNDO_NEVER) << row->name;
    EXPECT_TRUE(row->effect == SYSVM_EFFECT_PURE || row->effect == SYSVM_EFFECT_ADVICE ||
                row->effect == SYSVM_EFFECT_POS)
        << row->name;
  }
  for (const Command& c : kCommands) {
    const sysvm_command_info* row = c.fcntl ? sysvm_fcntl_by_cmd(c.table) : sysvm_ioctl_by_cmd(c.table);
    ASSERT_NE(row, nullptr) << c.name;
    if (row->flags & SYSVM_FLAG_AHEAD) {
      EXPECT_NE(row->undo, SYSVM_UNDO_NEVER) << c.name;
    }
  }
}

TEST(Syscalls, CallsThatMakeOrEndATaskHaveNoOpcode) {
  for (const char* name : {"clone",           "clone3",         "fork",           "vfork",
                           "execve",          "execveat",       "exit",           "exit_group",
                           "rt_sigreturn",    "ptrace",         "seccomp",        "prctl",
                           "arch_prctl",      "io_uring_setup", "io_uring_enter", "io_uring_register",
                           "pause",           "rt_sigsuspend",  "futex",          "nanosleep",
                           "clock_nanosleep", "poll",           "ppoll",          "select",
                           "pselect6",        "unshare",        "setns",          "restart_syscall",
                           "sigaltstack",     "rt_sigprocmask", "rt_sigaction"}) {
    const sysvm_syscall_info* row = sysvm_syscall_by_name(name);
    ASSERT_NE(row, nullptr) << name;
    EXPECT_EQ(row->index, -1) << name;
  }
  for (unsigned i = 0; i < kCalls; i++)
    EXPECT_NE(sysvm_syscall_by_index(i)->effect, SYSVM_EFFECT_TASK) << sysvm_syscall_by_index(i)->name;
}

TEST(Syscalls, EveryCallWithoutAnOpcodeHasItsReason) {
  std::set<std::string> reasons, denied;
#define SYSVM_REASON(word, text) reasons.insert(#word);
#define SYSVM_DENIED(name, reason)                   \
  EXPECT_TRUE(denied.insert(#name).second) << #name; \
  EXPECT_TRUE(reasons.count(#reason)) << #name;
#include "uapi/denied.inc"
  for (unsigned nr = 0; nr < SYSVM_NR_END; nr++)
    if (const sysvm_syscall_info* row = sysvm_syscall_by_nr(nr)) {
      EXPECT_EQ(row->index < 0, denied.count(row->name) == 1) << row->name;
    }
}

TEST(Syscalls, StructureSizesAreTheKernels) {
  const struct {
    const char* call;
    unsigned argument;
    size_t size;
  } cases[] = {
      {"fstat", 1, sizeof(struct stat)},       {"newfstatat", 2, sizeof(struct stat)},
      {"statx", 4, sizeof(struct statx)},      {"statfs", 1, sizeof(struct statfs)},
      {"getrusage", 1, sizeof(struct rusage)}, {"prlimit64", 3, sizeof(struct rlimit)},
      {"sysinfo", 0, sizeof(struct sysinfo)},  {"times", 0, sizeof(struct tms)},
      {"pipe2", 0, 2 * sizeof(int)},           {"clock_gettime", 1, sizeof(struct timespec)},
      {"epoll_ctl", 3, sizeof(epoll_event)},   {"utimensat", 2, 2 * sizeof(struct timespec)},
  };
  for (const auto& c : cases) {
    const sysvm_syscall_info* row = sysvm_syscall_by_name(c.call);
    ASSERT_NE(row, nullptr) << c.call;
    EXPECT_EQ(row->arg[c.argument].param, c.size) << c.call;
  }
  EXPECT_EQ(sysvm_ioctl_by_cmd(TCGETS2)->arg.param, sizeof(struct termios2));
  EXPECT_EQ(sysvm_ioctl_by_cmd(TCGETS)->arg.param, sizeof(struct termios));
  EXPECT_EQ(sysvm_ioctl_by_cmd(FS_IOC_FSGETXATTR)->arg.param, sizeof(struct fsxattr));
}

TEST(Syscalls, CommandsOfFcntlAndIoctlHaveTheHeadersNumbers) {
  for (const Command& c : kCommands) {
    EXPECT_EQ(c.table, c.headers) << c.name;
    const sysvm_command_info* row = c.fcntl ? sysvm_fcntl_by_cmd(c.table) : sysvm_ioctl_by_cmd(c.table);
    ASSERT_NE(row, nullptr) << c.name;
    EXPECT_STREQ(row->name, c.name);
  }
  EXPECT_EQ(sysvm_fcntl_by_cmd(0x7fffffff), nullptr);
  EXPECT_EQ(sysvm_ioctl_by_cmd(0x7fffffff), nullptr);
  EXPECT_STREQ(sysvm_ioctl_by_cmd(TCGETS)->name, "TCGETS");
}

TEST(Syscalls, NamesOfTheWordsAreTheWordsOfTheTable) {
  for (const Words& w : kWords) {
    const sysvm_syscall_info* row = sysvm_syscall_by_nr(w.nr);
    EXPECT_STREQ(sysvm_effect_name(row->effect), w.effect) << row->name;
    EXPECT_STREQ(sysvm_result_name(row->result), w.result) << row->name;
    EXPECT_STREQ(sysvm_undo_name(row->undo), w.undo) << row->name;
  }
  EXPECT_STREQ(sysvm_kind_name(SYSVM_KIND_NONE), "_");
  EXPECT_STREQ(sysvm_kind_name(SYSVM_KIND_OUT), "OUT");
  EXPECT_STREQ(sysvm_kind_name(SYSVM_KIND_MSG_OUT), "MSG_OUT");
  EXPECT_STREQ(sysvm_kind_name(SYSVM_KIND_MSG_OUT + 1), "?");
}

}  // namespace
