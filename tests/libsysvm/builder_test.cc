// SPDX-License-Identifier: MIT
// The C++ builder: each construct by what the program that it makes does.
#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "assemble.h"
#include "sysvm.hpp"

namespace {

using sysvm::Machine;
using sysvm::Program;

std::string text_of(const Program& p) {
  const auto code = p.code();
  std::string text;
  char line[96];
  for (size_t at = 0; at < code.size();) {
    at += sysvm_disassemble(code.data(), code.size(), at, line, sizeof line);
    text += std::string(line) + "\n";
  }
  return text;
}

TEST(Builder, MakesTheInstructionsThatItsTextNames) {
  Program p;
  const auto a = p.input(0), b = p.input(1);
  const auto fd = p.call.openat(a, b, 0, 0);
  p.attempt.close(fd);
  p.store<uint32_t>(a, 8, fd);
  EXPECT_EQ(text_of(p),
            "movi8 r255, 0\nmovi8 r254, 0\nopenat r253, r0, r1, r255, r254\ngoon close r252, r253\n"
            "st32 [r0+8], r253\nend\n");
}

TEST(Builder, ComparisonsAreThoseOfCxx) {
  const int64_t numbers[] = {-5, -1, 0, 1, 7};
  Program p;
  const auto a = p.input(0), b = p.input(1), mask = p.result(2, 0);
  int bit = 0;
  auto note = [&](sysvm::Condition c) {
    const int this_bit = bit++;
    p.if_(c, [&] { p.set(mask, mask | (int64_t{1} << this_bit)); });
  };
  note(a == b), note(a != b), note(a < b), note(a <= b), note(a > b), note(a >= b), note(a < 1), note(a >= 1),
      note(below(a, b)), note(not_above(a, b));
  Machine m(SYSVM_ENGINE_USER);
  const uint32_t proc = m.define(p);
  for (int64_t x : numbers)
    for (int64_t y : numbers) {
      ASSERT_EQ(m.run(proc, {uint64_t(x), uint64_t(y)}), uint32_t{SYSVM_DONE});
      const uint64_t expected = (x == y) | (x != y) << 1 | (x < y) << 2 | (x <= y) << 3 | (x > y) << 4 |
                                (x >= y) << 5 | (x < 1) << 6 | (x >= 1) << 7 |
                                (uint64_t(x) < uint64_t(y)) << 8 | (uint64_t(x) <= uint64_t(y)) << 9;
      EXPECT_EQ(m.reg(2), expected) << x << " " << y;
    }
}

TEST(Builder, ArithmeticIsThatOfUnsignedNumbers) {
  Program p;
  const auto a = p.input(0), b = p.input(1);
  const auto out = p.input(2);
  int i = 0;
  auto keep = [&](sysvm::Value v) { p.store<uint64_t>(out, 8 * i++, v); };
  keep(a + b), keep(a - b), keep(a * b), keep(a / b), keep(a % b), keep(a & b), keep(a | b), keep(a ^ b),
      keep(a << 3), keep(a >> 3), keep(a + 5), keep(a - 5), keep(a & -4), keep(a + (int64_t{1} << 40)),
      keep(a & 0xf0f0f0f0f0);
  Machine m(SYSVM_ENGINE_USER);
  const uint64_t x = 0xfffffffffffff123, y = 77;
  uint64_t got[15];
  ASSERT_EQ(m.run(m.define(p), {x, y, uint64_t(got)}), uint32_t{SYSVM_DONE});
  const uint64_t expected[] = {x + y,           x - y,  x * y,  x / y, x % y, x & y,     x | y,
                               x ^ y,           x << 3, x >> 3, x + 5, x - 5, x & ~3ull, x + (1ull << 40),
                               x & 0xf0f0f0f0f0};
  for (int k = 0; k < 15; k++) EXPECT_EQ(got[k], expected[k]) << k;
}

TEST(Builder, LoadsExtendAsTheirTypeDoes) {
  const uint64_t memory = 0x8182838485868788;
  Program p;
  const auto at = p.input(0);
  const auto a = p.load<int8_t>(at), b = p.load<uint8_t>(at), c = p.load<int16_t>(at),
             d = p.load<uint16_t>(at), e = p.load<int32_t>(at), f = p.load<uint32_t>(at),
             g = p.load<uint64_t>(at), h = p.load<uint8_t>(at, 7);
  Machine m(SYSVM_ENGINE_USER);
  ASSERT_EQ(m.run(m.define(p), {uint64_t(&memory)}), uint32_t{SYSVM_DONE});
  EXPECT_EQ(m.reg(a), uint64_t(int64_t{int8_t(0x88)}));
  EXPECT_EQ(m.reg(b), 0x88u);
  EXPECT_EQ(m.reg(c), uint64_t(int64_t{int16_t(0x8788)}));
  EXPECT_EQ(m.reg(d), 0x8788u);
  EXPECT_EQ(m.reg(e), uint64_t(int64_t{int32_t(0x85868788)}));
  EXPECT_EQ(m.reg(f), 0x85868788u);
  EXPECT_EQ(m.reg(g), memory);
  EXPECT_EQ(m.reg(h), 0x81u);
}

TEST(Builder, LoopsBreakAndGoOnWhereTheySay) {
  Program p;
  const auto sum = p.result(0, 0), i = p.result(1, 0);
  p.loop([&] {
    p.set(i, i + 1);
    p.if_(i > 10, [&] { p.break_(); });
    p.if_(
        i % 2 == 0, [&] { p.next_(); }, [&] { p.set(sum, sum + i); });
    const auto j = p.value(0);
    p.loop_while([&] { return j < 2; },
                 [&] {
                   p.set(j, j + 1);
                   p.set(sum, sum + 100);
                 });
  });
  Machine m(SYSVM_ENGINE_USER);
  ASSERT_EQ(m.run(m.define(p)), uint32_t{SYSVM_DONE}) << m.status_text();
  EXPECT_EQ(m.reg(0), uint64_t{1 + 3 + 5 + 7 + 9 + 5 * 200});
}

TEST(Builder, RegistersOfABlockAreFreeBehindIt) {
  Program p;
  for (int i = 0; i < 1000; i++) p.if_(p.input(0) == p.input(1), [&] { p.value(i); });
  EXPECT_THROW(
      {
        for (int i = 0; i < 300; i++) p.value(i);
      },
      std::length_error);
}

TEST(Builder, SaysWhatIsWrong) {
  Program p;
  EXPECT_THROW(p.break_(), std::logic_error);
  EXPECT_THROW(p.input(256), std::length_error);
  Machine m(SYSVM_ENGINE_USER);
  try {
    m.define(std::vector<uint8_t>{0x21, 5, 0});
    FAIL() << "accepted";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code().value(), EINVAL);
    EXPECT_NE(std::string(error.what()).find("jump target 8 past end 3"), std::string::npos) << error.what();
  }
  Program bad;
  bad.call.close(12345);
  EXPECT_EQ(m.run(m.define(bad)), uint32_t{SYSVM_ERROR});
  EXPECT_NE(m.status_text().find("ERROR at byte 4, errno 9"), std::string::npos) << m.status_text();
}

