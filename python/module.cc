// SPDX-License-Identifier: MIT
// The compiled core of the Python package. Not for use on its own: import sysvm.
#include "python/bind.h"

PYBIND11_MODULE(_sysvm, module) {
  pybind11::register_exception<sysvm::PythonError>(module, "Error", PyExc_ValueError);
  sysvm::bind_trace(module);
  sysvm::bind_procs(module);
}
