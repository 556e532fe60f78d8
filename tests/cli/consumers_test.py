# SPDX-License-Identifier: MIT
"""sysvm export, opened in the programs that such files are made for, unmodified: Perfetto's trace processor
and flamegraph.pl.

They are no packages that this one needs: `make check-exports` fetches them (scripts/fetch-consumers) and runs
this; without them these tests are skipped.
"""
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sysvm_program import BIN, SOURCE, SYSVM, run
from trace_text import make_trace

CONSUMERS = Path(os.environ.get("SYSVM_CONSUMERS", BIN.parent / "consumers"))
PROCESSOR = CONSUMERS / "libtest_trace_processor.so"
FLAMEGRAPH = CONSUMERS / "flamegraph.pl"
SAMPLES = sorted((SOURCE / "traces" / "samples").glob("*.trace"))
HINT = "`make check-exports` fetches it"

needs_processor = pytest.mark.skipif(not PROCESSOR.exists(), reason=f"no {PROCESSOR}: {HINT}")
needs_flamegraph = pytest.mark.skipif(not FLAMEGRAPH.exists(), reason=f"no {FLAMEGRAPH}: {HINT}")


def perfetto(trace, folder, *queries, form="perfetto"):
    out = folder / "x.pftrace"
    assert run(SYSVM, "export", form, trace, "-o", out).returncode == 0
    return asked(out, *queries)


def asked(out, *queries):
    done = run(sys.executable, "-B", Path(__file__).with_name("trace_processor.py"), PROCESSOR, out, *queries)
    if done.returncode == 77 or done.returncode < 0:
        pytest.skip("this release's trace processor is laid out otherwise than trace_processor.py expects")
    assert done.returncode == 0, done.stderr
    errors, *answers = json.loads(done.stdout)
    return errors, answers


# What the trace processor itself objects to: packets it dropped, ends without a beginning, times out of order
# ...
ERRORS = "select name, value from stats where severity in ('error', 'data_loss') and value != 0"
BY_CALL = "select name, count(*), sum(dur) from slice where category = 'syscall' group by name order by name"
BY_THREAD = """select tid, pid, count(*), sum(dur), min(dur) >= 0, max(depth) from slice join thread_track t
on slice.track_id = t.id
  join thread using (utid) join process using (upid) where category = 'syscall' group by tid order by tid"""


FORK_CHILD = 1 << 3  # kForkChild of traces/event.h: the child's return, which is no call of its own


def calls_of(trace):
    lines = run(SYSVM, "export", "ndjson", trace).stdout.splitlines()[1:]
    return [e for e in map(json.loads, lines) if "call" in e and not e.get("flags", 0) & FORK_CHILD]


@needs_processor
@pytest.mark.parametrize("sample", SAMPLES, ids=[path.stem for path in SAMPLES])
def test_perfetto_has_each_call_as_a_slice_of_its_thread(sample, tmp_path):
    errors, (by_call, by_thread, losses) = perfetto(sample, tmp_path, ERRORS, BY_CALL, BY_THREAD,
                                                    "select count(*) from slice where category = 'loss'")
    assert errors == [] and losses == [["0"]]
    calls, threads = {}, {}
    for e in calls_of(sample):
        for table, key in ((calls, e["call"]), (threads, (e["tid"], e["pid"]))):
            count, total = table.get(key, (0, 0))
            table[key] = count + 1, total + int(e["dur_ns"])
    assert by_call == [[name, str(n), str(ns)] for name, (n, ns) in sorted(calls.items())]
    assert by_thread == [[str(tid), str(pid), str(n), str(ns), "1", "0"] for (tid, pid),
                         (n, ns) in sorted(threads.items())]


@needs_processor
def test_perfetto_shows_processes_signals_and_arguments(tmp_path):
    errors, (processes, marks, args) = perfetto(
        make_trace(tmp_path), tmp_path, ERRORS, "select pid, name from process where pid order by pid",
        "select tid, s.name from slice s join thread_track t on s.track_id = t.id join thread using (utid) "
        "where category in ('signal', 'fork')",
        "select key, display_value from slice s join args a using (arg_set_id) where s.name = 'openat' "
        "order by ts, key limit 2")
    assert errors == []
    assert processes == [["100", "sh"], ["101", "sh"]] and ["100", "SIGCHLD"] in marks
    assert ["101", "made by clone"] in marks
    assert args == [["debug.args", r'(AT_FDCWD, "/tmp/<b>&\"\n\377", O_RDONLY|O_CLOEXEC)'],
                    ["debug.return", "3"]]


