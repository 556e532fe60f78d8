# SPDX-License-Identifier: MIT
"""Procedure files (.svp) as lists of procedures. Tested by tests/python/test_procs.py."""
from __future__ import annotations

import html
import json
import os
from collections.abc import Iterator
from typing import Any

import pandas as pd

from . import _sysvm
from .shown import printable, table_html


class Procedure:
    """One stored procedure: what starts it, what it makes ahead, its byte code."""

    def __init__(self, raw: _sysvm.Procedure) -> None:
        self._raw = raw
        self.name: str = raw.name
        self.mode: str = raw.mode
        """run_ahead, answer, late_close or defer."""
        self.seen: int = raw.seen
        """Occurrences in the recording that it was made from."""
        self.exe: str = raw.exe
        """Build-id of the executable that it was made for, "" for any."""
        self.staging: int = raw.staging
        """Bytes of staging area."""
        self.triggers: list[str] = raw.triggers
        self.followers: list[str] = raw.followers
        self.code: bytes = raw.code
        self.data: bytes = raw.data

    def disasm(self) -> str:
        """The byte code as text, with labels; the assembler reads it back to the same bytes."""
        return self._raw.disasm()

    def __str__(self) -> str:
        return self._raw.text()

    def _repr_html_(self) -> str:
        """What begins it, then the calls that it makes."""
        calls = [("begins at", one) for one in self.triggers] + [("makes", one) for one in self.followers]
        return f"<p>{html.escape(printable(repr(self)))}</p>" + table_html(
            pd.DataFrame(calls, columns=["", "call"])
        )

    def __repr__(self) -> str:
        return (
            f"<sysvm.Procedure '{self.name}': {self.mode}, {len(self.followers)} followers, "
            f"{len(self.code)} bytes, "
            f"seen {self.seen:,} times>"
        )


def _notes(text: str) -> dict[str, Any]:
    try:
        notes = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return notes if isinstance(notes, dict) else {}


class ProcedureFile:
    """The procedures of one file, in order. Make one with sysvm.load()."""

    def __init__(self, raw: _sysvm.ProcedureFile, path: str) -> None:
        self.path = path
        self._procedures = [Procedure(p) for p in raw.procedures]
        self.notes: dict[str, Any] = _notes(raw.notes)
        """What the compiler wrote about its work: costs, a real occurrence of each procedure, what was left
        out. Not checked: whoever made the file may have written anything."""

    def __iter__(self) -> Iterator[Procedure]:
        return iter(self._procedures)

    def __len__(self) -> int:
        return len(self._procedures)

    def __getitem__(self, index: int) -> Procedure:
        return self._procedures[index]

    def __str__(self) -> str:
        return "\n".join(str(p) for p in self)

    def _repr_html_(self) -> str:
        return table_html(
            pd.DataFrame(
                {
                    "procedure": [p.name for p in self],
                    "mode": [p.mode for p in self],
                    "followers": [len(p.followers) for p in self],
                    "bytes": [len(p.code) for p in self],
                    "seen": [p.seen for p in self],
                }
            )
        )

    def __repr__(self) -> str:
        lines = [f"<sysvm.ProcedureFile {self.path}: {len(self)} procedures>"]
        return "\n".join(lines + [f"  [{i}] {p!r}" for i, p in enumerate(self)])


def load(path: str | os.PathLike[str]) -> ProcedureFile:
    """Reads a procedure file and checks all of it, code included.

    Raises FileNotFoundError and the like if the file cannot be opened; sysvm.Error, with what, where and what
    was expected, if anything in it is wrong.
    """
    name = os.fspath(path)
    with open(name, "rb"):
        pass
    return ProcedureFile(_sysvm.load_procedures(name), name)
