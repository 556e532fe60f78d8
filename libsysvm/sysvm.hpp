// SPDX-License-Identifier: MIT
// Programs of the machine in C++, as they read: registers are values, calls are functions, blocks are
// lambdas.
//
//     sysvm::Program p;
//     const auto path = p.input(0), buffer = p.input(1), size = p.input(2);  // r0, r1, r2: set before a run
//     const auto total = p.result(3, 0);                                  // r3 = 0: read after it
//     const auto fd = p.call.openat(AT_FDCWD, path, O_RDONLY);            // an error ends the program: ERROR
//     p.loop([&] {
//       const auto n = p.attempt.read(fd, buffer + total, size - total);  // an error is a negative result
//       p.if_(n <= 0, [&] { p.break_(); });
//       p.set(total, total + n);
//     });
//     p.call.close(fd);
//
//     sysvm::Machine machine(SYSVM_ENGINE_BEST);
//     const uint32_t proc = machine.define(p);
//     machine.run(proc, {path_address, buffer_address, buffer_size});
//     machine.reg(3);
//
// What it makes is the plain byte code of uapi/opcodes.inc: nothing is optimised, each operator is an
// instruction and takes a register; those taken inside a block are free again after it. A call is named as in
// <asm/unistd_64.h>; its arguments are registers, numbers, or addresses, and their number is checked when
// this is compiled. Data (paths and the like) is the caller's: pass its address as a number; it must be there
// when the program runs.
//
// Errors: building throws std::length_error (no register left, code too long) and std::logic_error (a break
// outside of a loop); the machine throws std::system_error with what went wrong, in words. What a program did
// is in the page. Threads: a Program may be built anywhere; a Machine belongs to the thread that made it, as
// struct sysvm_vm does.
//
// Header-only, C++17.
// Tested by tests/libsysvm/builder_test.cc.
#ifndef SYSVM_HPP
#define SYSVM_HPP

#include <sysvm.h>

#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace sysvm {

class Program;

// A register that holds a value. Copies name the same register.
class Value {
 public:
  uint8_t number() const { return number_; }

 private:
  friend class Program;
  Value(Program* program, uint8_t number) : program_(program), number_(number) {}
  Program* program_;
  uint8_t number_;
};

// A comparison: what if_ and loop_while take.
class Condition {
 private:
  friend class Program;
  uint8_t jump_, opposite_;  // opcodes: taken if it holds, if it does not
  bool opposite_swaps_;
  uint8_t a_, b_;
};

namespace detail {

enum Opcode : uint8_t {
#define SYSVM_INSN(number, NAME, mnemonic, operands, effect) NAME = number,
#include "uapi/opcodes.inc"
};

}  // namespace detail

class Program {
  using Op = detail::Opcode;

 public:
  Program() : call(this, false), attempt(this, true) {}
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // A register with a given number, which the caller sets before the run or reads after it. Take them
  // first: later values take what is free.
  Value input(unsigned number) { return fixed(number); }
  Value result(unsigned number, int64_t start) {
    const Value v = fixed(number);
    set(v, start);
    return v;
  }

  // A new register with that number, address, or value in it.
  template <class T>
  Value value(T number) {
    const Value v = take();
    if constexpr (std::is_pointer_v<T>)
      set(v, static_cast<int64_t>(reinterpret_cast<intptr_t>(number)));
    else
      set(v, static_cast<int64_t>(number));
    return v;
  }
  Value copy(Value from) {
    const Value v = take();
    set(v, from);
    return v;
  }
  // The address of this offset of the data section (data_base of define).
  Value data(uint16_t offset) {
    const Value v = take();
    op(Op::DATA, {v.number_});
    put(offset, 2);
    return v;
  }

