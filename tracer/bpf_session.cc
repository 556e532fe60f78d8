// SPDX-License-Identifier: MIT
#include "tracer/bpf_session.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstring>

#include "common/unique_fd.h"
#include "sysvm_trace.skel.h"
#include "uapi/syscalls.h"

namespace sysvm {

static_assert(EV_NO_ENTER == kNoEnter && EV_NO_EXIT == kNoExit && EV_RESTARTED == kRestarted &&
              EV_FORK_CHILD == kForkChild && EV_COMPAT == kCompat && EV_PATH_FAULT == kPathFault &&
              EV_PATH_CUT == kPathCut && EV_SIGNAL == kSignal && EV_HAS_STAT == kHasStat &&
              EV_NR_CHANGED == kNrChanged);

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
        "use --backend ptrace",
        step, strerror(e));
  return error("eBPF: {} failed: {}; Linux 5.11 or later is expected, else use --backend ptrace. libbpf: {}",
               step, strerror(e), libbpf_log);
}

void describe_calls(call_desc* out) {
  for (uint32_t nr = 0; nr < TRACE_NRS; ++nr) {
    out[nr] = {{0xff, 0xff}, 0xff, 0};
    const sysvm_syscall_info* row = sysvm_syscall_by_nr(nr);
    if (!row) continue;
    int n = 0;
    for (uint8_t i = 0; i < row->nargs && n < 2; ++i)
      if (row->arg[i].kind == SYSVM_KIND_PATH || row->arg[i].kind == SYSVM_KIND_STR) out[nr].str[n++] = i;
  }
  for (int nr : {SYSVM_NR_stat, SYSVM_NR_lstat, SYSVM_NR_fstat}) out[nr].stat = 1;
  out[SYSVM_NR_newfstatat].stat = 2;
  out[SYSVM_NR_statx].stat = 4;
  out[SYSVM_NR_statx].is_statx = 1;
}

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const size_t end = text.find('\0');
    words.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return words;
}

}  // namespace

struct BpfSession::Impl {
  sysvm_trace_bpf* skel = nullptr;
  ring_buffer* ring = nullptr;
  std::vector<uint8_t>* block = nullptr;  // where on_record() puts what it is given
  UniqueFd site;                          // open as long as its inode is compared with

  ~Impl() {
    ring_buffer__free(ring);
    sysvm_trace_bpf__destroy(skel);
  }
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
  impl.skel = sysvm_trace_bpf__open();
  if (!impl.skel) return explain("reading the programs", errno);
  sysvm_trace_bpf& skel = *impl.skel;

