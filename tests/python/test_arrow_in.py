# SPDX-License-Identifier: MIT
"""Tables that come through Arrow's PyCapsule interface: our own, and arrays laid out as other libraries
do."""
import ctypes
import gc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sysvm
from sysvm import arrow
from sysvm.arrow_in import _column

SAMPLES = Path(__file__).resolve().parents[2] / "traces" / "samples"


def column(form: bytes, length: int, buffers: list, nulls: int = 0, offset: int = 0, begin: int = 0):
    """What is read of an array with these buffers, from row `begin` of its parent on."""
    schema, array = arrow._Schema(), arrow._Array()
    arrow._fill_schema(schema, form, "x")
    arrow._fill_array(array, length, buffers, nulls=nulls)
    array.offset = offset
    try:
        return _column(schema, array, begin, length - begin)
    finally:
        array.release(ctypes.pointer(array))
        schema.release(ctypes.pointer(schema))


def test_a_trace_comes_back_as_its_frame() -> None:
    before = len(arrow._alive)
    trace = sysvm.open(SAMPLES / "grep.trace")
    pd.testing.assert_frame_equal(sysvm.from_arrow(trace), trace.df(), check_categorical=False)
    del trace
    gc.collect()
    assert len(arrow._alive) == before, "what was read is given back"


def test_a_difference_is_the_same_of_tables() -> None:
    a, b = (sysvm.open(SAMPLES / f"{name}.trace") for name in ("grep", "find"))
    for by in ("call", "path"):
        of_traces = sysvm.diff(
            a.df(["call", "dur_ns", "path", "fd_path"]), b.df(["call", "dur_ns", "path", "fd_path"])
        ).df(by)
        pd.testing.assert_frame_equal(of_traces, sysvm.diff(a, b).df(by))
    pd.testing.assert_frame_equal(sysvm.diff(Passing(a), Passing(b)).df(), sysvm.diff(a, b).df())
    with pytest.raises(KeyError, match="dur_ns"):
        sysvm.diff(pd.DataFrame({"call": ["read"]}), a)


class Passing:
    """What another library is to us."""

    def __init__(self, trace: sysvm.Trace) -> None:
        self._trace = trace

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._trace.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize(
    "form, dtype",
    [
        (b"c", np.int8),
        (b"S", np.uint16),
        (b"i", np.int32),
        (b"L", np.uint64),
        (b"f", np.float32),
        (b"g", np.float64),
    ],
)
def test_numbers(form: bytes, dtype: type) -> None:
    values = np.arange(10, dtype=dtype)
    assert list(column(form, 10, [None, values])) == list(range(10))
    assert list(column(form, 7, [None, values], offset=3)) == list(range(3, 10))
    assert list(column(form, 7, [None, values], begin=2)) == list(range(2, 7))


def test_nulls() -> None:
    valid = np.packbits([1, 0, 1, 1, 0, 1], bitorder="little")
    got = column(b"l", 6, [valid, np.arange(6)], nulls=2)
    assert np.isnan(got[[1, 4]]).all() and list(got[[0, 2, 3, 5]]) == [0, 2, 3, 5]
    assert np.isnan(column(b"l", 3, [valid, np.arange(6)], nulls=-1, offset=3)[1])


def test_text_with_short_and_long_offsets() -> None:
    letters = np.frombuffer("ab\u00e9".encode() + b"xyz", dtype=np.uint8)
    for form, dtype in ((b"u", np.int32), (b"U", np.int64)):
        offsets = np.array([0, 2, 2, 4, 7], dtype=dtype)
        assert list(column(form, 4, [None, offsets, letters])) == ["ab", "", "\u00e9", "xyz"]
        assert list(column(form, 2, [None, offsets, letters], offset=2)) == ["\u00e9", "xyz"]


def test_text_as_views() -> None:
    long = b"a text of more than twelve bytes"
    views = b"".join(
        [
            len(b"short").to_bytes(4, "little") + b"short".ljust(12, b"\0"),
            len(long).to_bytes(4, "little")
            + long[:4]
            + (0).to_bytes(4, "little")
            + (3).to_bytes(4, "little"),
        ]
    )
    data = np.frombuffer(b"..." + long, dtype=np.uint8)
    assert list(column(b"vu", 2, [None, np.frombuffer(views, dtype=np.uint8), data])) == [
        "short",
        long.decode(),
    ]


def test_booleans() -> None:
    assert list(column(b"b", 5, [None, np.packbits([0, 1, 1, 0, 1, 0, 0, 0, 1], bitorder="little")])) == [
        False,
        True,
        True,
        False,
        True,
    ]


def test_what_is_not_read_is_named() -> None:
    with pytest.raises(sysvm.Error, match="'x': type '\\+l' is not read"):
        column(b"+l", 0, [None, np.zeros(1, dtype=np.int32)])
    with pytest.raises(TypeError, match="list: expected an object with __arrow_c_stream__"):
        sysvm.from_arrow([1, 2])
