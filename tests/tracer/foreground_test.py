# SPDX-License-Identifier: MIT
"""A command that is recorded or counted gets its signals, and its parent its status: common/foreground.h, in
the tracer."""
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "cli")]
import foreground  # noqa: E402
from foreground import WAIT, in_time, state, until  # noqa: E402, F401
from sysvm_program import SYSVM, run  # noqa: E402

SEEN = os.environ["SYSVM_SEEN"]
CAN_BPF = run(SYSVM, "stat", "--backend", "bpf", "--", "true").returncode == 0
BACKENDS = ["bpf", "ptrace"] if CAN_BPF else ["ptrace"]
WAYS = [(command, backend) for command in ("record", "stat") for backend in BACKENDS]
SENT_ON = [signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2,
           signal.SIGALRM,
           signal.SIGPIPE, signal.SIGWINCH, signal.SIGCONT, signal.SIGRTMIN + 3]

pytestmark = pytest.mark.parametrize("way", WAYS, ids=lambda w: "-".join(w))


def words(way, tmp_path, *command):
    command_name, backend = way
    output = ["-o", str(tmp_path / "t.trace"), "-q"] if command_name == "record" else []
    return [SYSVM, command_name, "--backend", backend, *output, "--", *command]


def start(way, tmp_path, *command, **more):
    return foreground.start(words(way, tmp_path, *command), **more)


def test_exit_status_with_sigchld_ignored(way, tmp_path):
    done = subprocess.run(words(way, tmp_path, "sh", "-c", "exit 3"), capture_output=True, timeout=WAIT,
                          preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    assert done.returncode == 3, done.stderr


def test_the_command_starts_with_the_signals_that_we_started_with(way, tmp_path):
    def odd():
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    done = subprocess.run(words(way, tmp_path, SEEN, "place"), capture_output=True, timeout=WAIT,
                          preexec_fn=odd)
    said = [l for l in done.stdout.decode().splitlines() if l.split()[0] in ("ignored", "blocked")]
    plain = subprocess.run([SEEN, "place"], capture_output=True, timeout=WAIT,
                           preexec_fn=odd).stdout.decode().splitlines()
    assert said == [l for l in plain if l.split()[0] in ("ignored", "blocked")]


def test_a_signal_to_us_reaches_the_command_once(way, tmp_path):
    process, _ = start(way, tmp_path, SEEN, "signals", str(len(SENT_ON)))
    for s in SENT_ON:
        os.kill(process.pid, s)
        assert process.stdout.readline().split() == [str(int(s)).encode(), b"0"], s
    assert process.wait(WAIT) == 0


def test_killed_we_leave_no_command(way, tmp_path):
    process, pid = start(way, tmp_path, SEEN, "stop")
    process.kill()
    process.wait(WAIT)
    until(lambda: state(pid) in ("gone", "Z"))


def test_a_stopped_command_stops_us(way, tmp_path):
    if way[1] == "ptrace":
        # only the command stops then, as man/sysvm-record.1.scd says: its stops are the tracer's to handle
        return
    process, pid = start(way, tmp_path, SEEN, "stop", preexec_fn=lambda: os.setpgid(0, 0))
    os.kill(pid, signal.SIGTSTP)
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGTSTP
    os.kill(process.pid, signal.SIGCONT)
    assert process.stdout.readline() == b"going on\n"
    until(lambda: state(pid) != "T")
    process.terminate()
    assert process.wait(WAIT) == -signal.SIGTERM


def test_a_limit_that_our_trace_meets_does_not_end_the_command(way, tmp_path):
    """The kernel sends SIGXFSZ in our own name then: it is not sent on."""
    def lower():
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
    script = "i=0; while [ $i -lt 4000 ]; do i=$((i+1)); : </dev/null; done; kill -l >/dev/null; echo end"
    done = subprocess.run(words(way, tmp_path, "sh", "-c", script), capture_output=True, timeout=WAIT,
                          preexec_fn=lower)
    assert done.stdout == b"end\n", done.stderr