TEST(RunThrough, GoesOnUntilAllFuelIsSpent) {
  Program p;
  p.loop([&] { p.set(p.input(0), p.input(0) + 1); });
  Machine m(SYSVM_ENGINE_USER);
  const uint32_t proc = m.define(p);
  const uint64_t fuel = 3 * uint64_t{SYSVM_FUEL_MAX} + 77;
  EXPECT_EQ(m.run(proc, {0}, fuel), uint32_t{SYSVM_FUEL});
  EXPECT_EQ(m.page().insns, fuel);
  uint64_t counter = 0;
  sysvm_watch_signals(m.vm(), &counter);
  Program counts;  // a signal at each round does not end it either
  const auto at = counts.input(0), n = counts.result(1, 0);
  counts.loop_while([&] { return n < 50; },
                    [&] {
                      counts.set(n, n + 1);
                      counts.store<uint64_t>(at, 0, n);
                    });
  EXPECT_EQ(m.run(m.define(counts), {uint64_t(&counter)}), uint32_t{SYSVM_DONE}) << m.status_text();
  EXPECT_EQ(m.page().runs, 4u + 51u);
}

// In the guest these run on the module (tests/qemu); elsewhere BEST is the user engine, and the results are
// the same.
void run_what_the_module_leaves_to_us(int rounds) {
  Program p;
  const auto fd = p.input(0), argument = p.input(1), flags = p.result(2, 0), parents = p.result(3, 0);
  p.loop_while([&] { return parents < 3; },
               [&] {
                 p.call.getppid();
                 p.set(parents, parents + 1);
               });
  p.set(flags, p.attempt.ioctl(fd, FIOASYNC, argument));  // not on the module's list
  p.set(parents, parents + 100);
  int fds[2], off = 0;
  ASSERT_EQ(pipe(fds), 0);
  Machine m(SYSVM_ENGINE_BEST);
  const uint32_t proc = m.define(p);
  for (int i = 0; i < rounds; i++) {
    ASSERT_EQ(m.run(proc, {uint64_t(fds[0]), uint64_t(&off)}), uint32_t{SYSVM_DONE}) << m.status_text();
    ASSERT_EQ(m.reg(2), 0u);
    ASSERT_EQ(m.reg(3), 103u);
  }
  EXPECT_EQ(m.page().calls, 4u * rounds);
  if (sysvm_engine(m.vm()) == SYSVM_ENGINE_KERNEL) {
    EXPECT_GE(m.page().fallbacks, 1u);
  }
  m.undefine(proc);
  EXPECT_THROW(m.run(proc), std::system_error);
  close(fds[0]);
  close(fds[1]);
}

TEST(Best, MakesPlainlyWhatTheModuleLeavesToUserSpace) { run_what_the_module_leaves_to_us(10); }

TEST(Best, UnderAFilterEveryCallIsMadePlainly) {
  const pid_t pid = fork();
  if (!pid) {
    sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const sock_fprog program = {1, allow};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) _exit(2);
    run_what_the_module_leaves_to_us(300);
    _exit(::testing::Test::HasFailure());
  }
  int status;
  waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0);
}

}  // namespace
