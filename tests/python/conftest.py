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
