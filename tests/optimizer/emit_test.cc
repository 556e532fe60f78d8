// SPDX-License-Identifier: MIT
// Golden text: what programs did in, code out. Labels are the assembler's: byte offsets.
#include "optimizer/make/emit.h"

#include <gtest/gtest.h>

#include "optimizer/optimizer.h"
#include "procedures/text.h"
#include "tests/optimizer/programs.h"
#include "tests/optimizer/recording.h"

namespace sysvm {
namespace {

std::string first_procedure(const char* calls, bool strict = false) {
  const Trace trace = recording(repeated(20, calls));
  CompileOptions options;
  options.strict = strict;
  options.cost.crossing_ns = 580;  // where entries are dear, so that short procedures pay too
  const Result<Compiled> c = compile({&trace}, options);
  EXPECT_TRUE(c) << c.message();
  return c && !c->file.procs.empty() ? to_text(c->file.procs[0]) : "";
}

TEST(Emit, OpenStatReadToTheEnd) {
  EXPECT_EQ(first_procedure(kGrepFile), R"(procedure "openat: newfstatat read+end" run_ahead {
  seen 20
  exe aabb
  staging 98560
  result r7
  trigger openat(_, _, 0x20900, _) path 1
  follower r8 = newfstatat(r7, string@0, out@0:144, 0x1000)
  follower r16 = read(r7, out@192:98304, count r18)
  follower r19 = read(r7, out@98496:64, count r21)
  data "\0"
  code {
    jneg r254, L16
    goon close r6, r254
    jneg r249, L16
    goon close r6, r249
    L16:
    openat r7, r0, r1, r2, r3
    movi16 r10, 4096
    movi32 r12, 32768
    movi32 r18, 98304
    movi8 r21, 64
    data r9, 0
    newfstatat r8, r7, r9, r255, r10
    ld64 r11, [r255]
    jne r11, r253, L192
    ld32 r11, [r255+24]
    andi r11, r11, 61440
    jne r11, r12, L192
    ld64 r11, [r255+48]
    jz r11, L192
    jnz r250, L156
    ld64 r11, [r255+72]
    ld64 r14, [r255+80]
    jle r11, r251, L192
    ld64 r13, [r255+88]
    jlt r13, r11, L131
    jne r11, r13, L192
    ld64 r15, [r255+96]
    jle r14, r15, L192
    L131:
    ld64 r13, [r255+104]
    jlt r13, r11, L156
    jne r11, r13, L192
    ld64 r15, [r255+112]
    jle r14, r15, L192
    L156:
    addi r17, r255, 192
    read r16, r7, r17, r18
    jz r16, L192
    jlt r16, r18, L180
    jmp L192
    L180:
    addi r20, r255, 98496
    read r19, r7, r20, r21
    L192:
    end
  }
}
)");
}

TEST(Emit, DirectoryWithADup) {
  EXPECT_EQ(
      first_procedure(kGrepDirectory, true),
      R"(procedure )"
      R"("openat: newfstatat fcntl F_GETFL fcntl F_SETFD newfstatat fcntl F_DUPFD_CLOEXEC getdents64+end" )"
      R"(run_ahead {
  seen 20
  exe aabb
  staging 65920
  result r7
  trigger openat(_, _, 0xb0900, _) path 1
  follower r8 = newfstatat(r7, string@0, out@0:144, 0x1000)
  follower r13 = fcntl(r7, 3, _)
  follower r16 = fcntl(r7, 2, 1)
  follower r19 = newfstatat(r0, path, out@192:144, 0x100)
  follower r22 = fcntl(r7, 0x406, 3)
  follower r27 = getdents64(r7, out@384:32768, count r29)
  follower r30 = getdents64(r7, out@33152:32768, count r29)
  data "\0"
  code {
    openat r7, r0, r1, r2, r3
    movi16 r10, 4096
    movi16 r12, 16384
    movi8 r14, 3
    movi8 r15, 0
    movi8 r17, 2
    movi8 r18, 1
    movi16 r21, 256
    movi16 r23, 1030
    movi32 r29, 32768
    data r9, 0
    newfstatat r8, r7, r9, r255, r10
    ld64 r11, [r255]
    jne r11, r253, L221
    ld32 r11, [r255+24]
    andi r11, r11, 61440
    jne r11, r12, L221
    fcntl r13, r7, r14, r15
    fcntl r16, r7, r17, r18
    jz r252, L221
    addi r20, r255, 192
    newfstatat r19, r0, r252, r20, r21
    fcntl r22, r7, r23, r14
    jnz r250, L178
    ld64 r11, [r255+72]
    ld64 r25, [r255+80]
    jle r11, r251, L221
    ld64 r24, [r255+88]
    jlt r24, r11, L153
    jne r11, r24, L221
    ld64 r26, [r255+96]
    jle r25, r26, L221
    L153:
    ld64 r24, [r255+104]
    jlt r24, r11, L178
    jne r11, r24, L221
    ld64 r26, [r255+112]
    jle r25, r26, L221
    L178:
    addi r28, r255, 384
    getdents64 r27, r7, r28, r29
    jz r27, L221
    addi r11, r27, 280
    jle r11, r29, L209
    jmp L221
    L209:
    addi r31, r255, 33152
    getdents64 r30, r7, r31, r29
    L221:
    end
  }
}
)");
}

// The application's fstat stands behind fadvise, the guard's must stand right behind the open: it is moved,
// and the followers keep the application's order.
TEST(Emit, TheGuardIsTheApplicationsOwnStatMovedToTheFront) {
  const std::string text = first_procedure(kMd5sum);
  EXPECT_LT(text.find("= fadvise64("), text.find("= newfstatat("));
  EXPECT_LT(text.find("    newfstatat r8"), text.find("    fadvise64"));
  EXPECT_EQ(text.find("    fstat"), std::string::npos);
}

// Without an fstat of the application the guard is one call more, and no follower.
TEST(Emit, TheGuardIsACallOfItsOwnWhereTheApplicationHasNone) {
  const std::string text = first_procedure(R"(
openat(4, "f%d", O_RDONLY) = 3
read(3, buf, 4096) = 100
read(3, buf, 4096) = 0
close(3) = 0
)");
  EXPECT_NE(text.find("    fstat r8, r7, r255\n"), std::string::npos);
  EXPECT_EQ(text.find("= fstat("), std::string::npos);
}

TEST(Emit, ACallThatFailsInNormalLifeGoesOn) {
  EXPECT_NE(first_procedure(kGawk).find("    goon ioctl "), std::string::npos);
}

// A size that varies is covered by the short-transfer rule; one that is staged whole is asked for as it is.
TEST(Emit, ALargeBufferIsCut) {
  const std::string text = first_procedure(R"(
openat(4, "f%d", O_RDONLY) = 3
read(3, buf, 1048576) = 100
read(3, buf, 1048576) = 0
close(3) = 0
)");
  EXPECT_NE(text.find("out@192:16384, count r"), std::string::npos);
}

}  // namespace
}  // namespace sysvm
