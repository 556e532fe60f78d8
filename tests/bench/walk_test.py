# SPDX-License-Identifier: MIT
"""The tree that bench/kernel and bench/hot work on, and the walk over it by plain calls."""
import os
import re
import subprocess
from pathlib import Path

import pytest

WALKER = Path(os.environ["SYSVM_BIN"]) / "bench_host_walk"
DIRECTORIES = 60


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    top = tmp_path_factory.mktemp("walk") / "tree"
    subprocess.run([WALKER, "grow", top, str(DIRECTORIES)], check=True)
    return top


def names(tree):
    return [Path(top) / name for top, folders, files in os.walk(tree) for name in folders + files]


def test_the_tree_is_the_same_each_time(tree, tmp_path):
    subprocess.run([WALKER, "grow", tmp_path / "tree", str(DIRECTORIES)], check=True)
    assert sorted(p.relative_to(tree) for p in names(tree)) == \
        sorted(p.relative_to(tmp_path / "tree") for p in names(tmp_path / "tree"))
    assert sum(p.is_dir() for p in names(tree)) == DIRECTORIES - 1


def test_a_walk_meets_every_name_in_each_way(tree):
    said = subprocess.run([WALKER, "walk", tree, "1", "ext4 fresh"], stdout=subprocess.PIPE, text=True,
                          check=True).stdout
    ways = re.findall(r"^WALK ext4 fresh (\w+) \d+ directories=(\d+) met=(\d+)", said, re.M)
    assert [way for way, _, _ in ways] == ["separate", "separate", "list"]
    assert {(int(d), int(n)) for _, d, n in ways} == {(DIRECTORIES, len(names(tree)))}


def test_a_scattered_look_asks_for_each_file_once(tree):
    got = subprocess.run(["strace", "-e", "trace=newfstatat,lstat", "-o", "/dev/stdout", WALKER, "scatter",
                          tree, str(DIRECTORIES)], stdout=subprocess.PIPE, text=True, check=True).stdout
    asked = re.findall(r'"([^"]*/tree/[^"]*)"', got)
    assert sorted(asked) == sorted(str(p) for p in names(tree) if not p.is_dir())
    assert asked != sorted(asked)
