# SPDX-License-Identifier: MIT
"""A run that does not end: where its threads wait, and its end, by the processes' own numbers.

Used by tests/shim/threads/run.py and tests/suites/. Tested by tests/suites/harness_test.py.
"""
import os
import signal
import subprocess
from pathlib import Path


def tree(top: int) -> list[int]:
    """The process and all below it."""
    parents: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                stat = Path(f"/proc/{name}/stat").read_text()
            except OSError:
                continue
            parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(name))
    found = [top]
    for pid in found:
        found += parents.get(pid, [])
    return found


def where_it_waits(top: int) -> str:
    """For each thread below the process: its name, its state and the system call it is in, as numbers."""
    lines = []
    for pid in tree(top):
        for task in sorted(Path(f"/proc/{pid}/task").glob("*")):
            try:
                name, call = (task / "comm").read_text().strip(), (task / "syscall").read_text().strip()
                state = (task / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            lines.append(f"{pid}/{task.name} {name} {state} {call}")
    return "\n".join(lines)


def end(child: subprocess.Popen, mark: str = "") -> None:
    """Ends what is left of a run that has a session of its own: a child may hang where its parent has given
    up. With a mark also what has left the session, known by the mark in its environment (`NAME=value`)."""
    below = tree(child.pid) if child.poll() is None else []
    for send in [lambda: os.killpg(child.pid, signal.SIGKILL)] + [lambda pid=pid: os.kill(pid, signal.SIGKILL)
                                                                 for pid in below[1:]]:
        try:
            send()
        except (ProcessLookupError, PermissionError):
            pass
    child.wait()
    for pid in marked(mark) if mark else []:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def marked(mark: str) -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                if mark.encode() in Path(f"/proc/{name}/environ").read_bytes().split(b"\0"):
                    found.append(int(name))
            except OSError:
                continue
    return found
