// SPDX-License-Identifier: MIT
// Which calls are made on a descriptor that the thread opened itself, for reading, or on a copy of it: these
// are candidates for answers, for reads ahead and for the late close. Tested by
// tests/optimizer/compile_test.cc.
#pragma once

#include <unordered_map>

#include "optimizer/base/calls.h"

namespace sysvm {

class OwnDescriptors {  // of one stream, whose calls are stepped through in order
 public:
  struct Own {
    const PackedEvent* open = nullptr;  // null: the call is on no such descriptor
    bool copied = false;  // before this call: a copy shares its position, so that only F_GETFD is private
  };
  Own step(const PackedEvent& call) {
    const auto nr = static_cast<uint32_t>(call.nr());
    const auto fd = static_cast<int32_t>(call.arg(0)), made = static_cast<int32_t>(call.ret());
    if (is_open(nr)) {
      if (call.ret() < 0) return {};
      if (traits_of(call).may_trigger)
        by_fd_[made] = {&call, false};
      else
        by_fd_.erase(made);
      return {};
    }
    const sysvm_syscall_info* row = sysvm_syscall_by_nr(nr);
    const auto at = row && row->nargs && row->arg[0].kind == SYSVM_KIND_FD ? by_fd_.find(fd) : by_fd_.end();
    const Own own = at == by_fd_.end() ? Own{} : at->second;
    const Gives gives = call.ret() >= 0 ? gives_descriptor(call) : Gives::kNothing;
    if (gives == Gives::kCopy && own.open) {
      at->second.copied = true;
      by_fd_[made] = at->second;
    } else if (gives != Gives::kNothing) {
      by_fd_.erase(made);
    }
    if (nr == SYSVM_NR_close) by_fd_.erase(fd);
    return own;
  }

 private:
  std::unordered_map<int32_t, Own> by_fd_;
};

}  // namespace sysvm
