// SPDX-License-Identifier: MIT
#include "traces/import_builder.h"

#include <fmt/format.h>

#include <algorithm>

#include "traces/calls.h"
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

int32_t ImportBuilder::number_of(std::string_view name) const {
  static const std::unordered_map<std::string, int32_t> numbers = [] {
    std::unordered_map<std::string, int32_t> out;
    for (const CallInfo& call : calls()) out.emplace(call.name, call.nr);
    // Names that strace has for the kernel's own ones, and the other way round.
    for (auto [other, name] : {std::pair{"pread", "pread64"}, {"pwrite", "pwrite64"}, {"sendfile64", "sendfile"},
                               {"fadvise", "fadvise64"}, {"umount", "umount2"}, {"stat64", "stat"}})
      if (auto it = out.find(name); it != out.end()) out.emplace(other, it->second);
    return out;
  }();
  auto it = numbers.find(std::string(name));
  return it != numbers.end() ? it->second : -1;
}

const CallInfo* ImportBuilder::call(int32_t nr) const {
  auto it = std::lower_bound(calls().begin(), calls().end(), nr, [](const CallInfo& c, int32_t n) { return c.nr < n; });
  return it != calls().end() && it->nr == nr ? &*it : nullptr;
}

uint32_t ImportBuilder::intern(const std::string* text) {
  if (!text) return kNoString;
  auto [it, fresh] = string_ids_.try_emplace(*text, static_cast<uint32_t>(strings_.size()));
  if (fresh) strings_.push_back(*text);
  return it->second;
}

void ImportBuilder::add(const Event& event, const std::string* path0, const std::string* path1,
                        const std::string* data) {
  Row row{event, {intern(path0), intern(path1)}, intern(data)};
  row.event.seq = next_seq_[event.tid]++;
  rows_.push_back(row);
}

void ImportBuilder::child(int32_t parent_tid, int32_t tid, bool thread, int32_t nr, uint64_t ts_ns) {
  made_.insert(tid);
  if (thread)
    pid_of_[tid] = parent_tid;  // for now: whatever process that thread is of
  else
    lives_.push_back({ts_ns, tid, Life::kFork, parent_tid, 0, {}, {}});
  // The recorder sees the call return in the child, too; first of all that the child does.
  Event event;
  event.tid = tid;
  event.ts_ns = ts_ns;
  event.nr = nr;
  event.flags = kForkChild;
  rows_.push_back({event, {kNoString, kNoString}, kNoString});
}

void ImportBuilder::exec(int32_t tid, uint64_t ts_ns, std::string exe, std::vector<std::string> argv) {
  if (!next_seq_.count(tid)) ts_ns = 0;  // the first call of the text is its exec
  lives_.push_back({ts_ns, tid, Life::kExec, 0, 0, std::move(exe), std::move(argv)});
}

void ImportBuilder::end(int32_t tid, uint64_t ts_ns, int32_t wait_status) {
  lives_.push_back({ts_ns, tid, Life::kEnd, 0, wait_status, {}, {}});
}

void ImportBuilder::not_understood(uint64_t line, std::string_view text) {
  if (++report.not_understood <= 5)
    report.examples.push_back(fmt::format("line {}: {}{}", line, text.substr(0, 120), text.size() > 120 ? "..." : ""));
}

void ImportBuilder::note(std::string text) {
  if (std::find(report.notes.begin(), report.notes.end(), text) == report.notes.end())
    report.notes.push_back(std::move(text));
}

int32_t ImportBuilder::process(int32_t tid) const {
  for (int depth = 0; depth < 1000; ++depth) {  // threads of threads
    auto it = pid_of_.find(tid);
    if (it == pid_of_.end() || it->second == tid) return tid;
    tid = it->second;
  }
  return tid;
}

