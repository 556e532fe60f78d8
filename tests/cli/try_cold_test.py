# SPDX-License-Identifier: MIT
"""sysvm try --cold: what it prints of a command is what happened to it. Times are not judged here. Where the
tests run as root the machine's caches are dropped, three times.
"""
import json
import os
import subprocess
from pathlib import Path

import pytest

SYSVM = os.environ["SYSVM_BIN"] + "/sysvm"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("tree")
    for i in range(300):
        folder = top / f"d{i % 10}"
        folder.mkdir(exist_ok=True)
        (folder / f"f{i}").write_text(f"{i}\n" * 500)
    return top


def run(*args) -> subprocess.CompletedProcess:
    return subprocess.run([SYSVM, "try", "--cold", *map(str, args)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=300)


def test_json_has_both_times_and_what_was_read_ahead(tree: Path) -> None:
    # by a name that is on no command line
    (tree.parent / "sums").write_text(subprocess.run(["sha256sum", *sorted(tree.glob("*/*"))],
                                                     capture_output=True, text=True, check=True).stdout)
    done = run("--json", "--rounds", 1, "--", "sha256sum", "--check", "--quiet", tree.parent / "sums")
    assert done.returncode == 0, done.stderr
    r = json.loads(done.stdout)
    assert r["schema"] == 1 and r["cold"] is True
    assert r["identical"] is True, r["reason"]
    assert len(r["wall_ms"]["plain_runs"]) == len(r["wall_ms"]["prefetch_runs"]) == 1
    assert r["wall_ms"]["plain"] > 0 and r["wall_ms"]["prefetch"] > 0 and r["gain"] > 0
    assert r["items"] >= 300, "a list was made of the recording"
    assert r["caches"] == ("machine" if os.access("/proc/sys/vm/drop_caches", os.W_OK) else "files")
    assert r["prefetch"]["end"] == "with the command"
    assert r["prefetch"]["listed"] <= r["items"] + 16
    assert r["processor_ms"]["plain"] > 0


def test_it_ends_as_the_command_does_and_the_table_names_everything(tree: Path) -> None:
    done = run("--rounds", 1, "--", "sh", "-c", f"cat {tree}/d1/f1; exit 7")
    assert done.returncode == 7, done.stderr
    for word in ("verdict", "identical", "plain", "prefetched", "read ahead", "processor", "caches"):
        assert any(line.startswith("  " + word) for line in done.stdout.splitlines()), done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines()), done.stdout


def test_a_command_that_differs_from_run_to_run_is_told() -> None:
    done = run("--rounds", 1, "--", "sh", "-c", "echo $$; date +%N")
    assert "  identical    NO: " in done.stdout


def test_what_does_not_go_together_is_a_usage_error() -> None:
    for words in (("--show-output", "--", "true"), ("--rounds", "0", "--", "true")):
        assert run(*words).returncode == 2


def test_all_runs_get_the_processor_alike() -> None:
    # The recorder works behind others (SCHED_BATCH); what runs after it must not.
    done = run("--rounds", 1, "--", "/usr/bin/python3", "-c",
               "import os, sys; sys.exit(os.sched_getscheduler(0))")
    assert done.returncode == os.sched_getscheduler(0), done.stdout
    assert "NOT the same" not in done.stdout
