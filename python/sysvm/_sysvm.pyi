# SPDX-License-Identifier: MIT
from typing import Any

import numpy.typing as npt

FLAGS: dict[int, str]
DATA_KINDS: list[str]

class Error(ValueError): ...

class TraceTable:
    def __len__(self) -> int: ...
    def column(self, name: str) -> npt.NDArray[Any]: ...
    def call_names(self) -> list[str]: ...
    def strings(self) -> list[str]: ...
    def names(self, column: str) -> list[str]: ...
    def info(self) -> dict[str, Any]: ...

def open_trace(path: str, calls: list[str] | None = None, pids: list[int] | None = None,
               begin: float | None = None, end: float | None = None,
               pattern: str | None = None) -> TraceTable: ...
def calls_of(path: str) -> list[str]: ...

class ChunkedTrace:
    def __len__(self) -> int: ...
    def read(self, chunk: int) -> TraceTable: ...

def open_chunks(path: str) -> ChunkedTrace: ...

class Procedure:
    name: str
    mode: str
    seen: int
    staging: int
    exe: str
    triggers: list[str]
    followers: list[str]
    code: bytes
    data: bytes
    def disasm(self) -> str: ...
    def text(self) -> str: ...

class ProcedureFile:
    procedures: list[Procedure]
    notes: str

def load_procedures(path: str) -> ProcedureFile: ...

class MinedSequence:
    calls: list[str]
    count: int
    known: int

class MineReport:
    calls: int
    covered: int
    known: int
    sequences: list[MinedSequence]

def mine_part(path: str, max_sequences: int, max_length: int) -> str: ...
def merge_parts(parts: list[str]) -> str: ...
def mine_report(part: str, max_sequences: int, max_length: int, min_count: int) -> MineReport: ...
