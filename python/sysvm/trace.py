# SPDX-License-Identifier: MIT
"""A recording as a DataFrame. Tested by tests/python/test_trace.py and tests/python/test_context.py."""
from __future__ import annotations

import builtins
import fnmatch
import html
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from . import _sysvm
from .arrow import stream
from .shown import printable, table_html

if TYPE_CHECKING:
    from .plots import TracePlots

DEFAULT_COLUMNS = ("ts_ns", "dur_ns", "pid", "tid", "call", "a0", "a1", "a2", "a3", "a4", "a5", "ret", "path")
MORE_COLUMNS = ("path2", "nr", "seq", "flags", "ip", "caller", "st_mode", "st_size", "st_dev", "st_ino",
                "data_kind", "data", "errno", "exe", "fd_path", "site", "comm", "flag_names")

# Bits of `flags`, by number; EventFlag of traces/trace.proto has the same names.
FLAGS: dict[int, str] = _sysvm.FLAGS


def _flag_text(flags: int) -> str:
    return "|".join(name for bit, name in FLAGS.items() if flags & bit)


class Trace:
    """One recording, in memory. Make one with sysvm.open().

    Events are system calls, in order of their entry; a signal that was delivered to a handler is an event
    with `call` "signal", its number in `a0`.
    """

    def __init__(
        self, table: _sysvm.TraceTable, path: str, rows: npt.NDArray[np.int64] | None = None
    ) -> None:
        self._table = table
        self._rows = rows
        self.path = path
        self.info: dict[str, Any] = table.info()
        """Command, machine, processes, losses; `damage` says what is wrong with the file, "" if nothing
        is."""
        self._calls = pd.CategoricalDtype(table.call_names())
        self._texts: dict[str, tuple[pd.CategoricalDtype, npt.NDArray[np.int32] | None]] = {}

    def __len__(self) -> int:
        return len(self._table) if self._rows is None else len(self._rows)

    def __repr__(self) -> str:
        command = " ".join(self.info["command"])
        if len(command) > 60:
            command = command[:57] + "..."
        damage = f", damaged: {self.info['damage']}" if self.info["damage"] else ""
        part = f" of {len(self._table):,}" if self._rows is not None else ""
        return (
            f"<sysvm.Trace of '{printable(command)}': {len(self):,}{part} events, "
            f"{len(self.info['processes'])} processes, "
            f"{self.info['lost']:,} lost{damage}>"
        )

    def _repr_html_(self) -> str:
        """What a notebook shows: the summary, then the calls that took most time."""
        df = self.df(["call", "dur_ns", "errno"])
        calls = df.groupby("call", observed=True).agg(
            calls=("dur_ns", "size"), errors=("errno", "count"), total_ms=("dur_ns", "sum")
        )
        calls["errors"] = (
            df[df.errno != 0].groupby("call", observed=True).size().reindex(calls.index, fill_value=0)
        )
        calls["total_ms"] = (calls.total_ms / 1e6).round(3)
        calls = calls.sort_values("total_ms", ascending=False).head(10).reset_index()
        return f"<p>{html.escape(repr(self))}</p>" + table_html(calls)

    def column(self, name: str) -> npt.NDArray[Any]:
        """One column as a read-only array of length len(self). Of a whole trace it shares the trace's memory.

        Times, arguments, results and sizes are int64. `call`, `path`, `path2`, `exe`, `fd_path` and `site`
        are codes here (-1: none); df() has them as categories. Raises KeyError for an unknown name.
        """
        array = self._table.column(name)
        if array.dtype == np.uint64:
            array = array.view(np.int64)
        if self._rows is not None:
            array = array[self._rows]
            array.flags.writeable = False
        return array

    def df(self, columns: Sequence[str] | None = None, *, time_index: bool = False) -> pd.DataFrame:
        """The events as a DataFrame, one row each.

        ts_ns    entry, nanoseconds of CLOCK_BOOTTIME, int64  dur_ns  entry to return, nanoseconds, int64
        pid, tid process and thread                           call    name, categorical
        a0..a5   arguments, int64, as the kernel takes them: a descriptor of -100 is -100
        ret      result, -errno on error, int64
        path     first string argument, categorical, NaN if the call has none; bytes outside UTF-8 read \\xff

        columns chooses others, also:

        path2    second string argument            fd_path path of the first descriptor, or of the new one
        errno    0 if there was no error, int16    exe     path of the program that ran; comm: its last part
        site     file and offset of the call       flags   bits of FLAGS; flag_names: in words
        data     bytes read or written, if recorded  data_kind what they are: iovec, dirent, bytes ...
        nr, seq, ip, caller, st_mode, st_size, st_dev, st_ino

        time_index: the index is the time of day (a DatetimeIndex in UTC) if the recording knows it, else the
        time since boot (a TimedeltaIndex). The numbers of a whole trace share its memory, so they are
        read-only: df.copy() gives a frame that can be changed.
        """
        data = {name: self._series(name) for name in (DEFAULT_COLUMNS if columns is None else columns)}
        index = self._time_index() if time_index else None
        return pd.DataFrame(data, index=index, copy=False)

    def _series(self, name: str) -> Any:
        if name == "comm":
            exe = self._series("exe")
            last_part = {one: one.rsplit("/", 1)[-1] for one in exe.categories}
            return exe.map(last_part) if last_part else exe
        if name == "flag_names":
            flags, codes = np.unique(self.column("flags"), return_inverse=True)
            texts = [_flag_text(int(f)) for f in flags]
            return pd.Categorical.from_codes(codes, categories=texts) if texts else pd.Categorical([])
        codes = self.column(name)
        if name == "call":
            return pd.Categorical.from_codes(codes, dtype=self._calls)
        if name == "data_kind":
            return pd.Categorical.from_codes(codes.astype(np.int8), categories=_sysvm.DATA_KINDS)
        if name in ("path", "path2", "data", "exe", "fd_path", "site"):
            dtype, recode = self._categories("strings" if name in ("path", "path2", "data") else name)
            return pd.Categorical.from_codes(codes if recode is None else recode[codes], dtype=dtype)
        return codes

    def _time_index(self) -> pd.Index:
        ns = self.column("ts_ns")
        if self.info["realtime_ns"]:
            return pd.DatetimeIndex(
                ns + (self.info["realtime_ns"] - self.info["boottime_ns"]), tz="UTC", name="time"
            )
        return pd.TimedeltaIndex(ns, unit="ns", name="time")

    def _categories(self, kind: str) -> tuple[pd.CategoricalDtype, npt.NDArray[np.int32] | None]:
        if kind not in self._texts:
            names = self._table.strings() if kind == "strings" else self._table.names(kind)
            number = {name: i for i, name in enumerate(dict.fromkeys(names))}
            recode = None
            # different bytes, same text: "\\xff" as one byte and as four characters
            if len(number) < len(names):
                recode = np.array([number[name] for name in names] + [-1], dtype=np.int32)
            self._texts[kind] = pd.CategoricalDtype(np.array(list(number), dtype=object)), recode
        return self._texts[kind]

    def filter(
        self,
        *,
        calls: str | Iterable[str] | None = None,
        pid: int | Iterable[int] | None = None,
        between: tuple[float, float] | None = None,
        path: str | None = None,
    ) -> Trace:
        """The events that all of the given conditions hold for, as a Trace that shares this one's memory.

        calls: names; a name that no event has raises KeyError. pid: processes or threads. between: seconds
        since the first event, the end excluded. path: a pattern (*, ?, [...]) for `path`, or for `fd_path`
        where the call names a descriptor.
        """
        keep = np.ones(len(self), dtype=bool)
        if (wanted := _names(calls)) is not None:
            names = list(self._calls.categories)
            _known(wanted, names)
            keep &= np.isin(self.column("call"), [names.index(name) for name in wanted])
        if (ids := _ids(pid)) is not None:
            keep &= np.isin(self.column("pid"), ids) | np.isin(self.column("tid"), ids)
        if between is not None and len(self):
            since = (self.column("ts_ns") - self.column("ts_ns")[0]) / 1e9
            keep &= (since >= between[0]) & (since < between[1])
        if path is not None:
            keep &= self._matches("path", path) | self._matches("fd_path", path)
        rows = np.flatnonzero(keep)
        return Trace(self._table, self.path, rows if self._rows is None else self._rows[rows])

    def _matches(self, name: str, pattern: str) -> npt.NDArray[np.bool_]:
        values = self._series(name)
        good = np.array(
            [fnmatch.fnmatchcase(one, pattern) for one in values.categories] + [False], dtype=bool
        )
        matching: npt.NDArray[np.bool_] = good[values.codes]
        return matching

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The columns of df() for whatever speaks Arrow's PyCapsule interface (polars.from_arrow(t), duckdb
        ...). Numbers are not copied."""
        return stream({name: self._series(name) for name in DEFAULT_COLUMNS}, self)

    @property
    def plot(self) -> TracePlots:
        """t.plot.timeline(), .latency(), .heatmap(), .sequences(): on matplotlib, which must be installed."""
        from .plots import TracePlots

        return TracePlots(self)


def open(
    file: str | os.PathLike[str],
    /,
    *,
    calls: str | Iterable[str] | None = None,
    pid: int | Iterable[int] | None = None,
    between: tuple[float, float] | None = None,
    path: str | None = None,
) -> Trace:
    """Reads a recording. A cut or damaged file gives what is readable (see Trace.info["damage"]).

    The conditions are those of Trace.filter(), but what they leave out is never held in memory: of a long
    recording a part fits.
    Raises FileNotFoundError, PermissionError and the like if the file cannot be opened, sysvm.Error if it is
    not a trace, or of
    another version, KeyError for a call that no event is.
    """
    name = _readable(file)
    if calls is None and pid is None and between is None and path is None:
        return Trace(_sysvm.open_trace(name), name)
    wanted = _names(calls)
    begin, end = between or (None, None)
    table = _sysvm.open_trace(name, wanted, _ids(pid), begin, end, path)
    if wanted and (unknown := set(wanted) - set(table.call_names())):
        _known(unknown, _sysvm.calls_of(name))
    return Trace(table, name)


def _names(calls: str | Iterable[str] | None) -> list[str] | None:
    return None if calls is None else [calls] if isinstance(calls, str) else list(calls)


def _ids(pid: int | Iterable[int] | None) -> list[int] | None:
    return (
        None
        if pid is None
        else [int(pid)] if isinstance(pid, (int, np.integer)) else [int(one) for one in pid]
    )


def _known(wanted: Iterable[str], names: Iterable[str]) -> None:
    there = sorted(names)
    for name in wanted:
        if name not in there:
            raise KeyError(f"{name}: no event is such a call; there are {', '.join(there)}")


def _readable(file: str | os.PathLike[str]) -> str:
    name = os.fspath(file)
    with builtins.open(name, "rb"):  # the operating system's own error, with its number
        return name


def chunks(path: str | os.PathLike[str], columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
    """The events of a recording that need not fit into memory: one DataFrame after the other, of up to 8,192
    events.

    Rows are as in Trace.df(), in order of time within a frame; neighbours overlap by the longest call.
    Categories are those of the frame alone: convert to str before joining frames.

        >>> sum(int((df.call == "read").sum()) for df in sysvm.chunks("big.trace", ["call"]))

    Raises FileNotFoundError and the like if the file cannot be opened; sysvm.Error if it is no trace, or at a
    damaged chunk.
    """
    name = _readable(path)
    file = _sysvm.open_chunks(name)
    for i in range(len(file)):
        yield Trace(file.read(i), name).df(columns)
