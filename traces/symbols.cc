// SPDX-License-Identifier: MIT
#include "traces/symbols.h"

#include <asm/prctl.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>
// The last one: it redefines what <sys/mount.h> enumerates.
#include <linux/fs.h>

#include <cerrno>
#include <string>
#include <unordered_map>

#include "uapi/syscalls.h"

namespace sysvm {

namespace {

using Table = std::unordered_map<std::string_view, uint64_t>;

// clang-format off
const Table& table() {
  static const Table all = {
#define S(name) {#name, static_cast<uint64_t>(name)}
      S(AF_INET), S(AF_INET6), S(AF_NETLINK), S(AF_PACKET), S(AF_UNIX), S(AF_UNSPEC), S(ARCH_GET_FS),
      S(ARCH_GET_GS), S(ARCH_SET_FS), S(ARCH_SET_GS), S(AT_EACCESS), S(AT_EMPTY_PATH), S(AT_FDCWD),
      S(AT_NO_AUTOMOUNT), S(AT_REMOVEDIR), S(AT_STATX_DONT_SYNC), S(AT_STATX_FORCE_SYNC),
      S(AT_STATX_SYNC_AS_STAT), S(AT_SYMLINK_FOLLOW), S(AT_SYMLINK_NOFOLLOW), S(BLKGETSIZE64), S(BLKSSZGET),
      S(BUS_ADRALN), S(BUS_ADRERR), S(BUS_OBJERR), S(CLD_CONTINUED), S(CLD_DUMPED), S(CLD_EXITED),
      S(CLD_KILLED), S(CLD_STOPPED), S(CLD_TRAPPED), S(CLOCK_BOOTTIME), S(CLOCK_MONOTONIC),
      S(CLOCK_MONOTONIC_COARSE), S(CLOCK_MONOTONIC_RAW), S(CLOCK_PROCESS_CPUTIME_ID), S(CLOCK_REALTIME),
      S(CLOCK_REALTIME_COARSE), S(CLOCK_THREAD_CPUTIME_ID), S(CLONE_CHILD_CLEARTID), S(CLONE_CHILD_SETTID),
      S(CLONE_DETACHED), S(CLONE_FILES), S(CLONE_FS), S(CLONE_IO), S(CLONE_NEWCGROUP), S(CLONE_NEWIPC),
      S(CLONE_NEWNET), S(CLONE_NEWNS), S(CLONE_NEWPID), S(CLONE_NEWUSER), S(CLONE_NEWUTS), S(CLONE_PARENT),
      S(CLONE_PARENT_SETTID), S(CLONE_PIDFD), S(CLONE_PTRACE), S(CLONE_SETTLS), S(CLONE_SIGHAND),
      S(CLONE_SYSVSEM), S(CLONE_THREAD), S(CLONE_UNTRACED), S(CLONE_VFORK), S(CLONE_VM), S(EFD_CLOEXEC),
      S(EFD_NONBLOCK), S(EFD_SEMAPHORE), S(EPOLLERR), S(EPOLLET), S(EPOLLEXCLUSIVE), S(EPOLLHUP),
      S(EPOLLIN), S(EPOLLONESHOT), S(EPOLLOUT), S(EPOLLPRI), S(EPOLLRDHUP), S(EPOLL_CLOEXEC),
      S(EPOLL_CTL_ADD), S(EPOLL_CTL_DEL), S(EPOLL_CTL_MOD), S(FALLOC_FL_KEEP_SIZE), S(FALLOC_FL_PUNCH_HOLE),
      S(FD_CLOEXEC), S(FICLONE), S(FICLONERANGE), S(FIOASYNC), S(FIOCLEX), S(FIONBIO), S(FIONCLEX),
      S(FIONREAD), S(FPE_INTDIV), S(FPE_INTOVF), S(FS_IOC_GETFLAGS), S(FS_IOC_SETFLAGS),
      S(FUTEX_BITSET_MATCH_ANY), S(FUTEX_CLOCK_REALTIME), S(FUTEX_CMP_REQUEUE),
      S(FUTEX_CMP_REQUEUE_PRIVATE), S(FUTEX_LOCK_PI), S(FUTEX_LOCK_PI_PRIVATE), S(FUTEX_PRIVATE_FLAG),
      S(FUTEX_REQUEUE), S(FUTEX_REQUEUE_PRIVATE), S(FUTEX_UNLOCK_PI), S(FUTEX_UNLOCK_PI_PRIVATE),
      S(FUTEX_WAIT), S(FUTEX_WAIT_BITSET), S(FUTEX_WAIT_BITSET_PRIVATE), S(FUTEX_WAIT_PRIVATE),
      S(FUTEX_WAKE), S(FUTEX_WAKE_BITSET), S(FUTEX_WAKE_BITSET_PRIVATE), S(FUTEX_WAKE_OP),
      S(FUTEX_WAKE_OP_PRIVATE), S(FUTEX_WAKE_PRIVATE), S(F_ADD_SEALS), S(F_DUPFD), S(F_DUPFD_CLOEXEC),
      S(F_GETFD), S(F_GETFL), S(F_GETLEASE), S(F_GETLK), S(F_GETOWN), S(F_GETPIPE_SZ), S(F_GETSIG),
      S(F_GET_SEALS), S(F_NOTIFY), S(F_OFD_GETLK), S(F_OFD_SETLK), S(F_OFD_SETLKW), S(F_OK), S(F_RDLCK),
      S(F_SETFD), S(F_SETFL), S(F_SETLEASE), S(F_SETLK), S(F_SETLKW), S(F_SETOWN), S(F_SETPIPE_SZ),
      S(F_SETSIG), S(F_UNLCK), S(F_WRLCK), S(GRND_NONBLOCK), S(GRND_RANDOM), S(ILL_ILLOPC), S(ILL_ILLOPN),
      S(INADDR_ANY), S(IN_ACCESS), S(IN_ATTRIB), S(IN_CLOEXEC), S(IN_CLOSE_NOWRITE), S(IN_CLOSE_WRITE),
      S(IN_CREATE), S(IN_DELETE), S(IN_DELETE_SELF), S(IN_MODIFY), S(IN_MOVED_FROM), S(IN_MOVED_TO),
      S(IN_MOVE_SELF), S(IN_NONBLOCK), S(IN_ONLYDIR), S(IN_OPEN), S(IPPROTO_ICMP), S(IPPROTO_IP),
      S(IPPROTO_IPV6), S(IPPROTO_TCP), S(IPPROTO_UDP), S(IPV6_V6ONLY), S(ITIMER_PROF), S(ITIMER_REAL),
      S(ITIMER_VIRTUAL), S(LOCK_EX), S(LOCK_NB), S(LOCK_SH), S(LOCK_UN), S(MADV_COLD), S(MADV_DODUMP),
      S(MADV_DONTDUMP), S(MADV_DONTNEED), S(MADV_FREE), S(MADV_HUGEPAGE), S(MADV_MERGEABLE),
      S(MADV_NOHUGEPAGE), S(MADV_NORMAL), S(MADV_PAGEOUT), S(MADV_RANDOM), S(MADV_SEQUENTIAL),
      S(MADV_WILLNEED), S(MAP_ANONYMOUS), S(MAP_DENYWRITE), S(MAP_FILE), S(MAP_FIXED),
      S(MAP_FIXED_NOREPLACE), S(MAP_GROWSDOWN), S(MAP_HUGETLB), S(MAP_LOCKED), S(MAP_NONBLOCK),
      S(MAP_NORESERVE), S(MAP_POPULATE), S(MAP_PRIVATE), S(MAP_SHARED), S(MAP_SHARED_VALIDATE),
      S(MAP_STACK), S(MAP_SYNC), S(MCL_CURRENT), S(MCL_FUTURE), S(MFD_ALLOW_SEALING), S(MFD_CLOEXEC),
      S(MREMAP_DONTUNMAP), S(MREMAP_FIXED), S(MREMAP_MAYMOVE),
      S(MSG_CMSG_CLOEXEC), S(MSG_CTRUNC), S(MSG_DONTROUTE), S(MSG_DONTWAIT), S(MSG_EOR), S(MSG_ERRQUEUE),
      S(MSG_MORE), S(MSG_NOSIGNAL), S(MSG_OOB), S(MSG_PEEK), S(MSG_TRUNC), S(MSG_WAITALL),
      S(MSG_WAITFORONE), S(MS_ASYNC), S(MS_BIND), S(MS_INVALIDATE), S(MS_NODEV), S(MS_NOEXEC), S(MS_NOSUID),
      S(MS_PRIVATE), S(MS_RDONLY), S(MS_REC), S(MS_REMOUNT), S(MS_SILENT), S(MS_SYNC), S(O_ACCMODE),
      S(O_APPEND), S(O_ASYNC), S(O_CLOEXEC), S(O_CREAT), S(O_DIRECT), S(O_DIRECTORY), S(O_DSYNC), S(O_EXCL),
      S(O_NOATIME), S(O_NOCTTY), S(O_NOFOLLOW), S(O_NONBLOCK), S(O_PATH), S(O_RDONLY), S(O_RDWR), S(O_SYNC),
      S(O_TMPFILE), S(O_TRUNC), S(O_WRONLY), S(POLLERR), S(POLLHUP), S(POLLIN), S(POLLNVAL), S(POLLOUT),
      S(POLLPRI), S(POLLRDHUP), S(POLL_HUP), S(POLL_IN), S(POLL_OUT), S(POSIX_FADV_DONTNEED),
      S(POSIX_FADV_NOREUSE), S(POSIX_FADV_NORMAL), S(POSIX_FADV_RANDOM), S(POSIX_FADV_SEQUENTIAL),
      S(POSIX_FADV_WILLNEED), S(PRIO_PGRP), S(PRIO_PROCESS), S(PRIO_USER), S(PROT_EXEC), S(PROT_GROWSDOWN),
      S(PROT_GROWSUP), S(PROT_NONE), S(PROT_READ), S(PROT_WRITE), S(PR_CAPBSET_READ), S(PR_GET_DUMPABLE),
      S(PR_GET_NAME), S(PR_SET_CHILD_SUBREAPER), S(PR_SET_DUMPABLE), S(PR_SET_KEEPCAPS), S(PR_SET_NAME),
      S(PR_SET_NO_NEW_PRIVS), S(PR_SET_PDEATHSIG), S(PR_SET_SECCOMP), S(PR_SET_VMA), S(P_ALL), S(P_PGID),
      S(P_PID), S(P_PIDFD), S(RENAME_EXCHANGE), S(RENAME_NOREPLACE), S(RLIMIT_AS), S(RLIMIT_CORE),
      S(RLIMIT_CPU), S(RLIMIT_DATA), S(RLIMIT_FSIZE), S(RLIMIT_LOCKS), S(RLIMIT_MEMLOCK),
      S(RLIMIT_MSGQUEUE), S(RLIMIT_NICE), S(RLIMIT_NOFILE), S(RLIMIT_NPROC), S(RLIMIT_RSS),
      S(RLIMIT_RTPRIO), S(RLIMIT_RTTIME), S(RLIMIT_SIGPENDING), S(RLIMIT_STACK), S(RUSAGE_CHILDREN),
      S(RUSAGE_SELF), S(RUSAGE_THREAD), S(R_OK), S(SCHED_BATCH), S(SCHED_FIFO), S(SCHED_IDLE),
      S(SCHED_OTHER), S(SCHED_RR), S(SEEK_CUR), S(SEEK_DATA), S(SEEK_END), S(SEEK_HOLE), S(SEEK_SET),
      S(SEGV_ACCERR), S(SEGV_MAPERR), S(SFD_CLOEXEC), S(SFD_NONBLOCK), S(SHUT_RD), S(SHUT_RDWR), S(SHUT_WR),
      S(SIG_BLOCK), S(SIG_SETMASK), S(SIG_UNBLOCK), S(SI_KERNEL), S(SI_QUEUE), S(SI_TIMER), S(SI_TKILL),
      S(SI_USER), S(SOCK_CLOEXEC), S(SOCK_DGRAM), S(SOCK_NONBLOCK), S(SOCK_RAW), S(SOCK_SEQPACKET),
      S(SOCK_STREAM), S(SOL_IP), S(SOL_SOCKET), S(SOL_TCP), S(SO_ACCEPTCONN), S(SO_BROADCAST), S(SO_DOMAIN),
      S(SO_DONTROUTE), S(SO_ERROR), S(SO_KEEPALIVE), S(SO_LINGER), S(SO_OOBINLINE), S(SO_PASSCRED),
      S(SO_PEERCRED), S(SO_PROTOCOL), S(SO_RCVBUF), S(SO_RCVTIMEO), S(SO_REUSEADDR), S(SO_REUSEPORT),
      S(SO_SNDBUF), S(SO_SNDTIMEO), S(SO_TYPE), S(SPLICE_F_GIFT), S(SPLICE_F_MORE), S(SPLICE_F_MOVE),
      S(SPLICE_F_NONBLOCK), S(STATX_ALL), S(STATX_ATIME), S(STATX_BASIC_STATS), S(STATX_BLOCKS),
      S(STATX_BTIME), S(STATX_CTIME), S(STATX_GID), S(STATX_INO), S(STATX_MNT_ID), S(STATX_MODE),
      S(STATX_MTIME), S(STATX_NLINK), S(STATX_SIZE), S(STATX_TYPE), S(STATX_UID), S(S_IFBLK), S(S_IFCHR),
      S(S_IFDIR), S(S_IFIFO), S(S_IFLNK), S(S_IFREG), S(S_IFSOCK), S(S_ISGID), S(S_ISUID), S(S_ISVTX),
      S(TCGETS), S(TCP_CORK), S(TCP_DEFER_ACCEPT), S(TCP_FASTOPEN), S(TCP_INFO), S(TCP_KEEPCNT),
      S(TCP_KEEPIDLE), S(TCP_KEEPINTVL), S(TCP_MAXSEG), S(TCP_NODELAY), S(TCP_QUICKACK),
      S(TCP_USER_TIMEOUT), S(TCSETS), S(TCSETSF), S(TCSETSW), S(TFD_CLOEXEC), S(TFD_NONBLOCK),
      S(TFD_TIMER_ABSTIME), S(TIMER_ABSTIME), S(TIOCGPGRP), S(TIOCGPTN), S(TIOCGSID), S(TIOCGWINSZ),
      S(TIOCINQ), S(TIOCNOTTY), S(TIOCOUTQ), S(TIOCSCTTY), S(TIOCSPGRP), S(TIOCSPTLCK), S(TIOCSWINSZ),
      S(TRAP_BRKPT), S(TRAP_TRACE), S(WCONTINUED), S(WEXITED), S(WNOHANG), S(WNOWAIT), S(WSTOPPED),
      S(WUNTRACED), S(W_OK), S(XATTR_CREATE), S(XATTR_REPLACE), S(X_OK), S(__WALL), S(__WCLONE),
      S(__WNOTHREAD), {"NULL", 0}, {"O_LARGEFILE", 0100000}, {"RSEQ_FLAG_UNREGISTER", 1},
      {"GRND_INSECURE", 4}, {"_IOC_NONE", 0}, {"_IOC_WRITE", 1}, {"_IOC_READ", 2}, {"MAP_HUGE_SHIFT", 26},
      {"CLONE_CLEAR_SIGHAND", 0x100000000}, {"CLONE_INTO_CGROUP", 0x200000000}, {"CLONE_NEWTIME", 0x80},
      {"MAP_32BIT", 0x40}, {"MAP_ANON", 0x20}, {"O_NDELAY", O_NONBLOCK}, {"SIGEV_NONE", 1},
      {"STDIN_FILENO", 0}, {"STDOUT_FILENO", 1}, {"STDERR_FILENO", 2}, {"SYS_SECCOMP", 1}, {"SOL_IPV6", 41},
#undef S
#define SYSVM_FCNTL(cmd, name, effect, result, undo, flags, argument) {#name, cmd},
#define SYSVM_IOCTL(cmd, name, effect, result, undo, flags, argument) {#name, cmd},
#include "uapi/syscalls.inc"
  };
  return all;
}
// clang-format on

}  // namespace

std::optional<uint64_t> symbol_value(std::string_view name) {
  if (auto it = table().find(name); it != table().end()) return it->second;
  if (name.starts_with("SIG"))
    if (auto signal = signal_value(name)) return static_cast<uint64_t>(*signal);
  return std::nullopt;
}

std::optional<int> errno_value(std::string_view name) {
  static const std::unordered_map<std::string_view, int> all = [] {
    std::unordered_map<std::string_view, int> out;
    for (int e = 1; e < 4096; ++e)
      if (const char* known = strerrorname_np(e)) out.emplace(known, e);
    out.emplace("EWOULDBLOCK", EAGAIN);
    out.emplace("EDEADLOCK", EDEADLK);
    out.emplace("EOPNOTSUPP", EOPNOTSUPP);
    out.emplace("ENOTSUP", ENOTSUP);
    // The kernel's own, which no program should see and some do: <linux/errno.h>.
    for (auto [name, number] : {std::pair{"ERESTARTSYS", 512},
                                {"ERESTARTNOINTR", 513},
                                {"ERESTARTNOHAND", 514},
                                {"ENOIOCTLCMD", 515},
                                {"ERESTART_RESTARTBLOCK", 516},
                                {"EPROBE_DEFER", 517},
                                {"EOPENSTALE", 518},
                                {"ENOPARAM", 519},
                                {"EBADHANDLE", 521},
                                {"ENOTSYNC", 522},
                                {"EBADCOOKIE", 523},
                                {"ENOTSUPP", 524},
                                {"ETOOSMALL", 525},
                                {"ESERVERFAULT", 526},
                                {"EBADTYPE", 527},
                                {"EJUKEBOX", 528},
                                {"EIOCBQUEUED", 529},
                                {"ERECALLCONFLICT", 530},
                                {"ENOGRACE", 531}})
      out.emplace(name, number);
    return out;
  }();
  if (auto it = all.find(name); it != all.end()) return it->second;
  return std::nullopt;
}

std::optional<int> signal_value(std::string_view name) {
  static const std::unordered_map<std::string, int> all = [] {
    std::unordered_map<std::string, int> out{{"SIGRTMIN", 32}, {"SIGRTMAX", 64}};
    for (int s = 1; s < 32; ++s)
      if (const char* known = sigabbrev_np(s)) out.emplace(std::string("SIG") + known, s);
    for (const char* const other : {"SIGIO", "SIGPOLL"}) out.emplace(other, SIGIO);
    out.emplace("SIGCLD", SIGCHLD);
    out.emplace("SIGIOT", SIGABRT);
    // Real-time signals by their distance from the first, and any by its number.
    for (int s = 32; s <= 64; ++s) {
      out.emplace("SIGRT_" + std::to_string(s - 32), s);
      out.emplace("SIGRTMIN+" + std::to_string(s - 32), s);
      out.emplace("SIGRTMAX-" + std::to_string(64 - s), s);
    }
    for (int s = 1; s <= 64; ++s) {
      out.emplace("SIG_" + std::to_string(s), s);
      out.emplace(std::to_string(s), s);
    }
    return out;
  }();
  if (auto it = all.find(std::string(name)); it != all.end()) return it->second;
  return std::nullopt;
}

}  // namespace sysvm
