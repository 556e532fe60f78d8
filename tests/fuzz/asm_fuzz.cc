// SPDX-License-Identifier: MIT
// Fuzzes the assembler: any text, any room for code and message. What it makes without an error and the
// verifier accepts must read the same again.
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "procedures/assemble.h"
#include "vm/vm.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 2, size - 2);
  std::vector<uint8_t> code(data[0] * 8), starts(SYSVM_STARTS_SIZE(data[0] * 8));
  std::vector<char> message(1 + data[1]);
  size_t len = ~size_t{0};
  const int err =
      sysvm_assemble(text.c_str(), code.data(), code.size(), &len, message.data(), message.size());
  if (std::memchr(message.data(), 0, message.size()) == nullptr) abort();
  if (err) {
    if (len || (message.size() > 4 && std::strncmp(message.data(), "line", 4))) abort();
    return 0;
  }
  if (len > code.size()) abort();
  uint32_t error_at;
  if (sysvm_verify(code.data(), len, starts.data(), &error_at, nullptr, 0)) return 0;
  std::string again;
  char line[128];
  for (uint32_t at = 0; at < len;) {
    const int n = sysvm_disasm(code.data(), len, at, SYSVM_DISASM_RELATIVE, line, sizeof line);
    if (n <= 0) abort();
    again += std::string(line) + "\n";
    at += n;
  }
  std::vector<uint8_t> same(len);
  size_t same_len;
  if (sysvm_assemble(again.c_str(), same.data(), same.size(), &same_len, nullptr, 0) || same_len != len ||
      std::memcmp(same.data(), code.data(), len))
    abort();
  return 0;
}
