# SPDX-License-Identifier: MIT
"""A recording as a DataFrame. Tested by tests/python/test_trace.py."""
from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from . import _sysvm

DEFAULT_COLUMNS = ("ts_ns", "dur_ns", "pid", "tid", "call", "a0", "a1", "a2", "a3", "a4", "a5", "ret", "path")
MORE_COLUMNS = ("path2", "nr", "seq", "flags", "ip", "caller", "st_mode", "st_size", "st_dev")


class Trace:
    """One recording, in memory. Make one with sysvm.open().

    Events are system calls, in order of their entry; a signal that was delivered to a handler is an event with
    `call` "signal", its number in `a0`.
    """

    def __init__(self, table: _sysvm.TraceTable, path: str) -> None:
        self._table = table
        self.path = path
        self.info: dict[str, Any] = table.info()
        """Command, machine, processes, losses; `damage` says what is wrong with the file, "" if nothing is."""
        self._calls = pd.CategoricalDtype(table.call_names())
        self._strings: pd.CategoricalDtype | None = None
        self._recode: npt.NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self._table)

    def __repr__(self) -> str:
        command = " ".join(self.info["command"])
        if len(command) > 60:
            command = command[:57] + "..."
        damage = f", damaged: {self.info['damage']}" if self.info["damage"] else ""
        return (f"<sysvm.Trace of '{command}': {len(self):,} events, {len(self.info['processes'])} processes, "
                f"{self.info['lost']:,} lost{damage}>")

    def column(self, name: str) -> npt.NDArray[Any]:
        """One column as a read-only array of length len(self) that shares the trace's memory. `call`, `path` and
        `path2` are codes here (-1: none); df() has them as categories. Raises KeyError for an unknown name."""
        return self._table.column(name)

    def df(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The events as a DataFrame, one row each.

        ts_ns    entry, nanoseconds of CLOCK_BOOTTIME        dur_ns  entry to return, nanoseconds
        pid, tid process and thread                          call    name, categorical
        a0..a5   argument registers, uint64                  ret     result, -errno on error, int64
        path     first string argument, categorical, NaN if the call has none; a byte that is no UTF-8 reads \\xff

        columns chooses others: also path2, nr, seq, flags, ip, caller, st_mode, st_size, st_dev. The numbers share
        the trace's memory, so they are read-only: df.copy() gives a frame that can be changed.
        """
        data: dict[str, Any] = {}
        for name in DEFAULT_COLUMNS if columns is None else columns:
            codes = self.column(name)
            if name == "call":
                data[name] = pd.Categorical.from_codes(codes, dtype=self._calls)
            elif name in ("path", "path2"):
                dtype = self._string_dtype()
                data[name] = pd.Categorical.from_codes(codes if self._recode is None else self._recode[codes], dtype=dtype)
            else:
                data[name] = codes
        return pd.DataFrame(data, copy=False)

    def _string_dtype(self) -> pd.CategoricalDtype:
        if self._strings is None:
            names = self._table.strings()
            number = {name: i for i, name in enumerate(dict.fromkeys(names))}
            if len(number) < len(names):  # different bytes, same text: "\\xff" as one byte and as four characters
                self._recode = np.array([number[name] for name in names] + [-1], dtype=np.int32)
            self._strings = pd.CategoricalDtype(np.array(list(number), dtype=object))
        return self._strings


def open(path: str | os.PathLike[str]) -> Trace:
    """Reads a recording. A cut or damaged file gives what is readable (see Trace.info["damage"]).

    Raises sysvm.Error if the file cannot be read at all: no such file, not a trace, another version.
    """
    name = os.fspath(path)
    return Trace(_sysvm.open_trace(name), name)


def chunks(path: str | os.PathLike[str], columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
    """The events of a recording that need not fit into memory: one DataFrame after the other, of up to 8,192 events.

    Rows are as in Trace.df(), in order of time within a frame; neighbours overlap by the longest call. Categories are
    those of the frame alone: convert to str before joining frames.

        >>> sum(int((df.call == "read").sum()) for df in sysvm.chunks("big.trace", ["call"]))

    Raises sysvm.Error if the file cannot be read at all, or at a damaged chunk.
    """
    name = os.fspath(path)
    file = _sysvm.open_chunks(name)
    for i in range(len(file)):
        yield Trace(file.read(i), name).df(columns)
