# SPDX-License-Identifier: MIT
"""What the tests of recording by the program share: backends that work here, a recording, what is in it."""
import json
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from sysvm_program import BIN, SYSVM, run  # noqa: E402

WORKLOAD = str(BIN / "tracer_workload")
CAN_BPF = run(SYSVM, "stat", "--backend", "bpf", "--", "true").returncode == 0
# Without the rights for eBPF only ptrace is tested; tracer.bpf is what reports the lack.
BACKENDS = ["bpf", "ptrace"] if CAN_BPF else ["ptrace"]
EACH_BACKEND = pytest.mark.parametrize("backend", BACKENDS)


def record(backend, tmp_path, *command, options=()):
    return run(SYSVM, "record", "--backend", backend, "-o", tmp_path / "t.trace", *options, "--", *command)


def info(tmp_path):
    done = run(SYSVM, "info", "--json", tmp_path / "t.trace")
    return json.loads(done.stdout)


def names(tmp_path):
    return {c["name"]: c["count"] for c in info(tmp_path)["by_call"]}


def wait_for(what):
    for _ in range(600):
        if what():
            return
        time.sleep(0.05)
    pytest.fail("waited for half a minute")
