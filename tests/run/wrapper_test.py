# SPDX-License-Identifier: MIT
"""Whoever runs a command with `sysvm run` cannot tell.

Usual runs (nothing to do afterwards) are compared with a plain run in everything that `seen place` prints.
Runs with --stats stay beside the command: signals, stops and ends go through them.
"""
import ctypes
import json
import os
import pty
import resource
import select
import shutil
import signal
import subprocess
import time

import pytest

from wrapper import (SEEN, SYSVM, bundle, cache, home, in_circumstances, one_line, procedures, run,
                     start, starts, staying)  # noqa: F401
from foreground import in_time, WAIT, state, until  # noqa: E402, F401


# --- in place ---

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
    for words in ([SYSVM, "run", "--engine", "user", "--", "sh", "-c", "exit 3"],
                  staying(home, "sh", "-c", "exit 3")):
        done = run(home, *words, preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
        assert done.returncode == 3, done


def test_a_second_start_analyses_nothing(home):
    run(home, SYSVM, "run", "--engine", "user", "--", "true")
    before = {n: os.stat(os.path.join(cache(home), "starts", n)).st_ctime_ns
              for n in os.listdir(os.path.join(cache(home), "starts"))}
    broken = dict(home)
    done = run(broken, SYSVM, "run", "--engine", "user", "--", "true")
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
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # the old time back: ctime still shows it
    done = run(home, *words)
    assert done.returncode == 0 and done.stderr == b"" and os.stat(name).st_ino != before


# --- beside the command ---

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
    for words in ([SYSVM, "run", "--engine", "user", "--", SEEN, "place"], staying(home, SEEN, "place")):
        done = run(home, *words, preexec_fn=lower)
        assert done.returncode == 0 and [l for l in done.stdout.splitlines() if l.startswith(b"ignored")] == \
               [l for l in plain.stdout.splitlines() if l.startswith(b"ignored")]


def test_a_home_with_a_line_break(home):
    odd = os.path.join(home["HOME"], "odd\nhome")
    os.mkdir(odd)
    done = run(dict(home, HOME=odd), SYSVM, "run", "--engine", "user", "--", "sh", "-c",
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
    process = subprocess.Popen([SYSVM, "run", "--engine", "user", "--", "sleep", "1000"], env=home)
    process.kill()
    process.wait(WAIT)
    assert os.listdir(home["TMPDIR"]) == []


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
    words = staying(home, *words) if mode == "beside" else [SYSVM, "run", "--engine", "user", "--", *words]
    keys = [(b"2 0\r\n" * i, b"\x03") for i in range(1, 8)]  # one that came twice would be among the nine
    out, status = in_terminal(home, words, [(b"ready", b"\x03"), *keys, (b"2 0\r\n" * 8, b"\x1c")])
    assert status == 0 and out.split(b"\r\n", 1)[1].replace(b"^\\", b"") == b"2 0\r\n" * 8 + b"3 0\r\n"


@pytest.mark.parametrize("mode", ["in place", "beside"])
def test_stop_and_go_on_under_a_shell(home, mode):
    """^Z, then fg, in a shell with job control."""
    words = [SEEN, "stop"]
    words = staying(home, *words) if mode == "beside" else [SYSVM, "run", "--engine", "user", "--", *words]
    script = "ulimit -c 0; set -m; %s; echo stopped $?; fg >/dev/null; echo ended $?" % " ".join(words)
    out, status = in_terminal(home, ["/bin/bash", "-c", script],
                              [(b"ready", b"\x1a"), (b"going on", b"\x1c")])
    assert b"stopped 148" in out and out.count(b"going on") == 1 and b"ended 131" in out, out


def test_counters_are_right_beside(home):
    run(home, *staying(home, "true"))
    with open(os.path.join(home["HOME"], "stats.json")) as f:
        counts = json.load(f)
    assert counts["processes"] == 1 and counts["seen"] > 0 and counts["exit_status"] == 0
