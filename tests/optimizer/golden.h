// SPDX-License-Identifier: MIT
// Text compared with a file of golden/. SYSVM_WRITE_GOLDEN=1 writes them anew; read the difference before you
// commit it.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace sysvm {

inline void expect_golden(const std::string& name, const std::string& text) {
  const std::string path = std::string(GOLDEN) + "/" + name + ".txt";
  if (std::getenv("SYSVM_WRITE_GOLDEN")) std::ofstream(path) << text;
  std::stringstream golden;
  golden << std::ifstream(path).rdbuf();
  EXPECT_EQ(text, golden.str()) << path;
}

}  // namespace sysvm
