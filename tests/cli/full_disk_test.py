# SPDX-License-Identifier: MIT
"""A full disk and a closed pipe: every command that writes says so, with a status that is not 0, and leaves
no half file under the name that was asked for, nor anything else."""
import os
import subprocess

import pytest

from sysvm_program import SYSVM, run
from trace_text import make_trace

TO_STANDARD_OUTPUT = [["info"], ["info", "--json"], ["info", "--verify"], ["info", "--verify", "--json"],
                      ["dump"], ["dump", "--json"],
                      ["dump", "-c"], ["report"], ["export", "strace"], ["export", "ndjson"],
                      ["export", "perfetto"], ["export", "folded"]]
TO_A_FILE = [["report"], ["export", "strace"], ["export", "ndjson"], ["export", "perfetto"],
             ["export", "folded"]]


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    return make_trace(tmp_path_factory.mktemp("full"))


def to(path, words, **options):
    with open(path, "wb") as out:
        return subprocess.run([SYSVM, *map(str, words)], stdout=out, stderr=subprocess.PIPE, timeout=60,
                              **options)


@pytest.mark.parametrize("words", TO_STANDARD_OUTPUT, ids=" ".join)
def test_a_full_disk_is_told(trace, words):
    done = to("/dev/full", [*words, trace])
    assert done.returncode == 125 and b"No space left" in done.stderr, done.stderr


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["help", "dump"], ["dump", "--help"]],
                         ids=" ".join)
def test_a_full_disk_is_told_by_the_help_too(words):
    done = to("/dev/full", words)
    assert done.returncode == 125 and b"No space left" in done.stderr, done.stderr


@pytest.mark.parametrize("words", TO_STANDARD_OUTPUT, ids=" ".join)
def test_a_closed_standard_output_is_told(trace, words):
    done = subprocess.run([SYSVM, *words, trace], stdout=None, stderr=subprocess.PIPE, timeout=60,
                          preexec_fn=lambda: os.close(1))
    assert done.returncode == 125 and done.stderr, done.stderr


class SmallDisk:
    """A file system of 64 kB; root alone can make one."""

    def __init__(self, folder):
        self.path = folder / "disk"
        self.path.mkdir()

    def __enter__(self):
        if run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", self.path).returncode:
            pytest.skip("cannot mount a small file system here")
        return self.path

    def __exit__(self, *_):
        run("umount", self.path)


@pytest.fixture
def disk(tmp_path):
    with SmallDisk(tmp_path) as path:
        yield path


def fill(disk):
    with open(disk / "filler", "wb") as out:
        try:
            out.write(b"x" * (1 << 20))
        except OSError:
            pass


@pytest.mark.parametrize("words", TO_A_FILE, ids=" ".join)
def test_no_half_file_takes_the_name(trace, disk, words):
    out = disk / "out"
    out.write_bytes(b"what was there before")
    fill(disk)
    done = run(SYSVM, *words, trace, "-o", out)
    assert done.returncode == 125 and b"No space left" in done.stderr, done.stderr
    assert out.read_bytes() == b"what was there before"
    assert sorted(os.listdir(disk)) == ["filler", "out"]


def test_import_leaves_the_old_trace(trace, disk, tmp_path):
    out = disk / "x.trace"
    out.write_bytes(trace.read_bytes())
    fill(disk)
    text = tmp_path / "x.txt"
    text.write_text("100 1.5 close(3) = 0\n")
    done = run(SYSVM, "import", text, "-o", out)
    assert done.returncode == 125 and b"No space left" in done.stderr, done.stderr
    assert out.read_bytes() == trace.read_bytes() and sorted(os.listdir(disk)) == ["filler", "x.trace"]


def test_a_recording_on_a_full_disk_keeps_its_whole_chunks(tmp_path):
    """A small file system of its own fills up; the command does not notice, and what was written can be
    read."""
    place = tmp_path / "small"
    place.mkdir()
    script = ('mount -t tmpfs -o size=96k none "$1" || exit 77; '
              '"$2" record -q -o "$1/t.trace" -- find /usr/share/doc /usr/include >"$3"; echo "status $?"; '
              '"$2" info "$1/t.trace"; echo "info $?"')
    done = run("unshare", "-m", "sh", "-c", script, "sh", place, SYSVM, tmp_path / "out")
    if done.returncode == 77 or b"unshare" in done.stderr:
        pytest.skip("no file system can be mounted here")
    assert b"No space left" in done.stderr and b"status 125" in done.stdout, (done.stdout, done.stderr)
    assert b"info 0" in done.stdout and b"damage" not in done.stdout + done.stderr, (done.stdout, done.stderr)
    assert b"complete   no" in done.stdout
    assert (tmp_path / "out").read_bytes() == run("find", "/usr/share/doc", "/usr/include").stdout
