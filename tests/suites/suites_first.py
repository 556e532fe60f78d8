# SPDX-License-Identifier: MIT
"""Git's own test suite against the installed git, CPython's against the installed python3, and stress-ng's
stressors.

Git's scripts and CPython's modules are what the version has, but for those that need a network, a screen or
minutes. Each Nth runs, and those that are about threads, processes and files; --whole runs all. stress-ng is
a copy: see without_calls.
"""
import re
import shutil
import subprocess
from pathlib import Path

import verdicts
from sources import Sources, must
from suite import Finished, Suite, Unavailable, Unit, Verdicts

# Minutes each, or about another version control system, a web or mail server, or what only a built tree has.
GIT_LEFT = re.compile(
    r"^t(0029|1517|3908|5[5-7]\d\d-http|554\d|5550|5551|5561|5581|5732|91|94|95|96|98)|svn|cvs|p4|gitweb|send-email|httpd|http-|-daemon"
)
# Those with threads (index-pack, pack-objects, preload, grep, checkout with workers, the file system monitor)
# and gc.
GIT_ALWAYS = r"^t(0000|0001|1400|208[02]|3600|5300|5302|5303|5304|5351|6500|7063|7508|7519|7700|7810|7814)-"

# Threads, processes, signals, files and sockets: what the shim is in the way of.
CPYTHON_ALWAYS = (
    r"thread|subprocess|popen|fork|wait|signal|multiprocessing|asyncio|asyncore|concurrent|queue|sched|socket|ssl|select|poll|"
    r"(^test_)(os|posix|io|pty|tty|stat|eintr|mmap|resource|fcntl|ioctl|audit|faulthandler)$|file|bufio|glob|shutil|path|tar|zip|bz2|lzma|sqlite|dbm"
)
# About a screen, a network or minutes of arithmetic; those that need a package which Debian has not got.
CPYTHON_LEFT = {
    "test_idle", "test_tk", "test_tcl", "test_ttk_guionly", "test_ttk_textonly", "test_tix", "test_turtle",
    "test_winreg", "test_winsound", "test_msilib", "test_startfile", "test_smtpnet", "test_urllib2net",
    "test_urllibnet", "test_timeout", "test_tools", "test_peg_generator", "test_lib2to3", "test_distutils",
    "test_venv", "test_ensurepip", "test_capi", "test_gdb", "test_cppext", "test_zipfile64", "test_freeze"
}

