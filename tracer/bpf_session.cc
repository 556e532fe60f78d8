// SPDX-License-Identifier: MIT
#include "tracer/bpf_session.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <iterator>
#include <numeric>

#include "common/unique_fd.h"
#include "sysvm_trace.skel.h"
#include "tracer/btf_file.h"

namespace sysvm {

namespace {

// What libbpf said last; part of our error messages. Its warnings are no good for anybody when all goes well.
std::string libbpf_log;
bool verifier_refused = false;

int keep_log(libbpf_print_level level, const char* format, va_list args) {
  if (level != LIBBPF_WARN) return 0;
  char line[16384];  // a verifier's log comes as one line, and its end says why
  const int n = vsnprintf(line, sizeof line, format, args);
  if (n >= static_cast<int>(sizeof line)) libbpf_log.clear();
  if (strstr(line, "PROG LOAD LOG")) verifier_refused = true;
  libbpf_log += line;
  if (libbpf_log.size() > 2048) libbpf_log.erase(0, libbpf_log.size() - 1024);
  return 0;
}

Error explain(const char* step, int e) {
  e = e < 0 ? -e : e;
  if (verifier_refused)
    return error(
        "eBPF: the kernel's verifier refuses the programs (please report this), use --backend ptrace. "
        "libbpf: {}",
        libbpf_log);
  if (e == EPERM || e == EACCES)
    return error(
        "eBPF: {} is not permitted: run as root, or give the program the rights "
        "(setcap cap_bpf,cap_perfmon,cap_sys_ptrace+ep), or use --backend ptrace",
        step);
  if (access("/sys/kernel/btf/vmlinux", R_OK) != 0)
    return error(
        "eBPF: {} failed ({}): this kernel has no /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF), "
        "use --backend ptrace, or --btf FILE if the kernel has it but /sys is hidden",
        step, strerror(e));
  return error("eBPF: {} failed: {}; Linux 5.17 or later is expected, else use --backend ptrace. libbpf: {}",
               step, strerror(e), libbpf_log);
}

// Room for some 10 ms of calls at full speed, 128 MiB over all processors, so that memory stays in
// proportion.
size_t ring_size(size_t cpus) {
  size_t size = 2u << 20;
  while (size > RING_MIN && size * cpus > (128u << 20)) size /= 2;
  return size;
}

// Calls seen(key) for each entry of the map, with its value at `value`.
template <typename Key, typename Seen>
void for_each_entry(const bpf_map* map, void* value, Seen seen) {
  Key key, *previous = nullptr;
  for (; bpf_map_get_next_key(bpf_map__fd(map), previous, &key) == 0; previous = &key)
    if (bpf_map_lookup_elem(bpf_map__fd(map), &key, value) == 0) seen(key);
}

}  // namespace

struct BpfSession::Impl {
  std::unique_ptr<BtfFile> btf;  // before the programs
  sysvm_trace_bpf* skel = nullptr;
  bpf_program *enter = nullptr, *exit = nullptr;  // those that run at each call
  UniqueFd site;                                  // open as long as its inode is compared with

