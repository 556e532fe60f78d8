// SPDX-License-Identifier: MIT
// Fuzzes the analyser of object files: any bytes as a file. Whatever it would patch must be proven from the
// file, and fit where the shim puts it; anything else is the sanitizers' to find.
#include <cstdlib>
#include <string>

#include "libsysvm/sites/analyse.h"
#include "libsysvm/sites/proof.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sysvm;
  const auto image = ElfImage::from_bytes("fuzz", {data, data + size});
  if (!image) return 0;
  const Analysis a = analyse(*image);
  if (a.object.sites != a.sites.size()) abort();
  if (a.object.verdict == OBJECT_CLEAN && !a.sites.empty()) abort();
  Proof proof(*image);
  for (const sysvm_site& s : a.sites) {
    if (s.flags & SITE_LEFT) continue;
    if (s.code_len > SITES_CODE_MAX || s.expect_len > SITES_EXPECT_MAX || s.fixes > SITES_FIX_MAX) abort();
    if (s.offset > size || s.expect_len > size - s.offset) abort();
    for (unsigned f = 0; f < s.fixes; ++f)
      if (s.fix[f].end > s.code_len || s.fix[f].at + 4 > s.fix[f].end) abort();
    if (proof.admit(s) != SITE_SOUND) abort();
  }
  return 0;
}
