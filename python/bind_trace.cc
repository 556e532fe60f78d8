// SPDX-License-Identifier: MIT
// Trace for Python: columns as read-only numpy arrays that look into the C++ vectors and keep them alive.
// Tested by tests/python/test_trace.py.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <memory>
#include <mutex>

#include "python/bind.h"
#include "python/trace_table.h"

namespace py = pybind11;

namespace sysvm {
namespace {

using SharedTable = std::shared_ptr<TraceTable>;

template <typename T>
py::array view(const SharedTable& owner, const std::vector<T>& column) {
  auto* keep = new SharedTable(owner);
  py::capsule base(keep, [](void* p) { delete static_cast<SharedTable*>(p); });
  py::array_t<T> array({column.size()}, {sizeof(T)}, column.data(), base);
  array.attr("flags").attr("writeable") = false;
  return array;
}

py::list texts(const std::vector<std::string>& strings) {
  py::list out;
  for (const std::string& s : strings) out.append(text(s));
  return out;
}

const TraceTable::Names& names_of(const SharedTable& t, const std::string& name) {
  return name == "exe" ? t->exe : name == "fd_path" ? t->fd_path : t->site;
}

py::array column(const SharedTable& t, const std::string& name) {
  const Columns& c = t->trace.columns;
  if (name.size() == 2 && name[0] == 'a' && name[1] >= '0' && name[1] <= '5')
    return view(t, c.args[name[1] - '0']);
  if (name == "path") return view(t, t->path[0]);
  if (name == "path2") return view(t, t->path[1]);
  if (name == "data") return view(t, t->data);
#define SYSVM_COLUMN(type, column) \
  if (name == #column) return view(t, c.column);
#define SYSVM_COLUMN_ARRAY(type, column, count)
#include "traces/columns.inc"
  if (name == "call") return view(t, t->call);
  if (name == "errno" || name == "exe" || name == "fd_path" || name == "site") {
    {
      py::gil_scoped_release release;
      static std::mutex one_at_a_time;
      const std::lock_guard lock(one_at_a_time);
      if (const auto added = add_context(*t); !added) throw PythonError(added.message());
    }
    return name == "errno" ? view(t, t->error) : view(t, names_of(t, name).code);
  }
  throw py::key_error(name);
}

py::dict info(const SharedTable& t) {
  const TraceInfo& i = t->trace;
  py::dict out;
  out["command"] = texts(i.header.command);
  out["cwd"] = text(i.header.cwd);
  out["host"] = i.header.host;
  out["kernel"] = i.header.kernel;
  out["arch"] = i.header.arch;
  out["backend"] = i.header.backend;
  out["tool"] = i.header.tool;
  out["boottime_ns"] = i.header.boottime_ns;
  out["realtime_ns"] = i.header.realtime_ns;
  out["call_cost_ns"] = i.header.call_cost_ns;
  out["damage"] = i.damage;
  out["lost"] = i.lost();
  py::list processes;
  for (const Process& p : i.processes) {
    py::dict one;
    one["pid"] = p.pid;
    one["parent"] = p.parent;
    one["exe"] = text(p.exe);
    one["argv"] = texts(p.argv);
    one["start_ns"] = p.start_ns;
    one["execed"] = p.execed;
    processes.append(one);
  }
  out["processes"] = processes;
  return out;
}

SharedTable open_trace(const std::string& path, const std::optional<std::vector<std::string>>& calls,
                       const std::optional<std::vector<int32_t>>& pids, std::optional<double> from,
                       std::optional<double> to, const std::optional<std::string>& pattern) {
  py::gil_scoped_release release;
  auto table = load_trace_table(path, {calls, pids, from, to, pattern});
  if (!table) throw PythonError(table.message());
  return std::make_shared<TraceTable>(std::move(*table));
}

// A trace of which one chunk at a time is in memory.
struct ChunkedTrace {
  TraceFile file;
  std::string path;
};

std::unique_ptr<ChunkedTrace> open_chunks(const std::string& path) {
  auto file = TraceFile::open(path);
  if (!file) throw PythonError(file.message());
  return std::make_unique<ChunkedTrace>(ChunkedTrace{std::move(*file), path});
}

SharedTable read_chunk(ChunkedTrace& t, size_t i) {
  if (i >= t.file.chunks().size()) throw py::index_error();
  py::gil_scoped_release release;
  ColumnTrace chunk;
  static_cast<TraceInfo&>(chunk) = t.file.info();
  if (auto ok = t.file.read(i, chunk.columns, chunk.strings); !ok) throw PythonError(ok.message());
  auto table = make_trace_table(std::move(chunk), t.path);
  if (!table) throw PythonError(table.message());
  return std::make_shared<TraceTable>(std::move(*table));
}

}  // namespace

void bind_trace(py::module_& module) {
  py::dict flags;
#define SYSVM_EVENT_FLAG(bit, name, NAME) flags[py::int_(1u << bit)] = #NAME;
#include "traces/event_codes.inc"
  module.attr("FLAGS") = flags;
  py::list kinds;
#define SYSVM_DATA_KIND(number, name, NAME, text) kinds.append(text);
#include "traces/event_codes.inc"
  module.attr("DATA_KINDS") = kinds;
  py::class_<TraceTable, SharedTable>(module, "TraceTable")
      .def("__len__", &TraceTable::size)
      .def("column", &column, py::arg("name"))
      .def("call_names", [](const SharedTable& t) { return texts(t->call_names); })
      .def("strings", [](const SharedTable& t) { return texts(t->strings); })
      .def(
          "names",
          [](const SharedTable& t, const std::string& name) { return texts(names_of(t, name).names); },
          py::arg("column"))
      .def("info", &info);
  module.def("open_trace", &open_trace, py::arg("path"), py::arg("calls") = py::none(),
             py::arg("pids") = py::none(), py::arg("begin") = py::none(), py::arg("end") = py::none(),
             py::arg("pattern") = py::none());
  module.def("calls_of", &calls_of, py::arg("path"));
  py::class_<ChunkedTrace>(module, "ChunkedTrace")
      .def("__len__", [](const ChunkedTrace& t) { return t.file.chunks().size(); })
      .def("read", &read_chunk, py::arg("chunk"));
  module.def("open_chunks", &open_chunks, py::arg("path"));
}

}  // namespace sysvm