  ~Impl() { sysvm_trace_bpf__destroy(skel); }
};

BpfSession::BpfSession() : impl_(std::make_unique<Impl>()) {}
BpfSession::~BpfSession() = default;

Result<std::unique_ptr<BpfSession>> BpfSession::open(const BpfOptions& options) {
  libbpf_log.clear();
  verifier_refused = false;
  libbpf_set_print(keep_log);
  libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
  std::unique_ptr<BpfSession> session(new BpfSession());
  Impl& impl = *session->impl_;
  LIBBPF_OPTS(bpf_object_open_opts, opening);
  if (!options.btf.empty()) {
    impl.btf = TRY(BtfFile::open(options.btf));
    opening.btf_custom_path = options.btf.c_str();
  }
  impl.skel = sysvm_trace_bpf__open_opts(&opening);
  if (!impl.skel) return explain("reading the programs", errno);
  sysvm_trace_bpf& skel = *impl.skel;

  const auto cpus = static_cast<size_t>(libbpf_num_possible_cpus());
  const size_t ring_bytes = options.count_only        ? RING_MIN
                            : options.ring_bytes == 0 ? ring_size(cpus)
                                                      : options.ring_bytes;
  auto& settings = *skel.rodata;
  describe_calls(const_cast<call_desc*>(settings.calls), options.wanted, options.capture);
  settings.count_only = options.count_only;
  settings.count_times = options.count_times;
  settings.minimal = options.capture.minimal;
  settings.ring_bytes = ring_bytes;
  settings.high_water = options.lossless ? (ring_bytes - 2 * RING_SLACK) / 2 : 0;
  if (!options.site_file.empty()) {
    impl.site.reset(::open(options.site_file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!impl.site) return error("{}: {}", options.site_file, strerror(errno));
    settings.site_fd = impl.site.get();
  }
  const size_t rings = options.count_only ? 1 : cpus;
  bpf_map__set_value_size(skel.maps.rings, static_cast<__u32>(CpuRings::value_size(ring_bytes)));
  bpf_map__set_max_entries(skel.maps.rings, static_cast<__u32>(rings));
  if (!options.count_only)
    for (bpf_map* map : {skel.maps.counts, skel.maps.thread_counts, skel.maps.grams, skel.maps.images})
      bpf_map__set_max_entries(map, 1);
  const struct {
    bpf_program* program;
    bool load, attach;
  } programs[] = {{skel.progs.on_enter, !options.count_only, true},
                  {skel.progs.on_exit, !options.count_only, true},
                  {skel.progs.on_signal, !options.count_only, true},
                  {skel.progs.report_threads, !options.count_only, false},
                  {skel.progs.count_enter, options.count_only, true},
                  {skel.progs.count_exit, options.count_only, true},
                  {skel.progs.add_threads, options.iterate, false},
                  {skel.progs.look_around, true, false},
                  {skel.progs.find_site, static_cast<bool>(impl.site), false}};
  for (const auto& p : programs) {
    bpf_program__set_autoload(p.program, p.load);
    bpf_program__set_autoattach(p.program, p.attach);
  }
  impl.enter = options.count_only ? skel.progs.count_enter : skel.progs.on_enter;
  impl.exit = options.count_only ? skel.progs.count_exit : skel.progs.on_exit;
  if (int e = sysvm_trace_bpf__load(&skel)) return explain("loading the programs", e);
  TRY(session->run_once(skel.progs.look_around));
  if (impl.site) TRY(session->run_once(skel.progs.find_site));
  if (impl.btf)  // libbpf does not attach by itself what it has not prepared by itself
    TRY(session->attach_tracing());
  if (int e = sysvm_trace_bpf__attach(&skel)) return explain("attaching the programs", e);
  if (auto mapped = session->rings_.map(bpf_map__fd(skel.maps.rings), rings, ring_bytes); !mapped)
    return error("eBPF: mapping the rings: {}", mapped.message());
  return session;
}

Result<> BpfSession::attach_tracing() {
  const sysvm_trace_bpf& skel = *impl_->skel;
  for (int i = 0; i < skel.skeleton->prog_cnt; ++i) {
    const bpf_prog_skeleton& one = skel.skeleton->progs[i];
    bpf_program* program = *one.prog;
    if (bpf_program__type(program) != BPF_PROG_TYPE_TRACING || !bpf_program__autoload(program) ||
        !bpf_program__autoattach(program))
      continue;
    *one.link = bpf_program__attach_trace(program);
    if (!*one.link) return explain("attaching the programs", errno);
  }
  return Unit{};
}

Result<> BpfSession::run_once(void* program) {
  LIBBPF_OPTS(bpf_test_run_opts, run);
  if (int e = bpf_prog_test_run_opts(bpf_program__fd(static_cast<bpf_program*>(program)), &run))
    return explain("a first run", e);
  return Unit{};
}

Result<> BpfSession::trace_from_exec(int pidfd) { return mark(pidfd, true); }
Result<> BpfSession::trace_now(int pidfd) { return mark(pidfd, false); }

Result<> BpfSession::mark(int pidfd, bool waiting) {
  task_state state{};
  state.waiting = waiting;
  // The kernel finds the thread's storage through a pidfd.
  if (bpf_map_update_elem(bpf_map__fd(impl_->skel->maps.tasks), &pidfd, &state, BPF_ANY) != 0)
    return explain("marking the command as traced", errno);
  __atomic_fetch_add(&impl_->skel->bss->live_tasks, 1, __ATOMIC_RELAXED);
  __atomic_fetch_add(&impl_->skel->bss->seen_tasks, 1, __ATOMIC_RELAXED);
  return Unit{};
}

Result<std::string> BpfSession::run_iterator(void* program) const {
  bpf_link* link = bpf_program__attach_iter(static_cast<bpf_program*>(program), nullptr);
  if (!link) return explain("attaching the task iterator", errno);
  UniqueFd iter(bpf_iter_create(bpf_link__fd(link)));
  std::string out;
  char buffer[8192];
  ssize_t n = 0;
  while (iter && ((n = read(iter.get(), buffer, sizeof buffer)) > 0 || (n < 0 && errno == EAGAIN)))
    if (n > 0) out.append(buffer, static_cast<size_t>(n));
  const int e = errno;
  bpf_link__destroy(link);
  if (!iter || n < 0) return explain("running the task iterator", e);
  return out;
}

Result<> BpfSession::add(const std::vector<int32_t>& pids) {
  const __u8 yes = 1;
  for (const int32_t pid : pids)
    if (bpf_map_update_elem(bpf_map__fd(impl_->skel->maps.wanted), &pid, &yes, BPF_ANY) != 0)
      return explain("naming the processes", errno);
  // Twice: a thread made while the first pass went by is either the child of one that was marked already, or
  // is found by the second pass.
  for (int pass = 0; pass < 2; ++pass) TRY(run_iterator(impl_->skel->progs.add_threads));
  return Unit{};
}

std::vector<ThreadEnd> BpfSession::threads_alive() const {
  std::vector<ThreadEnd> out;
  auto lines = run_iterator(impl_->skel->progs.report_threads);
  if (!lines) return out;
  struct Line {
    uint32_t tid, pid, next_seq, pad;
  } line;
  for (size_t at = 0; at + sizeof line <= lines->size(); at += sizeof line) {
    memcpy(&line, lines->data() + at, sizeof line);
    out.push_back({static_cast<int32_t>(line.tid), static_cast<int32_t>(line.pid), 0, line.next_seq, true});
  }
  return out;
}

void BpfSession::detach() { sysvm_trace_bpf__detach(impl_->skel); }

uint64_t BpfSession::missed_threads() const {
  return __atomic_load_n(&impl_->skel->bss->lost_storage, __ATOMIC_RELAXED);
}
uint64_t BpfSession::live_tasks() const {
  return __atomic_load_n(&impl_->skel->bss->live_tasks, __ATOMIC_RELAXED);
}
uint64_t BpfSession::seen_tasks() const {
  return __atomic_load_n(&impl_->skel->bss->seen_tasks, __ATOMIC_RELAXED);
}

uint64_t BpfSession::recursion_misses() const {
  uint64_t sum = 0;
  for (bpf_program* program : {impl_->enter, impl_->exit}) {
    bpf_prog_info info{};
    __u32 size = sizeof info;
    if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) == 0) sum += info.recursion_misses;
  }
  return sum;
}

