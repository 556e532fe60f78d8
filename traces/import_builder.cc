// SPDX-License-Identifier: MIT
#include "traces/import_builder.h"

#include <fmt/format.h>
#include <sys/syscall.h>

#include <algorithm>

#include "common/replacing_file.h"
#include "traces/calls.h"
#include "traces/calls32.h"
#include "traces/writer.h"

namespace sysvm {

namespace {

const std::vector<CallInfo>& calls() {
  static const std::vector<CallInfo> all = known_calls();
  return all;
}

}  // namespace

ImportBuilder::ImportBuilder(std::string backend) {
  header.tool = "sysvm 0.1.0";
  header.backend = std::move(backend);
  header.arch = "x86_64";
}

int32_t ImportBuilder::number_of(std::string_view name) {
  static const std::unordered_map<std::string, int32_t> numbers = [] {
    std::unordered_map<std::string, int32_t> out;
    for (const CallInfo& call : calls()) out.emplace(call.name, call.nr);
    // Names that strace has, or had, for the kernel's own ones.
    for (auto [other, name] : {std::pair{"pread", "pread64"},
                               {"pwrite", "pwrite64"},
                               {"fadvise", "fadvise64"},
                               {"umount", "umount2"},
                               {"_exit", "exit"}})
      if (auto it = out.find(name); it != out.end()) out.emplace(other, it->second);
    return out;
  }();
  auto it = numbers.find(std::string(name));
  return it != numbers.end() ? it->second : -1;
}

const CallInfo* ImportBuilder::call(int32_t nr) {
  auto it = std::lower_bound(calls().begin(), calls().end(), nr,
                             [](const CallInfo& c, int32_t n) { return c.nr < n; });
  return it != calls().end() && it->nr == nr ? &*it : nullptr;
}

uint32_t ImportBuilder::intern(const std::string* text) {
  if (!text) return kNoString;
  auto [it, fresh] = string_ids_.try_emplace(*text, static_cast<uint32_t>(strings_.size()));
  if (fresh) strings_.push_back(*text);
  return it->second;
}

size_t ImportBuilder::fresh(int32_t tid) {
  Task task;
  task.tid = tid;
  tasks_.push_back(std::move(task));
  alive_.insert(tid);
  return now_[tid] = tasks_.size() - 1;
}

size_t ImportBuilder::task(int32_t tid) {
  auto it = now_.find(tid);
  return it == now_.end() || tasks_[it->second].gone ? fresh(tid) : it->second;
}

void ImportBuilder::add(const Event& event, const std::string* path0, const std::string* path1,
                        const std::string* data) {
  const size_t at = task(event.tid);
  Task& t = tasks_[at];
  Row row{event, {intern(path0), intern(path1)}, intern(data), at};
  row.event.seq = t.next_seq++;
  t.first_ns = std::min(t.first_ns, event.ts_ns);
  t.image.push_back(rows_.size());
  rows_.push_back(row);
  if (event.has(kSignal)) return;
  if (!event.has(kCompat) && call32_number(call(event.nr) ? call(event.nr)->name : "") < 0) t.only_64 = true;
  const bool exec = event.has(kCompat) ? event.nr == 11 || event.nr == 358
                                       : event.nr == SYS_execve || event.nr == SYS_execveat;
  if (exec && event.ret == 0 && !event.has(kNoExit)) {
    t.image.clear();
    t.only_64 = false;
  }
  // What comes after these under the same id is another thread, even if the text does not show the end.
  if (event.has(kNoExit) && !event.has(kCompat) && (event.nr == SYS_exit || event.nr == SYS_exit_group)) {
    t.gone = true;
    alive_.erase(t.tid);
    t.called_exit = event.nr == SYS_exit;
    if (event.nr == SYS_exit_group && event.knows(0))
      lives_.push_back(
          {event.ts_ns, at, Life::kEnd, static_cast<int32_t>(event.args[0] & 0xff) << 8, {}, {}, false});
  }
}

void ImportBuilder::child(int32_t parent_tid, int32_t tid, std::optional<bool> thread, const Event& call,
                          uint64_t ts_ns) {
  const size_t parent = task(parent_tid);
  auto it = now_.find(tid);
  const bool adopt = it != now_.end() && !tasks_[it->second].maker &&
                     tasks_[it->second].first_ns >= call.ts_ns && it->second != parent;
  const size_t at = adopt ? it->second : fresh(tid);
  Task& t = tasks_[at];
  t.maker = parent;
  if (!t.thread) t.thread = thread;
  if (tasks_[parent].compat && !t.compat) make_compat(t);
  lives_.push_back({ts_ns, at, Life::kFork, {}, {}, {}, false});
  // The recorder sees the call return in the child, too; first of all that the child does.
  Event event;
  event.tid = tid;
  event.ts_ns = ts_ns;
  event.nr = call.nr;
  event.flags = kForkChild | (call.flags & kCompat);
  rows_.push_back({event, {kNoString, kNoString}, kNoString, at});
}

void ImportBuilder::process_of(int32_t tid, int32_t pid) {
  size_t at = task(tid);
  if (tasks_[at].pid && *tasks_[at].pid != pid) at = fresh(tid);
  tasks_[at].pid = pid;
  tasks_[at].thread = tid != pid;
}

void ImportBuilder::is_process(int32_t tid) {
  auto it = now_.find(tid);
  if (it != now_.end() && !tasks_[it->second].thread) tasks_[it->second].thread = false;
}

void ImportBuilder::rename(int32_t tid, int32_t to) {
  if (alive_.erase(tid)) alive_.insert(to);
  auto node = now_.extract(tid);
  for (Task& t : tasks_)
    if (t.tid == tid) t.tid = to;
  if (!node.empty()) {
    node.key() = to;
    now_.insert(std::move(node));
  }
}

void ImportBuilder::exec(int32_t tid, uint64_t ts_ns, std::string exe, std::vector<std::string> argv) {
  const size_t at = task(tid);
  Task& t = tasks_[at];
  if (!t.thread) t.thread = false;
  if (!modes_told_) t.compat = false;  // the new image's own calls tell
  // The first call of the text is the command's exec: there was nothing before it.
  lives_.push_back({ts_ns, at, Life::kExec, {}, std::move(exe), std::move(argv), t.next_seq == 0});
}

void ImportBuilder::end(int32_t tid, uint64_t ts_ns, std::optional<int32_t> wait_status) {
  auto it = now_.find(tid);
  const size_t at = it == now_.end() ? fresh(tid) : it->second;
  tasks_[at].gone = true;
  alive_.erase(tid);
  if (wait_status) lives_.push_back({ts_ns, at, Life::kEnd, wait_status, {}, {}, false});
}

void ImportBuilder::make_compat(Task& t) {
  t.compat = true;
  for (const size_t row : t.image) {
    Event& e = rows_[row].event;
    if (e.has(kSignal) || e.has(kCompat)) continue;
    const CallInfo* info = call(e.nr);
    const int32_t nr = info ? call32_number(info->name) : -1;
    if (nr < 0) continue;
    e.nr = nr;
    e.flags |= kCompat;
  }
}

void ImportBuilder::runs_32_bit(int32_t tid, bool now) {
  Task& t = tasks_[task(tid)];
  if (!now)
    t.compat = false;
  else if (!t.compat && !t.only_64)
    make_compat(t);
}

bool ImportBuilder::is_32_bit(int32_t tid) const {
  auto it = now_.find(tid);
  return it != now_.end() && !tasks_[it->second].gone && tasks_[it->second].compat;
}

void ImportBuilder::not_understood(uint64_t line, std::string_view text, uint64_t ts_ns) {
  left_out(ts_ns);
  if (++report.not_understood <= 5)
    report.examples.push_back(
        fmt::format("line {}: {}{}", line, text.substr(0, 120), text.size() > 120 ? "..." : ""));
}

void ImportBuilder::left_out(uint64_t ts_ns) {
  ++losses_;
  loss_from_ns_ = std::min(loss_from_ns_, ts_ns);
  loss_to_ns_ = std::max(loss_to_ns_, ts_ns);
}

void ImportBuilder::note(std::string text) {
  if (std::find(report.notes.begin(), report.notes.end(), text) == report.notes.end())
    report.notes.push_back(std::move(text));
}

int32_t ImportBuilder::process(size_t at) const {
  for (int depth = 0; depth < 1000; ++depth) {  // threads of threads
    const Task& t = tasks_[at];
    if (t.pid) return *t.pid;
    if (!t.thread.value_or(false) || !t.maker) return t.tid;
    at = *t.maker;
  }
  return tasks_[at].tid;
}

// What is known only when all has been read: whether a child is a thread, and the order of things.
void ImportBuilder::settle() {
  for (Task& t : tasks_)
    if (t.maker && !t.thread) {
      t.thread = t.called_exit;  // the C library ends a thread with exit, a process with exit_group
      if (!t.called_exit) note("the text does not show whether clone3 made a thread: taken as a process");
    }
  // A child's first event is its return from fork; text gives the parent's return time, which may be later.
  for (Row& row : rows_) {
    Event& e = row.event;
    const Task& t = tasks_[row.task];
    e.tid = t.tid;
    e.pid = process(row.task);
    if (e.has(kForkChild))
      e.ts_ns = std::min(e.ts_ns, t.first_ns);
    else if (t.maker)
      ++e.seq;  // after the return from fork
  }
  std::stable_sort(rows_.begin(), rows_.end(), [](const Row& a, const Row& b) {
    if (a.event.ts_ns != b.event.ts_ns) return a.event.ts_ns < b.event.ts_ns;
    return a.event.has(kForkChild) > b.event.has(kForkChild);
  });
  for (Life& life : lives_) {
    const Task& t = tasks_[life.task];
    if (life.what == Life::kFork) life.ts_ns = std::min(life.ts_ns, t.first_ns);
    if (life.first && !t.maker) life.ts_ns = t.first_ns;
  }
  std::stable_sort(lives_.begin(), lives_.end(), [](const Life& a, const Life& b) {
    return a.ts_ns != b.ts_ns ? a.ts_ns < b.ts_ns : a.what < b.what;
  });
  if (header.command.empty())
    for (const Life& life : lives_)
      if (life.what == Life::kExec) {
        header.command = life.argv;
        break;
      }
}

Result<> ImportBuilder::write(const std::string& output) {
  settle();
  report.events = rows_.size();
  if (output.empty() || rows_.empty()) return Unit{};
  return write_file(output);
}

Result<> ImportBuilder::write_file(const std::string& output) {
  header.calls = calls();
  TRY(may_become_trace(output));
  auto file = TRY(ReplacingFile::create(output, 0600));
  auto writer = TRY(TraceWriter::create(file.place(), header));
  struct Image {
    std::string exe;
    std::vector<std::string> argv;
    bool started = false;
  };
  std::map<int32_t, Image> running;
  auto start = [&](int32_t pid, int32_t parent, uint64_t ts_ns, bool execed) {
    Process p;
    p.pid = pid;
    p.parent = parent;
    p.start_ns = ts_ns;
    p.execed = execed;
    p.exe = running[pid].exe;
    p.argv = running[pid].argv;
    running[pid].started = true;
    return writer->add(p);
  };
  // A status that the text gives twice, with exit_group and with "+++", is written once: as the latter says.
  std::vector<size_t> last_end(tasks_.size(), ~size_t{0});
  for (size_t i = 0; i < lives_.size(); ++i)
    if (lives_[i].what == Life::kEnd) last_end[lives_[i].task] = i;
  size_t next = 0;
  auto live_until = [&](uint64_t ts_ns) -> Result<> {
    for (; next < lives_.size() && lives_[next].ts_ns <= ts_ns; ++next) {
      const Life& life = lives_[next];
      const Task& t = tasks_[life.task];
      const int32_t pid = process(life.task);
      if (life.what == Life::kFork) {
        if (t.thread.value_or(false)) continue;
        const int32_t parent = process(*t.maker);
        if (!running[parent].started) TRY(start(parent, 0, life.ts_ns, true));
        running[pid] = running[parent];
        TRY(start(pid, parent, life.ts_ns, false));
      } else if (life.what == Life::kExec) {
        running[pid] = {life.exe, life.argv, false};
        TRY(start(pid, 0, life.ts_ns, true));
      } else if (t.tid == pid && last_end[life.task] == next) {
        TRY(writer->end(pid, life.ts_ns, *life.status));
      }
    }
    return Unit{};
  };
  TraceStats stats;
  std::map<int32_t, size_t> leaders;  // process -> the life of its first thread
  std::map<size_t, ThreadEnd> ends;
  for (Row& row : rows_) {
    const Event& e = row.event;
    TRY(live_until(e.ts_ns));
    // An id that is used again by a process that the text does not show being made.
    const auto [leader, first] =
        e.tid == e.pid ? leaders.try_emplace(e.pid, row.task) : std::pair(leaders.end(), true);
    if (!first && leader->second != row.task) {
      leader->second = row.task;
      if (!tasks_[row.task].maker) running[e.pid] = {};
    }
    if (!running[e.pid].started) TRY(start(e.pid, 0, e.ts_ns, true));
    std::string_view text[2];
    for (size_t k = 0; k < 2; ++k)
      if (row.path[k] != kNoString) text[k] = strings_[row.path[k]];
    TRY(writer->add(e, text[0], text[1], strings_[row.data]));
    ++stats.events;
    ThreadEnd& end = ends[row.task];
    end = {e.tid, e.pid, std::max(end.end_ns, e.ts_ns + e.dur_ns), std::max(end.next_seq, e.seq + 1), false};
  }
  TRY(live_until(~0ull));
  for (const auto& [task, end] : ends) TRY(writer->add(end));
  stats.threads = ends.size();
  uint64_t last = 0;
  for (const auto& [task, end] : ends) last = std::max(last, end.end_ns);
  stats.wall_ns = last - rows_.front().event.ts_ns;
  if (losses_) {
    TRY(writer->add(Loss{LossReason::kText, losses_, loss_from_ns_, std::max(loss_to_ns_, last)}));
    stats.lost = losses_;
  }
  TRY(writer->finish(stats));
  return file.commit();
}

}  // namespace sysvm
