// SPDX-License-Identifier: MIT
// Fuzzes the interpreter: verified code over a page that another thread rewrites while it runs (at every
// call, load, store and poll, header and registers alike), in a world that answers anything. It must stay
// within the page, its fuel and its own count, and end with a status that the ABI names. Input: 16 bytes of
// settings, then code.
#include <cstdlib>
#include <cstring>
#include <vector>

#include "vm/vm.h"

namespace {

struct World {
  sysvm_env env;
  uint64_t state;  // of the answers
  sysvm_page* page;
  bool hostile;
  uint64_t fuel;  // that is left, by our own count of what cannot be more than one instruction each
  unsigned char memory[64];
};

World* world_of(sysvm_env* env) { return reinterpret_cast<World*>(env); }

uint64_t next(World* w) { return w->state = w->state * 6364136223846793005u + 1442695040888963407u; }

void rewrite_page(World* w) {
  if (!w->hostile) return;
  for (int i = 0; i < 3; i++) {
    const uint64_t r = next(w) >> 16;
    // The header is small and matters most; code in the page is not what runs.
    const size_t at = r % 2 ? r / 2 % SYSVM_HEADER_SIZE : r / 2 % sizeof(sysvm_page);
    reinterpret_cast<volatile uint8_t*>(w->page)[at] = r >> 32;
  }
}

long call(sysvm_env* env, unsigned index, const __u64 args[6], __u32* stop) {
  World* w = world_of(env);
  rewrite_page(w);
  if (index >= SYSVM_CALL_MAX) abort();
  uint64_t sum = 0;
  for (int i = 0; i < 6; i++) sum += args[i];
  const uint64_t r = next(w) >> 33;
  if (r % 16 == 0) *stop = r % 32 ? SYSVM_FALLBACK : SYSVM_RESTART;
  if (*stop) return -512;
  return r % 3 ? long(sum) : -long(r % 4096);
}

unsigned char* at(World* w, uint64_t address, unsigned n) {
  if (n != 1 && n != 2 && n != 4 && n != 8) abort();
  return address <= sizeof w->memory - n ? w->memory + address : nullptr;
}

int load(sysvm_env* env, __u64 address, void* to, unsigned n) {
  rewrite_page(world_of(env));
  unsigned char* p = at(world_of(env), address, n);
  if (p) std::memcpy(to, p, n);
  return p ? 0 : -14;
}

int store(sysvm_env* env, __u64 address, const void* from, unsigned n) {
  rewrite_page(world_of(env));
  unsigned char* p = at(world_of(env), address, n);
  if (p) std::memcpy(p, from, n);
  return p ? 0 : -14;
}

__u32 poll(sysvm_env* env) {
  rewrite_page(world_of(env));
  return next(world_of(env)) >> 60 ? 0 : SYSVM_YIELD;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 16) return 0;
  // A copy that ends where the code ends: one byte beyond is the sanitizer's to find. The fuzzer's END saves
  // it the search.
  std::vector<uint8_t> code(data + 16, data + size);
  code.push_back(SYSVM_OP_END);
  std::vector<uint8_t> starts(SYSVM_STARTS_SIZE(code.size()));
  uint32_t error_at;
  if (sysvm_verify(code.data(), code.size(), starts.data(), &error_at, nullptr, 0)) return 0;

  auto page = std::vector<sysvm_page>(1);
  World world{.env = {.call = call,
                      .load = load,
                      .store = store,
                      .poll = poll,
                      .args = {},
                      .calls = 0,
                      .stop = 0,
                      .nr = 0},
              .state = 0,
              .page = page.data(),
              .hostile = data[7] % 2 == 1,
              .fuel = 0,
              .memory = {}};
  std::memcpy(&world.state, data, 8);
  for (size_t i = 0; i < sizeof(sysvm_page); i++)
    reinterpret_cast<uint8_t*>(page.data())[i] = data[8 + i % 8];
  for (int i = 0; i < SYSVM_NREGS; i += 2) page[0].reg[i] = i % 64;
  const sysvm_program program{code.data(), starts.data(), uint32_t(code.size()), 0};
  long restart = 0;
  page[0].fuel = 500;
  for (int entry = 0; entry < 8; entry++) {
    if (world.hostile) page[0].fuel = 500;  // another thread may give it 2^20: slow, and nothing new
    const uint64_t insns = page[0].insns, fuel = page[0].fuel;
    const uint32_t proc = page[0].proc;
    const uint32_t status = sysvm_execute(page.data(), &program, proc, page[0].run_seq, &world.env, &restart);
    if (status < SYSVM_DONE || status > SYSVM_YIELD || (!world.hostile && status != page[0].status)) abort();
    if (status == SYSVM_INVALID) return 0;
    if (page[0].fuel > fuel) abort();
    if (!world.hostile && page[0].insns - insns != fuel - page[0].fuel) abort();
    if (!sysvm_is_start(starts.data(), code.size(), page[0].pc)) abort();
  }
  return 0;
}
