# SPDX-License-Identifier: MIT
"""Git's own test suite against the installed git, CPython's against the installed python3, and stress-ng's stressors.

Which parts: those that end within a minute plainly, need no network, and make the calls that procedures are about. Git's
scripts and CPython's modules are named by pattern, so that another version has its own.
"""
import subprocess
from pathlib import Path

import verdicts
from sources import Sources, must
from suite import Finished, Suite, Unit, Verdicts

# A script of each area; what needs a server, another version control system or minutes is not here.
GIT = """
t0000 t0001 t0002 t0003 t0006 t0008 t0010 t0012 t0019 t0020 t0021 t0025 t0027 t0028 t0030 t0040 t0050 t0060 t0061 t0066 t0068
t0070 t0090 t0100 t0200 t0210 t0211 t0212 t0410 t0500 t1000 t1001 t1002 t1005 t1006 t1007 t1010 t1050 t1090 t1100 t1300 t1301
t1350 t1400 t1410 t1415 t1420 t1430 t1450 t1500 t1501 t1503 t1506 t1510 t1600 t1700 t2000 t2004 t2010 t2013 t2020 t2024 t2060
t2070 t2080 t2100 t2107 t2200 t2203 t2400 t2402 t3000 t3001 t3002 t3010 t3040 t3060 t3070 t3100 t3200 t3203 t3206 t3301 t3400
t3404 t3420 t3500 t3501 t3510 t3600 t3700 t3701 t3800 t3900 t3903 t4000 t4001 t4010 t4013 t4014 t4015 t4018 t4030 t4034 t4041
t4100 t4150 t4200 t4201 t4202 t4205 t4211 t4300 t5000 t5001 t5150 t5300 t5302 t5303 t5304 t5310 t5318 t5319 t5400 t5500 t5510
t5516 t5520 t5526 t5600 t5601 t5604 t5605 t5616 t6000 t6006 t6012 t6018 t6030 t6101 t6120 t6200 t6300 t6400 t6423 t6500 t6600
t7001 t7003 t7004 t7006 t7008 t7010 t7030 t7060 t7063 t7064 t7102 t7105 t7110 t7201 t7300 t7400 t7406 t7500 t7501 t7502 t7505
t7508 t7512 t7513 t7519 t7600 t7610 t7700 t7810 t7814 t7900 t8002 t8003 t9300 t9301 t9350 t9902 t9903
""".split()

CPYTHON = """
test_os test_posix test_io test_fileio test_file test_bufio test_stat test_glob test_fnmatch test_shutil test_tempfile test_pathlib
test_zipfile test_tarfile test_gzip test_bz2 test_lzma test_zlib test_mmap test_select test_poll test_epoll test_selectors
test_socket test_socketserver test_ssl test_asyncore test_signal test_threading test_threadsignals test_threadedtempfile
test_thread test_thread_local_bytes test_queue test_sched test_concurrent_futures test_subprocess test_popen test_fork1 test_wait3
test_wait4 test_posix test_pty test_tty test_openpty test_ioctl test_fcntl test_resource test_locale test_import test_importlib
test_pkgutil test_runpy test_compileall test_py_compile test_zipimport test_marshal test_shelve test_dbm test_sqlite3 test_csv
test_json test_pickle test_mailbox test_email test_logging test_configparser test_fileinput test_linecache test_filecmp
test_dircache test_cmd_line test_site test_sys test_sysconfig test_platform test_pwd test_grp test_getpass test_time test_datetime
test_re test_unicode test_bytes test_struct test_array test_ctypes test_faulthandler test_gc test_weakref test_contextlib
test_with test_multiprocessing_spawn test_multiprocessing_fork test_asyncio test_eintr test_audit test_inspect test_doctest
""".split()
SLOW = {"test_multiprocessing_spawn", "test_asyncio", "test_concurrent_futures", "test_multiprocessing_fork", "test_importlib"}

