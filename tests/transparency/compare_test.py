# SPDX-License-Identifier: MIT
"""The comparison must see what it claims to compare: each test breaks one thing in one of two equal trees."""
import os
import time
from pathlib import Path

import pytest

from compare import Outcome, differences, snapshot
from corpus import copy_corpus, make_corpus, remove

@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory):
    top = tmp_path_factory.mktemp("corpus") / "master"
    make_corpus(top, count=28)
    yield top
    remove(top)


@pytest.fixture
def two(master: Path):
    """Two equal copies: the first stays as it is, the second is what a test breaks."""
    copies = master.parent / "a", master.parent / "b"
    for to in copies:
        copy_corpus(master, to)
    yield copies
    for to in copies:
        remove(to)


def outcome(top: Path, started: int) -> Outcome:
    return Outcome(0, b"", b"", snapshot(top, started))


def test_two_copies_are_equal(two) -> None:
    now = time.time_ns()
    assert differences(outcome(two[0], now), outcome(two[1], now)) == []


def test_a_corpus_made_twice_is_the_same(master: Path, tmp_path: Path) -> None:
    make_corpus(tmp_path / "again", count=28)
    now = time.time_ns()
    ignore = ("tree/repo/.git/index",)  # holds inode numbers
    a, b = (Outcome(0, b"", b"", snapshot(t, now, ignore)) for t in (master, tmp_path / "again"))
    assert differences(a, b) == []
    remove(tmp_path / "again")


def write(path: Path) -> None:
    st = path.stat()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(st.st_atime_ns, st.st_mtime_ns))


def read_it(path: Path) -> None:
    os.utime(path, ns=(time.time_ns() + 10**9, path.stat().st_mtime_ns))


BREAKAGES = {
    "content": (lambda w: write(w / "tree/edge/large"), "content"),
    "size": (lambda w: os.truncate(w / "tree/edge/hole", 69_999), "size"),
    "mode": (lambda w: os.chmod(w / "tree/edge/one", 0o600), "mode"),
    "mtime": (lambda w: os.utime(w / "tree/edge/one", ns=(time.time_ns() - 10**12, 5)), "mtime"),
    "atime": (lambda w: read_it(w / "tree/edge/one"), "atime"),
    "missing": (lambda w: os.unlink(w / "tree/edge/empty"), "only after the plain run"),
    "extra": (lambda w: (w / "out/new").touch(), "only under sysvm"),
    "link": (lambda w:
             (os.unlink(w / "tree/edge/link-file"), os.symlink("one", w / "tree/edge/link-file")), "target"),
}


@pytest.mark.parametrize("name", BREAKAGES)
def test_a_difference_of_the_tree_is_named(two, name: str) -> None:
    breakage, word = BREAKAGES[name]
    now = time.time_ns()
    breakage(two[1])
    found = differences(outcome(two[0], now), outcome(two[1], now))
    assert any(word in line for line in found), found


def test_differences_of_output_and_status_are_named() -> None:
    found = differences(Outcome(0, b"same\nold", b""), Outcome(1, b"same\nnew", b"warning"))
    assert found[0] == "exit status 0 / 1"
    assert "first difference at byte 5" in found[1] and found[1].startswith("stdout")
    assert found[2].startswith("stderr")
