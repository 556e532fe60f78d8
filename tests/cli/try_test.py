# SPDX-License-Identifier: MIT
"""sysvm try, from outside: a real command recorded, compiled, run again. Each test is one promise of the
command line.
"""
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

SYSVM = os.environ["SYSVM_BIN"] + "/sysvm"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("tree")
    for i in range(300):
        folder = top / f"d{i % 10}"
        folder.mkdir(exist_ok=True)
        (folder / f"f{i}.h").write_text(f"#define A{i} {i}\n" * (i % 50 + 1))
    return top


def run(*args, **more) -> subprocess.CompletedProcess:
    more.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([SYSVM, "try", *map(str, args)], capture_output=True, text=True, timeout=300,
                          **more)


def report(*args, **more) -> dict:
    done = run("--json", *args, **more)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def test_json_of_grep_has_the_schema_and_is_identical_with_fewer_entries(tree: Path) -> None:
    r = report("--", "grep", "-r", "--include=*.h", "define", tree)
    assert r["schema"] == 1
    assert r["command"][0] == "grep" and len(r["command"]) == 5
    assert r["engine"] in ("user", "kernel")
    assert r["identical"] is True, r["reason"]
    assert r["exit_status"] == 0
    assert r["syscalls"] > 300 * 4
    assert r["lost"] == 0
    assert r["entries"]["before"] >= 2 * r["entries"]["after"] > 0
    assert r["wall_ms"]["plain"] > 0 and r["wall_ms"]["sysvm"] > 0
    assert sum(p["hits"] for p in r["procedures"]) > 300
    for p in r["procedures"]:
        assert {"name", "mode", "hits", "misses", "undone"} <= p.keys()
        assert p["mode"] in ("run_ahead", "answer", "late_close", "defer")


def test_strict_gives_no_late_close_and_still_fewer_entries(tree: Path) -> None:
    r = report("--strict", "--", "grep", "-r", "define", tree)
    assert r["identical"] is True and r["strict"] is True
    assert "late_close" not in {p["mode"] for p in r["procedures"]}
    loose = report("--", "grep", "-r", "define", tree)
    assert loose["entries"]["after"] < r["entries"]["after"] < r["entries"]["before"]


def test_entries_before_is_what_the_recording_counted(tree: Path) -> None:
    r = report("--", "grep", "-r", "define", tree)
    # two runs of one program; ld.so may differ by a call
    assert abs(r["entries"]["before"] - r["syscalls"]) <= 2


def test_the_table_says_which_engine_and_hides_the_output(tree: Path) -> None:
    done = run("--", "grep", "-rh", "define", tree)
    assert done.returncode == 0, done.stderr
    assert "times fewer" in done.stdout and "identical" in done.stdout
    assert "#define" not in done.stdout
    if not os.path.exists("/dev/sysvm"):
        assert "the user engine ran (/dev/sysvm: No such file or directory)" in done.stdout
    assert done.stderr == ""  # no progress where there is no terminal


def test_show_output_prints_what_the_command_printed(tree: Path) -> None:
    done = run("--show-output", "--", "grep", "-h", "A7 ", tree / "d7" / "f7.h")
    assert done.stdout.startswith("#define A7 7\n")


def test_the_exit_status_is_the_commands(tree: Path) -> None:
    assert run("--", "grep", "nothing-of-that-kind", tree / "d0" / "f0.h").returncode == 1
    assert run("--", "sh", "-c", "exit 77").returncode == 77
    assert run("--", "sh", "-c", "kill -TERM $$").returncode == -signal.SIGTERM


def test_what_is_not_repeatable_is_null_with_the_reason() -> None:
    r = report("--", "sh", "-c", "echo $$")
    assert r["identical"] is None
    assert r["reason"].startswith("two plain runs differ: standard output")


