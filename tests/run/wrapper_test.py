# SPDX-License-Identifier: MIT
"""Whoever runs a command with `sysvm run` cannot tell, and whatever is wrong around it, the command runs.

Usual runs (nothing to do afterwards) are compared with a plain run in everything that `seen place` prints.
Runs with --stats stay beside the command: signals, stops and ends go through them.
"""
import ctypes
import json
import os
import pty
import re
import resource
import select
import shutil
import signal
import stat
import subprocess
import sys
import time

import pytest

BIN = os.environ["SYSVM_BIN"]
SYSVM = os.path.join(BIN, "sysvm")
SEEN = os.environ["SYSVM_SEEN"]
READ = os.environ["SYSVM_READ"]  # procedures for any program, as text
STAYING = [SIGUSR1, SIGUSR2] = [signal.SIGUSR1, signal.SIGUSR2]
WAIT = 60


STARTED = []


@pytest.fixture(autouse=True)
def in_time():
    """What hangs fails."""
    def late(*_):
        raise TimeoutError
    signal.signal(signal.SIGALRM, late)
    signal.alarm(WAIT)
    yield
    signal.alarm(0)
    while STARTED:  # by a test that failed
        process = STARTED.pop()
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture
def home(tmp_path):
    """An environment with a cache and a folder for temporary files of its own."""
    (tmp_path / "tmp").mkdir()
    env = dict(os.environ, HOME=str(tmp_path), TMPDIR=str(tmp_path / "tmp"), LC_ALL="C.UTF-8")
    for name in ("XDG_CACHE_HOME", "LD_PRELOAD", "SYSVM_DISABLE"):
        env.pop(name, None)
    return env


def cache(home):
    return os.path.join(home["HOME"], ".cache", "sysvm")


def run(home, *words, **more):
    return subprocess.run([str(w) for w in words], env=home, capture_output=True, stdin=subprocess.DEVNULL,
                          timeout=WAIT, **more)


def procedures(home):
    path = os.path.join(home["HOME"], "read.svp")
    if not os.path.exists(path):
        subprocess.run([SYSVM, "asm", READ, "-o", path], check=True)
    return path


def staying(home, *words):
    return [SYSVM, "run", "--stats", os.path.join(home["HOME"], "stats.json"), "--", *words]


def starts(home):
    return sorted(n for n in os.listdir(os.path.join(cache(home), "starts")) if n.endswith(".start"))


def bundle(home):
    folder = os.path.join(cache(home), "starts")
    return [os.path.join(folder, n) for n in os.listdir(folder) if n.endswith(".bundle")]


# --- in place ---

def in_circumstances(home, words):
    """In a group of its own, with signals blocked and ignored, and a descriptor."""
    def start():
        os.setpgid(0, 0)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM, signal.SIGCHLD})
    process = subprocess.Popen(words, env=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               preexec_fn=start)
    out, err = process.communicate(timeout=WAIT)
    own = process.pid
    return process.returncode, out.decode().replace("group %d" % own, "group SELF"), err.decode()


def test_a_command_sees_the_same_parent_group_session_signals_and_descriptors(home):
    plain = in_circumstances(home, [SEEN, "place"])
    assert "group SELF" in plain[1] and "ignored 17" in plain[1] and "blocked 14" in plain[1]
    first = in_circumstances(home, [SYSVM, "run", "-P", procedures(home), "--", SEEN, "place"])
    assert first == plain, "the first run, which analyses"
    assert in_circumstances(home, [SYSVM, "run", "-P", procedures(home), "--", SEEN, "place"]) == plain
    assert starts(home), "nothing was kept: the second run was a first one too"


def test_the_shim_is_there_in_place(home):
    words = [SYSVM, "run", "-P", procedures(home), "--", "sh", "-c", "cat /proc/$$/maps"]
    for _ in range(2):
        assert b"libsysvm-preload.so" in run(home, *words).stdout


