# SPDX-License-Identifier: MIT
"""Paths of what the tests use, from the environment that ctest sets; and the trace that make_trace writes."""
import os
import subprocess
from pathlib import Path

import pytest

BIN = Path(os.environ["SYSVM_BIN"])  # build/bin


@pytest.fixture(scope="session")
def make_trace(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("traces")

    def make(events: int, chunk: int) -> Path:
        path = folder / f"{events}-{chunk}.trace"
        subprocess.run([BIN / "make_trace", path, str(events), str(chunk)], check=True)
        return path

    return make


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of grep over 60 files, and beside it the procedures compiled from it (grep.trace,
    grep.svp)."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "tree").mkdir()
    for i in range(60):
        (folder / "tree" / f"f{i}").write_text(f"line {i}\n" * (i + 1))
    trace = folder / "grep.trace"
    subprocess.run([BIN / "sysvm", "record", "-q", "-o", trace, "--", "grep", "-rc", "line", folder / "tree"],
                   check=True,
                   stdout=subprocess.DEVNULL)
    subprocess.run([BIN / "sysvm", "compile", trace, "-o", folder / "grep.svp"], check=True,
                   stdout=subprocess.DEVNULL)
    return trace