@needs_processor
@pytest.mark.parametrize("sample", SAMPLES, ids=[path.stem for path in SAMPLES])
def test_perfetto_reads_the_strace_text_too(sample, tmp_path):
    (tmp_path / "strace.txt").write_text("7 1700000000.000001 getpid() = 7 <0.000001>\n7 1700000000.000003 "
                                         "getpid() = 7 <0.000001>\n")
    done = run(sys.executable, "-B", Path(__file__).with_name("trace_processor.py"), PROCESSOR,
               tmp_path / "strace.txt", "select 1")
    if b"refuses" in done.stderr:
        pytest.skip("this release's trace processor does not know strace's text")
    errors, (by_thread,) = perfetto(sample, tmp_path, ERRORS, """select tid, count(*) from slice join
    thread_track t on slice.track_id = t.id
      join thread using (utid) group by tid order by tid""", form="strace")
    assert errors == []
    threads = {}
    for e in calls_of(sample):
        threads[e["tid"]] = threads.get(e["tid"], 0) + 1
    assert by_thread == [[str(tid), str(n)] for tid, n in sorted(threads.items())]


# The recorder sleeps while the command overfills its ring, so that many events are lost, the last ones of a
# thread among them.
LOSSY = f"kill -STOP $PPID; '{BIN}/tracer_workload' calls 100000; kill -CONT $PPID"


@needs_processor
def test_perfetto_shows_losses(tmp_path):
    trace = tmp_path / "lossy.trace"
    done = run(SYSVM, "record", "-q", "--backend", "bpf", "--drop", "-m", "256k", "-o", trace, "--", "sh",
               "-c", LOSSY)
    if b"bpf" in done.stderr and done.returncode:
        pytest.skip(done.stderr.decode())
    seen = json.loads(run(SYSVM, "info", "--json", trace).stdout)
    assert seen["lost"] > 50000 and seen["missing"] == seen["lost"]
    errors, (calls, whole, marks) = perfetto(
        trace, tmp_path, ERRORS, "select count(*) from slice where category = 'syscall'",
        "select s.name, ts, dur from slice s join track t on s.track_id = t.id where t.name = 'lost events'",
        "select s.name from slice s join thread_track t on s.track_id = t.id where category = 'loss'")
    assert errors == [] and calls == [[str(seen["calls"])]]
    assert whole == [[f"{x['count']} lost: {x['reason']}", x["from_ns"],
                      str(int(x["to_ns"]) - int(x["from_ns"]))] for x in seen["losses"]]
    numbers = [int(re.fullmatch(r"(\d+) events of this thread missing", name)[1]) for (name,) in marks]
    assert sum(numbers) == seen["missing"]


@needs_flamegraph
@pytest.mark.parametrize("sample", SAMPLES, ids=[path.stem for path in SAMPLES])
def test_flamegraph_draws_the_folded_stacks(sample):
    folded = run(SYSVM, "export", "folded", sample).stdout
    drawn = subprocess.run(["perl", FLAMEGRAPH, "--minwidth", "0", "--countname", "ns"], input=folded,
                           capture_output=True, timeout=60)
    assert drawn.returncode == 0 and drawn.stderr == b""
    stacks = [line.rpartition(" ") for line in folded.decode().splitlines()]
    total = sum(int(ns) for _, _, ns in stacks)
    shown = {(name, int(ns.replace(",", ""))) for name,
             ns in re.findall(r"<title>(.*?) \(([\d,]+) ns", drawn.stdout.decode())}
    assert ("all", total) in shown
    for stack, _, ns in stacks:  # a stack that others begin with has the sum of all
        if not any(other.startswith(stack + ";") for other, _, _ in stacks):
            assert (stack.split(";")[-1], int(ns)) in shown, stack
