// SPDX-License-Identifier: MIT
// Random code, random pages, a world that answers at random: the machine never leaves its bounds, and a
// program that is stopped anywhere and resumed ends as if it had not been stopped. Seeds are fixed, so a
// failure repeats.
#include <errno.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "procedures/assembler.h"
#include "vm/vm.h"

namespace sysvm {
namespace {

using Random = std::mt19937_64;
using Bytes = std::vector<uint8_t>;

// Calls return a number that depends on their arguments only, so that runs can be compared; memory is one
// area.
struct World {
  sysvm_env env{&World::call, &World::load, &World::store, &World::poll, {}, 0, 0, 0};
  alignas(64) unsigned char memory[512] = {};
  Random* stops = nullptr;  // calls and polls stop at random
  uint64_t calls = 0;

  static World* of(sysvm_env* env) { return reinterpret_cast<World*>(env); }

  static uint32_t stop(World* w, std::initializer_list<uint32_t> how) {
    if (!w->stops || (*w->stops)() % 4) return 0;
    return how.begin()[(*w->stops)() % how.size()];
  }
  static long call(sysvm_env* env, unsigned index, const __u64 args[6], __u32* why) {
    World* w = of(env);
    EXPECT_LT(index, 175u);
    *why = stop(w, {SYSVM_FALLBACK, SYSVM_SIGNAL, SYSVM_YIELD, SYSVM_RESTART});
    if (*why) return *why == SYSVM_RESTART ? -512 : 0;
    w->calls++;
    uint64_t h = index;
    for (int i = 0; i < 6; i++) h = (h ^ args[i]) * 0x100000001b3;
    return h % 5 == 0 ? -long(h % 4095 + 1) : long(h % 100000);
  }
  static unsigned char* at(World* w, uint64_t address, unsigned n) {
    const uint64_t offset = address - reinterpret_cast<uint64_t>(w->memory);
    return offset <= sizeof w->memory - n ? w->memory + offset : nullptr;
  }
  static int load(sysvm_env* env, __u64 address, void* to, unsigned n) {
    unsigned char* p = at(of(env), address, n);
    if (p) std::memcpy(to, p, n);
    return p ? 0 : -EFAULT;
  }
  static int store(sysvm_env* env, __u64 address, const void* from, unsigned n) {
    unsigned char* p = at(of(env), address, n);
    if (p) std::memcpy(p, from, n);
    return p ? 0 : -EFAULT;
  }
  static __u32 poll(sysvm_env* env) { return stop(of(env), {SYSVM_SIGNAL, SYSVM_YIELD}); }
};

// The page between two fences.
struct Fenced {
  unsigned char before[64];
  sysvm_page page;
  unsigned char after[64];

