# SPDX-License-Identifier: MIT
"""The table of docs/transparency.md, from the files that run has left. Tested by tests/suites/harness_test.py."""
import re

WAYS = ("none", "own", "foreign")
PASSED = re.compile(r"(ok|PASS|run, exit status 0|0)$")


def summary(data: dict) -> dict:
    """One suite's numbers. `absent`: ways in which the shim was in no process, so that nothing was tested."""
    units = [u for u in data["units"] if not u["problem"]]
    answered = {way: sum(u["answered"].get(way, 0) for u in units) for way in WAYS}
    processes = {way: sum(u["processes"].get(way, 0) for u in units) for way in WAYS}
    tried = {way for u in units for way in u["seen"]}
    return {"suite": data["suite"], "version": data["version"], "units": len(units),
            "cases": sum(u["cases"] for u in units),
            "passed": sum(n for u in units for verdict, n in u["said"].items() if PASSED.match(verdict)),
            "left_out": sum(len(u["left_out"]) for u in units),
            "differences": sum(len(lines) for u in units for lines in u["differences"].values()),
            "hangs": sum(len(u["hangs"]) for u in units),
            "answered": {way: answered[way] if way in tried else None for way in WAYS},
            "processes": sum(processes.values()), "seen": sum(sum(u["seen"].values()) for u in units),
            "absent": [way for way in WAYS if way in tried and not processes[way]],
            "not_run": data["not_run"] + len(data["units"]) - len(units), "seconds": data["seconds"]}


def number(n: int | None) -> str:
    return "not run" if n is None else f"{n:,}"


def table(suites: list[dict]) -> str:
    """Markdown."""
    out = ["| suite | version | units | cases | pass plainly | left out | differences | hangs | processes | calls seen | answered: own | foreign "
           "| units not run | seconds | date, kernel |",
           "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|"]
    for data in suites:
        s = summary(data)
        columns = [s["suite"], s["version"], s["units"], s["cases"], s["passed"], s["left_out"], s["differences"], s["hangs"], s["processes"],
                   s["seen"], s["answered"]["own"], s["answered"]["foreign"], s["not_run"], round(s["seconds"]),
                   f"{data['date']}, {data['kernel']}"]
        out.append("| " + " | ".join(c if isinstance(c, str) else number(c) for c in columns) + " |")
    return "\n".join(out) + "\n"
