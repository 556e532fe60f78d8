// SPDX-License-Identifier: MIT
// site_census FILE...: how many system calls of each file can be seen, how many are left alone, and why; and
// for every one that would be patched the proof once more, from nothing but file and table. One line of JSON
// for each file, for scripts/census. Exit status 1 if a proof does not hold.
#include <chrono>
#include <cstdio>
#include <map>

#include "libsysvm/sites/analyse.h"
#include "libsysvm/sites/proof.h"

int main(int argc, char** argv) {
  using namespace sysvm;
  bool held = true;
  for (int i = 1; i < argc; ++i) {
    const auto image = ElfImage::open(argv[i]);
    if (!image) {
      std::fprintf(stderr, "%s\n", image.message().c_str());
      continue;
    }
    const auto start = std::chrono::steady_clock::now();
    const Analysis a = analyse(*image);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    Proof proof(*image);
    unsigned patched = 0, hops = 0, leaky = 0, refuted = 0;
    std::map<uint32_t, std::pair<unsigned, unsigned>> left;  // reason: sites, those that are not harmless
    for (const sysvm_site& s : a.sites) {
      const bool harmless = s.flags & SITE_HARMLESS;
      if (s.flags & SITE_LEFT) {
        ++left[s.doubt].first;
        left[s.doubt].second += !harmless;
        continue;
      }
      ++patched;
      hops += (s.flags & SITE_HOP) != 0;
      leaky += (s.flags & SITE_LEAKY) != 0;
      if (const site_doubt doubt = proof.admit(s)) {
        ++refuted;
        std::fprintf(stderr, "%s: site at %#llx: %s\n", argv[i], static_cast<unsigned long long>(s.patch),
                     doubt_text(doubt));
      }
    }
    held &= refuted == 0;
    std::printf(
        "{\"path\": \"%s\", \"verdict\": %u, \"why\": \"%s\", \"sites\": %zu, \"patched\": %u, \"hops\": %u, "
        "\"leaky\": %u, \"unseen\": %u, \"refuted\": %u, \"ms\": %.1f, \"left\": {",
        argv[i], a.object.verdict, why_text(a.object.why), a.sites.size(), patched, hops, leaky,
        a.object.unseen, refuted, took.count());
    const char* comma = "";
    for (const auto& [doubt, count] : left) {
      std::printf("%s\"%s\": [%u, %u]", comma, doubt_text(doubt), count.first, count.second);
      comma = ", ";
    }
    std::printf("}}\n");
  }
  return held ? 0 : 1;
}
