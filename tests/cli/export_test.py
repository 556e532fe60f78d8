# SPDX-License-Identifier: MIT
"""sysvm export, against those who read such files: strace's own tool, a JSON schema, what flame graphs are
made of."""
import json
import re
import shutil

import pytest

from sysvm_program import SOURCE, SYSVM, run
from trace_text import EVENTS, make_trace

SAMPLES = sorted((SOURCE / "traces" / "samples").glob("*.trace"))


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    return make_trace(tmp_path_factory.mktemp("export"))


def exported(form, file, *options):
    done = run(SYSVM, "export", form, file, *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_output_may_be_a_file(trace, tmp_path):
    out = tmp_path / "out.txt"
    assert exported("strace", trace, "-o", out) == b""
    assert out.read_bytes() == exported("strace", trace)


def test_strace_text_comes_back_the_same(trace, tmp_path):
    text = exported("strace", trace, "--ns")
    assert b"SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED}" in text and b"+++ exited with 3 +++" in text
    (tmp_path / "again.txt").write_bytes(text)
    again = tmp_path / "again.trace"
    done = run(SYSVM, "import", tmp_path / "again.txt", "-o", again)
    assert done.returncode == 0 and b"not understood" not in done.stderr
    assert exported("strace", again, "--ns") == text
    assert exported("ndjson", again).splitlines()[1:] == exported("ndjson", trace).splitlines()[1:]


@pytest.mark.skipif(not shutil.which("strace-log-merge"), reason="no strace-log-merge")
def test_strace_log_merge_takes_it(trace, tmp_path):
    """strace -ff writes a file for each process; its own tool merges them by time."""
    by_pid = {}
    for line in exported("strace", trace).decode("latin-1").splitlines():
        pid, rest = line.split(None, 1)
        by_pid.setdefault(pid, []).append(rest)
    for pid, rest in by_pid.items():
        (tmp_path / f"log.{pid}").write_text("\n".join(rest) + "\n", encoding="latin-1")
    merged = run("strace-log-merge", tmp_path / "log")
    assert merged.returncode == 0 and merged.stderr == b""
    (tmp_path / "merged.txt").write_bytes(merged.stdout)
    done = run(SYSVM, "import", tmp_path / "merged.txt", "-o", tmp_path / "merged.trace")
    assert done.returncode == 0 and f"imported {EVENTS} events".encode() in done.stderr
    assert exported("strace", tmp_path / "merged.trace") == exported("strace", trace)


def validator():
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((SOURCE / "traces" / "ndjson.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_ndjson_follows_its_schema(trace):
    check = validator()
    lines = exported("ndjson", trace).splitlines()
    assert len(lines) == 1 + EVENTS
    for line in lines:
        check.validate(json.loads(line))
    assert not check.is_valid({"ts_ns": 1}) and not check.is_valid({**json.loads(lines[3]), "colour": "red"})


@pytest.mark.parametrize("sample", SAMPLES, ids=[path.stem for path in SAMPLES])
def test_samples_export(sample):
    check = validator()
    lines = exported("ndjson", sample).splitlines()
    for line in [*lines[:200], *lines[-200:]]:
        check.validate(json.loads(line))
    assert len(exported("strace", sample)) > 1000 and len(exported("perfetto", sample)) > 1000
    for line in exported("folded", sample).decode().splitlines():
        assert re.fullmatch(r"[^;\s]+(;[^;\s]+)* [1-9][0-9]*", line)


def folded(file, *options):
    stacks = {}
    for line in exported("folded", file, *options).decode().splitlines():
        stack, weight = line.rsplit(" ", 1)
        stacks[stack] = int(weight)
    return stacks


@pytest.mark.parametrize("sample", SAMPLES, ids=[path.stem for path in SAMPLES])
def test_stacks_have_callers_and_call_sites(sample):
    plain, framed = folded(sample, "-c", "--no-frames"), folded(sample, "-c")
    joined = {}
    for stack, weight in framed.items():
        frames = [frame for frame in stack.split(";") if not re.fullmatch(r"\S+\+0x[0-9a-f]+", frame)]
        joined[";".join(frames)] = joined.get(";".join(frames), 0) + weight
    assert joined == plain
    site = re.compile(r";\S+\+0x[0-9a-f]+;[^;]+")
    with_sites = sum(weight for stack, weight in framed.items() if site.search(stack))
    assert with_sites > 0.9 * sum(framed.values())


def test_strace_text_with_the_paths_of_descriptors(trace, tmp_path):
    text = exported("strace", trace, "-y")
    assert rb'read(3</tmp/\74b\76&\"\n\377>, ' in text and b"close(3</tmp/" in text
    assert rb'O_RDONLY|O_CLOEXEC) = 3</tmp/\74b\76&\"\n\377> <' in text and b"AT_FDCWD" in text
    (tmp_path / "again.txt").write_bytes(exported("strace", trace, "-y", "--ns"))
    done = run(SYSVM, "import", tmp_path / "again.txt", "-o", tmp_path / "again.trace")
    assert done.returncode == 0 and b"not understood" not in done.stderr
    assert exported("strace", tmp_path / "again.trace", "--ns") == exported("strace", trace, "--ns")


def test_perfetto_with_procedures_has_a_track_of_their_runs(tmp_path):
    sample = next(path for path in SAMPLES if path.stem == "grep")
    assert run(SYSVM, "compile", sample, "-o", tmp_path / "x.svp").returncode == 0
    said = json.loads(run(SYSVM, "replay", "-P", tmp_path / "x.svp", sample, "--json").stdout)
    plain, more = exported("perfetto", sample), exported("perfetto", sample, "-P", tmp_path / "x.svp")
    assert b"procedures of " in more and b"procedures of " not in plain
    assert more.count(b"procedure") - plain.count(b"procedure") >= said["runs"] > 0
    done = run(SYSVM, "export", "perfetto", sample, "-P", SAMPLES[0])
    assert done.returncode == 2 and done.stdout == b""


def test_wrong_words_are_usage_errors(trace):
    for words in (["svg", trace], ["strace"], ["strace", trace, "-c"], ["folded", trace, "--ns"],
                  ["folded", trace, "-y"], ["strace", trace, "-P", "x.svp"],
                  ["strace", trace, "--no-frames"]):
        done = run(SYSVM, "export", *words)
        assert done.returncode == 2 and done.stdout == b""


def test_a_file_that_cannot_be_written(trace):
    done = run(SYSVM, "export", "strace", trace, "-o", "/no/such/folder/x")
    assert done.returncode == 125 and b"/no/such/folder/x" in done.stderr
