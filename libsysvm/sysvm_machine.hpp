// SPDX-License-Identifier: MIT
// The machine in C++: what runs the programs of sysvm.hpp, which includes this file. Its errors are
// std::system_error, with what went wrong in words.
// Tested by tests/libsysvm/builder_test.cc.
#ifndef SYSVM_MACHINE_HPP
#define SYSVM_MACHINE_HPP

#include <sysvm.h>

#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <new>
#include <string>
#include <system_error>
#include <sysvm.hpp>
#include <vector>

namespace sysvm {

// A machine of this thread.
class Machine {
 public:
  explicit Machine(enum sysvm_engine engine = SYSVM_ENGINE_BEST)
      : memory_(std::aligned_alloc(64, sysvm_size()), &std::free) {
    if (!memory_) throw std::bad_alloc();
    check(sysvm_init(vm(), engine), "sysvm_init");
    ready_ = true;
  }
  ~Machine() {
    if (ready_) sysvm_exit(vm());
  }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  uint32_t define(const Program& program, uint64_t data_base = 0) {
    return define(program.code(), data_base);
  }
  uint32_t define(const std::vector<uint8_t>& code, uint64_t data_base = 0) {
    char message[160];
    uint32_t proc = 0;
    const int err = sysvm_define(vm(), code.data(), code.size(), data_base, &proc, message, sizeof message);
    check(err, message[0] ? message : "sysvm_define");
    return proc;
  }
  void undefine(uint32_t proc) { check(sysvm_undefine(vm(), proc), "sysvm_undefine"); }

  // r0, r1... as given, the others as they were; to its end. Returns the status.
  uint32_t run(uint32_t proc, std::initializer_list<uint64_t> registers = {},
               uint64_t fuel = uint64_t{1} << 32) {
    size_t i = 0;
    for (uint64_t v : registers) page().reg[i++] = v;
    check(sysvm_run_through(vm(), proc, fuel), "sysvm_run_through");
    return page().status;
  }

  uint64_t reg(unsigned number) { return page().reg[number]; }
  uint64_t reg(Value v) { return page().reg[v.number()]; }
  struct sysvm_page& page() {
    return *sysvm_page(vm());
  }
  std::string status_text() {
    char text[96];
    return sysvm_status_text(&page(), text, sizeof text);
  }
  struct sysvm_vm* vm() {
    return static_cast<struct sysvm_vm*>(memory_.get());
  }

 private:
  static void check(int err, const char* what) {
    if (err) throw std::system_error(-err, std::generic_category(), what);
  }
  std::unique_ptr<void, decltype(&std::free)> memory_;
  bool ready_ = false;
};

}  // namespace sysvm
#endif