  Fenced() {
    std::memset(this, 0, sizeof *this);
    std::memset(before, 0xa5, sizeof before);
    std::memset(after, 0x5a, sizeof after);
  }
  bool intact() const {
    for (int i = 0; i < 64; i++)
      if (before[i] != 0xa5 || after[i] != 0x5a) return false;
    return true;
  }
};

bool accepted(const Bytes& code, Bytes* starts) {
  starts->assign(SYSVM_STARTS_SIZE(code.size()) + 1, 0);
  uint32_t at = 0;
  char message[128];
  const int err = sysvm_verify(code.data(), code.size(), starts->data(), &at, message, sizeof message);
  EXPECT_EQ(err == 0, message[0] == 0);
  EXPECT_LE(at, code.size());
  return err == 0;
}

// A program that the verifier accepts: instructions from the whole table, jumps to boundaries, registers few
// enough that they meet.
Bytes valid_program(Random& random) {
  std::vector<Bytes> insns;
  const int n = 1 + random() % 40;
  while (int(insns.size()) < n) {
    const unsigned op = random() % SYSVM_OPS;
    const sysvm_opcode_info info = sysvm_opcode_lookup(op);
    if (info.form == SYSVM_FORM_BAD || op == SYSVM_OP_GOON) continue;
    if (sysvm_is_call(info.form) && random() % 3) continue;  // most opcodes are calls
    Bytes insn{uint8_t(op)};
    if (op > 0xff) insn = {SYSVM_OP_EXTENDED, uint8_t(op)};
    for (int i = info.head; i < info.size; i++)
      insn.push_back(i < int(info.head + sysvm_insn_regs(&info)) ? random() % 12 : random());
    if (sysvm_is_entries(info.form)) {  // what the verifier demands of the immediates
      const int followers = 1 + random() % 8, stride = 264 + 8 * followers + 8 * (random() % 4);
      const uint8_t imm[] = {uint8_t(stride),       uint8_t(stride >> 8),   uint8_t(followers),
                             uint8_t(random() % 3), uint8_t(random() & ~1), uint8_t(random())};
      std::copy(std::begin(imm), std::end(imm), insn.end() - 6);
    }
    if (info.form == SYSVM_FORM_LOAD || info.form == SYSVM_FORM_STORE) insn[4] = random() % 8 ? 0 : 0xff;
    if (sysvm_is_call(info.form) && random() % 2) insn.insert(insn.begin(), SYSVM_OP_GOON);
    insns.push_back(insn);
  }
  insns.push_back({SYSVM_OP_END});
  std::vector<int> at{0};
  for (const Bytes& insn : insns) at.push_back(at.back() + int(insn.size()));
  Bytes code;
  for (size_t i = 0; i < insns.size(); i++) {
    Bytes insn = insns[i];
    if (sysvm_is_jump(sysvm_opcode_lookup(insn[0]).form)) {
      const int distance = at[random() % insns.size()] - at[i + 1];
      insn[insn.size() - 2] = distance & 0xff;
      insn[insn.size() - 1] = distance >> 8 & 0xff;
    }
    code.insert(code.end(), insn.begin(), insn.end());
  }
  return code;
}

// Random numbers, small ones (counters, descriptors), and addresses in the memory of the world.
void start_registers(Random& random, World& world, sysvm_page& page) {
  for (int i = 0; i < SYSVM_NREGS; i++) {
    const uint64_t r = random();
    page.reg[i] = r % 4 == 0   ? r
                  : r % 4 == 1 ? r % 16
                               : reinterpret_cast<uint64_t>(world.memory) + r / 4 % 512;
  }
}

TEST(RandomCode, RandomBytesAreRefusedOrRunWithinTheirBounds) {
  Random random(1);
  int ran = 0;
  for (int i = 0; i < 20000; i++) {
    Bytes code(1 + random() % 24), starts;
    for (uint8_t& b : code) b = random() % 4 ? random() % 0x30 : random();
    if (random() % 2) code.push_back(SYSVM_OP_END);
    if (!accepted(code, &starts)) continue;
    ran++;
    World world;
    Random stops(i);
    world.stops = &stops;
    Fenced fenced;
    // Everything in the page is random, the state of a "stopped" run included.
    for (size_t b = 0; b < sizeof fenced.page; b++) reinterpret_cast<uint8_t*>(&fenced.page)[b] = random();
    fenced.page.fuel = random() % 2000;
    if (random() % 2) {
      fenced.page.status = random() % 12;
      fenced.page.run_seq = 7;
      fenced.page.proc = 3;
      fenced.page.pc = random() % (code.size() + 2);
    }
    const uint64_t fuel = fenced.page.fuel, insns = fenced.page.insns;
    const sysvm_program program{code.data(), starts.data(), uint32_t(code.size()), random()};
    long restart = 0;
    const uint32_t status = sysvm_execute(&fenced.page, &program, 3, 7, &world.env, &restart);
    ASSERT_TRUE(fenced.intact()) << i;
    ASSERT_EQ(status, fenced.page.status) << i;
    ASSERT_GE(status, uint32_t{SYSVM_DONE}) << i;
    ASSERT_LE(status, uint32_t{SYSVM_YIELD}) << i;
    if (status == SYSVM_INVALID) continue;
    ASSERT_TRUE(sysvm_is_start(starts.data(), code.size(), fenced.page.pc)) << i;
    ASSERT_EQ(fenced.page.insns - insns, fuel - fenced.page.fuel) << i;
    ASSERT_EQ(status == SYSVM_RESTART, restart != 0) << i;
  }
  EXPECT_GT(ran, 500);  // else this test checks nothing
}

TEST(RandomCode, AProgramStoppedAnywhereEndsAsIfItHadNotBeenStopped) {
  Random random(2);
  int ended = 0, stopped = 0;
  for (int i = 0; i < 20000; i++) {
    const Bytes code = valid_program(random);
    Bytes starts;
    ASSERT_TRUE(accepted(code, &starts)) << disassemble(code);
    const sysvm_program program{code.data(), starts.data(), uint32_t(code.size()), 0x1000};
    const uint64_t seed = random();
    constexpr uint64_t kFuel = 3000;
    long restart;

    World world;
    Fenced once;
    Random values(seed);
    start_registers(values, world, once.page);
    once.page.fuel = kFuel;
    const uint32_t end = sysvm_execute(&once.page, &program, 0, 1, &world.env, &restart);
    const uint64_t calls = world.calls;
    const Bytes memory(world.memory, world.memory + sizeof world.memory);
    ended += end != SYSVM_FUEL;

    // Again, in the same memory (addresses are data), stopped by calls, polls and fuel.
    std::memset(world.memory, 0, sizeof world.memory);
    world.calls = 0;
    Random stops(seed + 1);
    world.stops = &stops;
    Fenced again;
    Random same(seed);
    start_registers(same, world, again.page);
    uint64_t left = kFuel;
    uint32_t status = SYSVM_IDLE;
    for (int entries = 0; entries < 100000; entries++) {
      const uint64_t slice = std::min<uint64_t>(left, random() % 50);
      again.page.fuel = slice;
      status = sysvm_execute(&again.page, &program, 0, 1, &world.env, &restart);
      left -= slice - again.page.fuel;
      if (!sysvm_is_resumable(status) || (status == SYSVM_FUEL && !left)) break;
      stopped++;
    }
    ASSERT_TRUE(again.intact());
    ASSERT_EQ(status, end) << disassemble(code);
    ASSERT_EQ(again.page.pc, once.page.pc) << disassemble(code);
    ASSERT_EQ(again.page.error, once.page.error);
    ASSERT_EQ(again.page.insns, once.page.insns);
    ASSERT_EQ(again.page.calls, once.page.calls);
    ASSERT_EQ(world.calls, calls);
    ASSERT_EQ(std::memcmp(again.page.reg, once.page.reg, sizeof once.page.reg), 0) << disassemble(code);
    ASSERT_EQ(std::memcmp(world.memory, memory.data(), memory.size()), 0) << disassemble(code);
  }
  EXPECT_GT(ended, 10000);
  EXPECT_GT(stopped, 10000);
}

TEST(RandomCode, AcceptedProgramsComeBackFromTheirText) {
  Random random(3);
  for (int i = 0; i < 2000; i++) {
    const Bytes code = valid_program(random);
    auto again = assemble(disassemble(code));
    ASSERT_TRUE(again.ok()) << disassemble(code) << again.message();
    ASSERT_EQ(*again, code) << disassemble(code);
  }
}

}  // namespace
}  // namespace sysvm
