# SPDX-License-Identifier: MIT
"""Runs a unit in every way and compares the verdicts: plainly twice, then under the shim with no procedures,
with the suite's own, and with foreign ones.

What two plain runs do not agree on is left out. A difference under the shim is tried again, three times in
turn with plain runs, and then plainly on one processor, where races of the suite's own processes end
otherwise: if a plain run shows the same it was not repeatable after all, else it is a difference, however
rare. A run that takes ten times as long as the plain one, and a minute at least, hangs. Tested by
tests/suites/harness_test.py.
"""
import collections
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import hang  # noqa: E402
from suite import Finished, Suite, Unit, Verdicts, environment  # noqa: E402

AGAIN = 3  # pairs of runs that decide whether a difference is one
ON_ONE = 10  # plain runs on one processor that do, too
SLOWER, AT_LEAST = 10, 60  # a hang: this many times the plain run's seconds, and no less than these
WAYS = ("none", "own", "foreign")  # procedures
# `sysvm run --stats` stays the command's parent, so that the command leads no session: plainly somebody
# stays, too.
BESIDE = ["timeout", "--foreground", "0"]
WARNING = re.compile(r"^sysvm: warning: .*\n", re.M)


@dataclass
class Run:
    """One run: verdicts, or where it hung."""

    verdicts: Verdicts | None
    seconds: float
    hung: str = ""
    answered: int = 0
    seen: int = 0
    processes: int = 0
    warnings: list[str] = field(default_factory=list)  # of the tool's


@dataclass
class Result:
    """What came of a unit."""

    unit: str
    cases: int = 0
    said: dict[str, int] = field(default_factory=dict)  # verdict -> cases that had it plainly
    left_out: list[str] = field(default_factory=list)
    differences: dict[str, list[str]] = field(default_factory=dict)  # way -> lines
    hangs: dict[str, str] = field(default_factory=dict)  # way -> where
    answered: dict[str, int] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)  # calls
    processes: dict[str, int] = field(default_factory=dict)  # that the shim was in
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    problem: str = ""  # why there is nothing to compare


