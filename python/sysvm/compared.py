# SPDX-License-Identifier: MIT
"""Two recordings side by side: what was added, what is gone, what takes longer. Tested by
tests/python/test_context.py and
tests/python/test_arrow_in.py."""
from __future__ import annotations

import html
import os
from collections.abc import Sequence
from typing import Any, Union

import numpy as np
import pandas as pd

from .arrow_in import frame
from .shown import table_html
from .trace import Trace, open

_KEYS = {"call": ["call"], "path": ["path"], "exe": ["exe"], "call and path": ["call", "path"]}


class _Frame:
    """Rows that came from elsewhere: what Diff needs of a Trace."""

    def __init__(self, rows: pd.DataFrame) -> None:
        if missing := {"call", "dur_ns"} - set(rows):
            raise KeyError(f"{', '.join(sorted(missing))}: the table has no such column")
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def df(self, columns: Sequence[str]) -> pd.DataFrame:
        nothing = pd.Categorical([None] * len(self._rows), categories=[])
        return pd.DataFrame({name: self._rows[name] if name in self._rows else nothing for name in columns})


Comparable = Union[Trace, str, "os.PathLike[str]", pd.DataFrame, Any]


class Diff:
    """What changed from one recording to the other. Make one with sysvm.diff()."""

    def __init__(self, before: Trace | _Frame, after: Trace | _Frame) -> None:
        self.before, self.after = before, after

    def df(self, by: str = "call") -> pd.DataFrame:
        """One row for each call ("call"), path ("path": of descriptors too), image ("exe") or both ("call and
        path").

        before, after        how often it was made, int64
        added                after - before
        before_ms, after_ms  time inside, milliseconds
        slower_ms            after_ms - before_ms
        state                "added" (not there before), "gone", "changed" (another number of times) or "same"

        Rows are in order of the largest change of time, then of number. Raises KeyError for another `by`.
        """
        if by not in _KEYS:
            raise KeyError(f"{by}: expected one of {', '.join(map(repr, _KEYS))}")
        left, right = (self._sums(trace, _KEYS[by]) for trace in (self.before, self.after))
        both = left.join(right, how="outer", lsuffix="_l", rsuffix="_r").fillna(0)
        out = pd.DataFrame({"before": both.count_l.astype(np.int64), "after": both.count_r.astype(np.int64)})
        out["added"] = out.after - out.before
        out["before_ms"], out["after_ms"] = both.ns_l / 1e6, both.ns_r / 1e6
        out["slower_ms"] = out.after_ms - out.before_ms
        out["state"] = np.select(
            [out.before == 0, out.after == 0, out.added != 0], ["added", "gone", "changed"], "same"
        )
        order = np.lexsort((-out.added.abs(), -out.slower_ms.abs()))
        return out.iloc[order].reset_index()

    @staticmethod
    def _sums(trace: Trace | _Frame, keys: list[str]) -> pd.DataFrame:
        frame = trace.df(
            [
                *({"path": "path"}.get(key, key) for key in keys),
                "dur_ns",
                *(["fd_path"] if "path" in keys else []),
            ]
        )
        names = []
        for key in keys:
            column = frame[key].astype(object)
            if key == "path":
                column = column.where(column.notna(), frame["fd_path"].astype(object))
            names.append(column)
        known = np.logical_and.reduce([name.notna() for name in names])
        grouped = frame.dur_ns[known].groupby([name[known] for name in names], sort=False)
        out = pd.DataFrame({"count": grouped.size(), "ns": grouped.sum()})
        out.index.names = keys
        return out

    def __repr__(self) -> str:
        frame = self.df()
        counts = frame.state.value_counts()
        calls = f"{len(self.before):,} -> {len(self.after):,} events"
        time = f"{frame.before_ms.sum():,.1f} -> {frame.after_ms.sum():,.1f} ms in calls"
        states = ", ".join(f"{counts.get(state, 0)} {state}" for state in ("added", "gone", "changed"))
        return f"<sysvm.Diff: {calls}, {time}; of {len(frame)} calls {states}>"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(repr(self))}</p>" + table_html(self.df().head(15))


def diff(before: Comparable, after: Comparable) -> Diff:
    """Compares two recordings: traces, names of files, DataFrames with columns of Trace.df(), or such tables
    from another library (any
    object with __arrow_c_stream__)."""

    def opened(one: Comparable) -> Trace | _Frame:
        if isinstance(one, Trace):
            return one
        if isinstance(one, pd.DataFrame):
            return _Frame(one)
        return _Frame(frame(one)) if hasattr(one, "__arrow_c_stream__") else open(one)

    return Diff(opened(before), opened(after))