  void set(Value to, Value from) { op(Op::MOV, {to.number_, from.number_}); }
  void set(Value to, int64_t number) {
    if (number == static_cast<int8_t>(number)) {
      op(Op::MOVI8, {to.number_});
      put(number, 1);
    } else if (number == static_cast<int16_t>(number)) {
      op(Op::MOVI16, {to.number_});
      put(number, 2);
    } else if (number == static_cast<int32_t>(number)) {
      op(Op::MOVI32, {to.number_});
      put(number, 4);
    } else {
      op(Op::MOVI64, {to.number_});
      put(number, 8);
    }
  }

  // Memory at address + offset, as a T of 1, 2, 4 or 8 bytes: signed ones are sign-extended.
  template <class T>
  Value load(Value address, int16_t offset = 0) {
    static_assert(std::is_integral_v<T> && sizeof(T) <= 8, "load<T>: T is an integer of at most 8 bytes");
    const Value v = take();
    const bool sign = std::is_signed_v<T>;
    op(sizeof(T) == 1   ? (sign ? Op::LDS8 : Op::LD8)
       : sizeof(T) == 2 ? (sign ? Op::LDS16 : Op::LD16)
       : sizeof(T) == 4 ? (sign ? Op::LDS32 : Op::LD32)
                        : Op::LD64,
       {v.number_, address.number_});
    put(offset, 2);
    return v;
  }
  template <class T>
  void store(Value address, int16_t offset, Value from) {
    static_assert(std::is_integral_v<T> && sizeof(T) <= 8, "store<T>: T is an integer of at most 8 bytes");
    op(sizeof(T) == 1   ? Op::ST8
       : sizeof(T) == 2 ? Op::ST16
       : sizeof(T) == 4 ? Op::ST32
                        : Op::ST64,
       {address.number_, from.number_});
    put(offset, 2);
  }
  template <class T>
  void store(Value address, int16_t offset, int64_t number) {
    const Scope scope(this);
    store<T>(address, offset, value(number));
  }

  template <class Then>
  void if_(Condition condition, Then then) {
    const size_t skip = jump_unless(condition);
    block(then);
    land(skip);
  }
  template <class Then, class Else>
  void if_(Condition condition, Then then, Else otherwise) {
    const size_t skip = jump_unless(condition);
    block(then);
    const size_t over = jump();
    land(skip);
    block(otherwise);
    land(over);
  }
  // Until break_; next_ begins the next round.
  template <class Body>
  void loop(Body body) {
    const size_t start = code_.size();
    loops_.push_back({start, {}});
    block(body);
    jump_to(start);
    leave_loop();
  }
  // `condition` is a lambda that builds the comparison: it is made anew for each round.
  template <class Test, class Body>
  void loop_while(Test condition, Body body) {
    const size_t start = code_.size();
    loops_.push_back({start, {}});
    size_t out;
    {
      const Scope scope(this);
      out = jump_unless(condition());
    }
    block(body);
    jump_to(start);
    land(out);
    leave_loop();
  }
  void break_() {
    if (loops_.empty()) throw std::logic_error("sysvm: break_ outside of a loop");
    loops_.back().breaks.push_back(jump());
  }
  void next_() {
    if (loops_.empty()) throw std::logic_error("sysvm: next_ outside of a loop");
    jump_to(loops_.back().start);
  }
  // The program is done (status DONE).
  void end() { op(Op::END, {}); }

  // The finished code, with an END at its end.
  std::vector<uint8_t> code() const {
    std::vector<uint8_t> code = code_;
    code.push_back(Op::END);
    if (code.size() > SYSVM_PROC_CODE_MAX)
      throw std::length_error("sysvm: the program has " + std::to_string(code.size()) + " bytes, at most " +
                              std::to_string(SYSVM_PROC_CODE_MAX) + " are possible");
    return code;
  }

  // The machine's calls: p.call.NAME(...) and p.attempt.NAME(...), each with its result in a new
  // register.
  class Calls {
   public:
#define SYSVM_SYSCALL(nr, name, index, nargs, ...)                                            \
  template <class... A>                                                                       \
  Value name(A... arguments) const {                                                          \
    static_assert((index) >= 0 || sizeof...(A) == 99, "the machine does not make this call"); \
    static_assert(sizeof...(A) == (nargs) || (index) < 0,                                     \
                  "another number of arguments than this call takes");                        \
    return program_->make_call(go_on_, index, {program_->argument(arguments)...});            \
  }
#include "uapi/syscalls.inc"

