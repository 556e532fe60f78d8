# SPDX-License-Identifier: MIT
"""What the tests of `sysvm run` share: an environment of their own, procedures, what is kept of a start."""
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import foreground  # noqa: E402
from foreground import WAIT  # noqa: E402

BIN = os.environ["SYSVM_BIN"]
SYSVM = os.path.join(BIN, "sysvm")
SEEN = os.environ["SYSVM_SEEN"]
READ = os.environ["SYSVM_READ"]  # procedures for any program, as text


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


def start(home, words, **more):
    return foreground.start(words, env=home, **more)


def one_line(done, *parts):
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1 and lines[0].startswith("sysvm: ") and all(p in lines[0] for p in parts), lines
