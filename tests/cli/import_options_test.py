# SPDX-License-Identifier: MIT
"""A property of imports, for each way in which strace can be asked to print: everything is understood, the
calls are those of the plain log, and what is exported as strace's text and imported again is the same.

`make check` runs the options one by one; the target check-import-options each pair of them too
(SYSVM_ALL_OPTIONS=1)."""
import itertools
import json
import os
import shutil
import subprocess

import pytest

from sysvm_program import SYSVM, run

pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="no strace")

# What each option changes. "raw": strings are shown as addresses.
OPTIONS = {
    "plain": [], "-r": ["-r"], "-t": ["-t"], "-tt": ["-tt"], "-ttt": ["-ttt"], "-T": ["-T"],
    "-ttt -T": ["-ttt", "-T"],
    "ns": ["--absolute-timestamps=format:unix,precision:ns", "--syscall-times=ns"],
    "-r ns": ["--relative-timestamps=ns"],
    "-ttt -r": ["-ttt", "-r"], "-i": ["-i"], "-n": ["-n"], "-y": ["-y"], "-yy": ["-yy"],
    "--decode-fds": ["--decode-fds=all"],
    "-Y": ["-Y"], "--decode-pids": ["--decode-pids=comm,pidns"], "-v": ["-v"], "-x": ["-x"], "-xx": ["-xx"],
    "-s 4": ["-s", "4"],
    "-s 4096": ["-s", "4096"], "-a 0": ["-a", "0"], "-a 90": ["-a", "90"], "-X raw": ["-X", "raw"],
    "-X abbrev": ["-X", "abbrev"],
    "-X verbose": ["-X", "verbose"], "-e raw": ["-e", "raw=all"], "-e raw=openat": ["-e", "raw=openat,close"],
    "dumps": ["-e", "read=all", "-e", "write=all"], "-C": ["-C"], "-C -U": ["-C", "-U", "name,calls,time"],
    "-q": ["-q"], "-qq": ["-qq"],
    "-k": ["-k"], "-D": ["-D"], "--secontext": ["--secontext"], "-w -C": ["-w", "-C"],
    "no abbreviation": ["-e", "abbrev=none"],
    "-e verbose=none": ["-e", "verbose=none"],
}
RAW = {"-e raw", "-e raw=openat"}
# Each thread's calls are compared; these vary from run to run.
VARIES = {"brk", "mmap", "clone", "clone3", "vfork", "fork", "wait4", "getpid", "gettid", "getppid",
          "set_tid_address", "getrandom",
          "munmap", "mprotect", "arch_prctl", "pread64", "prlimit64", "rseq", "set_robust_list",
          "rt_sigreturn", "restart_syscall"}
COMMAND = ["sh", "-c", "cat a.txt absent.txt | wc -l >/dev/null; kill -USR1 $$ || true; exit 3"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("options")
    (folder / "a.txt").write_text("one\n\x07two\"\n")
    return folder


def events(trace):
    done = run(SYSVM, "dump", "--json", trace)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()[1:]]


def imported(folder, text, name, several=()):
    trace = folder / f"{name}.trace"
    done = run(SYSVM, "import", *(several or [text]), "-o", trace)
    assert done.returncode == 0 and b"not understood" not in done.stderr, done.stderr.decode()
    verified = run(SYSVM, "info", "--verify", "--json", trace)
    assert verified.returncode == 0 and json.loads(verified.stdout)["complete"], verified.stdout.decode()
    return trace


def by_thread(trace, raw=False):
    threads = {}
    for e in events(trace):
        if "signal" in e or e.get("flags", 0) & 8 or e["call"] in VARIES:
            continue
        path = None if raw or e["call"] == "execve" else e.get("path")
        threads.setdefault(e["tid"], []).append((e["call"], e.get("error") or e["ret"], path))
    return sorted(threads.values(), key=repr)