def test_exit_status_with_sigchld_ignored(home):
    for words in ([SYSVM, "run", "--", "sh", "-c", "exit 3"], staying(home, "sh", "-c", "exit 3")):
        done = run(home, *words, preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
        assert done.returncode == 3, done


def test_a_second_start_analyses_nothing(home):
    run(home, SYSVM, "run", "--", "true")
    before = {n: os.stat(os.path.join(cache(home), "starts", n)).st_ctime_ns
              for n in os.listdir(os.path.join(cache(home), "starts"))}
    broken = dict(home)
    done = run(broken, SYSVM, "run", "--", "true")
    after = {n: os.stat(os.path.join(cache(home), "starts", n)).st_ctime_ns
             for n in os.listdir(os.path.join(cache(home), "starts"))}
    assert (done.returncode, done.stderr, before) == (0, b"", after)


@pytest.mark.parametrize("what", ["program", "procedures", "bundle"])
def test_a_start_goes_when_what_it_was_made_from_changes(home, what):
    program = os.path.join(home["HOME"], "program")
    shutil.copy("/usr/bin/env", program)
    words = [SYSVM, "run", "-P", procedures(home), "--", program]
    run(home, *words)
    name = os.path.join(cache(home), "starts", starts(home)[0])
    before = os.stat(name).st_ino
    assert run(home, *words).returncode == 0 and os.stat(name).st_ino == before
    path = {"program": program, "procedures": procedures(home), "bundle": bundle(home)[0]}[what]
    times = os.stat(path)
    with open(path, "r+b") as f:
        if what == "bundle":
            f.seek(1000)
            f.write(b"\x55")
        else:
            f.seek(0)
            f.write(f.read(1) and b"" or b"")
            f.seek(0, 2)
            f.write(b"" if what == "procedures" else b"x")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # the old time back: ctime still tells
    done = run(home, *words)
    assert done.returncode == 0 and done.stderr == b"" and os.stat(name).st_ino != before


# --- beside the command ---

def start(home, words, **more):
    process = subprocess.Popen(words, env=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
    STARTED.append(process)
    ready = process.stdout.readline().split()
    assert ready and ready[0] == b"ready", (ready, process.stderr.read())
    return process, int(ready[1])


FORWARDED = [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM,
             signal.SIGTERM,
             signal.SIGPIPE, signal.SIGCONT, signal.SIGWINCH, signal.SIGURG, signal.SIGIO, signal.SIGTSTP,
             signal.SIGTTIN,
             signal.SIGCHLD, signal.SIGVTALRM, signal.SIGRTMIN + 3]


def test_every_signal_to_the_wrapper_reaches_the_command(home):
    process, _ = start(home, staying(home, SEEN, "signals", str(len(FORWARDED))))
    for s in FORWARDED:
        os.kill(process.pid, s)
        assert process.stdout.readline().split() == [str(int(s)).encode(), b"0"], s
    assert process.wait(WAIT) == 0


def test_beside_us_the_command_starts_with_the_signals_that_we_started_with(home):
    def signals(done):
        return [l for l in done[1].splitlines() if l.split()[0] in ("ignored", "blocked", "descriptor")]
    plain = in_circumstances(home, [SEEN, "place"])
    for change in ({}, {"HOME": "/nonexistent"}):
        done = in_circumstances(dict(home, **change), staying(home, SEEN, "place"))
        assert done[0] == 0 and signals(done) == signals(plain)


def test_a_plain_run_because_of_a_limit_inherits_nothing_of_ours(home):
    def lower():
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    plain = run(home, SEEN, "place", preexec_fn=lower)
    for words in ([SYSVM, "run", "--", SEEN, "place"], staying(home, SEEN, "place")):
        done = run(home, *words, preexec_fn=lower)
        assert done.returncode == 0 and [l for l in done.stdout.splitlines() if l.startswith(b"ignored")] == \
               [l for l in plain.stdout.splitlines() if l.startswith(b"ignored")]


def test_a_home_with_a_line_break(home):
    odd = os.path.join(home["HOME"], "odd\nhome")
    os.mkdir(odd)
    done = run(dict(home, HOME=odd), SYSVM, "run", "--", "sh", "-c",
               "env | grep -c -e SYSVM_BUNDLE -e LD_PRELOAD")
    assert done.stdout == b"0\n"
    one_line(done, "line break", "not kept")


def test_a_queued_signal_keeps_its_value(home):
    process, _ = start(home, staying(home, SEEN, "signals", "1"))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.sigqueue.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_void_p]
    assert libc.sigqueue(process.pid, signal.SIGRTMIN + 1, 4711) == 0
    assert process.stdout.readline().split() == [str(signal.SIGRTMIN + 1).encode(), b"4711"]
    assert process.wait(WAIT) == 0


def test_a_signal_from_the_command_itself_is_not_sent_back(home):
    done = run(home, *staying(home, "sh", "-c",
                              "trap 'echo got' USR1; kill -USR1 $PPID; sleep 0.2; echo end"))
    assert done.stdout == b"end\n" and done.returncode == 0


@pytest.mark.parametrize("ends", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGSEGV,
                                  signal.SIGKILL])