# Bounded by operations, not by time, so that a run does the same work however slow. Those that fill the file
# system or the memory on purpose (fallocate, dev-shm, forkheavy, resources) are left out.
STRESSORS = {
    "access": 200,
    "affinity": 200,
    "aio": 200,
    "alarm": 50,
    "atomic": 200,
    "bind-mount": 2,
    "brk": 2000,
    "cap": 200,
    "chattr": 50,
    "chdir": 20,
    "chmod": 100,
    "chown": 100,
    "clock": 20,
    "clone": 100,
    "close": 50,
    "context": 2000,
    "copy-file": 20,
    "daemon": 50,
    "dentry": 2000,
    "dir": 500,
    "dirdeep": 200,
    "dirmany": 500,
    "dup": 100,
    "dynlib": 20,
    "env": 20,
    "epoll": 200,
    "eventfd": 2000,
    "exec": 50,
    "exit-group": 50,
    "fault": 500,
    "fcntl": 100,
    "fd-fork": 5,
    "fiemap": 100,
    "fifo": 2000,
    "file-ioctl": 100,
    "filename": 200,
    "flock": 1000,
    "fork": 200,
    "fstat": 100,
    "full": 50,
    "futex": 2000,
    "get": 50,
    "getdent": 100,
    "getrandom": 500,
    "handle": 200,
    "hdd": 20,
    "inode-flags": 20,
    "inotify": 20,
    "iomix": 100,
    "kcmp": 100,
    "key": 20,
    "kill": 1000,
    "lease": 500,
    "link": 100,
    "locka": 500,
    "lockf": 500,
    "lockofd": 500,
    "madvise": 10,
    "malloc": 5000,
    "memfd": 10,
    "mincore": 200,
    "mknod": 200,
    "mlock": 20,
    "mmap": 5,
    "mmapfork": 1,
    "mprotect": 200,
    "mq": 1000,
    "mremap": 20,
    "msg": 1000,
    "msync": 50,
    "munmap": 2,
    "mutex": 2000,
    "nanosleep": 20,
    "nice": 20,
    "null": 5000,
    "open": 500,
    "peterson": 500,
    "pidfd": 100,
    "pipe": 2000,
    "pipeherd": 500,
    "poll": 500,
    "prctl": 50,
    "procfs": 2,
    "pthread": 200,
    "ptrace": 500,
    "pty": 5,
    "readahead": 200,
    "rename": 1000,
    "resched": 50,
    "rlimit": 50,
    "rmap": 5,
    "rseq": 1000,
    "rtc": 5,
    "schedpolicy": 50,
    "seek": 500,
    "sem": 2000,
    "sem-sysv": 1000,
    "sendfile": 100,
    "session": 20,
    "set": 20,
    "shm": 5,
    "shm-sysv": 5,
    "sigabrt": 50,
    "sigchld": 200,
    "sigfd": 500,
    "sigfpe": 100,
    "sigio": 50,
    "signal": 500,
    "sigpending": 500,
    "sigpipe": 200,
    "sigq": 500,
    "sigrt": 200,
    "sigsegv": 100,
    "sigsuspend": 200,
    "sigtrap": 200,
    "sock": 50,
    "sockfd": 100,
    "sockpair": 50,
    "spawn": 50,
    "splice": 500,
    "stack": 50,
    "switch": 1000,
    "symlink": 100,
    "sync-file": 20,
    "sysinfo": 50,
    "tee": 100,
    "timer": 1000,
    "timerfd": 500,
    "tmpfs": 5,
    "tun": 2,
    "udp": 500,
    "unshare": 20,
    "uprobe": 2,
    "urandom": 50,
    "userfaultfd": 20,
    "utime": 500,
    "vdso": 2000,
    "vfork": 200,
    "vforkmany": 50,
    "wait": 100,
    "xattr": 20,
    "yield": 1000,
    "zombie": 50,
}


def prepare_git(folder: Path) -> list[Unit]:
    source = Sources(folder.parent).unpack("git")
    helper = source / "t/helper/test-tool"
    if not (folder / "made").exists():
        must([
            "make", "-j2", "NO_CURL=1", "NO_EXPAT=1", "NO_OPENSSL=1", "NO_TCLTK=1", "NO_GETTEXT=1",
            "NO_PYTHON=1", "CC=cc", "CFLAGS=-O1 -w", "GIT-BUILD-OPTIONS", "t/helper/test-tool",
            "t/helper/test-fake-ssh"
        ], source)
        must(["make", "-C", "templates"], source)
        (folder / "made").touch()
    assert helper.exists()
    installed = Path(
        subprocess.run(["which", "git"], capture_output=True, text=True, check=True).stdout.strip()).parent
    env = {
        "GIT_TEST_INSTALLED": str(installed), "GIT_TEST_OPTS": "", "GIT_SKIP_TESTS": "",
        "TEST_NO_MALLOC_CHECK": "1"
    }
    scripts = [s for s in sorted((source / "t").glob("t[0-9]*.sh")) if not GIT_LEFT.search(s.name)]
    return [
        Unit(s.name, ("sh", s.name, "--no-chain-lint", f"--root={folder}/trash"), source / "t", verdicts.tap,
             env) for s in scripts
    ]


