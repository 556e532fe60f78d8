# SPDX-License-Identifier: MIT
"""`sysvm bench`: that it measures what it says and admits what it does not. No figure is tested by time."""
import json
import math

import pytest

from sysvm_program import SYSVM, run

ALWAYS = ["crossing_ns", "crossing_inline_ns", "fstat_ns", "openat_close_ns", "close_ns", "read_4k_ns",
          "read_at_end_ns",
          "whole_file_ns", "user_run_ns", "user_insn_ns", "user_jump_ns", "user_call_ns", "verify_insn_ns",
          "verify_byte_ns"]
WHERE_POSSIBLE = ["kernel_run_ns", "kernel_insn_ns", "kernel_jump_ns", "kernel_call_ns", "shim_miss_ns",
                  "shim_miss_threaded_ns", "shim_hit_ns", "shim_read_hit_ns", "shim_read_hit_4k_ns",
                  "start_ns", "launch_ns"]


@pytest.fixture(scope="module")
def out():
    done = run(SYSVM, "bench", "--json", "--quick")
    assert done.returncode == 0 and done.stderr == b""
    return json.loads(done.stdout)


def test_schema(out):
    assert out["schema"] == 1 and out["quick"] is True
    assert set(out["machine"]) == {"processor", "cores", "kernel"}


@pytest.mark.parametrize("name", ALWAYS)
def test_is_measured_everywhere(out, name):
    assert math.isfinite(out[name])
    figure = out["figures"][name.removesuffix("_ns")]
    assert figure["min"] <= figure["median"] <= figure["max"] and figure["repetitions"] >= 3
    assert figure["min"] == out[name]


@pytest.mark.parametrize("name", WHERE_POSSIBLE)
def test_is_measured_or_its_absence_explained(out, name):
    if out[name] is None:
        assert out["absent"][name.removesuffix("_ns")]
    else:
        assert math.isfinite(out[name]) and name.removesuffix("_ns") not in out["absent"]


def test_an_entry_costs_something(out):
    assert out["crossing_ns"] > 1
    assert out["whole_file_ns"] > 3 * out["crossing_ns"]  # five entries and their work


def test_text_names_each_figure(out):
    lines = run(SYSVM, "bench", "--quick").stdout.decode()
    for name in ALWAYS:
        assert f"{name.removesuffix('_ns')}: " in lines
