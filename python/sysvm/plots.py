# SPDX-License-Identifier: MIT
"""Plots of a recording, on matplotlib. Each draws into `ax`, or into a figure of its own, and returns the
axes. Tested by tests/python/test_plots.py."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .shown import printable

if TYPE_CHECKING:
    from .trace import Trace


def _axes(ax: Any, height: float = 4) -> Any:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt
    return plt.subplots(figsize=(10, height), layout="constrained")[1]


def _label(text: str, most: int = 40) -> str:
    # A dollar would begin a formula.
    shown = printable(text).replace("$", r"\\$")
    return shown if len(shown) <= most else shown[: most - 1] + "\u2026"


class TracePlots:
    """t.plot: timeline, latency, heatmap, sequences."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    def timeline(self, ax: Any = None, *, threads: int = 20, most: int = 20_000) -> Any:
        """Each thread a row, each call a bar from entry to return; colour by call. Of more than `most` calls
        the longest."""
        df = self._trace.df(["ts_ns", "dur_ns", "tid", "call"])
        ids = df.tid.value_counts().index[:threads]
        ax = _axes(ax, 1.5 + 0.3 * len(ids))
        shown = df[df.tid.isin(ids)]
        left_out = len(df) - len(shown)
        if len(shown) > most:
            left_out += len(shown) - most
            shown = shown.nlargest(most, "dur_ns")
        start = df.ts_ns.min() if len(df) else 0
        calls = shown.groupby("call", observed=True).dur_ns.sum().sort_values(ascending=False).index
        for i, call in enumerate(calls):
            rows = shown[shown.call == call]
            label = _label(str(call)) if i < 9 else ("others" if i == 9 else None)
            for row, tid in enumerate(ids):
                part = rows[rows.tid == tid]
                if len(part):
                    spans = np.column_stack([(part.ts_ns - start) / 1e6, np.maximum(part.dur_ns / 1e6, 1e-6)])
                    # A short call is still a pixel wide: what took most lies on top.
                    ax.broken_barh(spans, (row - 0.4, 0.8), color=f"C{i}" if i < 9 else "0.7", label=label,
                                   zorder=2 - i / len(calls))
                    label = None
        ax.set_yticks(range(len(ids)), [str(tid) for tid in ids])
        ax.set(xlabel="ms", ylabel="thread", title="calls"
               + (f" ({left_out:,} left out)" if left_out else ""))
        if len(calls):
            ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small")
        return ax

    def latency(self, ax: Any = None, *, calls: int = 8) -> Any:
        """How the times of the calls that took most are spread: for each duration, the share of calls that
        took at most that."""
        df = self._trace.df(["call", "dur_ns"])
        ax = _axes(ax)
        for call in df.groupby("call", observed=True).dur_ns.sum().nlargest(calls).index:
            times = np.sort(df.dur_ns[df.call == call].to_numpy()) / 1e3
            ax.step(np.maximum(times, 1e-3), np.arange(1, len(times) + 1) / len(times), where="post",
                    label=_label(str(call)))
        ax.set(xscale="log", xlabel="us", ylabel="share of calls", ylim=(0, 1), title="time in calls")
        if len(df):
            ax.legend(fontsize="small")
        return ax

    def heatmap(self, ax: Any = None, *, bins: int = 100) -> Any:
        """Durations over time: how many calls began when, and how long they took (logarithmic)."""
        df = self._trace.df(["ts_ns", "dur_ns"])
        df = df[df.dur_ns > 0]
        ax = _axes(ax)
        ax.set(xlabel="ms", ylabel="us", yscale="log", title="durations over time")
        if len(df):
            since = (df.ts_ns - df.ts_ns.min()) / 1e6
            low, high = np.log10(df.dur_ns.min() / 1e3), np.log10(df.dur_ns.max() / 1e3) + 1e-9
            counts, x, y = np.histogram2d(since, df.dur_ns / 1e3,
                                          bins=(bins, np.logspace(low, high, max(2, bins // 2))))
            mesh = ax.pcolormesh(x, y, np.where(counts.T > 0, counts.T, np.nan),
                                 norm="log" if counts.max() > 1 else None)
            ax.figure.colorbar(mesh, ax=ax, label="calls")
        return ax

    def sequences(self, ax: Any = None, *, most: int = 10) -> Any:
        """The sequences that repeat: how many calls each covers. Reads the trace's file again
        (sysvm.mine)."""
        from .mining import mine
        mined = list(mine(self._trace, max_sequences=most))
        ax = _axes(ax, 1.5 + 0.4 * len(mined))
        names = [_label(" ".join(call.split("(")[0].split()[0] for call in s.calls), 60) for s in mined]
        ax.barh(range(len(mined)), [s.count * len(s.calls) for s in mined])
        ax.set_yticks(range(len(mined)), names)
        ax.invert_yaxis()
        ax.set(xlabel="calls in the sequence", title="sequences that repeat")
        return ax
