# SPDX-License-Identifier: MIT
"""What a suite is to the harness: something that can be prepared once, and then units, each a command that
gives verdicts.

A unit is the smallest thing that is run by itself (a script, a module, a stressor); a case is what it gives a
verdict on. The units of a suite must not disturb each other; one unit's runs follow each other in the same
place. Tested by tests/suites/harness_test.py.
"""
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

Verdicts = dict[str, str]  # case -> verdict


class Unavailable(Exception):
    """The suite cannot be had or made here; the text says why."""


@dataclass(frozen=True)
class Finished:
    """A run that ended by itself."""

    status: int
    output: str  # standard output and standard error, in one


@dataclass(frozen=True)
class Unit:
    name: str
    argv: tuple[str, ...]
    cwd: Path
    read: Callable[[Finished], Verdicts]
    env: dict[str, str] = field(default_factory=dict)
    before: Callable[[], None] | None = None  # puts the place in order; not under the shim


@dataclass(frozen=True)
class Suite:
    name: str
    package: str  # the binary package whose programs are tested
    prepare: Callable[[Path], list[Unit]]  # in a folder of its own; may take its time the first time
    recorded: int = 3  # units whose recording gives the suite's own procedures
    timeout: float = 120  # seconds for one plain run of a unit
    # What runs when not all of it was asked for (--whole): each Nth unit, and those whose name matches
    # `always`.
    every: int = 1
    always: str = r"$^"
    weight: float = 1  # its share of the time, beside that of the others

    def chosen(self, units: list[Unit]) -> list[Unit]:
        always = [u for u in units if re.search(self.always, u.name)]  # first: a run may be cut
        return always + [u for i, u in enumerate(units) if i % self.every == 0 and u not in always]


def environment(home: Path) -> dict[str, str]:
    """What every unit has, plain or not. The caches of sysvm are below home."""
    keep = {k: os.environ[k] for k in ("USER", "LOGNAME", "SHELL") if k in os.environ}
    return {**keep, "PATH": PATH, "HOME": str(home), "LC_ALL": "C.UTF-8", "TZ": "UTC", "TERM": "dumb"}
