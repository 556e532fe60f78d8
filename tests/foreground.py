# SPDX-License-Identifier: MIT
"""What the tests of a command in the foreground (common/foreground.h) share: run/ and tracer/."""
import signal
import subprocess
import time

import pytest

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


def start(words, **more):
    """Starts words, which run tests/run/seen.c. The process, and the pid that seen reports when it is
    ready."""
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
    STARTED.append(process)
    ready = process.stdout.readline().split()
    assert ready and ready[0] == b"ready", (ready, process.stderr.read())
    return process, int(ready[1])


def state(pid):
    with open("/proc/%d/stat" % pid) as f:
        return f.read().rsplit(")", 1)[1].split()[0]


def until(what):
    end = time.monotonic() + WAIT
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)