class Runner:
    """Runs units of one suite. Everything it writes is below its folder."""

    def __init__(self, suite: Suite, folder: Path, sysvm: str, engine: str = "user") -> None:
        self.suite, self.folder, self.sysvm, self.engine = suite, folder, sysvm, engine
        self.procedures: dict[str, Path | None] = {"none": None}
        self.home = folder / "home"
        self.home.mkdir(parents=True, exist_ok=True)

    def place(self, unit: Unit) -> Path:
        folder = self.folder / "runs" / unit.name.replace("/", "_")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def once(self, unit: Unit, prefix: list[str], limit: float) -> Run:
        place = self.place(unit)
        mark = f"SYSVM_SUITE_UNIT={self.suite.name}/{unit.name}"
        name, value = mark.split("=", 1)
        if unit.before:
            unit.before()
        started = time.monotonic()
        with open(place / "output", "wb") as out:
            child = subprocess.Popen([*prefix, *unit.argv], cwd=unit.cwd, stdin=subprocess.DEVNULL,
                                     stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
                                     env={**environment(self.home), **unit.env, name: value})
            try:
                status = child.wait(limit)
            except subprocess.TimeoutExpired:
                return Run(None, time.monotonic() - started, hang.where_it_waits(child.pid) or "nowhere")
            finally:
                hang.end(child, mark)
        seconds = time.monotonic() - started
        output = (place / "output").read_text(errors="replace")
        # What the tool itself says (that it runs the command plainly, and why) is no part of what the program
        # does.
        said = WARNING.findall(output)
        return Run(unit.read(Finished(status, WARNING.sub("", output))), seconds, warnings=said)

    def plain(self, unit: Unit, pinned: bool = False) -> Run:
        one = ["taskset", "-c", str(min(os.sched_getaffinity(0)))] if pinned else []
        return self.once(unit, [*one, *BESIDE], self.suite.timeout)

    def under(self, unit: Unit, way: str, plain_seconds: float) -> Run:
        stats = self.place(unit) / "stats.json"
        stats.unlink(missing_ok=True)
        prefix = [self.sysvm, "run", "--stats", str(stats)]
        if self.procedures[way]:
            prefix += ["-P", str(self.procedures[way]), "--engine", self.engine]
        run = self.once(unit, [*prefix, "--"], max(AT_LEAST, SLOWER * plain_seconds))
        try:
            counts = json.loads(stats.read_text())
            run.answered, run.seen, run.processes = counts["answered"], counts["seen"], counts["processes"]
        except (OSError, ValueError, KeyError):
            # killed, or the statistics do not work: a way in which no process was met is a failure of the
            # suite
            pass
        return run

    def check(self, unit: Unit) -> Result:
        result = Result(unit.name)
        first, second = self.plain(unit), self.plain(unit)
        if first.verdicts is None or second.verdicts is None:
            result.problem = f"a plain run took more than {self.suite.timeout:g} s"
            return result
        if not first.verdicts.keys() - {"exit status"}:
            last = (self.place(unit) / "output").read_text(errors="replace").strip().rpartition("\n")[2]
            result.problem = f"the plain run gave no verdict, exit status {first.verdicts.get('exit status')}: {last[:200]}"
            return result
        cases = dict(first.verdicts)
        result.cases = len(cases.keys() | second.verdicts.keys())
        self.leave_out(result, cases, second.verdicts)
        result.said = dict(collections.Counter(first.verdicts.values()))
        result.seconds["plain"] = min(first.seconds, second.seconds)
        for way in WAYS:
            if way not in self.procedures:
                continue
            run = self.under(unit, way, first.seconds)
            result.answered[way], result.seen[way], result.processes[
                way] = run.answered, run.seen, run.processes
            result.seconds[way] = run.seconds
            result.warnings += run.warnings
            if run.verdicts is None:
                result.hangs[way] = run.hung
            elif different(cases, run.verdicts):
                self.confirm(unit, way, cases, run.verdicts, first.seconds, result)
        return result

    def leave_out(self, result: Result, cases: Verdicts, other: Verdicts) -> None:
        """Takes the cases out on which another plain run says something else."""
        for case in different(cases,
                              other) + [c for c in other if c not in cases and c not in result.left_out]:
            cases.pop(case, None)
            result.left_out.append(case)

    def confirm(self, unit: Unit, way: str, cases: Verdicts, verdicts: Verdicts, seconds: float,
                result: Result) -> None:
        suspects = {case: 1 for case in different(cases, verdicts)}
        for _ in range(AGAIN):
            plain = self.plain(unit)
            if plain.verdicts is not None:
                self.leave_out(result, cases, plain.verdicts)
            again = self.under(unit, way, seconds)
            if again.verdicts is None:
                result.hangs[way] = again.hung
                return
            for case in different(cases, again.verdicts):
                suspects[case] = suspects.get(case, 0) + 1
        for _ in range(ON_ONE):
            if not (left :=
                    [case for case in suspects if case in cases and verdicts.get(case) != cases[case]]):
                break
            if (plain := self.plain(unit, pinned=True)).verdicts is None:
                continue
            for case in left:  # as it ended under the shim: other differences are those of a smaller machine
                if plain.verdicts.get(case) == verdicts.get(case):
                    cases.pop(case)
                    result.left_out.append(case)
        for case, times in suspects.items():
            if case in cases:
                result.differences.setdefault(way, []).append(
                    f"{case}: {cases[case]} / {verdicts.get(case, 'absent, or equal again')} ({times} of {AGAIN + 1} runs)"
                )


def different(cases: Verdicts, other: Verdicts) -> list[str]:
    return [case for case, verdict in cases.items() if other.get(case) != verdict]