def test_the_wrapper_ends_by_the_commands_signal(home, ends):
    done = run(home, *staying(home, "sh", "-c", "kill -%d $$" % ends))
    assert done.returncode == -ends


def gone(pid):
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        try:
            with open("/proc/%d/stat" % pid) as f:
                if f.read().rsplit(")", 1)[1].split()[0] == "Z":
                    return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("ends", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_killed_wrapper_leaves_neither_command_nor_files(home, ends):
    process, pid = start(home, staying(home, SEEN, "stop"))
    os.kill(process.pid, ends)
    assert process.wait(WAIT) == -ends
    assert gone(pid)
    assert os.listdir(home["TMPDIR"]) == []


def test_nothing_is_left_when_the_first_run_is_killed(home):
    process = subprocess.Popen([SYSVM, "run", "--", "sleep", "1000"], env=home)
    process.kill()
    process.wait(WAIT)
    assert os.listdir(home["TMPDIR"]) == []


def state(pid):
    with open("/proc/%d/stat" % pid) as f:
        return f.read().rsplit(")", 1)[1].split()[0]


def until(what):
    end = time.monotonic() + WAIT
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("stop", [signal.SIGTSTP, signal.SIGTTIN, signal.SIGSTOP])
def test_a_stopped_command_is_a_stopped_job(home, stop):
    """As a shell sees it: the job stops by the command's signal; SIGCONT to the wrapper alone continues
    both."""
    process, pid = start(home, staying(home, SEEN, "stop"), preexec_fn=lambda: os.setpgid(0, 0))
    os.kill(pid, stop)
    waited, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status) and os.WSTOPSIG(status) == stop
    assert state(pid) == "T"
    os.kill(process.pid, signal.SIGCONT)
    assert process.stdout.readline() == b"going on\n"
    until(lambda: state(pid) != "T")
    process.terminate()
    assert process.wait(WAIT) == -signal.SIGTERM


def test_a_continued_group_continues_the_command_once(home):
    process, pid = start(home, staying(home, SEEN, "stop"), preexec_fn=lambda: os.setpgid(0, 0))
    for at_once in (True, False, True, False):
        os.kill(pid, signal.SIGTSTP)
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        if at_once:
            os.killpg(process.pid, signal.SIGCONT)
            assert process.stdout.readline() == b"going on\n"
        else:  # the command alone: what waits for it goes on, too
            os.kill(pid, signal.SIGCONT)
            assert process.stdout.readline() == b"going on\n"
            _, status = os.waitpid(process.pid, os.WCONTINUED)
            assert os.WIFCONTINUED(status)
        time.sleep(0.1)
    process.terminate()
    process.wait(WAIT)
    assert process.stdout.read() == b"", "a second SIGCONT for one"


@pytest.mark.parametrize("stop", ["STOP", "TSTP"])
def test_a_command_that_a_child_of_its_own_continues_ends(home, stop):
    """Nobody continues the process that waits for it: it would sleep, and its parent with it."""
    done = run(home, *staying(home, "sh", "-c", f"(sleep 0.3; kill -CONT $$) & kill -{stop} $$; exit 3"))
    assert done.returncode == 3, done