   private:
    friend class Program;
    Calls(Program* program, bool go_on) : program_(program), go_on_(go_on) {}
    Program* program_;
    bool go_on_;
  };
  const Calls call;     // an error stops the program: status ERROR, pc and errno in the page
  const Calls attempt;  // an error is a negative result, as the kernel returned it

  // For the operators below.
  Value calculate(uint8_t opcode, Value a, Value b) {
    const Value v = take();
    op(static_cast<Op>(opcode), {v.number_, a.number_, b.number_});
    return v;
  }
  Value calculate_immediate(uint8_t opcode, Value a, int32_t b) {
    const Value v = take();
    op(static_cast<Op>(opcode), {v.number_, a.number_});
    put(b, 4);
    return v;
  }
  static Program* of(Value v) { return v.program_; }
  static Condition condition(uint8_t jump, uint8_t opposite, bool swaps, Value a, Value b) {
    Condition c;
    c.jump_ = jump;
    c.opposite_ = opposite;
    c.opposite_swaps_ = swaps;
    c.a_ = a.number_;
    c.b_ = b.number_;
    return c;
  }

 private:
  struct Loop {
    size_t start;
    std::vector<size_t> breaks;
  };

  // Registers taken inside are free after it.
  class Scope {
   public:
    explicit Scope(Program* program) : program_(program), taken_(program->taken_) {}
    ~Scope() { program_->taken_ = taken_; }
    Scope(const Scope&) = delete;

   private:
    Program* program_;
    std::vector<bool> taken_;
  };

  Value fixed(unsigned number) {
    if (number >= SYSVM_NREGS)
      throw std::length_error("sysvm: register " + std::to_string(number) + ", expected 0 to 255");
    taken_[number] = true;
    return Value(this, static_cast<uint8_t>(number));
  }
  Value take() {
    for (unsigned i = SYSVM_NREGS; i-- > 0;)  // from the far end: programs' own numbers are low
      if (!taken_[i]) return fixed(i);
    throw std::length_error("sysvm: all 256 registers are taken");
  }

  template <class T>
  Value argument(T v) {
    if constexpr (std::is_same_v<T, Value>)
      return v;
    else if constexpr (std::is_null_pointer_v<T>)
      return value(0);
    else
      return value(v);
  }
  Value make_call(bool go_on, int index, std::initializer_list<Value> arguments) {
    const Value v = take();
    if (go_on) code_.push_back(Op::GOON);
    put_call(index);
    code_.push_back(v.number_);
    for (Value a : arguments) code_.push_back(a.number_);
    return v;
  }
  void put_call(int index) {
#ifdef SYSVM_CALL_EXTENDED
    if (index >= SYSVM_CALL_EXTENDED) {
      code_.push_back(SYSVM_OP_EXTENDED);
      code_.push_back(static_cast<uint8_t>(index));
      return;
    }
#endif
    code_.push_back(static_cast<uint8_t>(SYSVM_OP_CALL_FULL + index));
  }

