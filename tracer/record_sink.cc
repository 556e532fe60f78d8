// SPDX-License-Identifier: MIT
#include "tracer/record_sink.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <fstream>
#include <iterator>

namespace sysvm {

void RecordSink::check(Result<> result) {
  if (!result && write_error_.empty()) write_error_ = result.message();
}

void RecordSink::on_call(const Event& event, std::string_view path0, std::string_view path1) {
  ++events_;
  if (event.has(kSignal))
    ++signals_;
  else if (!event.has(kForkChild))
    ++calls_;
  if (event.tid != last_tid_) {
    last_tid_ = event.tid;
    threads_.insert(event.tid);
    processes_.insert(event.pid);
  }
  if (!write_error_.empty()) return;
  // A successful exec leaves nothing behind that its name could be read from.
  if (event.ret == 0 && (event.nr == SYS_execve || event.nr == SYS_execveat) && !event.has(kCompat)) {
    if (auto it = exec_name_.find(event.pid); it != exec_name_.end()) {
      check(writer_.add(event, it->second));
      exec_name_.erase(it);
      return;
    }
  }
  check(writer_.add(event, path0, path1));
  for (const Mapping& m : images_.call(event, path0)) check(writer_.add(m));
}

void RecordSink::on_fork(int32_t pid, int32_t parent, uint64_t ts_ns) {
  processes_.insert(pid);
  Process p;
  p.pid = pid;
  p.parent = parent;
  p.start_ns = ts_ns;
  if (auto it = running_.find(parent); it != running_.end()) {
    const Image image = it->second;
    p.exe = image.exe;
    p.build_id = image.build_id;
    p.argv = image.argv;
    running_[pid] = image;
  }
  if (write_error_.empty()) check(writer_.add(p));
}

void RecordSink::on_exec(const ExecInfo& exec) {
  processes_.insert(exec.pid);
  exec_name_[exec.pid] = exec.name;
  Process p;
  p.pid = exec.pid;
  p.parent = exec.parent;
  p.start_ns = exec.ts_ns;
  p.execed = true;
  p.argv = exec.argv;
  const std::vector<Mapping> mappings = images_.exec(exec, p.exe, p.build_id);
  running_[exec.pid] = {p.exe, p.build_id, p.argv};
  if (!write_error_.empty()) return;
  check(writer_.add(p));
  for (const Mapping& m : mappings) check(writer_.add(m));
}

void RecordSink::on_exit(int32_t pid, uint64_t ts_ns, int32_t status) {
  images_.exit(pid);
  running_.erase(pid);
  if (write_error_.empty()) check(writer_.end(pid, ts_ns, status));
}

void RecordSink::attached(int32_t pid, uint64_t now_ns) {
  processes_.insert(pid);
  Process p;
  p.pid = pid;
  p.start_ns = now_ns;
  p.execed = true;
  char buffer[PATH_MAX];
  const ssize_t n = readlink(fmt::format("/proc/{}/exe", pid).c_str(), buffer, sizeof buffer);
  if (n > 0) p.exe.assign(buffer, static_cast<size_t>(n));
  if (auto elf = read_elf(p.exe)) p.build_id = elf->build_id;
  std::ifstream cmdline(fmt::format("/proc/{}/cmdline", pid), std::ios::binary);
  for (std::string word; std::getline(cmdline, word, '\0');) p.argv.push_back(word);
  std::ifstream stat(fmt::format("/proc/{}/stat", pid));
  const std::string line{std::istreambuf_iterator<char>(stat), {}};
  if (const size_t paren = line.rfind(')'); paren != std::string::npos)
    sscanf(line.c_str() + paren + 1, " %*c %d", &p.parent);
  running_[pid] = {p.exe, p.build_id, p.argv};
  check(writer_.add(p));
  for (const Mapping& m : images_.scan(pid, now_ns)) check(writer_.add(m));
}

void RecordSink::lost(LossReason reason, uint64_t count, uint64_t from_ns, uint64_t to_ns) {
  lost_ += count;
  if (write_error_.empty()) check(writer_.add(Loss{reason, count, from_ns, to_ns}));
}

}  // namespace sysvm
