// SPDX-License-Identifier: MIT
#include "tracer/record_sink.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <fstream>
#include <iterator>

#include "tracer/siphash.h"

namespace sysvm {

void RecordSink::check(Result<> result) {
  if (!result && write_error_.empty()) write_error_ = result.message();
}

template <typename T>
void RecordSink::put(const T& record) {
  if (!writer_)
    remembered_[record.pid].emplace_back(record);
  else if (write_error_.empty())
    check(writer_->add(record));
}

void RecordSink::begin_file(TraceWriter& writer) {
  writer_ = &writer;
  for (const auto& [pid, records] : remembered_)
    for (const auto& record : records) std::visit([this](const auto& r) { put(r); }, record);
  remembered_.clear();
}

void RecordSink::on_call(const Event& event, const CallText& text) {
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
  if (writer_ && write_error_.empty()) {
    std::string_view path = text.path[0];
    // After a successful exec nothing is left that its name could be read from.
    const bool exec =
        event.ret == 0 && (event.nr == SYS_execve || event.nr == SYS_execveat) && !event.has(kCompat);
    auto name = exec ? exec_name_.find(event.pid) : exec_name_.end();
    if (name != exec_name_.end()) path = name->second;
    if (hash_key_ && event.data_kind == DataKind::kBytes) {
      Event hashed = event;
      hashed.data_kind = DataKind::kHash;
      const uint64_t hash = siphash(*hash_key_, text.data);
      check(writer_->add(hashed, path, text.path[1], {reinterpret_cast<const char*>(&hash), sizeof hash}));
    } else {
      check(writer_->add(event, path, text.path[1], text.data));
    }
    if (name != exec_name_.end()) exec_name_.erase(name);
  }
  for (const Mapping& m : images_.call(event, text.path[0])) put(m);
}

void RecordSink::on_hidden(const Event& event) {
  for (const Mapping& m : images_.call(event, {})) put(m);
}

void RecordSink::on_thread_end(const ThreadEnd& end) {
  if (writer_ && write_error_.empty()) check(writer_->add(end));
}

void RecordSink::on_held(const Throttle& throttle) {
  ++throttles_;
  throttled_ns_ += throttle.to_ns - throttle.from_ns;
  if (writer_ && write_error_.empty()) check(writer_->add(throttle));
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
  put(p);
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
  remembered_.erase(exec.pid);
  put(p);
  for (const Mapping& m : mappings) put(m);
}

void RecordSink::on_exit(int32_t pid, uint64_t ts_ns, int32_t status) {
  images_.exit(pid);
  running_.erase(pid);
  remembered_.erase(pid);
  if (writer_ && write_error_.empty()) check(writer_->end(pid, ts_ns, status));
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
  put(p);
  for (const Mapping& m : images_.scan(pid, now_ns)) put(m);
}

void RecordSink::lost(LossReason reason, uint64_t count, uint64_t from_ns, uint64_t to_ns) {
  lost_ += count;
  if (writer_ && write_error_.empty()) check(writer_->add(Loss{reason, count, from_ns, to_ns}));
}

}  // namespace sysvm
