// SPDX-License-Identifier: MIT
#include "tracer/counter.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <map>
#include <numeric>

#include "tracer/bpf_session.h"
#include "tracer/ptrace_session.h"
#include "tracer/supervisor.h"
#include "uapi/syscalls.h"

namespace sysvm {

namespace {

// The ptrace way: every call comes by, so it is counted here.
class CountSink : public TraceSink {
 public:
  explicit CountSink(const std::string& site_file) {
    site_ok_ = !site_file.empty() && !stat(site_file.c_str(), &site_);
  }

  void on_call(const Event& e, const CallText&) override {
    if (e.flags & (kSignal | kForkChild)) return;
    const int32_t nr = e.has(kCompat) || !sysvm_syscall_by_nr(static_cast<unsigned>(e.nr)) ? -1 : e.nr;
    CallCount& c = by_call_[nr];
    ++c.entries;
    if (e.ret < 0 && e.ret > -4096 && !e.has(kNoExit)) ++c.errors;
    if (!(e.flags & (kNoEnter | kNoExit))) {
      c.ns += e.dur_ns;
      ++c.slots[std::min<size_t>(e.dur_ns ? static_cast<size_t>(std::bit_width(e.dur_ns)) - 1 : 0, 31)];
    }
    count_sequence(e.tid, nr);
    ImageCount& image = made_exec(e) ? images_[before_exec_.at(e.pid)] : image_of(e.pid);
    ++image.entries;
    image.errors += e.ret < 0 && e.ret > -4096 && !e.has(kNoExit);
    if (!(e.flags & (kNoEnter | kNoExit))) image.ns += e.dur_ns;
    ++threads_[{e.pid, e.tid}];
    if (auto it = sites_.find(e.pid);
        it != sites_.end() && e.ip >= it->second.first && e.ip < it->second.second)
      ++c.inside;
    if (site_ok_ && nr == SYS_mmap && e.ret >= 0 && (e.args[2] & PROT_EXEC)) note_mapping(e);
  }
  void on_fork(int32_t pid, int32_t parent, uint64_t) override {
    if (auto it = sites_.find(parent); it != sites_.end()) sites_[pid] = it->second;
    const std::string path = image_of(parent).path;
    image_[pid] = images_.size();
    images_.push_back({pid, path});
  }
  // The image of the command begins with its execve, which is reported when it returns.
  void on_exec(const ExecInfo& exec) override {
    sites_.erase(exec.pid);
    if (const auto before = image_.find(exec.pid); before != image_.end())
      before_exec_[exec.pid] = before->second;
    image_[exec.pid] = images_.size();
    images_.push_back({exec.pid, exec.name.substr(0, IMAGE_PATH_MAX - 1)});
  }
  void on_exit(int32_t pid, uint64_t, int32_t) override { sites_.erase(pid); }

  std::map<int32_t, CallCount> by_call_;
  std::map<std::array<int32_t, TRACE_GRAM>, uint64_t> sequences_;
  std::map<std::pair<int32_t, int32_t>, uint64_t> threads_;
  std::vector<ImageCount> images_;

 private:
  // The call that made the present image; it was the one before that made it.
  bool made_exec(const Event& e) const {
    return (e.nr == SYS_execve || e.nr == SYS_execveat) && e.ret == 0 && !e.has(kCompat) &&
           before_exec_.count(e.pid);
  }
  ImageCount& image_of(int32_t pid) {
    const auto [at, fresh] = image_.try_emplace(pid, images_.size());
    if (fresh) images_.push_back({pid, ""});
    return images_[at->second];
  }
  void count_sequence(int32_t tid, int32_t nr) {
    History& h = histories_[tid];
    std::rotate(h.last.begin(), h.last.begin() + 1, h.last.end());
    h.last.back() = nr;
    if (++h.calls >= TRACE_GRAM) ++sequences_[h.last];
  }
  // The thread is stopped at the return of mmap, so its descriptor is still there.
  void note_mapping(const Event& e) {
    struct stat st;
    if (stat(fmt::format("/proc/{}/fd/{}", e.pid, static_cast<int32_t>(e.args[4])).c_str(), &st) != 0) return;
    if (st.st_ino != site_.st_ino || st.st_dev != site_.st_dev) return;
    const auto start = static_cast<uint64_t>(e.ret);
    sites_[e.pid] = {start, start + e.args[1]};
  }