# Bounded by operations, not by time, so that a run does the same work however slow. Some are the processor's only.
STRESSORS = {
    "access": 200, "affinity": 200, "aio": 200, "alarm": 50, "atomic": 200, "bind-mount": 2, "brk": 2000, "cap": 200, "chattr": 50,
    "chdir": 20, "chmod": 100, "chown": 100, "clock": 20, "clone": 100, "close": 50, "context": 2000, "copy-file": 20, "daemon": 50,
    "dentry": 2000, "dev-shm": 10, "dir": 500, "dirdeep": 200, "dirmany": 500, "dup": 100, "dynlib": 20, "env": 20, "epoll": 200,
    "eventfd": 2000, "exec": 50, "exit-group": 50, "fallocate": 20, "fault": 500, "fcntl": 100, "fd-fork": 5, "fiemap": 100,
    "fifo": 2000, "file-ioctl": 100, "filename": 200, "flock": 1000, "fork": 200, "forkheavy": 20, "fstat": 100, "full": 50,
    "futex": 2000, "get": 50, "getdent": 100, "getrandom": 500, "handle": 200, "hdd": 20, "inode-flags": 20, "inotify": 20,
    "iomix": 100, "kcmp": 100, "key": 20, "kill": 1000, "lease": 500, "link": 100, "locka": 500, "lockf": 500, "lockofd": 500,
    "madvise": 10, "malloc": 5000, "memfd": 10, "mincore": 200, "mknod": 200, "mlock": 20, "mmap": 5, "mmapfork": 1, "mprotect": 200,
    "mq": 1000, "mremap": 20, "msg": 1000, "msync": 50, "munmap": 2, "mutex": 2000, "nanosleep": 20, "nice": 20, "null": 5000,
    "open": 500, "peterson": 500, "pidfd": 100, "pipe": 2000, "pipeherd": 500, "poll": 500, "prctl": 50, "procfs": 2, "pthread": 200,
    "ptrace": 500, "pty": 5, "readahead": 200, "rename": 1000, "resched": 50, "resources": 2, "rlimit": 50, "rmap": 5, "rseq": 1000,
    "rtc": 5, "schedpolicy": 50, "seek": 500, "sem": 2000, "sem-sysv": 1000, "sendfile": 100, "session": 20, "set": 20, "shm": 5,
    "shm-sysv": 5, "sigabrt": 50, "sigchld": 200, "sigfd": 500, "sigfpe": 100, "sigio": 50, "signal": 500, "sigpending": 500,
    "sigpipe": 200, "sigq": 500, "sigrt": 200, "sigsegv": 100, "sigsuspend": 200, "sigtrap": 200, "sock": 50, "sockfd": 100,
    "sockpair": 50, "spawn": 50, "splice": 500, "stack": 50, "switch": 1000, "symlink": 100, "sync-file": 20, "sysinfo": 50,
    "tee": 100, "timer": 1000, "timerfd": 500, "tmpfs": 5, "tun": 2, "udp": 500, "unshare": 20, "uprobe": 2, "urandom": 50,
    "userfaultfd": 20, "utime": 500, "vdso": 2000, "vfork": 200, "vforkmany": 50, "wait": 100, "xattr": 20, "yield": 1000, "zombie": 50,
}


def prepare_git(folder: Path) -> list[Unit]:
    source = Sources(folder.parent).unpack("git")
    helper = source / "t/helper/test-tool"
    if not (folder / "made").exists():
        must(["make", "-j2", "NO_CURL=1", "NO_EXPAT=1", "NO_OPENSSL=1", "NO_TCLTK=1", "NO_GETTEXT=1", "NO_PYTHON=1", "CC=cc",
              "CFLAGS=-O1 -w", "GIT-BUILD-OPTIONS", "t/helper/test-tool", "t/helper/test-fake-ssh"], source)
        must(["make", "-C", "templates"], source)
        (folder / "made").touch()
    assert helper.exists()
    installed = Path(subprocess.run(["which", "git"], capture_output=True, text=True, check=True).stdout.strip()).parent
    env = {"GIT_TEST_INSTALLED": str(installed), "GIT_TEST_OPTS": "", "GIT_SKIP_TESTS": "", "TEST_NO_MALLOC_CHECK": "1"}
    scripts = [s for number in GIT for s in sorted((source / "t").glob(f"{number}-*.sh"))]
    return [Unit(s.name, ("sh", s.name, "--no-chain-lint", f"--root={folder}/trash"), source / "t", verdicts.tap, env) for s in scripts]


def prepare_cpython(folder: Path) -> list[Unit]:
    units = []
    there = Path(subprocess.run(["/usr/bin/python3", "-c", "import test; print(test.__path__[0])"], capture_output=True, text=True,
                                check=True).stdout.strip())
    for module in dict.fromkeys(CPYTHON):
        if module in SLOW or not ((there / f"{module}.py").exists() or (there / module).is_dir()):
            continue
        out = folder / f"{module}.xml"
        place = folder / "work" / module
        place.mkdir(parents=True, exist_ok=True)
        units.append(Unit(module, ("/usr/bin/python3", "-m", "test", "--junit-xml", str(out), "--tempdir", str(place), module), place,
                          verdicts.junit(out), {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"},
                          before=lambda out=out: out.unlink(missing_ok=True)))
    return units


def stressor(name: str):
    def read(done: Finished) -> Verdicts:
        failed = [line.split("] ", 1)[-1] for line in done.output.splitlines() if " fail: " in line]
        skipped = "skipped" if f"{name} stressor" in done.output and "skip" in done.output else "run"
        return {name: f"{skipped}, exit status {done.status}" + (f", {len(failed)} failures" if failed else "")}
    return read


def prepare_stress(folder: Path) -> list[Unit]:
    units = []
    for name, ops in STRESSORS.items():
        place = folder / "work" / name
        place.mkdir(parents=True, exist_ok=True)
        units.append(Unit(name, ("stress-ng", f"--{name}", "1", f"--{name}-ops", str(ops), "--verify", "--timeout", "20", "--temp-path",
                                 str(place), "--oomable", "--no-rand-seed"), place, stressor(name)))
    return units


SUITES = [
    Suite("git", "git", prepare_git, recorded=4),
    Suite("cpython", "python3.11", prepare_cpython, recorded=3),
    Suite("stress-ng", "stress-ng", prepare_stress, recorded=8),
]