def in_terminal(home, words, keys):
    """Runs words on a terminal of its own; for each key waits for its text first. What came out, and the
    status."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(words[0], words, home)
    out = b""
    keys = list(keys)
    while True:
        out = out.replace(b"^C", b"")  # its echo
        if keys and keys[0][0] in out:
            time.sleep(0.05)
            os.write(fd, keys[0][1])
            keys.pop(0)
        ready, _, _ = select.select([fd], [], [], WAIT)
        assert ready, out
        try:
            data = os.read(fd, 4096)
        except OSError:
            break
        if not data:
            break
        out += data
    return out, os.waitpid(pid, 0)[1]


@pytest.mark.parametrize("mode", ["in place", "beside"])
def test_interrupt_from_the_terminal_arrives_once(home, mode):
    words = [SEEN, "signals", "9"]
    words = staying(home, *words) if mode == "beside" else [SYSVM, "run", "--", *words]
    keys = [(b"2 0\r\n" * i, b"\x03") for i in range(1, 8)]  # one that came twice would be among the nine
    out, status = in_terminal(home, words, [(b"ready", b"\x03"), *keys, (b"2 0\r\n" * 8, b"\x1c")])
    assert status == 0 and out.split(b"\r\n", 1)[1].replace(b"^\\", b"") == b"2 0\r\n" * 8 + b"3 0\r\n"


@pytest.mark.parametrize("mode", ["in place", "beside"])
def test_stop_and_go_on_under_a_shell(home, mode):
    """^Z, then fg, in a shell with job control."""
    words = [SEEN, "stop"]
    words = staying(home, *words) if mode == "beside" else [SYSVM, "run", "--", *words]
    script = "ulimit -c 0; set -m; %s; echo stopped $?; fg >/dev/null; echo ended $?" % " ".join(words)
    out, status = in_terminal(home, ["/bin/bash", "-c", script],
                              [(b"ready", b"\x1a"), (b"going on", b"\x1c")])
    assert b"stopped 148" in out and out.count(b"going on") == 1 and b"ended 131" in out, out


def test_counters_are_right_beside(home):
    run(home, *staying(home, "true"))
    with open(os.path.join(home["HOME"], "stats.json")) as f:
        counts = json.load(f)
    assert counts["processes"] == 1 and counts["seen"] > 0 and counts["exit_status"] == 0


# --- a run never costs the job ---

def one_line(done, *parts):
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1 and lines[0].startswith("sysvm: ") and all(p in lines[0] for p in parts), lines


@pytest.mark.parametrize("name, text, part", [("missing.svp", None, "No such file"),
                                              ("bad.svp", b"SYSVMSVPrubbish", "bad.svp"),
                                              ("empty.svp", b"", "empty.svp")])
def test_without_usable_procedures_the_command_runs(home, name, text, part):
    path = os.path.join(home["HOME"], name)
    if text is not None:
        with open(path, "wb") as f:
            f.write(text)
    done = run(home, SYSVM, "run", "-P", path, "--", "sh", "-c", "echo job; exit 5")
    assert (done.returncode, done.stdout) == (5, b"job\n")
    one_line(done, part, "plainly")
    required = run(home, SYSVM, "run", "--require", "-P", path, "--", "sh", "-c", "echo job; exit 5")
    assert (required.returncode, required.stdout) == (2, b"")
    one_line(required, part)


def test_procedures_of_another_build_say_so(home):
    with open(READ) as f:
        text = f.read()
    bound = os.path.join(home["HOME"], "bound.txt")
    with open(bound, "w") as f:
        for line in text.splitlines(True):
            f.write(line + ("  exe " + "ab" * 20 + "\n" if line.startswith("proc") else ""))
    svp = os.path.join(home["HOME"], "bound.svp")
    subprocess.run([SYSVM, "asm", bound, "-o", svp], check=True)
    for _ in range(2):
        done = run(home, SYSVM, "run", "-P", svp, "--", "echo", "job")
        assert (done.returncode, done.stdout) == (0, b"job\n")
        one_line(done, svp, "another build", "ab" * 20)
    required = run(home, SYSVM, "run", "--require", "-P", svp, "--", "echo", "job")
    assert (required.returncode, required.stdout) == (2, b"")


def test_an_engine_that_is_not_there(home):
    if os.path.exists("/dev/sysvm"):
        pytest.skip("the module is loaded here")
    done = run(home, SYSVM, "run", "--engine", "kernel", "--", "echo", "job")
    assert (done.returncode, done.stdout) == (0, b"job\n")
    one_line(done, "/dev/sysvm", "plainly")
    assert run(home, SYSVM, "run", "--require", "--engine", "kernel", "--", "echo", "job").returncode == 125


@pytest.mark.parametrize("text, part", [("exit 0", "ended early"), ("kill -9 $$", "ended early"),
                                        ("echo rubbish; echo more", "rubbish"),
                                        ("printf SYSVSTR1rubbish", "SYSVSTR1rubbish"),
                                        ("exec sleep 30", "longer than"), (None, "No such file")])
def test_a_helper_that_fails(home, text, part):
    """The front program in a tree of its own, where the program that analyses is something else."""
    tree = os.path.join(home["HOME"], "tree")
    os.makedirs(os.path.join(tree, "bin"))
    os.makedirs(os.path.join(tree, "libexec", "sysvm"))
    front, helper = os.path.join(tree, "bin", "sysvm"), os.path.join(tree, "libexec", "sysvm", "sysvm")
    shutil.copy(SYSVM, front)
    if text is not None:
        with open(helper, "w") as f:
            f.write("#!/bin/sh\n%s\n" % text)
        os.chmod(helper, 0o755)
    done = run(home, front, "run", "--", "sh", "-c", "echo job; exit 5")
    assert (done.returncode, done.stdout) == (5, b"job\n")
    one_line(done, part, "plainly")


LIMITS = {"descriptors": (resource.RLIMIT_NOFILE, 4), "five descriptors": (resource.RLIMIT_NOFILE, 5),
          "file size": (resource.RLIMIT_FSIZE, 1024), "no file at all": (resource.RLIMIT_FSIZE, 0),
          "stack": (resource.RLIMIT_STACK, 64 << 10), "memory": (resource.RLIMIT_AS, 12 << 20),
          "data": (resource.RLIMIT_DATA, 1 << 20)}


@pytest.mark.parametrize("kept", ["first", "second", "beside", "beside again"])
@pytest.mark.parametrize("limit", LIMITS)
def test_small_limits_do_not_cost_the_job(home, limit, kept):
    """dash under the limit; where it runs plainly, it runs."""
    words = ["/bin/sh", "-c", "echo job; exit 5"]
    if kept in ("second", "beside again"):
        run(home, SYSVM, "run", "--", *words)
    what, value = LIMITS[limit]

    def lower():
        resource.setrlimit(what, (value, value))
    assert run(home, *words, preexec_fn=lower).returncode == 5, "the plain run itself"
    with_us = staying(home, *words) if "beside" in kept else [SYSVM, "run", "--", *words]
    done = run(home, *with_us, preexec_fn=lower)
    assert (done.returncode, done.stdout) == (5, b"job\n"), done.stderr
    assert all(l.startswith(b"sysvm: ") for l in done.stderr.splitlines())
    assert len(done.stderr.splitlines()) <= 2
    assert os.listdir(home["TMPDIR"]) == []


@pytest.mark.parametrize("change", [{"HOME": None}, {"HOME": "relative"}, {"HOME": "/nonexistent/at/all"},
                                    {"HOME": "/proc"},
                                    {"TMPDIR": "/nonexistent"}, {"TMPDIR": ""}, {"TMPDIR": None}])
def test_odd_home_and_tmpdir(home, change):
    env = dict(home)
    for name, value in change.items():
        env.pop(name)
        if value is not None:
            env[name] = value
    done = run(env, SYSVM, "run", "-P", procedures(home), "--", "sh", "-c", "echo job; exit 5")
    assert (done.returncode, done.stdout) == (5, b"job\n")
    if "HOME" in change:
        one_line(done, "not kept")
    else:
        assert done.stderr == b""


def test_without_a_second_process(home):
    """RLIMIT_NPROC does not bind root; an ordinary user may be at the limit."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become another user")

    def lower():
        os.setgid(65534)
        os.setuid(65534)
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    env = dict(home, HOME="/nonexistent")
    for words in ([SYSVM, "run", "--", "/bin/echo", "job"],
                  [SYSVM, "run", "--json", "--", "/bin/echo", "job"]):
        try:
            done = run(env, *words, preexec_fn=lower)
        except PermissionError:
            pytest.skip("another user cannot execute the program where it was built")
        assert (done.returncode, done.stdout) == (0, b"job\n"), done.stderr


