# SPDX-License-Identifier: MIT
"""Verdicts out of what test suites print: one function for each form, each gives case -> verdict.

A case keeps the name that its suite gives it, without what differs from run to run (times, addresses, process
numbers). Where a suite says a name twice the second gets a number. What is not understood is no case:
harness_test.py shows what each form is.
"""
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from suite import Finished, Verdicts

TAP = re.compile(r"^\s*(not ok|ok)\b\s*(\d+)?\s*(?:-\s*)?(.*)$")
DEJAGNU = re.compile(r"^(PASS|FAIL|XPASS|XFAIL|KFAIL|SKIPPED|UNTESTED|UNRESOLVED|UNSUPPORTED|ERROR): (.*)$")
AUTOTEST = re.compile(r"^\s*(\d+): (.*?)\s+(ok|FAILED.*|skipped.*|expected failure.*|UNEXPECTED PASS.*)$")


def put(out: Verdicts, case: str, verdict: str) -> None:
    name, n = case, 1
    while name in out:
        n += 1
        name = f"{case} ({n})"
    out[name] = verdict


def tap(done: Finished) -> Verdicts:
    """Test Anything Protocol: `ok 3 - name # SKIP why`. The exit status is a case of its own."""
    out: Verdicts = {}
    for line in done.output.splitlines():
        if not (match := TAP.match(line)):
            continue
        said, number, rest = match.groups()
        name, _, directive = rest.partition(" # ")
        if rest.startswith("# "):
            name, directive = "", rest[2:]
        word = directive.strip().split(" ")[0].upper().rstrip(":") if directive else ""
        verdict = said + (f" {word}" if word in ("SKIP", "TODO") else "")
        put(out, f"{number or ''} {name}".strip(), verdict)
    put(out, "exit status", str(done.status))
    return out


def junit(file: Path):
    """A JUnit file that the run has left."""
    def read(done: Finished) -> Verdicts:
        out: Verdicts = {}
        try:
            top = ElementTree.parse(file).getroot()
        except (OSError, ElementTree.ParseError) as e:
            return {"results": f"no JUnit file: {type(e).__name__}", "exit status": str(done.status)}
        for case in top.iter("testcase"):
            kinds = sorted({child.tag for child in case} & {"error", "failure", "skipped"})
            put(out, case.get("name", "?"), " ".join(kinds) or "ok")
        put(out, "exit status", str(done.status))
        return out
    return read


def lines(form: re.Pattern):
    """Each line that matches is a case: groups are verdict and name."""
    def read(done: Finished) -> Verdicts:
        out: Verdicts = {}
        for line in done.output.splitlines():
            if match := form.match(line):
                put(out, match[2].strip(), match[1])
        put(out, "exit status", str(done.status))
        return out
    return read


dejagnu = lines(DEJAGNU)


def autotest(done: Finished) -> Verdicts:
    out: Verdicts = {}
    for line in done.output.splitlines():
        if match := AUTOTEST.match(line):
            put(out, f"{match[1]} {match[2]}", match[3].split(" (")[0])
    put(out, "exit status", str(done.status))
    return out


AUTOMAKE = {0: "PASS", 77: "SKIP", 99: "ERROR"}


def automake(name: str):
    """A script of an Automake suite is one case: its exit status is the verdict."""
    return lambda done: {name: AUTOMAKE.get(done.status, f"FAIL {done.status}")}
