// SPDX-License-Identifier: MIT
#include "report/categories.h"

#include <array>
#include <string>

#include "uapi/syscalls.h"

namespace sysvm::page {
namespace {

// What the call table's effects do not tell apart.
struct Named {
  Category category;
  std::string_view names;  // each between spaces
};
constexpr std::array kNamed = std::to_array<Named>({
    {Category::kOpen,
     " open openat openat2 creat close close_range dup dup2 dup3 pipe pipe2 memfd_create "
     "open_by_handle_at fcntl "},
    {Category::kLook, " getdents getdents64 chdir fchdir getcwd "},
    {Category::kRead, " read readv pread64 preadv preadv2 readahead sendfile splice copy_file_range "},
    {Category::kNetwork,
     " socket socketpair connect accept accept4 bind listen shutdown getsockname getpeername setsockopt "
     "getsockopt sendto recvfrom sendmsg "
     "recvmsg sendmmsg recvmmsg "},
    {Category::kWait,
     " poll ppoll select pselect6 epoll_wait epoll_pwait epoll_pwait2 futex futex_wait futex_waitv nanosleep "
     "clock_nanosleep wait4 waitid "
     "pause rt_sigsuspend rt_sigtimedwait io_getevents io_pgetevents io_uring_enter flock sched_yield semop "
     "semtimedop mq_timedreceive "
     "msgrcv restart_syscall "},
    {Category::kOther, " ioctl "},
    {Category::kMemory, " brk mmap munmap mprotect mremap madvise msync mincore mlock munlock "},
    {Category::kProcess,
     " execve execveat fork vfork clone clone3 exit exit_group kill tgkill rt_sigaction rt_sigprocmask "
     "rt_sigreturn arch_prctl "
     "set_tid_address set_robust_list rseq prlimit64 prctl sched_getaffinity sched_setaffinity getpid gettid "
     "getuid geteuid getgid getegid "
     "getppid umask setsid "},
});

}  // namespace

Category category_of(std::string_view call) {
  const std::string word = " " + std::string(call) + " ";
  for (const Named& named : kNamed)
    if (named.names.find(word) != std::string_view::npos) return named.category;
  for (uint32_t nr = 0; nr < 512; ++nr) {
    const sysvm_syscall_info* row = sysvm_syscall_by_nr(nr);
    if (!row || call != row->name) continue;
    if (row->arg[0].kind != SYSVM_KIND_PATH && row->arg[0].kind != SYSVM_KIND_DIRFD &&
        row->arg[0].kind != SYSVM_KIND_FD)
      return Category::kOther;
    if (row->effect == SYSVM_EFFECT_PURE) return Category::kLook;
    if (row->effect == SYSVM_EFFECT_MUT || row->effect == SYSVM_EFFECT_SYNC) return Category::kWrite;
    return Category::kOther;
  }
  return Category::kOther;
}

}  // namespace sysvm::page
