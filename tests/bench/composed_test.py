# SPDX-License-Identifier: MIT
"""The arithmetic of bench/kernel/measure and bench/hot/composed."""
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

sys.dont_write_bytecode = True
BENCH = Path(__file__).resolve().parents[2] / "bench"
measure = SourceFileLoader("measure", str(BENCH / "kernel/measure")).load_module()
composed = SourceFileLoader("composed", str(BENCH / "hot/composed")).load_module()

LINE = ("[    1.0] WALK ext4 scattered {way} {n} directories=2 met=10 unlike={unlike} ns=9999 "
        "openat={openat}/2 "
        "fstat=100/2 fcntl=60/2 getdents=4000/2 getdents_end=200/2 names={names}/10 close=800/2 "
        "of1=0/0 of2=0/0 "
        "of4={names}/10 of8=0/0 of16=0/0 of32=0/0 of64=0/0\n")


def walks(unlike=0):
    ways = {"separate": 6000, "loop": 6500, "wide": 3000, "lstat": 9000, "statx": 8000, "lgetxattr": 5000,
            "getxattr": 7000, "list": 20000}
    return "".join(LINE.format(way=way, n=n, unlike=unlike, openat=1000 + n, names=ns + 10 * n)
                   for way, ns in ways.items() for n in range(5))


def test_a_figure_is_the_median_for_each_call():
    got = measure.figures(measure.read_walks(walks()))["ext4 scattered"]
    assert got["ways"]["separate"]["median"] == 602
    assert (got["names"], got["directories"]) == (10, 2)
    assert got["calls"]["openat"]["median"] == 501
    assert got["by_size"]["wide"]["4"]["median"] == 302
    assert got["by_size"]["wide"]["1"] is None
    assert got["ways"]["wide"]["low"] < got["ways"]["wide"]["median"] < got["ways"]["wide"]["high"]


def test_a_walk_that_met_something_else_is_no_figure():
    with pytest.raises(SystemExit, match="separate: 1 calls gave something else"):
        measure.read_walks(walks(unlike=1))


def test_a_name_by_a_path_has_a_price_of_its_own():
    kernel = {"kernel": measure.figures(measure.read_walks(walks()))}
    prices = composed.Prices(kernel)
    assert prices.of({"newfstatat": 10}, by_path=False) == 10 * 602
    assert prices.of({"newfstatat": 10}, by_path=True) == 10 * 902
    assert prices.of({"getdents64": 2}, by_path=False) == 2000 + 100
    assert prices.of({"something": 1}, by_path=False) == 50  # as an fstat


def test_what_a_start_takes_is_not_the_programs():
    assert composed.beyond({"read": 5, "stat": 9}, {"read": 5, "brk": 3}) == {"read": 0, "stat": 9}
