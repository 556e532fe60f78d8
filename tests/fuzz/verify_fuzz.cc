// SPDX-License-Identifier: MIT
// Fuzzes the verifier: any bytes. Its verdict must be the one of the few lines below that say what valid code
// is, its message must name a byte of the code, and what it accepts must come back from its text byte for
// byte.
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "procedures/assemble.h"
#include "vm/vm.h"

namespace {

// An opcode is one byte, or SYSVM_OP_EXTENDED and one more.
sysvm_opcode_info info_at(const std::vector<uint8_t>& code, size_t at) {
  if (code[at] != SYSVM_OP_EXTENDED) return sysvm_opcode_lookup(code[at]);
  return at + 1 < code.size() ? sysvm_opcode_lookup(SYSVM_OP_EXT(code[at + 1])) : sysvm_opcode_info{};
}

// The last six bytes of a wide instruction: records do not overlap, and nothing is said that has no meaning.
bool entries_are_valid(const std::vector<uint8_t>& code, size_t end, bool statx) {
  const unsigned stride = code[end - 6] | code[end - 5] << 8, followers = code[end - 4];
  return followers >= 1 && followers <= 8 && stride % 8 == 0 &&
         stride >= 8 + 8 * followers + (statx ? 256 : 144) && code[end - 3] <= 2 && code[end - 2] % 2 == 0;
}

// Valid: instructions one after the other, prefixes before calls only, jumps to where one starts, END or JMP
// last.
bool is_valid(const std::vector<uint8_t>& code, std::vector<bool>* starts) {
  std::vector<std::pair<size_t, long>> jumps;
  uint8_t last = 0;
  starts->assign(code.size(), false);
  for (size_t at = 0; at < code.size();) {
    (*starts)[at] = true;
    if (code[at] == SYSVM_OP_GOON) {
      at++;
      if (at == code.size() || !sysvm_is_call(info_at(code, at).form)) return false;
    }
    const sysvm_opcode_info info = info_at(code, at);
    if (info.form == SYSVM_FORM_BAD || info.size > code.size() - at) return false;
    last = code[at];
    at += info.size;
    if (info.form == SYSVM_FORM_ENTRIES || info.form == SYSVM_FORM_ENTRIES_X)
      if (!entries_are_valid(code, at, info.form == SYSVM_FORM_ENTRIES_X)) return false;
    if (sysvm_is_jump(info.form)) jumps.emplace_back(at, int16_t(code[at - 2] | code[at - 1] << 8));
  }
  for (const auto& [end, distance] : jumps) {
    const long target = long(end) + distance;
    if (target < 0 || target >= long(code.size()) || !(*starts)[target]) return false;
  }
  return last == SYSVM_OP_END || last == SYSVM_OP_JMP;
}

void check_text(const std::vector<uint8_t>& code) {
  std::string text;
  char line[128];
  for (uint32_t byte = 0; byte < code.size();) {
    const int size = sysvm_disasm(code.data(), code.size(), byte, SYSVM_DISASM_RELATIVE, line, sizeof line);
    if (size <= 0) abort();
    text += std::string(line) + "\n";
    byte += size;
  }
  std::vector<uint8_t> again(code.size());
  size_t len;
  if (sysvm_assemble(text.c_str(), again.data(), again.size(), &len, nullptr, 0) || again != code) abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<uint8_t> code(data, data + size);
  std::vector<uint8_t> starts(SYSVM_STARTS_SIZE(code.size()));
  std::vector<bool> expected;
  uint32_t error_at = ~0u;
  char message[160];
  const size_t message_size = size ? 1 + data[size - 1] % sizeof message : 1;
  const int err = sysvm_verify(code.data(), code.size(), starts.data(), &error_at, message, message_size);
  if (std::memchr(message, 0, message_size) == nullptr) abort();
  const bool valid = size >= 1 && size <= SYSVM_PROC_CODE_MAX && is_valid(code, &expected);
  if (valid != (err == 0)) abort();
  if (err) {
    if (size && error_at > size) abort();
    return 0;
  }
  for (size_t i = 0; i < size; i++)
    if (sysvm_is_start(starts.data(), size, i) != expected[i]) abort();
  check_text(code);
  return 0;
}
