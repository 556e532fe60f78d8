# SPDX-License-Identifier: MIT
"""Recordings as nobody wants them, mined, compiled and replayed: what is said is true of what is there, and
no figure is nonsense. The recordings are made from text, so they need no rights."""
import json
import math
import os
import signal
import subprocess
import time

import pytest

from sysvm_program import SYSVM, run
from trace_text import make_trace

FILE = ('openat(AT_FDCWD, "f{0}", O_RDONLY) = 3\n'
        'newfstatat(3, "", {{st_mode=S_IFREG|0644, st_size=12, ...}}, AT_EMPTY_PATH) = 0\n'
        'read(3, "1\\n2\\n", 4096) = 4\n'
        'read(3, "", 4096) = 0\n'
        'close(3) = 0\n')


def timed(lines, first=1.0, step=1e-5, pid=None):
    """Each line with its time, and of that process."""
    who = f"{pid} " if pid else ""
    return "".join(f"{who}{first + i * step:.6f} {line} <0.000002>\n"
                   for i, line in enumerate(lines.splitlines()))


def finite(value):
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    if isinstance(value, list):
        return all(map(finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def all_of(folder, trace, *costs):
    """What mine and compile say of it, as text and as JSON."""
    said = {}
    for command, more in (("mine", []), ("compile", ["-o", folder / "x.svp"])):
        done = run(SYSVM, command, *costs, trace, *more)
        assert done.returncode == 0, done.stderr
        assert b"nan" not in done.stdout and b"inf " not in done.stdout and b"-0 " not in done.stdout
        said[command] = done.stdout.decode() + done.stderr.decode()
        done = run(SYSVM, command, "--json", *costs, trace, *more)
        said[command + " json"] = json.loads(done.stdout)
        assert finite(said[command + " json"])
    done = run(SYSVM, "replay", "-P", folder / "x.svp", trace)
    assert done.returncode == 0, done.stderr
    return said


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_one_call(folder):
    said = all_of(folder, make_trace(folder, timed("getppid() = 1\n")))
    assert "nothing to gain" in said["compile"] and said["compile json"]["calls"] == 1


def test_gaps_cut_sequences(folder):
    """What strace did not finish is a hole: nothing is learned across it."""
    whole = timed("".join(FILE.format(i) for i in range(200)))
    cut = "".join(line.replace(' = 0 <0.000002>', ' <unfinished ...>') if "newfstatat" in line else line
                  for line in whole.splitlines(True))
    hits = [sum(p["hits"] for p in all_of(folder, make_trace(folder, text))["compile json"]["procedures"])
            for text in (whole, cut)]
    assert hits[0] > 400 and hits[1] == 0


def test_a_clock_that_steps_back(folder):
    """Half of the recording is from before its beginning."""
    text = timed("".join(FILE.format(i) for i in range(100)), first=5000.0)
    text += timed("".join(FILE.format(i) for i in range(100, 200)), first=1000.0)
    said = all_of(folder, make_trace(folder, text))
    assert said["compile json"]["calls"] == 1000
    assert 0 <= said["compile json"]["wall_ns"] < 5e12


def test_very_many_processes(folder):
    """100,000 of them, with five calls each: what starting the shim in each takes is in the verdict."""
    text = "".join(timed(FILE.format(i), first=1 + i * 1e-4, pid=1000 + i) for i in range(100_000))
    trace = make_trace(folder, text)
    start = time.monotonic()
    for command, more in (("mine", ["--sequences-only"]), ("compile", ["-o", folder / "x.svp"])):
        done = run(SYSVM, command, "--json", trace, *more)
        assert done.returncode == 0, done.stderr
    verdict = json.loads(done.stdout)["verdict"]
    assert verdict["kernel"]["verdict"] == "slower" and verdict["start_ns"] >= 100_000 * 1e4
    assert time.monotonic() - start < 120, "that is not near-linear"


LIES = {"negative": {"crossing_ns": -5}, "nothing": {"crossing_ns": 0}, "an hour": {"crossing_ns": 3.6e12},
        "an answer of a second": {"crossing_ns": 100, "shim_hit_ns": 1e9}, "text": {"crossing_ns": "fast"},
        "a list": [1], "none at all": {}}


@pytest.mark.parametrize("what", LIES)
def test_a_cost_file_that_lies(folder, what):
    trace = make_trace(folder, timed("".join(FILE.format(i) for i in range(50))))
    (folder / "costs.json").write_text(json.dumps(LIES[what]))
    for command in (["mine"], ["compile", "-o", "x.svp"]):
        done = run(SYSVM, *command, "--costs", "costs.json", trace)
        assert done.returncode == 2 and b"costs.json" in done.stderr and done.stdout == b"", done
    assert not os.path.exists("x.svp")


def test_an_interrupt_ends_it_at_once_and_leaves_nothing(folder):
    trace = make_trace(folder, timed("".join(FILE.format(i) for i in range(60_000))))
    (folder / "x.txt").unlink()
    before = sorted(os.listdir(folder))
    for words in (["mine", trace], ["compile", trace, "-o", "x.svp"]):
        child = subprocess.Popen([SYSVM, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
        time.sleep(0.3)
        assert child.poll() is None, "too quick for this test: make its recording longer"
        asked = time.monotonic()
        child.send_signal(signal.SIGINT)
        out, _ = child.communicate(timeout=30)
        assert child.returncode == -signal.SIGINT and out == b""
        assert time.monotonic() - asked < 5
        assert sorted(os.listdir(folder)) == before


def test_progress_is_shown_on_a_terminal_alone(folder):
    for files in (100_000, 400_000):  # nothing is shown of what takes less than a second
        trace = make_trace(folder, timed("".join(FILE.format(i) for i in range(files))))
        begun = time.monotonic()
        done = run("script", "-qec", f"{SYSVM} compile {trace} -o x.svp", "/dev/null",
                   env={**os.environ, "TERM": "vt100"})
        assert done.returncode == 0
        if time.monotonic() - begun > 2:
            break
    assert b"sysvm compile: " in done.stdout and b" calls" in done.stdout
    assert b"sysvm compile: " not in run(SYSVM, "compile", trace, "-o", "x.svp").stderr


def test_what_no_longer_matches_is_reported(folder):
    make_trace(folder, timed("".join(FILE.format(i) for i in range(60))), "monday.trace")
    make_trace(folder, timed("".join(f'openat(AT_FDCWD, "f{i}", O_RDONLY) = 3\n'
                                     'pread64(3, "1", 1, 5) = 1\nclose(3) = 0\n' for i in range(60))),
               "friday.trace")
    assert run(SYSVM, "compile", "monday.trace", "-o", "x.svp").returncode == 0

    def drift(*days):
        done = run(SYSVM, "replay", "--drift", "--json", "-P", "x.svp", *(f"{d}.trace" for d in days))
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        assert finite(said) and said["schema"] == 1
        return {p["name"]: p for p in said["procedures"]}

    same, other = drift("monday"), drift("friday")
    ahead = next(name for name, p in same.items() if p["mode"] == "run_ahead")
    assert {p["state"] for p in same.values()} == {"fits"}
    assert other[ahead]["state"] == "diverges" and other[ahead]["why"]
    assert drift("monday", "friday") == drift("friday", "monday")
    text = run(SYSVM, "replay", "--drift", "-P", "x.svp", "friday.trace").stdout.decode()
    assert "no longer match what programs do" in text and ahead in text
