# SPDX-License-Identifier: MIT
"""sysvm import: the same programs recorded by sysvm, by strace and by perf are the same calls; an imported
trace is mined and compiled like any other."""
import json
import os
import shutil
import subprocess

import pytest

from sysvm_program import SYSVM, run
from trace_text import make_trace

needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="no strace")

PROGRAMS = {
    "cat": ["cat", "a.txt", "absent.txt"],
    "children": ["sh", "-c", "cat a.txt | wc -l; ls absent; (exit 3); kill -USR1 $$ || true"],
    "execs": ["env", "true"],
    "threads": ["/usr/bin/python3", "-S", "-c",
                "import threading, os\n"
                "t = [threading.Thread(target=os.stat, args=('a.txt',)) for _ in range(3)]\n"
                "for x in t: x.start(); x.join()"],
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    return tmp_path


def events(trace):
    done = run(SYSVM, "dump", "--json", trace)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()[1:]]


# Results that differ from run to run: addresses and ids. Calls that ld.so, python or the kernel make
# differently each time.
VARIES = {"brk", "mmap", "clone", "clone3", "vfork", "fork", "wait4", "getpid", "gettid", "getppid",
          "set_tid_address", "futex", "getrandom",
          "mremap"}
TIMING = {"futex", "sched_yield", "restart_syscall", "rt_sigreturn", "munmap", "madvise"}


def by_thread(trace):
    """For each thread, in order of its first event: (call, error or result, path) of all its calls."""
    threads = {}
    for e in events(trace):
        # 8: the return from fork in the child
        if "signal" in e or e.get("flags", 0) & 8 or e["call"] in TIMING:
            continue
        result = e.get("error") or (None if e["call"] in VARIES else e["ret"])
        path = e.get("path") if e["call"] not in ("execve",) else os.path.basename(e.get("path", ""))
        threads.setdefault(e["tid"], []).append((e["call"], result, path))
    return sorted(threads.values(), key=repr)


def small_arguments(trace):
    """Arguments that are no addresses, for calls whose text has them all: descriptors, sizes, flags."""
    known = {"close": 1, "read": 3, "openat": 3, "lseek": 3, "dup2": 2, "fadvise64": 4}
    out = []
    for e in events(trace):
        if e.get("call") in known and e["tid"] == e["pid"]:
            args = e["args"][:known[e["call"]]]
            out.append((e["call"], [int(a) & 0xffffffff for a in args[:1] + args[2:]]))
    return sorted(map(repr, out))


def record(folder, backend, words):
    trace = folder / f"{backend}.trace"
    done = run(SYSVM, "record", "-q", "--backend", backend, "-o", trace, "--", *words)
    if done.returncode == 125:
        pytest.skip(f"cannot record by {backend}")
    return trace


def strace(folder, words, *options):
    run("strace", "-f", "-ttt", "-T", "-v", *options, "-o", folder / "strace.txt", *words)
    trace = folder / "strace.trace"
    done = run(SYSVM, "import", folder / "strace.txt", "-o", trace)
    assert done.returncode == 0 and b"not understood" not in done.stderr, done.stderr
    return trace


