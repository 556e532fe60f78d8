// SPDX-License-Identifier: MIT
// Procedure files and mined sequences for Python. Tested by tests/python/test_procs.py.
#include <pybind11/stl.h>

#include "optimizer/mine/mine.h"
#include "procedures/reader.h"
#include "procedures/svp.h"
#include "procedures/text.h"
#include "python/bind.h"

namespace py = pybind11;

namespace sysvm {
namespace {

template <typename T>
T or_raise(Result<T> result) {
  if (!result) throw PythonError(result.message());
  return std::move(*result);
}

ProcedureFile load(const std::string& path) {
  py::gil_scoped_release release;
  return or_raise(read_svp_file(path));
}

std::string mine_part_file(const std::string& path, size_t max_sequences, size_t max_length) {
  py::gil_scoped_release release;
  return to_json(or_raise(mine_part(path, {max_sequences, max_length, 0})));
}

std::string merge_parts(const std::vector<std::string>& parts) {
  py::gil_scoped_release release;
  MinePart all;
  for (const std::string& part : parts) merge(all, or_raise(mine_part_from_json(part)));
  return to_json(all);
}

MineReport report_of_part(const std::string& part, size_t max_sequences, size_t max_length,
                          uint64_t min_count) {
  return report(or_raise(mine_part_from_json(part)), {max_sequences, max_length, min_count});
}

py::list calls(const MinedSequence& s) {
  py::list out;
  for (const MinedCall& c : s.calls) out.append(text(c.text()));
  return out;
}

py::bytes bytes(const std::vector<uint8_t>& v) {
  return py::bytes(reinterpret_cast<const char*>(v.data()), v.size());
}

}  // namespace

void bind_procs(py::module_& module) {
  py::class_<Procedure>(module, "Procedure")
      .def_property_readonly("name", [](const Procedure& p) { return text(p.name); })
      .def_property_readonly("mode", [](const Procedure& p) { return svp_mode_name(p.mode); })
      .def_readonly("seen", &Procedure::seen)
      .def_readonly("staging", &Procedure::staging)
      .def_readonly("exe", &Procedure::exe)
      .def_property_readonly("triggers",
                             [](const Procedure& p) {
                               py::list out;
                               for (const Trigger& t : p.triggers) out.append(text(trigger_text(t)));
                               return out;
                             })
      .def_property_readonly("followers",
                             [](const Procedure& p) {
                               py::list out;
                               for (const Follower& f : p.followers) out.append(text(follower_text(f)));
                               return out;
                             })
      .def_property_readonly("code", [](const Procedure& p) { return bytes(p.code); })
      .def_property_readonly("data", [](const Procedure& p) { return bytes(p.data); })
      .def("disasm", [](const Procedure& p) { return text(list_code(p.code, "")); })
      .def("text", [](const Procedure& p) { return text(to_text(p)); });
  py::class_<ProcedureFile>(module, "ProcedureFile")
      .def_property_readonly("procedures", [](const ProcedureFile& f) { return f.procs; })
      .def_property_readonly("notes", [](const ProcedureFile& f) { return text(f.notes); });
  module.def("load_procedures", &load, py::arg("path"));
  py::class_<MinedSequence>(module, "MinedSequence")
      .def_property_readonly("calls", &calls)
      .def_readonly("count", &MinedSequence::count)
      .def_readonly("known", &MinedSequence::known);
  py::class_<MineReport>(module, "MineReport")
      .def_readonly("calls", &MineReport::calls)
      .def_readonly("covered", &MineReport::covered)
      .def_readonly("known", &MineReport::known)
      .def_property_readonly("sequences", [](const MineReport& r) { return r.sequences; });
  module.def("mine_part", &mine_part_file, py::arg("path"), py::arg("max_sequences"), py::arg("max_length"));
  module.def("merge_parts", &merge_parts, py::arg("parts"));
  module.def("mine_report", &report_of_part, py::arg("part"), py::arg("max_sequences"), py::arg("max_length"),
             py::arg("min_count"));
}

}  // namespace sysvm
