# SPDX-License-Identifier: MIT
"""The table of docs/transparency.md, from the files that run has left. Tested by
tests/suites/harness_test.py."""
import re

WAYS = ("none", "own", "foreign")
PASSED = re.compile(r"(ok|PASS|UNEXPECTED PASS|run, exit status 0|0)$")


def summary(data: dict) -> dict:
    """One suite's numbers. `absent`: ways in which the shim was in no process, so that nothing was tested."""
    units = [u for u in data["units"] if not u["problem"]]
    answered = {way: sum(u["answered"].get(way, 0) for u in units) for way in WAYS}
    processes = {way: sum(u["processes"].get(way, 0) for u in units) for way in WAYS}
    tried = {way for u in units for way in u["seen"]}
    differences = {
        way: sum(len(u["differences"].get(way, [])) for u in units) if way in tried else None
        for way in WAYS
    }
    return {
        "suite": data["suite"], "version": data["version"], "units": len(units), "cases": sum(u["cases"]
                                                                                              for u in units),
        "passed": sum(n for u in units for verdict, n in u["said"].items() if PASSED.match(verdict)),
        "left_out": sum(len(u["left_out"]) for u in units), "different": differences, "differences": sum(
            n or 0 for n in differences.values()), "hangs": sum(len(u["hangs"]) for u in units), "answered": {
                way: answered[way] if way in tried else None
                for way in WAYS
            }, "processes": sum(processes.values()), "seen": sum(sum(u["seen"].values()) for u in units),
        "absent": [way for way in WAYS if way in tried and not processes[way]], "by_rule": data["by_rule"],
        "not_run": data["not_run"], "no_verdict": len(data["units"]) - len(units), "seconds": data["seconds"]
    }


def number(n: int | None) -> str:
    return "not run" if n is None else f"{n:,}"


def table(suites: list[dict]) -> str:
    """Markdown."""
    out = [
        "| suite | version | units | left by the rule | out of time | no verdict plainly | cases | pass plainly | not repeatable "
        "| differences: none / own / foreign | hangs | processes | calls seen | answered: own | foreign | seconds | date, kernel |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|"
    ]
    for data in suites:
        s = summary(data)
        version = s["version"]
        if data["tests_of"] not in ("", version):
            version += f" (tests of {data['tests_of']})"
        columns = [
            s["suite"], version, s["units"], s["by_rule"], s["not_run"], s["no_verdict"], s["cases"],
            s["passed"], s["left_out"], " / ".join(number(n) for n in s["different"].values()), s["hangs"],
            s["processes"], s["seen"], s["answered"]["own"], s["answered"]["foreign"],
            round(s["seconds"]), f"{data['date']}, {data['kernel']}"
        ]
        out.append("| " + " | ".join(c if isinstance(c, str) else number(c) for c in columns) + " |")
    return "\n".join(out) + "\n"


def details(suites: list[dict]) -> str:
    """What the table only counts: suites that test no answers, cases that are not repeatable, units without a
    verdict."""
    out = []
    for data in suites:
        s = summary(data)
        for way in ("own", "foreign"):
            if s["answered"][way] == 0:
                out.append(
                    f"- {s['suite']}: no call was answered by {way} procedures, so none of their answers was tested."
                )
        if data["note"]:
            out.append(f"- {s['suite']}: {data['note']}")
        warned = sorted({line.strip() for unit in data["units"] for line in unit.get("warnings", [])})
        out += [f"- {s['suite']}, said by the tool: {line}" for line in warned[:8]]
        for unit in data["units"]:
            if unit["problem"]:
                out.append(f"- {s['suite']} {unit['unit']}: {unit['problem']}")
            if unit["left_out"]:
                out.append(f"- {s['suite']} {unit['unit']}, not repeatable: {', '.join(unit['left_out'][:8])}"
                           + (f" and {len(unit['left_out']) - 8} more" if len(unit["left_out"]) > 8 else ""))
    return "\n".join(out) + "\n"
