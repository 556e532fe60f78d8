// SPDX-License-Identifier: MIT
// A value or an error that the caller can act on.
//
// An Error carries a message that says what, where and what was expected ("grep.svp: procedure 3, byte 14:
// jump target 92 past end 40"). Libraries return Result<T>; only the command line logs or exits.
// Tested by tests/common/result_test.cc.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>
#include <variant>

namespace sysvm {

struct Error {
  std::string message;
};

template <typename... Args>
Error error(fmt::format_string<Args...> format, Args&&... args) {
  return Error{fmt::format(format, std::forward<Args>(args)...)};
}

struct Unit {};

template <typename T = Unit>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error e) : state_(std::in_place_index<1>, std::move(e)) {}

  explicit operator bool() const { return state_.index() == 0; }
  bool ok() const { return state_.index() == 0; }

  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const { return std::get<1>(state_); }
  const std::string& message() const { return error().message; }

 private:
  std::variant<T, Error> state_;
};

}  // namespace sysvm

// TRY(expression): the value, or return the error upward. A GNU statement expression, as gcc and clang both
// have it.
#define TRY(expression)                           \
  ({                                              \
    auto try_result_ = (expression);              \
    if (!try_result_) return try_result_.error(); \
    std::move(try_result_).value();               \
  })
