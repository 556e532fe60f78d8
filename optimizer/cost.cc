// SPDX-License-Identifier: MIT
#include "optimizer/cost.h"

#include "uapi/syscalls.h"

namespace sysvm {

double CostModel::inner_ns(uint32_t nr) const {
  switch (nr) {
    case SYSVM_NR_openat:
    case SYSVM_NR_open:
      return 1290;
    case SYSVM_NR_close:
      return 520;
    case SYSVM_NR_fstat:
      return 250;
    case SYSVM_NR_newfstatat:
      return 300;
    case SYSVM_NR_read:
      return 370;
    case SYSVM_NR_pread64:
      return 350;
    case SYSVM_NR_lseek:
      return 55;
    case SYSVM_NR_fcntl:
    case SYSVM_NR_ioctl:
      return 60;
    case SYSVM_NR_fadvise64:
      return 90;
    case SYSVM_NR_getdents64:
      return 2500;  // about ten entries
    case SYSVM_NR_statx:
      return 850;
    default:
      return 600;
  }
}

}  // namespace sysvm