  void op(Op opcode, std::initializer_list<uint8_t> registers) {
    code_.push_back(opcode);
    code_.insert(code_.end(), registers);
  }
  void put(int64_t v, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++)
      code_.push_back(static_cast<uint8_t>(static_cast<uint64_t>(v) >> (8 * i)));
  }

  template <class Body>
  void block(Body body) {
    const Scope scope(this);
    body();
  }
  size_t jump_unless(Condition c) {
    const bool swap = c.opposite_swaps_;
    op(static_cast<Op>(c.opposite_), {swap ? c.b_ : c.a_, swap ? c.a_ : c.b_});
    put(0, 2);
    return code_.size();
  }
  size_t jump() {
    op(Op::JMP, {});
    put(0, 2);
    return code_.size();
  }
  void jump_to(size_t target) { patch(jump(), target); }
  // The jump that ends at `end` goes here.
  void land(size_t end) { patch(end, code_.size()); }
  void patch(size_t end, size_t target) {
    const long distance = static_cast<long>(target) - static_cast<long>(end);
    if (distance != static_cast<int16_t>(distance))
      throw std::length_error("sysvm: a jump over more than 32767 bytes");
    code_[end - 2] = static_cast<uint8_t>(distance);
    code_[end - 1] = static_cast<uint8_t>(distance >> 8);
  }
  void leave_loop() {
    for (size_t end : loops_.back().breaks) land(end);
    loops_.pop_back();
  }

  std::vector<uint8_t> code_;
  std::vector<bool> taken_ = std::vector<bool>(SYSVM_NREGS);
  std::vector<Loop> loops_;
};

// Arithmetic, modulo 2^64; division and remainder are unsigned, and by 0 end the program (ARITH).
#define SYSVM_OPERATOR(symbol, OPCODE)                                                                       \
  inline Value operator symbol(Value a, Value b) { return Program::of(a)->calculate(detail::OPCODE, a, b); } \
  inline Value operator symbol(Value a, int64_t b) { return a symbol Program::of(a)->value(b); }
SYSVM_OPERATOR(*, MUL)
SYSVM_OPERATOR(/, DIV)
SYSVM_OPERATOR(%, MOD)
SYSVM_OPERATOR(|, OR)
SYSVM_OPERATOR(^, XOR)
SYSVM_OPERATOR(<<, SHL)
SYSVM_OPERATOR(>>, SHR)
#undef SYSVM_OPERATOR

inline Value operator+(Value a, Value b) { return Program::of(a)->calculate(detail::ADD, a, b); }
inline Value operator-(Value a, Value b) { return Program::of(a)->calculate(detail::SUB, a, b); }
inline Value operator&(Value a, Value b) { return Program::of(a)->calculate(detail::AND, a, b); }
inline Value operator+(Value a, int64_t b) {
  if (b == static_cast<int32_t>(b))
    return Program::of(a)->calculate_immediate(detail::ADDI, a, static_cast<int32_t>(b));
  return a + Program::of(a)->value(b);
}
inline Value operator-(Value a, int64_t b) { return a + static_cast<int64_t>(-static_cast<uint64_t>(b)); }
inline Value operator&(Value a, int64_t b) {
  if (b == static_cast<int32_t>(b))
    return Program::of(a)->calculate_immediate(detail::ANDI, a, static_cast<int32_t>(b));
  return a & Program::of(a)->value(b);
}

// Comparisons are signed; below and not_above are the unsigned ones.
#define SYSVM_COMPARE(symbol, JUMP, OPPOSITE, opposite_swaps, first, second)                  \
  inline Condition operator symbol(Value a, Value b) {                                        \
    return Program::condition(detail::JUMP, detail::OPPOSITE, opposite_swaps, first, second); \
  }                                                                                           \
  inline Condition operator symbol(Value a, int64_t b) { return a symbol Program::of(a)->value(b); }
SYSVM_COMPARE(==, JEQ, JNE, false, a, b)
SYSVM_COMPARE(!=, JNE, JEQ, false, a, b)
SYSVM_COMPARE(<, JLT, JLE, true, a, b)  // not a < b: b <= a
SYSVM_COMPARE(<=, JLE, JLT, true, a, b)
SYSVM_COMPARE(>, JLT, JLE, true, b, a)
SYSVM_COMPARE(>=, JLE, JLT, true, b, a)
#undef SYSVM_COMPARE
inline Condition below(Value a, Value b) { return Program::condition(detail::JB, detail::JBE, true, a, b); }
inline Condition not_above(Value a, Value b) {
  return Program::condition(detail::JBE, detail::JB, true, a, b);
}

}  // namespace sysvm

#include <sysvm_machine.hpp>
#endif
