// SPDX-License-Identifier: MIT
// The kernel's types from a file, for where /sys/kernel/btf/vmlinux is hidden (a container, a chroot, no
// sysfs).
//
// libbpf takes the places of members from any file, but looks for the functions that a program is attached to
// in that one place only, and gives up. So while a BtfFile is there, sections of our kinds have a handler of
// ours that names them by number. The kernel itself must have its types (CONFIG_DEBUG_INFO_BTF): this is no
// help where it was built without. A file of another kernel would make programs read the wrong members
// without anybody noticing, so it is compared with what the kernel says of itself.
// Tested by tests/tracer/rights_test.py.
#pragma once

#include <memory>
#include <string>

#include "common/result.h"

struct btf;

namespace sysvm {

class BtfFile {
 public:
  // To be made before the programs are opened, and to last longer than they. One at a time.
  static Result<std::unique_ptr<BtfFile>> open(const std::string& path);
  ~BtfFile();

 private:
  BtfFile() = default;
  btf* types_ = nullptr;
  int handlers_[2] = {-1, -1};
};

}  // namespace sysvm