def shape(trace):
    """All that a trace says of calls and the exported text has (no inodes); ids and addresses as they are."""
    out = []
    for e in events(trace):
        e.get("stat", {}).pop("ino", None)
        # Of an int only the low half counts; raw text has the other as it was.
        if "args" in e:
            e["args"] = [None if a is None else int(a) & 0xffffffff for a in e["args"]]
        out.append(json.dumps({key: e.get(key)
                               for key in ("pid", "tid", "call", "signal", "args", "ret", "error", "path",
                                           "path2", "stat",
                                                           "data")}))
    return sorted(out)


def record(folder, name, options, files=False):
    for old in folder.glob(f"{name}.txt*"):
        old.unlink()
    text = folder / f"{name}.txt"
    done = subprocess.run(["strace", "-ff" if files else "-f", *options, "-o", text, *COMMAND], cwd=folder,
                          capture_output=True, timeout=60)
    if b"strace: " in done.stderr and not list(folder.glob(f"{name}.txt*")):
        pytest.skip("this strace cannot: " + done.stderr.decode(errors="replace")[:100])
    if done.returncode != 138 and done.returncode != -10:  # killed by SIGUSR1
        pytest.skip(f"this strace cannot: {done.stderr.decode(errors='replace')[:100]}")
    return text


@pytest.fixture(scope="module")
def plain(folder):
    return by_thread(imported(folder, record(folder, "reference", ["-s", "4096"]), "reference"))


def check(folder, plain, name, options, raw):
    text = record(folder, name, options)
    trace = imported(folder, text, name)
    expected = [[(call, result, None if raw else path) for call, result, path in thread] for thread in plain]
    if any(option in ("-s",) and options[i + 1] == "4" for i, option in enumerate(options)):
        strip = lambda threads: sorted(([(c, r) for c, r, _ in t] for t in threads), key=repr)
        assert strip(by_thread(trace)) == strip(expected)
    else:
        assert by_thread(trace, raw) == sorted(expected, key=repr)
    exported = folder / f"{name}.exported"
    done = run(SYSVM, "export", "strace", "--ns", trace, "-o", exported)
    assert done.returncode == 0, done.stderr
    assert shape(imported(folder, exported, f"{name}.again")) == shape(trace)


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option(folder, plain, name):
    check(folder, plain, "x", OPTIONS[name], name in RAW)


def test_a_file_for_each_process(folder, plain):
    record(folder, "ff", ["-ttt"], files=True)
    trace = imported(folder, None, "ff", several=sorted(folder.glob("ff.txt.*")))
    assert by_thread(trace) == plain


def test_a_log_on_standard_error_between_what_programs_print(folder, plain):
    """The calls are those of the plain log, although strace's messages and the programs' own output stand
    between them."""
    done = subprocess.run(["strace", "-f", *["sh", "-c", "cat a.txt; (cat a.txt); ls a.txt absent.txt"]],
                          cwd=folder, stderr=subprocess.STDOUT,
                          stdout=subprocess.PIPE, timeout=60)
    (folder / "mixed.txt").write_bytes(done.stdout)
    done = run(SYSVM, "import", folder / "mixed.txt", "-o", folder / "mixed.trace")
    assert done.returncode == 0
    subprocess.run(["strace", "-f", "-o", folder / "alone.txt", "sh", "-c",
                    "cat a.txt; (cat a.txt); ls a.txt absent.txt"], cwd=folder,
                   capture_output=True, timeout=60)
    alone = by_thread(imported(folder, folder / "alone.txt", "alone"))
    assert [len(thread) for thread in by_thread(folder / "mixed.trace")] == [len(thread) for thread in alone]


PAIRS = list(itertools.combinations(OPTIONS, 2)) if os.environ.get("SYSVM_ALL_OPTIONS") else []


@pytest.mark.parametrize("pair", PAIRS, ids=["+".join(pair) for pair in PAIRS])
def test_every_pair_of_options(folder, plain, pair):
    check(folder, plain, "pair", OPTIONS[pair[0]] + OPTIONS[pair[1]], bool(RAW & set(pair)))
