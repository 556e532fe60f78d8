# SPDX-License-Identifier: MIT
"""compile --profile, from end to end: a program is recorded while it does one thing, run while it does
another, and compiled again with the counters of that run. What missed is narrowed or left out, what hit stays
as it is, byte for byte.
"""
import json

import pytest

from sysvm_program import SYSVM, run

PROGRAM = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char buffer[4096];

/* depth 0: opens and closes; 1: makes an fstat as well; 2: reads it to its end */
static void visit(const char *path, int flags, int depth)
{
	struct stat st;
	int fd = open(path, O_RDONLY | flags);

	if (depth > 0)
		fstat(fd, &st);
	while (depth > 1 && read(fd, buffer, sizeof(buffer)) > 0)
		;
	close(fd);
}

/* usage: visits DEPTH COUNT...: COUNT files to that depth, and as many, opened by other flags, to the end */
int main(int argc, char **argv)
{
	char path[32];

	for (int a = 1; a + 1 < argc; a += 2)
		for (int i = 0; i < atoi(argv[a + 1]); i++) {
			sprintf(path, "f%d", i % 100);
			visit(path, 0, atoi(argv[a]));
			visit(path, O_CLOEXEC, 2);
		}
	return 0;
}
"""
READS_ALL = "openat: newfstatat read+end"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "visits.c").write_text(PROGRAM)
    done = run("gcc", "-O1", "-o", "visits", "visits.c")
    assert done.returncode == 0, done.stderr
    for i in range(100):
        (tmp_path / f"f{i}").write_text(f"{i}\n" * 20)
    run("sh", "-c", "sleep 1.1; cat f*")  # reading ahead leaves every atime alone (relatime)
    recorded = run(SYSVM, "record", "-q", "-o", "visits.trace", "--", "./visits", "2", "100")
    assert recorded.returncode == 0, recorded.stderr
    # its object file is known from now on
    assert run(SYSVM, "run", "--engine", "user", "--", "./visits", "2", "1").returncode == 0
    return tmp_path


def compiled(name, *more):
    """Name and trigger of each run-ahead procedure for the program's own opens, and its text."""
    done = run(SYSVM, "compile", "visits.trace", "-o", f"{name}.svp", *more)
    assert done.returncode == 0, done.stderr
    text = run(SYSVM, "disasm", "--no-notes", f"{name}.svp").stdout.decode()
    found = {}
    for procedure in text.split("procedure ")[1:]:
        for flags in ("0", "0x80000"):
            if f"trigger openat(_, _, {flags}, _)" in procedure:
                found[flags] = procedure
    return found, done.stdout.decode()


def name_of(procedure):
    return procedure.split('"')[1]


def ran(name, *words):
    done = run(SYSVM, "run", "--engine", "user", "--age", "1000", "-P", f"{name}.svp", "--stats",
               f"{name}.json", "--", "./visits", *words)
    assert done.returncode == 0, done.stderr
    counters = json.loads((open(f"{name}.json")).read())
    if any(counters["off"].values()):
        pytest.skip(f"the program ran plainly here: {counters['off']}")
    return {p["trigger"].split(",")[2].strip(): p for p in counters["procedures"]
            if p.get("trigger", "").startswith("openat")}


def test_what_misses_is_narrowed_until_it_hits(folder):
    first, _ = compiled("first")
    assert {name_of(p) for p in first.values()} == {READS_ALL} and len(first) == 2

    # Half of the files are read, half get only an fstat: three and one of three followers are used.
    counters = ran("first", "2", "100", "1", "100")
    assert counters["0"]["runs"] == 200 and counters["0"]["misses"] >= 90, counters
    assert counters["0x80000"]["misses"] == 0, counters
    second, said = compiled("second", "--profile", "first.json")
    assert name_of(second["0"]) == "openat: newfstatat read", said
    assert second["0x80000"] == first["0x80000"]

    # Still one of two is missed half of the time; and the profile of the shorter one does not bring the
    # longer one back.
    counters = ran("second", "2", "100", "1", "100")
    assert counters["0"]["misses"] >= 90, counters
    third, said = compiled("third", "--profile", "second.json")
    assert name_of(third["0"]) == "openat: newfstatat", said
    assert third["0x80000"] == first["0x80000"]

    counters = ran("third", "2", "100", "1", "100")
    assert counters["0"]["misses"] == 0 and counters["0"]["hits"] == 200, counters
    fourth, _ = compiled("fourth", "--profile", "third.json")
    assert fourth == third


def test_what_answers_less_than_it_runs_is_left_out(folder):
    first, _ = compiled("first")
    counters = ran("first", "2", "10", "0", "190")
    assert counters["0"]["hits"] < counters["0"]["runs"], counters
    second, said = compiled("second", "--profile", "first.json")
    assert "0" not in second, second
    assert "when it ran" in said and "answered" in said, said
    assert second["0x80000"] == first["0x80000"]


def test_what_hits_stays_as_it_is(folder):
    first, _ = compiled("first")
    counters = ran("first", "2", "100")
    assert counters["0"]["misses"] == counters["0x80000"]["misses"] == 0, counters
    assert compiled("second", "--profile", "first.json")[0] == first


def test_counters_that_are_none_are_refused(folder):
    (folder / "bad.json").write_text('{"procedures": [3]}')
    for path, says in (("bad.json", b"a procedure that is no object"),
                       ("visits.c", b"not what 'sysvm run --stats' writes"),
                       ("absent.json", b"absent.json"), (".", b"a folder")):
        done = run(SYSVM, "compile", "visits.trace", "-o", "x.svp", "--profile", path)
        assert done.returncode == 2 and says in done.stderr, done.stderr
        assert not (folder / "x.svp").exists()
