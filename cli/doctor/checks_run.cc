// SPDX-License-Identifier: MIT
// Can a program be run with fewer entries here? That needs a C library whose system calls can be seen, and a
// process that nobody else judges.
#include <dlfcn.h>
#include <elf.h>
#include <fmt/format.h>
#include <gnu/libc-version.h>
#include <sys/auxv.h>

#include <algorithm>

#include "cli/doctor/check.h"
#include "libsysvm/sites/analyse.h"

namespace sysvm::doctor {

Check check_libc() {
  Dl_info info{};
  const std::string version = fmt::format("glibc {}", gnu_get_libc_version());
  if (dladdr(reinterpret_cast<void*>(&gnu_get_libc_version), &info) == 0 || !info.dli_fname)
    return judge_libc(version + " in no shared object", OBJECT_CLEAN, 0, 0);
  const auto image = ElfImage::open(info.dli_fname);
  if (!image) return judge_libc(image.message(), OBJECT_CLEAN, 0, 0);
  const Analysis analysis = analyse(*image);
  const auto left = std::count_if(analysis.sites.begin(), analysis.sites.end(),
                                  [](const sysvm_site& site) { return (site.flags & SITE_LEFT) != 0; });
  return judge_libc(fmt::format("{}, {}", version, info.dli_fname), analysis.object.verdict,
                    analysis.sites.size(), static_cast<size_t>(left));
}

Check check_vdso() {
  if (getauxval(AT_SYSINFO_EHDR) != 0)
    return {"vdso", "run", State::kOk, "the clock is read without an entry", ""};
  return {"vdso", "run", State::kLimited, "no vDSO: results cannot be given an age, so nothing is run ahead",
          "boot without vdso=0"};
}

Check check_filter() { return judge_filter(read_text("/proc/self/status")); }
Check check_tracer() { return judge_tracer(read_text("/proc/self/status")); }

}  // namespace sysvm::doctor