Result<> ImportBuilder::write(const std::string& output) {
  if (renamed_.first) {
    auto rename = [this](int32_t& tid) {
      if (tid == renamed_.first) tid = renamed_.second;
    };
    for (Row& row : rows_) rename(row.event.tid);
    for (Life& life : lives_) rename(life.tid), rename(life.parent_tid);
    for (auto& [tid, pid] : pid_of_) rename(pid);
  }
  // A child's first event is its return from fork; text gives the parent's return time, which may be later.
  std::unordered_map<int32_t, uint64_t> first_ns;
  for (const Row& row : rows_)
    if (!row.event.has(kForkChild)) first_ns.try_emplace(row.event.tid, row.event.ts_ns);
  for (Row& row : rows_) {
    Event& e = row.event;
    if (e.has(kForkChild)) {
      if (auto it = first_ns.find(e.tid); it != first_ns.end()) e.ts_ns = std::min(e.ts_ns, it->second);
    } else if (made_.count(e.tid)) {
      ++e.seq;  // behind the return from fork
    }
    e.pid = process(e.tid);
  }
  std::stable_sort(rows_.begin(), rows_.end(), [](const Row& a, const Row& b) {
    if (a.event.ts_ns != b.event.ts_ns) return a.event.ts_ns < b.event.ts_ns;
    return a.event.has(kForkChild) > b.event.has(kForkChild);
  });
  for (Life& life : lives_)
    if (life.what == Life::kFork)
      if (auto it = first_ns.find(life.tid); it != first_ns.end()) life.ts_ns = std::min(life.ts_ns, it->second);
  std::stable_sort(lives_.begin(), lives_.end(), [](const Life& a, const Life& b) { return a.ts_ns < b.ts_ns; });

  if (header.command.empty())
    for (const Life& life : lives_)
      if (life.what == Life::kExec) {
        header.command = life.argv;
        break;
      }
  report.events = rows_.size();
  if (output.empty()) return Unit{};
  header.calls = calls();
  auto writer = TRY(TraceWriter::create(output, header));
  struct Image {
    std::string exe;
    std::vector<std::string> argv;
  };
  std::map<int32_t, Image> running;
  std::map<int32_t, uint64_t> ended;  // process -> when
  auto start = [&](int32_t pid, int32_t parent, uint64_t ts_ns, bool execed) {
    Process p;
    p.pid = pid;
    p.parent = parent;
    p.start_ns = ts_ns;
    p.execed = execed;
    p.exe = running[pid].exe;
    p.argv = running[pid].argv;
    return writer->add(p);
  };
  size_t next = 0;
  auto live_until = [&](uint64_t ts_ns) -> Result<> {
    for (; next < lives_.size() && lives_[next].ts_ns <= ts_ns; ++next) {
      const Life& life = lives_[next];
      const int32_t pid = process(life.tid);
      if (life.what == Life::kFork) {
        const int32_t parent = process(life.parent_tid);
        running[pid] = running[parent];
        TRY(start(pid, parent, life.ts_ns, false));
      } else if (life.what == Life::kExec) {
        running[pid] = {life.exe, life.argv};
        TRY(start(pid, 0, life.ts_ns ? life.ts_ns : rows_.front().event.ts_ns, true));
      } else if (life.tid == pid) {
        TRY(writer->end(pid, life.ts_ns, life.status));
      }
    }
    return Unit{};
  };
  TraceStats stats;
  std::map<int32_t, ThreadEnd> ends;
  for (Row& row : rows_) {
    const Event& e = row.event;
    TRY(live_until(e.ts_ns));
    if (!running.count(e.pid)) {
      running[e.pid] = {};
      TRY(start(e.pid, 0, e.ts_ns, true));
    }
    std::string_view text[2];
    for (size_t k = 0; k < 2; ++k)
      if (row.path[k] != kNoString) text[k] = strings_[row.path[k]];
    TRY(writer->add(e, text[0], text[1], strings_[row.data]));
    ++stats.events;
    ThreadEnd& end = ends[e.tid];
    end = {e.tid, e.pid, std::max(end.end_ns, e.ts_ns + e.dur_ns), std::max(end.next_seq, e.seq + 1), false};
  }
  TRY(live_until(~0ull));
  for (const auto& [tid, end] : ends) TRY(writer->add(end));
  stats.threads = ends.size();
  if (!rows_.empty()) {
    uint64_t last = 0;
    for (const auto& [tid, end] : ends) last = std::max(last, end.end_ns);
    stats.wall_ns = last - rows_.front().event.ts_ns;
  }
  return writer->finish(stats);
}

}  // namespace sysvm
