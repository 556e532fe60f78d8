# SPDX-License-Identifier: MIT
"""The harness must see what it claims to see: each test gives it a suite that misbehaves in one way, and a
`sysvm` that is a script. And each form of verdicts is read as its suite means it."""
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import procedures  # noqa: E402
import sources  # noqa: E402
import table  # noqa: E402
import verdicts  # noqa: E402
import ways  # noqa: E402
from suite import Finished, Suite, Unit  # noqa: E402
from suites_gnu import MAKE  # noqa: E402

FORMS = [
    (verdicts.tap,
     "ok 1 - plain\nnot ok 2 - broken\nok 3 # SKIP no gpg\nok 4 - later # TODO known\n# ok no case\n  ok 5 - sub\n",
     {
         "1 plain": "ok", "2 broken": "not ok", "3": "ok SKIP", "4 later": "ok TODO", "5 sub": "ok",
         "exit status": "1"
     }),
    (verdicts.tap, "ok 1 - same\nok 1 - same\n", {"1 same": "ok", "1 same (2)": "ok", "exit status": "1"}),
    (verdicts.dejagnu, "PASS: a\nFAIL: b c\nXFAIL: d\nPASSED: no\n",
     {"a": "PASS", "b c": "FAIL", "d": "XFAIL", "exit status": "1"}),
    (verdicts.autotest,
     "  1: tar version                ok\n 12: old option (x)   skipped (t.at:30)\n  3: bad   FAILED (b.at:1)\n",
     {"1 tar version": "ok", "12 old option (x)": "skipped", "3 bad": "FAILED", "exit status": "1"}),
    (verdicts.automake("x.sh"), "anything", {"x.sh": "FAIL 1"}),
]


@pytest.mark.parametrize("read, text, expected", FORMS)
def test_verdicts_are_read_as_the_suite_means_them(read, text: str, expected: dict) -> None:
    assert read(Finished(1, text)) == expected


def test_make_says_which_script_passed() -> None:
    assert MAKE.match("features/archives ......... ok     (12 passed)").groups() == ("features/archives",
                                                                                     "ok")
    assert MAKE.match("functions/eval ............ FAILED (3/4 passed)").groups() == ("functions/eval",
                                                                                      "FAILED")


def test_junit_files_are_read(tmp_path: Path) -> None:
    xml = tmp_path / "x.xml"
    xml.write_text('<testsuites><testsuite><testcase name="a"/><testcase name="b"><failure/></testcase>'
                   '<testcase name="c"><skipped/></testcase></testsuite></testsuites>')
    assert verdicts.junit(xml)(Finished(
        0, "")) == {"a": "ok", "b": "failure", "c": "skipped", "exit status": "0"}
    assert "results" in verdicts.junit(tmp_path / "none")(Finished(1, ""))


def runner(tmp_path: Path, under: str, unit: str, monkeypatch) -> tuple[ways.Runner, Unit]:
    """A runner whose sysvm is a script that ends its own options and then does `under`; a unit that does
    `unit`."""
    monkeypatch.setattr(ways, "AT_LEAST", 1)
    monkeypatch.setattr(ways, "SLOWER", 1)
    sysvm = tmp_path / "sysvm"
    sysvm.write_text('#!/bin/sh\nstats=$3\nwhile [ "$1" != -- ]; do shift; done; shift\n'
                     f'echo \'{{"answered": 3, "seen": 5, "processes": 1}}\' >"$stats"\n{under}\n')
    sysvm.chmod(0o755)
    made = ways.Runner(Suite("s", "p", lambda folder: [], timeout=20), tmp_path / "s", str(sysvm))
    return made, Unit("u", ("sh", "-c", unit), tmp_path, verdicts.tap)


def test_equal_verdicts_are_no_difference(tmp_path: Path, monkeypatch) -> None:
    made, unit = runner(tmp_path, 'exec "$@"', "echo ok 1 - a; echo not ok 2 - b", monkeypatch)
    result = made.check(unit)
    assert (result.cases, result.left_out, result.differences, result.hangs) == (3, [], {}, {})
    assert (result.answered, result.seen, result.said) == ({"none": 3}, {"none": 5},
                                                           {"ok": 1, "not ok": 1, "0": 1})


