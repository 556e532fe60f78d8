# SPDX-License-Identifier: MIT
"""Which call sequences repeat in a recording. Tested by tests/python/test_procs.py."""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandas as pd

from . import _sysvm
from .trace import Trace


@dataclass(frozen=True)
class Sequence:
    """Calls that were made one after the other, again and again.

    In `calls`, "#0" is the result of call 0, "=0.1" equals argument 1 of call 0, "buf" is a buffer that the
    call fills, "*" varies; what comes after the call's "=" is its result.
    """

    calls: tuple[str, ...]
    count: int
    known: int
    """Calls after the first whose inputs are all known when the sequence begins."""

    def __str__(self) -> str:
        return f"{self.count:,} times, {self.known} of {len(self.calls) - 1} followers known:\n" + "".join(
            f"    {call}\n" for call in self.calls)


class Mined:
    """What repeats, most saved entries first. Iterates over Sequence."""

    def __init__(self, raw: _sysvm.MineReport) -> None:
        self.calls: int = raw.calls
        self.covered: int = raw.covered
        """Calls inside the sequences."""
        self.known: int = raw.known
        """Of these, calls after the first whose inputs are all known at the beginning."""
        self._sequences = [Sequence(tuple(s.calls), s.count, s.known) for s in raw.sequences]

    def __iter__(self) -> Iterator[Sequence]:
        return iter(self._sequences)

    def __len__(self) -> int:
        return len(self._sequences)

    def __getitem__(self, index: int) -> Sequence:
        return self._sequences[index]

    def df(self) -> pd.DataFrame:
        """One row for each sequence: count, length, known, calls (a text)."""
        return pd.DataFrame({"count": [s.count for s in self], "length": [len(s.calls) for s in self],
                             "known": [s.known for s in self], "calls": [" ; ".join(s.calls) for s in self]})

    def __repr__(self) -> str:
        share = 100 * self.covered / self.calls if self.calls else 0
        head = f"<sysvm.Mined: {len(self)} sequences cover {share:.0f} % of {self.calls:,} calls>"
        return "\n".join([head, *map(str, self)])


class Part:
    """What one recording, or several, say about sequences: counts, and the sources that nothing contradicts.

    Parts are small and travel well (pickle, `str(part)`), so a fleet's recordings can be counted where they
    are and merged on any engine that maps and reduces; the order does not matter:

        parts = client.map(sysvm.mine_part, paths)              # dask.distributed
        mined = client.submit(sysvm.merge, parts).result().mined()
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Part) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def mined(self, *, max_sequences: int = 10, max_length: int = 16, min_count: int = 4) -> Mined:
        """The best of it. max_length must be what the parts were made with."""
        return Mined(_sysvm.mine_report(self._text, max_sequences, max_length, min_count))


def mine_part(path: str, *, max_sequences: int = 64, max_length: int = 16) -> Part:
    """Counts one recording's sequences."""
    return Part(_sysvm.mine_part(str(path), max_sequences, max_length))


def merge(parts: Iterable[Part]) -> Part:
    """Adds counts up and drops each source that one of the recordings contradicts."""
    return Part(_sysvm.merge_parts([str(part) for part in parts]))


def mine(*traces: Trace, max_sequences: int = 10, max_length: int = 16, min_count: int = 4) -> Mined:
    """The contiguous sequences of calls that repeat in recordings, with the data flow between their
    arguments.

    max_length: calls of the longest sequence; min_count: occurrences of the rarest. Reads the traces' files
    again.
    """
    parts = (mine_part(trace.path, max_sequences=max_sequences, max_length=max_length) for trace in traces)
    return merge(parts).mined(max_sequences=max_sequences, max_length=max_length, min_count=min_count)
