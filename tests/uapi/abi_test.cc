// SPDX-License-Identifier: MIT
// The ABI structs have the layout that sysvm.h states: an offset that moves breaks every program built
// before.
#include <gtest/gtest.h>

#include <cstddef>

#include "uapi/sysvm.h"

namespace {

TEST(Abi, ThePageHasTheDocumentedLayout) {
  EXPECT_EQ(sizeof(sysvm_page), size_t{SYSVM_PAGE_SIZE});
  EXPECT_EQ(offsetof(sysvm_page, pc), 8u);
  EXPECT_EQ(offsetof(sysvm_page, fuel), 16u);
  EXPECT_EQ(offsetof(sysvm_page, proc), 32u);
  EXPECT_EQ(offsetof(sysvm_page, data_base), 40u);
  EXPECT_EQ(offsetof(sysvm_page, fallbacks), 72u);
  EXPECT_EQ(offsetof(sysvm_page, reserved), 80u);
  EXPECT_EQ(offsetof(sysvm_page, reg), size_t{SYSVM_HEADER_SIZE});
  EXPECT_EQ(offsetof(sysvm_page, code), size_t{SYSVM_CODE_OFFSET});
  EXPECT_EQ(SYSVM_CODE_OFFSET + SYSVM_PAGE_CODE_MAX, SYSVM_PAGE_SIZE);
}

TEST(Abi, IoctlNumbersAreFixed) {
  EXPECT_EQ(SYSVM_IOC_QUERY, 0x8060d500ul);
  EXPECT_EQ(SYSVM_IOC_RUN, 0x4020d501ul);
  EXPECT_EQ(SYSVM_IOC_DEFINE, 0xc040d502ul);
  EXPECT_EQ(SYSVM_IOC_UNDEFINE, 0x4004d503ul);
}

}  // namespace