@needs_strace
@pytest.mark.parametrize("options", [[], ["-y"], ["-yy", "-s", "4", "-n", "-i"]],
                         ids=["plain", "-y", "-yy -n -i"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_strace_and_ptrace_saw_the_same_calls(folder, program, options):
    ours, theirs = record(folder, "ptrace", PROGRAMS[program]), strace(folder, PROGRAMS[program], *options)
    if program == "threads":  # Python itself never does the same twice; its threads do
        def stats(trace):
            return [[call for call in thread if call[2] == "a.txt"] for thread in by_thread(trace)]
        assert sorted(stats(theirs)) == sorted(stats(ours)) and len(stats(ours)) == 4
        assert len({e["pid"] for e in events(theirs)}) == 1
        return
    assert by_thread(theirs) == by_thread(ours)
    if program in ("cat", "execs"):
        assert small_arguments(theirs) == small_arguments(ours)


@needs_strace
def test_strace_and_bpf_saw_the_same_calls(folder):
    ours, theirs = record(folder, "bpf", PROGRAMS["children"]), strace(folder, PROGRAMS["children"], "-y")
    assert by_thread(theirs) == by_thread(ours)


@pytest.mark.skipif(not shutil.which("perf") or os.getuid() != 0, reason="perf needs root")
def test_perf_and_ptrace_saw_the_same_calls(folder):
    words = PROGRAMS["cat"]
    done = run("perf", "record", "-q", "-m", "16M", "-o", "perf.data", "-e",
               "raw_syscalls:sys_enter,raw_syscalls:sys_exit", "--", *words)
    if not (folder / "perf.data").exists():
        pytest.skip("perf record does not work here: " + done.stderr.decode(errors="replace")[:200])
    with open(folder / "perf.txt", "wb") as out:
        subprocess.run(["perf", "script", "-i", "perf.data", "-F", "comm,pid,tid,time,event,trace"],
                       stdout=out,
                       stderr=subprocess.DEVNULL, check=True)
    trace = folder / "perf.trace"
    done = run(SYSVM, "import", "perf.txt", "-o", trace)
    assert done.returncode == 0 and b"not understood" not in done.stderr, done.stderr
    ours = record(folder, "ptrace", words)
    theirs = [[call[:2] for call in thread] for thread in by_thread(trace)]
    # perf attaches at exec: it has only the end of that call.
    assert theirs == [[call[:2] for call in thread if call[0] != "execve"] for thread in by_thread(ours)]
    assert small_arguments(trace) == small_arguments(ours)


@needs_strace
def test_an_imported_trace_is_mined_and_compiled(folder):
    (folder / "tree").mkdir()  # strace's own output does not lie in it: grep would read that while it grows
    for i in range(60):
        (folder / "tree" / f"f{i}").write_text("x\n")
    trace = strace(folder, ["grep", "-rc", "x", "tree"], "-y")
    mined = run(SYSVM, "mine", "--json", trace)
    assert mined.returncode == 0, mined.stderr
    top = json.loads(mined.stdout)["sequences"][0]
    assert top["count"] >= 50 and "openat" in {call["name"] for call in top["calls"]}
    compiled = run(SYSVM, "compile", trace, "-o", folder / "x.svp")
    assert compiled.returncode == 0, compiled.stderr


def test_standard_input_and_quiet(folder):
    text = b"100 1700000000.5 close(3) = 0 <0.1>\n"
    done = run(SYSVM, "import", "-q", "-o", "x.trace", "-", input=text)
    assert done.returncode == 0 and done.stderr == b"" and done.stdout == b""
    assert len(events("x.trace")) == 1


def test_what_is_not_understood_is_told_with_its_line(folder):
    (folder / "x.txt").write_text("100 1700000000.5 close(3) = 0 <0.1>\nnot a call\n")
    done = run(SYSVM, "import", "x.txt", "-o", "x.trace")
    assert done.returncode == 0 and b"1 lines were not understood" in done.stderr
    assert b"line 2: not a call" in done.stderr


def test_other_files_are_left_alone_and_other_text_refused(folder):
    (folder / "precious").write_text("data")
    make_trace(folder)
    done = run(SYSVM, "import", "x.txt", "-o", "precious")
    assert done.returncode == 125 and (folder / "precious").read_text() == "data"
    (folder / "y.txt").write_text("hello\n")
    done = run(SYSVM, "import", "y.txt", "-o", "y.trace")
    assert done.returncode == 2 and b"y.txt" in done.stderr and not (folder / "y.trace").exists()
    (folder / "z.txt").write_text("     0.000 ( 0.007 ms): ls/1234 close(fd: 3) = 0\n")
    done = run(SYSVM, "import", "z.txt")
    assert done.returncode == 2 and b"perf script" in done.stderr