  struct History {
    std::array<int32_t, TRACE_GRAM> last{};
    uint64_t calls = 0;
  };
  std::map<int32_t, History> histories_;
  std::map<int32_t, size_t> image_;  // the present one of each process
  std::map<int32_t, size_t> before_exec_;
  struct stat site_ {};
  bool site_ok_ = false;
  std::map<int32_t, std::pair<uint64_t, uint64_t>> sites_;
};

std::string name_of(int32_t nr) {
  const sysvm_syscall_info* row = nr < 0 ? nullptr : sysvm_syscall_by_nr(static_cast<unsigned>(nr));
  return row ? row->name : nr < 0 ? "other" : fmt::format("syscall_{}", nr);
}

void finish(EntryCounts& out) {
  for (CallCount& c : out.calls) {
    c.name = name_of(c.nr);
    out.entries += c.entries;
    out.inside += c.inside;
  }
  std::sort(out.calls.begin(), out.calls.end(), [](const CallCount& a, const CallCount& b) {
    return a.entries != b.entries ? a.entries > b.entries : a.nr < b.nr;
  });
  for (SequenceCount& s : out.sequences)
    for (size_t i = 0; i < s.nrs.size(); ++i) s.names[i] = name_of(s.nrs[i]);
  std::sort(out.sequences.begin(), out.sequences.end(), [](const SequenceCount& a, const SequenceCount& b) {
    return a.count != b.count ? a.count > b.count : a.nrs < b.nrs;
  });
  std::sort(out.threads.begin(), out.threads.end(),
            [](const ThreadCount& a, const ThreadCount& b) { return a.tid < b.tid; });
}

// A fork's child has its parent's program. Numbers are given in order, so a parent comes before its child.
std::vector<ImageCount> images_of(std::vector<std::pair<uint32_t, image_count>> counted) {
  std::sort(counted.begin(), counted.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::map<uint32_t, std::string> paths;
  std::vector<ImageCount> out;
  for (const auto& [number, c] : counted) {
    std::string& path = paths[number];
    if (c.path[0])
      path.assign(c.path, strnlen(c.path, sizeof c.path));
    else if (const auto parent = paths.find(c.parent); parent != paths.end())
      path = parent->second;
    out.push_back({static_cast<int32_t>(c.pid), path, c.entries, c.errors, c.ns});
  }
  return out;
}

int32_t number_of(uint64_t key) { return key < TRACE_NRS ? static_cast<int32_t>(key) : -1; }

void take_counts(const BpfSession& bpf, bool times, EntryCounts& out) {
  const std::vector<call_count> counts = bpf.counts();
  for (size_t nr = 0; nr < counts.size(); ++nr) {
    const call_count& from = counts[nr];
    if (!from.entries) continue;
    CallCount c;
    c.nr = number_of(nr);
    c.entries = from.entries;
    c.inside = from.inside;
    c.errors = from.errors;
    c.ns = from.ns;
    std::copy(std::begin(from.slots), std::end(from.slots), c.slots.begin());
    out.calls.push_back(c);
  }
  if (!times) return;
  out.images = images_of(bpf.images());
  for (const auto& [key, n] : bpf.grams()) {
    SequenceCount s;
    for (size_t i = 0; i < s.nrs.size(); ++i)
      s.nrs[i] = number_of(key >> (16 * (TRACE_GRAM - 1 - i)) & 0xffff);
    s.count = n;
    out.sequences.push_back(s);
  }
  out.sequences_lost = bpf.grams_lost();
}

Result<> count_bpf(const CountOptions& options, BpfSession& bpf, HeldChild& child, Supervisor& supervisor,
                   EntryCounts& out, int& exec_errno, std::string& step) {
  TRY(bpf.trace_from_exec(child.pidfd()));
  const uint64_t start = boottime_ns();
  exec_errno = child.release(&step);
  if (exec_errno) return Unit{};
  while (supervisor.wait(child.pidfd(), child.pid(), options.progress ? 500 : 10'000) !=
         Supervisor::Wake::kEnded) {
    if (!options.progress) continue;
    EntryCounts so_far;
    take_counts(bpf, false, so_far);
    finish(so_far);
    so_far.wall_ns = boottime_ns() - start;
    options.progress(so_far);
  }
  out.wall_ns = boottime_ns() - start;
  out.left_running = bpf.live_tasks();
  bpf.detach();
  waitpid(child.pid(), &out.wait_status, 0);
  out.tasks = bpf.seen_tasks();
  out.lost = bpf.missed_threads() + bpf.recursion_misses();
  take_counts(bpf, options.times, out);
  for (const thread_count& t : bpf.thread_counts())
    out.threads.push_back({static_cast<int32_t>(t.pid), static_cast<int32_t>(t.tid), t.entries});
  return Unit{};
}

Result<> count_ptrace(const CountOptions& options, HeldChild& child, Supervisor& supervisor, EntryCounts& out,
                      int& exec_errno, std::string& step) {
  CountSink sink(options.site_file);
  PtraceSession session(sink);
  TRY(session.trace_from_exec(child.pid()));
  const uint64_t start = boottime_ns();
  child.let_go();
  for (;;) {
    session.handle_stops();
    if (session.ended(child.pid(), &out.wait_status)) break;
    supervisor.wait(-1, child.pid(), 100);
  }
  out.wall_ns = boottime_ns() - start;
  exec_errno = child.outcome(&step);
  out.left_running = session.live_tasks();
  out.tasks = session.seen_tasks();
  for (auto& [nr, c] : sink.by_call_) {
    c.nr = nr;
    out.calls.push_back(c);
  }
  if (options.times) {
    for (const auto& [nrs, n] : sink.sequences_) out.sequences.push_back({nrs, {}, n});
    out.images = std::move(sink.images_);
  }
  for (const auto& [id, n] : sink.threads_) out.threads.push_back({id.first, id.second, n});
  return Unit{};
}

}  // namespace

uint64_t CallCount::returned() const { return std::accumulate(slots.begin(), slots.end(), uint64_t{0}); }

double CallCount::quantile_ns(double share) const {
  if (returned() == 1) return static_cast<double>(ns);
  const auto wanted = share * static_cast<double>(returned());
  double below = 0;
  for (size_t i = 0; i < slots.size(); ++i) {
    const auto here = static_cast<double>(slots[i]);
    if (here > 0 && below + here >= wanted)
      return static_cast<double>(1ull << i) * (1 + (wanted - below) / here);
    below += here;
  }
  return 0;
}

Result<EntryCounts> count_entries(const CountOptions& options, int& exit_code) {
  exit_code = 125;
  const std::string path = TRY(find_executable(options.command, exit_code));
  Supervisor supervisor;
  HeldChild child = TRY(HeldChild::start(options.command, path, supervisor));

  EntryCounts out;
  std::unique_ptr<BpfSession> bpf;
  if (options.backend != Backend::kPtrace) {
    BpfOptions bpf_options;
    bpf_options.count_only = true;
    bpf_options.count_times = options.times;
    bpf_options.site_file = options.site_file;
    bpf_options.btf = options.btf;
    auto session = BpfSession::open(bpf_options);
    if (session)
      bpf = std::move(*session);
    else if (options.backend == Backend::kBpf || !options.btf.empty())
      return session.error();
    else
      out.note = session.message();
  }
  out.backend = bpf ? "bpf" : "ptrace";
  int exec_errno = 0;
  std::string step;
  if (bpf)
    TRY(count_bpf(options, *bpf, child, supervisor, out, exec_errno, step));
  else
    TRY(count_ptrace(options, child, supervisor, out, exec_errno, step));
  if (exec_errno) {
    exit_code = exec_errno == ENOENT || exec_errno == ENOTDIR ? 127 : 126;
    return error("{}: {}: {}", options.command.argv[0], step, strerror(exec_errno));
  }
  finish(out);
  return out;
}

}  // namespace sysvm