@pytest.mark.parametrize("through", ["pipe", "file"])
def test_standard_input_is_given_to_every_run(tmp_path: Path, through: str) -> None:
    text = "one\ntwo\nthree\n" * 1000
    if through == "pipe":
        done = run("--show-output", "--strict", "--", "wc", "-l", input=text, stdin=None)
    else:
        (tmp_path / "in").write_text(text)
        with open(tmp_path / "in") as f:
            done = run("--show-output", "--strict", "--", "wc", "-l", stdin=f)
    assert done.stdout.startswith("3000\n"), done.stdout
    assert "identical    yes" in done.stdout


def test_a_writer_is_warned_about_before_it_runs(tmp_path: Path) -> None:
    done = run("--", "sh", "-c", "echo x >> out", cwd=tmp_path)
    assert "not known as a program that only reads" in done.stderr
    assert len((tmp_path / "out").read_text().splitlines()) > 1
    assert "each run changed files (open for writing out)" in done.stdout


def test_in_copy_runs_in_a_fresh_copy_and_compares_it(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("text\n")
    done = run("--json", "--in-copy", tmp_path, "--", "sh", "-c", "cat in >> out; wc -l < out")
    r = json.loads(done.stdout)
    assert r["identical"] is True and "tree" in r["compared"], r
    assert not (tmp_path / "out").exists()
    assert done.stderr == ""


def test_in_copy_sees_a_tree_that_differs(tmp_path: Path) -> None:
    r = report("--in-copy", tmp_path, "--", "sh", "-c", "echo $$ > out")
    assert r["identical"] is None and "out:" in r["reason"]


def test_bad_command_lines(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("text")
    for status, word, args in [
        (127, "no-such-program", ["--", "no-such-program"]),
        (126, "plain", ["--", str(tmp_path / "plain")]),
        (2, "no command", []),
        (2, "--bogus", ["--bogus", "--", "true"]),
        (2, "engine", ["--engine", "warp", "--", "true"]),
        (2, "not a directory", ["--in-copy", str(tmp_path / "plain"), "--", "true"]),
        (2, "--show-output", ["--json", "--show-output", "--", "true"]),
    ]:
        done = run(*args)
        assert done.returncode == status, (args, done.returncode, done.stderr)
        assert word in done.stderr and done.stdout == "", (args, done.stderr, done.stdout)


def test_an_engine_that_is_not_there_is_refused() -> None:
    done = run("--engine", "kernel", "--", "true")
    if os.path.exists("/dev/sysvm"):
        assert done.returncode == 0
    else:
        assert done.returncode == 125 and "/dev/sysvm" in done.stderr


def test_nothing_is_left_in_the_temporary_directory(tmp_path: Path, tree: Path) -> None:
    for command in (["grep", "-r", "define", tree], ["sh", "-c", "kill -TERM $$"], ["no-such-program"]):
        run("--", *command, env={**os.environ, "TMPDIR": str(tmp_path)})
        assert os.listdir(tmp_path) == [], command


def started(folder: Path, seconds: int) -> subprocess.Popen:
    """`sysvm try` that is in the middle of a run. The command goes by itself after some seconds."""
    child = subprocess.Popen([SYSVM, "try", "--", "sh", "-c", f"touch started; exec sleep {seconds}"],
                             stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=folder,
                             start_new_session=True, env={**os.environ, "TMPDIR": str(folder)})
    deadline = time.monotonic() + 120
    while not (folder / "started").exists():
        assert time.monotonic() < deadline, "the command was not started"
        time.sleep(0.02)
    return child


def test_a_kill_leaves_nothing_either(tmp_path: Path) -> None:
    child = started(tmp_path, 5)
    assert len(os.listdir(tmp_path)) == 2
    child.kill()
    child.wait()
    deadline = time.monotonic() + 60
    while os.listdir(tmp_path) != ["started"]:
        assert time.monotonic() < deadline, os.listdir(tmp_path)
        time.sleep(0.02)


def test_interrupt_ends_it_and_leaves_nothing(tmp_path: Path) -> None:
    child = started(tmp_path, 60)
    os.killpg(child.pid, signal.SIGINT)
    _, err = child.communicate(timeout=120)
    assert child.returncode == -signal.SIGINT and "interrupted" in err
    assert os.listdir(tmp_path) == ["started"]