def prepare_cpython(folder: Path) -> list[Unit]:
    units = []
    listed = subprocess.run(["/usr/bin/python3", "-m", "test", "--list-tests"], cwd=folder,
                            capture_output=True, text=True, check=True).stdout.split()
    for module in listed:
        if module in CPYTHON_LEFT:
            continue
        out = folder / f"{module}.xml"
        place = folder / "work" / module
        place.mkdir(parents=True, exist_ok=True)
        units.append(
            Unit(module,
                 ("/usr/bin/python3", "-m", "test", "--junit-xml", str(out), "--tempdir", str(place), module),
                 place, verdicts.junit(out), {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"},
                 before=lambda out=out: out.unlink(missing_ok=True)))
    return units


def stressor(name: str):
    def read(done: Finished) -> Verdicts:
        failed = [line.split("] ", 1)[-1] for line in done.output.splitlines() if " fail: " in line]
        skipped = "skipped" if f"{name} stressor" in done.output and "skip" in done.output else "run"
        return {
            name: f"{skipped}, exit status {done.status}" + (f", {len(failed)} failures" if failed else "")
        }
    return read


UD2 = b"\x0f\x0b"
CALLS = {"int": b"\xcd\x80", "syscall": b"\x0f\x05"}


def without_calls(program: Path, copy: Path) -> Path:
    """A copy without system calls of its own, which stressors that are not in STRESSORS make (sysinval,
    x86syscall). The shim cannot see them (one is `int $0x80`, and the slots of the others would lie too far
    from the executable), so the installed program is plain from its start, and would test loading only. Where
    they stood is an instruction that kills."""
    listed = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", str(program)], capture_output=True, text=True,
        check=True).stdout
    sections = subprocess.run(["readelf", "-SW", str(program)], capture_output=True, text=True,
                              check=True).stdout
    text = re.search(r"\.text\s+PROGBITS\s+([0-9a-f]+) ([0-9a-f]+)", sections)
    shift = int(text[1], 16) - int(text[2], 16)
    data = bytearray(program.read_bytes())
    for match in re.finditer(r"^\s*([0-9a-f]+):\s+(int\s+\$0x80|syscall)\s*$", listed, re.M):
        at, was = int(match[1], 16) - shift, CALLS[match[2].split()[0]]
        if data[at:at + 2] != was:
            raise Unavailable(f"{program}: no {match[2]} at {match[1]}")
        data[at:at + 2] = UD2
    copy.write_bytes(data)
    copy.chmod(0o755)
    return copy


def stand_in_for_libcrypto(program: Path, folder: Path) -> None:
    """A library of that name whose functions kill. stress-ng is linked with libkmod, which is linked with it,
    and no stressor here calls it; but its text has tables that read like system calls, so every process that
    maps it is plain."""
    libraries = re.findall(
        r"=> (/\S+)",
        subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True).stdout)
    shown = subprocess.run(["nm", "-D", "--undefined-only", *libraries], capture_output=True,
                           text=True).stdout
    names = sorted(set(re.findall(r" U (\w+)@OPENSSL_3\.0\.0$", shown, re.M)))
    (folder / "stand_in.c").write_text("".join(f"void {name}(void) {{ __builtin_trap(); }}\n"
                                               for name in names))
    (folder / "stand_in.map").write_text("OPENSSL_3.0.0 { global: *; };\n")
    must([
        "cc", "-shared", "-fPIC", "-O1", "stand_in.c", "-Wl,--version-script=stand_in.map",
        "-Wl,-soname=libcrypto.so.3", "-o", "libcrypto.so.3"
    ], folder)


def prepare_stress(folder: Path) -> list[Unit]:
    program = shutil.which("stress-ng")
    if not program:
        raise Unavailable("stress-ng is not installed: see scripts/packages-suites.txt")
    if not (copy := folder / "stress-ng").exists():
        stand_in_for_libcrypto(Path(program), folder)
        without_calls(Path(program), copy)
    units = []
    for name, ops in STRESSORS.items():
        place = folder / "work" / name
        place.mkdir(parents=True, exist_ok=True)
        units.append(
            Unit(name, (str(copy), f"--{name}", "1", f"--{name}-ops", str(ops), "--verify",
                        "--timeout", "20", "--temp-path", str(place), "--oomable", "--no-rand-seed"), place,
                 stressor(name), {"LD_LIBRARY_PATH": str(folder)}))
    return units


SUITES = [
    Suite("git", "git", prepare_git, recorded=4, every=12, always=GIT_ALWAYS, weight=12, timeout=400),
    Suite("cpython", "python3.11", prepare_cpython, recorded=3, every=8, always=CPYTHON_ALWAYS, weight=12,
          timeout=400),
    Suite("stress-ng", "stress-ng", prepare_stress, recorded=8, weight=5),
]