def test_a_case_that_fails_under_the_shim_is_a_difference(tmp_path: Path, monkeypatch) -> None:
    made, unit = runner(tmp_path, '"$@" | sed "s/^ok 2/not ok 2/"', "echo ok 1 - a; echo ok 2 - b",
                        monkeypatch)
    assert made.check(unit).differences == {"none": ["2 b: ok / not ok (4 of 4 runs)"]}


def test_a_case_that_is_missing_under_the_shim_is_a_difference(tmp_path: Path, monkeypatch) -> None:
    made, unit = runner(tmp_path, '"$@" | grep -v b', "echo ok 1 - a; echo ok 2 - b", monkeypatch)
    assert "2 b: ok / absent" in made.check(unit).differences["none"][0]


def test_a_difference_that_comes_once_is_one_all_the_same(tmp_path: Path, monkeypatch) -> None:
    once = 'if mkdir once 2>/dev/null; then echo not ok 1 - a; else "$@"; fi'
    made, unit = runner(tmp_path, once, "echo ok 1 - a", monkeypatch)
    assert made.check(unit).differences == {"none": ["1 a: ok / not ok (1 of 4 runs)"]}


def test_what_two_plain_runs_do_not_agree_on_is_left_out(tmp_path: Path, monkeypatch) -> None:
    made, unit = runner(tmp_path, "echo ok 1 - a; echo ok 2 - other", "echo ok 1 - a; echo ok 2 - $$",
                        monkeypatch)
    result = made.check(unit)
    assert len(result.left_out) == 2 and result.differences == {}


def test_a_race_that_one_processor_loses_too_is_left_out(tmp_path: Path, monkeypatch) -> None:
    lost = '[ "$(nproc)" = 1 ] && mkdir once 2>/dev/null && echo not ok 1 - a || echo ok 1 - a; echo ok 2 - b'
    made, unit = runner(tmp_path, "echo not ok 1 - a; echo ok 2 - b", lost, monkeypatch)
    result = made.check(unit)
    assert result.left_out == ["1 a"] and result.differences == {}


def test_a_case_that_one_processor_loses_too_is_left_out(tmp_path: Path, monkeypatch) -> None:
    lost = '[ "$(nproc)" = 1 ] && mkdir once 2>/dev/null || echo ok 1 - a; echo ok 2 - b'
    made, unit = runner(tmp_path, "echo ok 2 - b", lost, monkeypatch)
    result = made.check(unit)
    assert result.left_out == ["1 a"] and result.differences == {}


def test_what_the_tool_says_is_no_difference_but_is_listed(tmp_path: Path, monkeypatch) -> None:
    made, unit = runner(tmp_path, 'echo "sysvm: warning: runs plainly" >&2; exec "$@"', "echo; echo a",
                        monkeypatch)
    unit = Unit("u", unit.argv, unit.cwd, lambda done: {"text": done.output})
    result = made.check(unit)
    assert result.differences == {} and result.warnings == ["sysvm: warning: runs plainly\n"]


def test_no_way_makes_the_unit_the_leader_of_a_session(tmp_path: Path, monkeypatch) -> None:
    made, _ = runner(tmp_path, '"$@"; exit $?', "", monkeypatch)
    leads = ("python3", "-c", "import os; print('ok 1 - leads', os.getsid(0) == os.getpid())")
    result = made.check(Unit("u", leads, tmp_path, verdicts.tap))
    assert (result.cases, result.left_out, result.differences) == (2, [], {})


def test_a_hang_is_reported_and_ended(tmp_path: Path, monkeypatch) -> None:
    # What leaves the session is ended, too.
    made, unit = runner(tmp_path, "setsid sleep 3210 & sleep 3211", "echo ok 1 - a", monkeypatch)
    result = made.check(unit)
    assert "sleep" in result.hangs["none"]
    deadline = time.monotonic() + 10
    while (left := subprocess.run(["pgrep", "-f", "^sleep 321[01]$"],
                                  capture_output=True).stdout) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left


