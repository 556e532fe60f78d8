# SPDX-License-Identifier: MIT
"""A trace explains itself: what self_described.py finds with the schema in the file is what sysvm says."""
import json
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from sysvm_program import BIN, SOURCE, SYSVM, run  # noqa: E402
from trace_text import make_trace  # noqa: E402

pytest.importorskip("google.protobuf", reason="no python3-protobuf")
from self_described import Trace  # noqa: E402

CAN_BPF = run(SYSVM, "stat", "--backend", "bpf", "--", "true").returncode == 0


def expect_same(trace):
    ours = [json.loads(line) for line in run(SYSVM, "export", "ndjson", trace).stdout.splitlines()]
    events = [e for e in ours[1:] if "seq" in e]
    read = Trace(trace)
    found = {(e["tid"], e["ts_ns"], e["seq"]): e for e in read.events()}
    assert len(found) == len(events) > 0
    signals = 0
    for e in events:
        e = {name: int(v) if isinstance(v, str) and name.endswith("_ns") else v for name, v in e.items()}
        other = found[e["tid"], e["ts_ns"], e["seq"]]
        flags = other["flags"]
        assert (other["dur_ns"], other["pid"]) == (e["dur_ns"], e["pid"])
        if flags & read.flags["SIGNAL"]:
            assert e["signal"].startswith("SIG") and other["nr"] == -1 and other["args"][0] > 0
            signals += 1
            continue
        if not flags & read.flags["COMPAT"]:
            call = read.calls[other["nr"]]
            assert e["call"] == call.name.decode()
            known = [None if flags & read.flags[f"UNKNOWN_ARG{i}"] else a for i,
                     a in enumerate(other["args"])]
            assert [a if a is None else int(a) for a in e["args"]] == known[:len(e["args"])]
            assert len(e["args"]) == min(len(call.args), 6)
        assert (e["ret"] is None) == bool(flags & (read.flags["NO_EXIT"] | read.flags["UNKNOWN_RET"]))
        assert e["ret"] is None or int(e["ret"]) == other["ret"]
        assert e.get("flags", 0) == flags and int(e.get("ip", 0)) == other["ip"]
        assert int(e.get("caller", 0)) == other["caller"]
        for name in ("path", "path2"):
            assert e.get(name) == (other[name].decode(errors="replace") if name in other else None)
        assert {k: int(v) for k, v in e.get("stat", {}).items()} == other.get("stat", {})
        assert e.get("data") == other.get("data")
    return read, events, signals


def test_of_imported_text(tmp_path):
    trace = make_trace(tmp_path)
    read, events, signals = expect_same(trace)
    assert signals == 1 and len(events) == 11
    assert [p.process.argv[0] for p in read.records if p.WhichOneof("kind") == "process"
            and p.process.argv][:1] == [b"sh"]


@pytest.mark.parametrize("sample", ["find", "nginx", "python", "sqlite3"])
def test_of_a_recordings_events(sample, tmp_path):
    """The samples are older than the schema in the file: by way of strace's text they are written anew, in
    many chunks."""
    text = tmp_path / "x.txt"
    text.write_bytes(run(SYSVM, "export", "strace", "--ns",
                         SOURCE / "traces" / "samples" / f"{sample}.trace").stdout)
    trace = tmp_path / "x.trace"
    assert run(SYSVM, "import", text, "-o", trace).returncode == 0
    expect_same(trace)


@pytest.mark.parametrize("backend", ["bpf", "ptrace"])
def test_of_a_recording(backend, tmp_path):
    if backend == "bpf" and not CAN_BPF:
        pytest.skip("no rights for eBPF")
    trace = tmp_path / "x.trace"
    done = run(SYSVM, "record", "-q", "--backend", backend, "--data", "16", "-o", trace, "--", "sh", "-c",
               f"ls -lR '{SOURCE}/traces' | sort; true",
               cwd=SOURCE)
    assert done.returncode == 0, done.stderr
    read, events, _ = expect_same(trace)
    kinds = {record.WhichOneof("kind") for record in read.records}
    assert {"header", "chunk", "process", "process_end", "mapping", "thread_end", "stats", "index",
            "trailer"} <= kinds
    stats = next(record.stats for record in read.records if record.WhichOneof("kind") == "stats")
    assert stats.events == len(events)
    assert any("stat" in e for e in events) and any(e.get("data", {}).get("kind") == "dirent" for e in events)


def test_the_schema_is_the_published_one(tmp_path):
    read = Trace(make_trace(tmp_path))
    proto = (SOURCE / "traces" / "trace.proto").read_text()
    for message in read.schema.message_type:
        assert f"message {message.name} {{" in proto
        for field in message.field:
            assert f" {field.name} = {field.number};" in proto
    assert os.path.getsize(make_trace(tmp_path)) < 9000