def test_arguments_that_only_just_fit(home):
    """E2BIG is never ours: the longest list of arguments that a plain run takes is taken."""
    low, high = 0, 1 << 22
    word = "x" * 100000

    def words(n):
        return [word] * (n // len(word)) + ["x" * (n % len(word))]
    while high - low > 1:  # the longest
        middle = (low + high) // 2
        try:
            ok = subprocess.run(["/bin/true", *words(middle)], env=home).returncode == 0
        except OSError:
            ok = False
        low, high = (middle, high) if ok else (low, middle)
    run(home, SYSVM, "run", "--", "/bin/true")
    ours = len(SYSVM) + len("run") + len("--") + 3 + 3 * 8 + 8
    done = run(home, SYSVM, "run", "--", "/bin/true", *words(low - ours - 64))
    assert (done.returncode, done.stderr) == (0, b"")


# --- the cache ---

def test_a_damaged_start_or_bundle_is_made_anew(home):
    words = [SYSVM, "run", "-P", procedures(home), "--", "sh", "-c", "echo $0; exit 5"]
    run(home, *words)
    for path in [os.path.join(cache(home), "starts", starts(home)[0])]:
        with open(path, "rb") as f:
            good = f.read()
        for i in range(0, len(good), max(1, len(good) // 25)):
            with open(path, "wb") as f:
                f.write(good[:i] + bytes([good[i] ^ 4]) + good[i + 1:])
            done = run(home, *words)
            assert (done.returncode, done.stdout, done.stderr) == (5, b"sh\n", b""), i


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
@pytest.mark.parametrize("part", ["", "starts"])
def test_a_cache_that_others_can_write_is_not_used(home, part, mode):
    words = [SYSVM, "run", "-P", procedures(home), "--", "sh", "-c", "echo job"]
    run(home, *words)
    os.chmod(os.path.join(cache(home), part), mode)
    done = run(home, *words)
    assert (done.returncode, done.stdout) == (0, b"job\n")
    if mode & 0o022:
        one_line(done, cache(home), "others can write", "not kept")
    else:
        assert done.stderr == b""


def test_a_cache_of_another_user_or_behind_a_link_is_not_used(home):
    os.makedirs(os.path.join(home["HOME"], ".cache"))
    elsewhere = os.path.join(home["HOME"], "elsewhere")
    os.mkdir(elsewhere)
    os.symlink(elsewhere, cache(home))
    done = run(home, SYSVM, "run", "--", "echo", "job")
    assert (done.returncode, done.stdout) == (0, b"job\n")
    one_line(done, cache(home))
    assert os.listdir(elsewhere) == []
    if os.geteuid() == 0:
        os.unlink(cache(home))
        os.mkdir(cache(home), 0o700)
        os.chown(cache(home), 4711, 4711)
        done = run(home, SYSVM, "run", "--", "echo", "job")
        assert (done.returncode, done.stdout) == (0, b"job\n")
        one_line(done, "belongs to user 4711")


def test_files_that_others_can_write_or_that_are_links_are_not_used(home):
    words = [SYSVM, "run", "--", "echo", "job"]
    run(home, *words)
    path = os.path.join(cache(home), "starts", starts(home)[0])
    before = os.stat(path).st_ino
    os.chmod(path, 0o666)
    assert run(home, *words).stdout == b"job\n"
    assert os.stat(path).st_ino != before and stat.S_IMODE(os.stat(path).st_mode) == 0o600
    shutil.move(path, path + ".moved")
    os.symlink(path + ".moved", path)
    assert run(home, *words).stdout == b"job\n"
    assert not os.path.islink(path)


def test_a_damaged_analysis_is_made_anew(home):
    """Any byte of what is kept of the C library: never another patch, so the same calls are seen."""
    words = staying(home, "cat", "/etc/passwd")

    def seen():
        shutil.rmtree(os.path.join(cache(home), "starts"), ignore_errors=True)
        done = run(home, *words)
        assert done.returncode == 0 and done.stderr == b""
        with open(os.path.join(home["HOME"], "stats.json")) as f:
            counts = json.load(f)
        return done.stdout, counts["seen"], counts["off"], counts["unknown_objects"]
    expected = seen()
    assert expected[1] > 20
    sites = os.path.join(cache(home), "sites")
    name = max(os.listdir(sites), key=lambda n: os.path.getsize(os.path.join(sites, n)))  # the C library's
    with open(os.path.join(sites, name), "rb") as f:
        good = f.read()
    for i in [0, 9, 30, 60, 100, 150, *range(200, len(good), len(good) // 8)]:
        with open(os.path.join(sites, name), "wb") as f:
            f.write(good[:i] + bytes([good[i] ^ 0x10]) + good[i + 1:])
        assert seen() == expected, i


@pytest.mark.parametrize("size", ["4k", "24k", "160k"])
def test_a_full_disk(home, size):
    """A cache on a file system with room for nothing, for some of it, for almost all of it."""
    svp = procedures(home)
    os.mkdir(os.path.join(home["HOME"], ".cache"))
    script = ("mount -t tmpfs -o mode=700,size=%s none %s/.cache || exit 77; for i in 1 2; do %s run -P %s "
              "-- "
              "sh -c 'echo job; exit 5'; test $? = 5 || exit 6; done" % (size, home["HOME"], SYSVM, svp))
    done = run(home, "unshare", "-m", "sh", "-c", script)
    if done.returncode in (1, 77):
        pytest.skip("no file system can be mounted here: %r" % done.stderr)
    assert (done.returncode, done.stdout) == (0, b"job\njob\n"), done.stderr
    for line in done.stderr.decode().splitlines():
        assert line.startswith("sysvm: ") and "not kept" in line


def test_a_first_run_that_is_killed_leaves_a_usable_cache(home):
    for wait in (0.001, 0.01, 0.03, 0.06):
        process = subprocess.Popen([SYSVM, "run", "--", "true"], env=home, start_new_session=True)
        time.sleep(wait)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(WAIT)
    done = run(home, SYSVM, "run", "--", "sh", "-c", "echo job")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"job\n", b"")


def test_what_the_recording_saw_executed_is_known_in_the_first_run(home):
    """A program that only a shell starts is in no closure of the command."""
    trace, svp = os.path.join(home["HOME"], "t.trace"), os.path.join(home["HOME"], "t.svp")
    shell = ["sh", "-c",
             "/usr/bin/sort /dev/null; for i in 1 2 3 4 5 6; do /bin/cat /etc/passwd /etc/group; done"]
    recorded = run(home, SYSVM, "record", "-o", trace, "--", *shell)
    assert recorded.returncode == 0, recorded.stderr
    assert run(home, SYSVM, "compile", trace, "-o", svp).returncode == 0
    shutil.rmtree(cache(home), ignore_errors=True)
    stats = os.path.join(home["HOME"], "stats.json")
    done = run(home, SYSVM, "run", "-P", svp, "--stats", stats, "--", *shell)
    assert done.returncode == 0
    with open(stats) as f:
        counts = json.load(f)
    assert counts["processes"] == 8 and counts["unknown_objects"] == [] and "unseen" not in counts["off"]


def test_commands_share_a_bundle_and_old_ones_go(home):
    folder = os.path.join(cache(home), "starts")
    for _ in range(2):  # in the second round nothing new is met
        for command in ("true", "cat", "env"):
            assert run(home, SYSVM, "run", "--", command).returncode == 0
    named = set()
    for name in starts(home):
        with open(os.path.join(folder, name), "rb") as f:
            named |= set(re.findall(rb"[0-9a-f]{32}\.bundle", f.read().rpartition(folder.encode())[0]))
    assert len(starts(home)) == 3 and len(named) == 1
    for i in range(100):
        path = os.path.join(folder, "%032x.bundle" % i)
        with open(path, "wb") as f:
            f.write(b"old")
        os.utime(path, (i, i) if i % 2 else None)  # every other one is of 1970
    run(home, SYSVM, "run", "--", "sort", "/dev/null")
    left = bundle(home)
    assert not [b for b in left if os.stat(b).st_mtime < 1000] and len(left) <= 66
    assert len(starts(home)) == 1, "the others were made before sort was known"
    assert run(home, SYSVM, "run", "--", "cat", "/dev/null").returncode == 0


def test_many_first_runs_at_once(home):
    words = [SYSVM, "run", "-P", procedures(home), "--", "sh", "-c", "echo job; exit 5"]
    processes = [subprocess.Popen(words, env=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                 for _ in range(24)]
    for p in processes:
        out, err = p.communicate(timeout=WAIT)
        assert (p.returncode, out, err) == (5, b"job\n", b"")
    assert len(starts(home)) == 1 and len(bundle(home)) == 1
    assert not [n for n in os.listdir(os.path.join(cache(home), "starts")) if n.startswith(".new-")]


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, *sys.argv[1:]]))