int BpfSession::start_cost_sample() const { return bpf_enable_stats(BPF_STATS_RUN_TIME); }

ProgramCost BpfSession::cost() const {
  ProgramCost out;
  for (bpf_program* program : {impl_->enter, impl_->exit}) {
    bpf_prog_info info{};
    __u32 size = sizeof info;
    if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) != 0) continue;
    out.ns += info.run_time_ns;
    out.runs += info.run_cnt;
  }
  return out;
}

std::vector<call_count> BpfSession::counts() const {
  const int cpus = libbpf_num_possible_cpus();
  std::vector<call_count> per_cpu(static_cast<size_t>(cpus)), out(TRACE_NRS + 1);
  for (__u32 nr = 0; nr <= TRACE_NRS; ++nr) {
    if (bpf_map_lookup_elem(bpf_map__fd(impl_->skel->maps.counts), &nr, per_cpu.data()) != 0) continue;
    for (const call_count& c : per_cpu) {
      out[nr].entries += c.entries;
      out[nr].inside += c.inside;
      out[nr].errors += c.errors;
      out[nr].ns += c.ns;
      for (size_t i = 0; i < std::size(c.slots); ++i) out[nr].slots[i] += c.slots[i];
    }
  }
  return out;
}

std::vector<thread_count> BpfSession::thread_counts() const {
  std::vector<thread_count> out;
  thread_count c;
  for_each_entry<__u32>(impl_->skel->maps.thread_counts, &c, [&](__u32) { out.push_back(c); });
  return out;
}

std::vector<std::pair<uint32_t, image_count>> BpfSession::images() const {
  std::vector<std::pair<uint32_t, image_count>> out;
  image_count c;
  for_each_entry<__u32>(impl_->skel->maps.images, &c, [&](__u32 number) { out.emplace_back(number, c); });
  return out;
}

std::vector<std::pair<uint64_t, uint64_t>> BpfSession::grams() const {
  std::vector<std::pair<uint64_t, uint64_t>> out;
  std::vector<uint64_t> per_cpu(static_cast<size_t>(libbpf_num_possible_cpus()));
  for_each_entry<uint64_t>(impl_->skel->maps.grams, per_cpu.data(), [&](uint64_t gram) {
    out.emplace_back(gram, std::accumulate(per_cpu.begin(), per_cpu.end(), uint64_t{0}));
  });
  return out;
}

uint64_t BpfSession::grams_lost() const {
  return __atomic_load_n(&impl_->skel->bss->grams_lost, __ATOMIC_RELAXED);
}

}  // namespace sysvm