def test_a_unit_without_verdicts_is_a_problem(tmp_path: Path, monkeypatch) -> None:
    made, unit = runner(tmp_path, 'exec "$@"', "echo usage: no such option; exit 2", monkeypatch)
    assert "no verdict, exit status 2: usage" in made.check(unit).problem


def test_foreign_procedures_are_bound_to_nothing() -> None:
    bound = (
        'procedure "a" run_ahead {\n  seen 5\n  exe 15dfff3239aa\n  trigger openat(_, _, _, _) path 1 site 0a1b+0x10 caller 99ff+0x4f2\n'
    )
    assert procedures.unbind(
        bound) == 'procedure "a" run_ahead {\n  seen 5\n  trigger openat(_, _, _, _) path 1\n'


def test_a_way_in_which_the_shim_was_in_no_process_is_named() -> None:
    unit = {
        "problem": "", "cases": 2, "said": {"ok": 1,
                                            "not ok": 1}, "left_out": [], "differences": {}, "hangs": {},
        "answered": {"none": 0, "own": 4}, "seen": {"none": 9, "own": 0}, "processes": {"none": 1, "own": 0}
    }
    data = {
        "suite": "s", "version": "1", "tests_of": "2", "units": [unit], "not_run": 0, "by_rule": 7,
        "seconds": 1.5, "date": "d", "kernel": "k", "note": ""
    }
    row = table.summary(data)
    assert row["absent"] == ["own"] and row["answered"] == {"none": 0, "own": 4, "foreign": None
                                                            } and row["passed"] == 1
    assert "not run" in table.table([data]) and "1 (tests of 2)" in table.table([data])


def test_a_suite_in_which_nothing_was_answered_tests_no_answer_and_says_so() -> None:
    unit = {"problem": "", "cases": 1, "said": {"ok": 1}, "left_out": ["b"], "differences": {}, "hangs": {},
            "answered": {"none": 0, "own": 4, "foreign": 0}, "seen": {"none": 9, "own": 9, "foreign": 9},
            "processes": {"none": 1, "own": 1, "foreign": 1}, "unit": "u"}
    data = {
        "suite": "s", "version": "1", "tests_of": "", "units": [unit], "not_run": 0, "by_rule": 0,
        "seconds": 1, "date": "d", "kernel": "k", "note": ""
    }
    text = table.details([data])
    assert "s: no call was answered by foreign" in text and "own procedures" not in text and "s u, not repeatable: b" in text


def test_a_large_suite_runs_each_nth_unit_and_those_that_are_always_run() -> None:
    units = [Unit(f"u{i}", ("true",), Path("/"), verdicts.tap) for i in range(10)]
    chosen = Suite("s", "p", lambda folder: units, every=4, always="u[23]").chosen(units)
    assert [u.name for u in chosen] == ["u2", "u3", "u0", "u4", "u8"]


def test_the_nearest_source_is_taken_and_never_another_upstream_version() -> None:
    known = ["5.36.0-7+deb12u9", "5.36.0-7+deb12u10", "5.36.0-7+deb12u3", "5.38.0-1"]
    assert sources.nearest("5.36.0-7+deb12u3",
                           known) == ["5.36.0-7+deb12u3", "5.36.0-7+deb12u10", "5.36.0-7+deb12u9"]
    assert sources.nearest("5.36.0-7+deb12u2",
                           known) == ["5.36.0-7+deb12u10", "5.36.0-7+deb12u9", "5.36.0-7+deb12u3"]


def test_the_mark_of_a_run_is_found_in_its_processes() -> None:
    child = subprocess.Popen(["sleep", "60"], env={**os.environ, "SYSVM_SUITE_UNIT": "harness/test"},
                             start_new_session=True)
    try:
        time.sleep(0.2)  # until it has executed
        assert child.pid in ways.hang.marked("SYSVM_SUITE_UNIT=harness/test")
        assert child.pid not in ways.hang.marked("SYSVM_SUITE_UNIT=harness/tes")
    finally:
        ways.hang.end(child)
