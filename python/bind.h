// SPDX-License-Identifier: MIT
// What the binding files share. _sysvm is the compiled core; python/sysvm/ gives it the shape that people
// use.
#pragma once

#include <pybind11/pybind11.h>

#include <stdexcept>
#include <string>

namespace sysvm {

struct PythonError : std::runtime_error {  // becomes sysvm.Error
  using std::runtime_error::runtime_error;
};

// Bytes of a traced program as str: UTF-8; a byte that is none becomes \xff. (Surrogate escapes would keep
// it, but pandas cannot hash them.)
inline pybind11::str text(const std::string& bytes) {
  PyObject* s = PyUnicode_DecodeUTF8(bytes.data(), static_cast<Py_ssize_t>(bytes.size()), "backslashreplace");
  if (!s) throw pybind11::error_already_set();
  return pybind11::reinterpret_steal<pybind11::str>(s);
}

void bind_trace(pybind11::module_& module);
void bind_procs(pybind11::module_& module);

}  // namespace sysvm
