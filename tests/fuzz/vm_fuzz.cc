// SPDX-License-Identifier: MIT
// Fuzzes the machine: any bytes to the verifier; what it accepts must come back from its text, and must run
// within the page, its fuel and its memory whatever the page and the world say. Input: 16 bytes of settings,
// then code.
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "libsysvm/assemble.h"
#include "vm/vm.h"

namespace {

struct World {
  sysvm_env env;
  uint64_t state;  // of the answers
  unsigned char memory[64];
};

uint64_t next(World* w) {
  return w->state = w->state * 6364136223846793005u + 1442695040888963407u;
}

long call(sysvm_env* env, unsigned index, const __u64 args[6], __u32* stop) {
  auto* w = reinterpret_cast<World*>(env);
  if (index >= 102) abort();
  uint64_t sum = 0;
  for (int i = 0; i < 6; i++) sum += args[i];
  const uint64_t r = next(w) >> 33;
  if (r % 16 == 0) *stop = r % 32 ? SYSVM_FALLBACK : SYSVM_RESTART;
  if (*stop) return -512;
  return r % 3 ? long(sum) : -long(r % 4096);
}

unsigned char* at(World* w, uint64_t address, unsigned n) {
  return address <= sizeof w->memory - n ? w->memory + address : nullptr;
}

int load(sysvm_env* env, __u64 address, void* to, unsigned n) {
  unsigned char* p = at(reinterpret_cast<World*>(env), address, n);
  if (p) std::memcpy(to, p, n);
  return p ? 0 : -14;
}

int store(sysvm_env* env, __u64 address, const void* from, unsigned n) {
  unsigned char* p = at(reinterpret_cast<World*>(env), address, n);
  if (p) std::memcpy(p, from, n);
  return p ? 0 : -14;
}

__u32 poll(sysvm_env* env) {
  return next(reinterpret_cast<World*>(env)) >> 60 ? 0 : SYSVM_YIELD;
}

void check_text(const std::vector<uint8_t>& code) {
  std::string text;
  char line[128];
  for (uint32_t byte = 0; byte < code.size();) {
    const int size = sysvm_disasm(code.data(), code.size(), byte, SYSVM_DISASM_RELATIVE, line, sizeof line);
    if (size <= 0) abort();
    text += std::string(line) + "\n";
    byte += size;
  }
  std::vector<uint8_t> again(code.size());
  size_t len;
  if (sysvm_assemble(text.c_str(), again.data(), again.size(), &len, nullptr, 0) || again != code) abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 16) return 0;
  const std::vector<uint8_t> code(data + 16, data + size);
  std::vector<uint8_t> starts(SYSVM_STARTS_SIZE(code.size()));
  uint32_t error_at;
  char message[96];
  if (sysvm_verify(code.data(), code.size(), starts.data(), &error_at, message, sizeof message)) return 0;
  check_text(code);

  World world{{call, load, store, poll}, 0, {}};
  std::memcpy(&world.state, data, 8);
  sysvm_page page;
  for (size_t i = 0; i < sizeof page; i++) reinterpret_cast<uint8_t*>(&page)[i] = data[8 + i % 8];
  for (int i = 0; i < SYSVM_NREGS; i += 2) page.reg[i] = i % 64;
  const sysvm_program program{code.data(), starts.data(), uint32_t(code.size()), 0};
  long restart = 0;
  page.fuel = 500;
  for (int entry = 0; entry < 8; entry++) {
    const uint64_t insns = page.insns, fuel = page.fuel;
    const uint32_t status = sysvm_execute(&page, &program, page.proc, page.run_seq, &world.env, &restart);
    if (status < SYSVM_DONE || status > SYSVM_YIELD || status != page.status) abort();
    if (status == SYSVM_INVALID) return 0;
    if (page.insns - insns != fuel - page.fuel) abort();
    if (!sysvm_is_start(starts.data(), code.size(), page.pc)) abort();
  }
  return 0;
}
