// SPDX-License-Identifier: MIT
#include "optimizer/prove/shim_calls.h"

#include <algorithm>

#include "common/hex.h"
#include "libsysvm/sysvm.h"
#include "uapi/syscalls.h"

namespace sysvm {
namespace {

constexpr size_t kScratch = 2 << 20;

}  // namespace

ShimCalls::ShimCalls(const PackedTrace& trace) : trace_(trace), scratch_(kScratch) {}

shim_call ShimCalls::make(const PackedEvent& e, NamesInMemory* names) {
  shim_call call{};
  call.nr = static_cast<uint64_t>(e.nr());
  const sysvm_syscall_info* row = sysvm_syscall_by_nr(static_cast<uint32_t>(e.nr()));
  const auto scratch = reinterpret_cast<uint64_t>(scratch_.data());
  size_t text = 0;
  for (size_t i = 0; i < 6; ++i) {
    call.arg[i] = e.arg(i);
    if (!row || i >= row->nargs || !e.arg(i)) continue;
    switch (row->arg[i].kind) {
      case SYSVM_KIND_PATH:
      case SYSVM_KIND_STR: {
        const bool known = text < 2 && e.path(text) != kNoString && !(e.flags() & (kPathFault | kPathCut));
        const char* string = known ? trace_.strings[e.path(text)].c_str() : "\x01?";  // like no other string
        call.arg[i] = names ? names->at(e.arg(i), string, text & 1) : reinterpret_cast<uint64_t>(string);
        ++text;
        break;
      }
      case SYSVM_KIND_OUT:
      case SYSVM_KIND_OUTN:
      case SYSVM_KIND_OUTS: call.arg[i] = scratch; break;
      case SYSVM_KIND_PTR:
        if (e.nr() == SYSVM_NR_ioctl) call.arg[i] = scratch;
        break;
      default: break;
    }
  }
  return call;
}

uint64_t address_of(const std::string& build_id, uint64_t offset) {
  const uint64_t h = svp_checksum(build_id.data(), build_id.size(), SVP_CHECKSUM_START);
  return svp_checksum(&offset, sizeof offset, h) | 1;
}

shim_settings settings_for(const std::string& build_id, const std::vector<uint64_t>& svp, size_t svp_size,
                           bool strict) {
  shim_settings settings{};
  settings.svp = svp.data();
  settings.svp_size = svp_size;
  settings.engine = SYSVM_ENGINE_USER;
  settings.strict = strict;
  settings.age_ms = 10;
  if (const auto bytes = from_hex(build_id); bytes && bytes->size() <= SVP_BUILD_ID_MAX) {
    std::copy(bytes->begin(), bytes->end(), settings.exe_build_id);
    settings.exe_build_id_len = static_cast<uint32_t>(bytes->size());
  }
  return settings;
}

}  // namespace sysvm
