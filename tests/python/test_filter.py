# SPDX-License-Identifier: MIT
"""A part of a recording, chosen while it is read, is the part that is chosen afterwards."""
from pathlib import Path

import pandas as pd
import pytest

import sysvm
from sysvm.trace import DEFAULT_COLUMNS, MORE_COLUMNS

SAMPLES = Path(__file__).resolve().parents[2] / "traces" / "samples"
CONDITIONS = [
    {"calls": ["read", "close"]},
    {"calls": "openat"},
    {"between": (0.0, 0.002)},
    {"between": (0.001, 1e9)},
    {"path": "*.h"},
    {"path": "*/lib*", "calls": ["read", "fstat", "newfstatat", "openat"]},
    {"pid": "first"},
    {"pid": [-1]},
    {"calls": ["openat"], "between": (0.0005, 0.01), "pid": "first"},
]


def texts(df: pd.DataFrame) -> pd.DataFrame:  # categories are numbered in another order
    return pd.DataFrame(
        {
            name: df[name].astype(object) if isinstance(df[name].dtype, pd.CategoricalDtype) else df[name]
            for name in df
        }
    )


@pytest.mark.parametrize("sample", ["grep", "python", "nginx"])
@pytest.mark.parametrize("conditions", CONDITIONS, ids=str)
def test_a_part_is_the_same_whenever_it_is_chosen(sample: str, conditions: dict) -> None:
    file = SAMPLES / f"{sample}.trace"
    whole = sysvm.open(file)
    if conditions.get("pid") == "first":
        conditions = {**conditions, "pid": int(whole.column("pid")[0])}
    calls = conditions.get("calls", [])
    wanted = {calls} if isinstance(calls, str) else set(calls)
    if not wanted <= set(whole.df(["call"]).call.cat.categories):
        with pytest.raises(KeyError, match="no event is such a call"):
            sysvm.open(file, **conditions)
        return
    part = sysvm.open(file, **conditions)
    after = whole.filter(**conditions)
    columns = [*DEFAULT_COLUMNS, *MORE_COLUMNS]
    pd.testing.assert_frame_equal(texts(part.df(columns)), texts(after.df(columns)), check_dtype=False)


def test_what_is_left_out_is_not_in_memory() -> None:
    file = SAMPLES / "grep.trace"
    part = sysvm.open(file, calls="openat")
    assert len(part._table) == len(part) < len(sysvm.open(file)) / 3
    assert len(part._table.strings()) <= len(part) + 1


def test_a_call_that_no_event_is_raises() -> None:
    with pytest.raises(KeyError, match="telepathy: no event is such a call; there are .*openat"):
        sysvm.open(SAMPLES / "grep.trace", calls=["openat", "telepathy"])


def test_a_call_that_is_left_out_by_another_condition_does_not() -> None:
    file = SAMPLES / "grep.trace"
    assert len(sysvm.open(file, calls="read", pid=-1)) == 0