  describe_calls(const_cast<call_desc*>(skel.rodata->calls));
  skel.rodata->count_only = options.count_only;
  skel.rodata->attach_tgid = static_cast<__u32>(options.attach_pid);
  if (!options.site_file.empty()) {
    impl.site.reset(::open(options.site_file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!impl.site) return error("{}: {}", options.site_file, strerror(errno));
    skel.rodata->site_fd = impl.site.get();
  }
  bpf_map__set_max_entries(skel.maps.ring,
                           static_cast<__u32>(options.count_only ? 4096 : options.ring_bytes));
  bpf_program__set_autoload(skel.progs.on_signal, !options.count_only);
  bpf_program__set_autoload(skel.progs.add_threads, options.attach_pid != 0);
  bpf_program__set_autoattach(skel.progs.add_threads, false);
  bpf_program__set_autoload(skel.progs.find_site, static_cast<bool>(impl.site));
  bpf_program__set_autoattach(skel.progs.find_site, false);
  if (int e = sysvm_trace_bpf__load(&skel)) return explain("loading the programs", e);
  if (int e = sysvm_trace_bpf__attach(&skel)) return explain("attaching the programs", e);
  impl.ring = ring_buffer__new(bpf_map__fd(skel.maps.ring), on_record, &impl, nullptr);
  if (!impl.ring) return explain("mapping the ring buffer", errno);
  if (impl.site) TRY(session->run_iterator(false));
  return session;
}

Result<> BpfSession::trace_from_exec(int pidfd) {
  return mark(pidfd, true);
}
Result<> BpfSession::trace_now(int pidfd) {
  return mark(pidfd, false);
}

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

Result<> BpfSession::run_iterator(bool threads) {
  bpf_link* link = bpf_program__attach_iter(
      threads ? impl_->skel->progs.add_threads : impl_->skel->progs.find_site, nullptr);
  if (!link) return explain("attaching the task iterator", errno);
  UniqueFd iter(bpf_iter_create(bpf_link__fd(link)));
  char buffer[64];
  while (iter && read(iter.get(), buffer, sizeof buffer) > 0) {
  }
  bpf_link__destroy(link);
  if (!iter) return explain("running the task iterator", errno);
  return Unit{};
}

Result<> BpfSession::add_threads() {
  // Twice: a thread made while the first pass went by is either the child of one that was marked already, or
  // is found by the second pass.
  TRY(run_iterator(true));
  return run_iterator(true);
}

// In a block each record follows its size in 8 bytes; records are multiples of 8 bytes with that padding.
int BpfSession::on_record(void* context, void* data, size_t size) {
  std::vector<uint8_t>& block = *static_cast<Impl*>(context)->block;
  const size_t at = block.size();
  const uint64_t length = size;
  block.resize(at + sizeof length + ((size + 7) & ~size_t{7}));
  memcpy(block.data() + at, &length, sizeof length);
  memcpy(block.data() + at + sizeof length, data, size);
  return 0;
}

void BpfSession::drain(std::vector<uint8_t>& block) {
  impl_->block = &block;
  ring_buffer__consume(impl_->ring);
}

void BpfSession::hand_over(const std::vector<uint8_t>& block, TraceSink& sink) {
  for (size_t at = 0; at < block.size();) {
    uint64_t length;
    memcpy(&length, block.data() + at, sizeof length);
    hand_over_one(sink, block.data() + at + sizeof length, length);
    at += sizeof length + ((length + 7) & ~uint64_t{7});
  }
}

void BpfSession::hand_over_one(TraceSink& sink, const uint8_t* data, size_t size) {
  const auto kind = size >= 4 ? *reinterpret_cast<const __u32*>(data) : 0;
  if ((kind == REC_CALL || kind == REC_SIGNAL) && size >= sizeof(rec_call)) {
    const auto& r = *reinterpret_cast<const rec_call*>(data);
    Event e;
    e.ts_ns = r.ts;
    e.dur_ns = r.end - r.ts;
    e.pid = static_cast<int32_t>(r.pid);
    e.tid = static_cast<int32_t>(r.tid);
    e.seq = r.seq;
    e.nr = r.nr;
    e.ret = r.ret;
    for (size_t i = 0; i < e.args.size(); ++i) e.args[i] = r.args[i];
    e.flags = r.flags;
    e.ip = r.ip;
    e.caller = r.caller;
    e.st_mode = r.st_mode;
    e.st_size = r.st_size;
    e.st_dev = r.st_dev;
    std::string_view strings[2];
    const char* at = reinterpret_cast<const char*>(data) + REC_HEAD;
    size_t left = size - REC_HEAD;
    for (int i = 0; i < 2; ++i)
      if (r.str_len[i] > 0 && r.str_len[i] <= left) {
        strings[i] = std::string_view(at, r.str_len[i] - 1u);
        at += r.str_len[i];
        left -= r.str_len[i];
      }
    sink.on_call(e, strings[0], strings[1]);
  } else if (kind == REC_EXEC && size >= REC_HEAD) {
    const auto& r = *reinterpret_cast<const rec_exec*>(data);
    const std::string_view text(reinterpret_cast<const char*>(data) + REC_HEAD, size - REC_HEAD);
    if (uint64_t{r.name_len} + r.exe_len + r.argv_len > text.size()) {
      ++bad_records_;
      return;
    }
    auto word = [](std::string_view t) { return std::string(t.substr(0, t.find('\0'))); };
    ExecInfo exec;
    exec.pid = static_cast<int32_t>(r.pid);
    exec.parent = static_cast<int32_t>(r.parent);
    exec.old_tid = static_cast<int32_t>(r.old_tid);
    exec.ts_ns = r.ts;
    exec.name = word(text.substr(0, r.name_len));
    exec.exe = r.exe_len ? word(text.substr(r.name_len, r.exe_len)) : exec.name;
    exec.argv = split_words(text.substr(r.name_len + r.exe_len, r.argv_len));
    exec.start_code = r.start_code;
    exec.interp_base = r.interp_base;
    sink.on_exec(exec);
  } else if ((kind == REC_FORK || kind == REC_EXIT) && size >= sizeof(rec_task)) {
    const auto& r = *reinterpret_cast<const rec_task*>(data);
    if (kind == REC_FORK)
      sink.on_fork(static_cast<int32_t>(r.pid), static_cast<int32_t>(r.parent), r.ts);
    else
      sink.on_exit(static_cast<int32_t>(r.pid), r.ts, r.status);
  } else {
    ++bad_records_;
  }
}

void BpfSession::detach() {
  sysvm_trace_bpf__detach(impl_->skel);
}

uint64_t BpfSession::lost(lost_reason reason) const {
  return __atomic_load_n(&impl_->skel->bss->lost[reason], __ATOMIC_RELAXED);
}

uint64_t BpfSession::live_tasks() const {
  return __atomic_load_n(&impl_->skel->bss->live_tasks, __ATOMIC_RELAXED);
}
uint64_t BpfSession::seen_tasks() const {
  return __atomic_load_n(&impl_->skel->bss->seen_tasks, __ATOMIC_RELAXED);
}

uint64_t BpfSession::recursion_misses() const {
  uint64_t sum = 0;
  for (bpf_program* program : {impl_->skel->progs.on_enter, impl_->skel->progs.on_exit}) {
    bpf_prog_info info{};
    __u32 size = sizeof info;
    if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) == 0) sum += info.recursion_misses;
  }
  return sum;
}

std::vector<call_count> BpfSession::counts() const {
  const int cpus = libbpf_num_possible_cpus();
  std::vector<call_count> per_cpu(static_cast<size_t>(cpus)), out(TRACE_NRS + 1);
  for (__u32 nr = 0; nr <= TRACE_NRS; ++nr) {
    if (bpf_map_lookup_elem(bpf_map__fd(impl_->skel->maps.counts), &nr, per_cpu.data()) != 0) continue;
    for (const call_count& c : per_cpu) {
      out[nr].entries += c.entries;
      out[nr].inside += c.inside;
    }
  }
  return out;
}

std::vector<thread_count> BpfSession::thread_counts() const {
  std::vector<thread_count> out;
  const int map = bpf_map__fd(impl_->skel->maps.thread_counts);
  __u32 key, *previous = nullptr;
  while (bpf_map_get_next_key(map, previous, &key) == 0) {
    thread_count c;
    if (bpf_map_lookup_elem(map, &key, &c) == 0) out.push_back(c);
    previous = &key;
  }
  return out;
}

}  // namespace sysvm
