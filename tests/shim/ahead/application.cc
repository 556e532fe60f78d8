// SPDX-License-Identifier: MIT
#include "tests/shim/ahead/application.h"

#include <gtest/gtest.h>
#include <sys/auxv.h>

#include "libsysvm/sysvm.h"
#include "procedures/text.h"
#include "procedures/writer.h"

namespace {

long plain_call(uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5) {
  const long result = syscall(static_cast<long>(nr), a0, a1, a2, a3, a4, a5);
  return result == -1 ? -errno : result;
}

}  // namespace

namespace sysvm {

Application::Application(const std::string& text, bool strict, uint32_t age_ms, bool relaxed_age) {
  Result<ProcedureFile> file = from_text(text, "test");
  if (!file) {
    ADD_FAILURE() << file.message();
    return;
  }
  Result<std::vector<uint8_t>> bytes = write_svp(*file);
  if (!bytes) {  // refused by svp_check, before the shim sees it
    started_ = SHIM_OFF_ENGINE;
    return;
  }
  svp_ = *bytes;
  shim_settings settings{};
  settings.svp = svp_.data();
  settings.svp_size = svp_.size();
  settings.engine = SYSVM_ENGINE_USER;
  settings.strict = strict;
  settings.age_ms = age_ms;
  settings.relaxed_age = relaxed_age;
  settings.stats = &stats_;
  settings.vdso = ::getauxval(AT_SYSINFO_EHDR);
  settings.resolve = [](const svp_place*) -> uint64_t { return 0; };
  started_ = ahead_init(&settings);
}

Application::~Application() { ahead_stop(SHIM_OFF_DISABLED); }

long Application::call(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                       uint64_t a5) {
  uint64_t here = 0;
  shim_call c{};
  c.nr = static_cast<uint64_t>(nr);
  const uint64_t args[6] = {a0, a1, a2, a3, a4, a5};
  for (int i = 0; i < 6; ++i) c.arg[i] = args[i];
  c.sp = reinterpret_cast<uint64_t>(&here) &
         ~4095ull;  // what lies above is the stack, what lies below is not asked for
  const int verdict = ahead_before(&c);
  if (verdict == SHIM_ANSWERED) return c.result;
  ++forwarded_;
  c.result = plain_call(c.nr, a0, a1, a2, a3, a4, a5);
  if (verdict == SHIM_WATCH) ahead_after(&c);
  return c.result;
}

const shim_stats& Application::stats() {
  ahead_flush();
  return stats_;
}

uint64_t Application::hits() {
  uint64_t sum = 0;
  stats();
  for (const auto& p : stats_.proc) sum += p.hits;
  return sum;
}

}  // namespace sysvm
