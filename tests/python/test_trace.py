# SPDX-License-Identifier: MIT
import gc
import tracemalloc

import numpy as np
import pandas as pd
import pytest

import sysvm


def test_columns_and_types(make_trace) -> None:
    df = sysvm.open(make_trace(100, 10)).df()
    assert list(df.columns) == ["ts_ns", "dur_ns", "pid", "tid", "call", "a0", "a1", "a2", "a3", "a4", "a5",
                                "ret", "path"]
    assert len(df) == 100
    assert df.ts_ns.dtype == df.dur_ns.dtype == df.ret.dtype == df.a0.dtype == np.int64
    assert isinstance(df.call.dtype, pd.CategoricalDtype) and isinstance(df.path.dtype, pd.CategoricalDtype)


def test_rows_hold_what_was_written(make_trace) -> None:
    df = sysvm.open(make_trace(100, 1000)).df()
    row = df.iloc[2]
    assert (row.ts_ns, row.dur_ns, row.pid, row.tid, row.call) == (1020, 2, 100, 100, "openat")
    assert (row.a0, row.a1, row.ret, row.path) == (-100, 2, 2, "/f2")
    assert df.ret[5] == -2
    assert pd.isna(df.path[5])  # a read has no path
    assert df.call[3] == "signal" and df.a0[3] == 17


def test_rows_of_overlapping_chunks_are_in_order_of_time(make_trace) -> None:
    plain, cut = (sysvm.open(make_trace(5000, chunk)) for chunk in (5001, 100))
    assert cut.df().ts_ns.is_monotonic_increasing
    assert sorted(cut.column("a1")) == sorted(plain.column("a1"))
    late = cut.df().query("a1 == 99").iloc[0]  # each column was moved alike
    assert (late.ts_ns, late.dur_ns, late.ret, late.call) == (1000 + 990 + 505, 99, 99, "read")
    assert cut.df().query("a1 == 98").iloc[0].path == "/f48"


def test_bytes_that_are_no_utf8_are_escaped(make_trace) -> None:
    t = sysvm.open(make_trace(200, 1000))
    assert t.info["command"] == ["cat", "a\\xffb"]
    paths = t.df().path
    assert paths[0] == "/\\xff" and paths[50] == "/f0"  # the byte; the four characters are row 100
    assert paths[100] == paths[150] == "/\\xff"
    assert len(set(paths.cat.categories)) == len(paths.cat.categories)


def test_chosen_columns_only(make_trace) -> None:
    df = sysvm.open(make_trace(100, 10)).df(columns=["seq", "call", "flags"])
    assert list(df.columns) == ["seq", "call", "flags"]


def test_an_unknown_column_is_named(make_trace) -> None:
    with pytest.raises(KeyError, match="a6"):
        sysvm.open(make_trace(100, 10)).df(columns=["a6"])


def test_numbers_share_memory_and_outlive_the_trace(make_trace) -> None:
    t = sysvm.open(make_trace(100, 10))
    assert np.shares_memory(t.column("ts_ns"), t.df().ts_ns.to_numpy())
    column = t.column("a1")
    del t
    gc.collect()
    assert int(column.sum()) >= 0 and len(column) == 100
    with pytest.raises(ValueError, match="read-only"):
        column[0] = 1


def test_no_python_object_for_each_event(make_trace) -> None:
    t = sysvm.open(make_trace(200_000, 8192))
    t.df()
    tracemalloc.start()
    df = t.df()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(df) == 200_000
    # numpy buffers count too: two code columns and their checks. An int object for each event would be 28
    # bytes a piece and 11 columns: 60 MB.
    assert peak < 6 * 2**20


def test_losses_and_damage_are_told(make_trace, tmp_path) -> None:
    path = make_trace(100, 10)
    t = sysvm.open(path)
    assert t.info["lost"] == 3 and t.info["damage"] == ""
    assert "100 events" in repr(t) and "3 lost" in repr(t)
    cut = tmp_path / "cut.trace"
    whole = path.read_bytes()
    cut.write_bytes(whole[: len(whole) * 4 // 5])  # after the header, with some of the events
    t = sysvm.open(cut)
    assert 0 < len(t) < 100
    assert "cut.trace" in t.info["damage"] and "damaged" in repr(t)


def test_what_is_no_trace_is_refused_with_its_name(tmp_path) -> None:
    bad = tmp_path / "bad.trace"
    bad.write_bytes(b"not a trace at all, but long enough")
    with pytest.raises(sysvm.Error, match="bad.trace"):
        sysvm.open(bad)
    with pytest.raises(FileNotFoundError, match="missing.trace"):
        sysvm.open(tmp_path / "missing.trace")
    with pytest.raises(IsADirectoryError):
        sysvm.open(tmp_path)


def test_chunks_are_frames_with_all_rows(make_trace) -> None:
    path = make_trace(5000, 100)
    frames = list(sysvm.chunks(path, ["ts_ns", "a1", "call", "path"]))
    assert len(frames) == 50 and all(len(frame) == 100 for frame in frames)
    whole = sysvm.open(path).df(["ts_ns", "a1", "call", "path"])
    joined = pd.concat([frame.astype({"call": str, "path": str}) for frame in frames])
    joined = joined.sort_values("ts_ns", kind="stable")
    assert list(joined.a1) == list(whole.a1) and list(joined.path) == list(whole.path.astype(str))


def test_a_damaged_chunk_is_named(make_trace, tmp_path) -> None:
    data = bytearray(make_trace(5000, 100).read_bytes())
    data[len(data) // 2] ^= 1
    bad = tmp_path / "bad.trace"
    bad.write_bytes(data)
    with pytest.raises(sysvm.Error, match="bad.trace: byte"):
        for _ in sysvm.chunks(bad):
            pass
    with pytest.raises(FileNotFoundError, match="missing.trace"):
        next(sysvm.chunks(tmp_path / "missing.trace"))
