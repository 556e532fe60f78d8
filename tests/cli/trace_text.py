# SPDX-License-Identifier: MIT
"""A trace made from text, for tests of the commands that read traces: needs no rights to record."""
from pathlib import Path

from sysvm_program import SYSVM, run

TEXT = (Path(__file__).parent / "data" / "small.strace").read_text(encoding="latin-1")
EVENTS = 11  # with the child's return from clone
CALLS = 9    # without that, and without the signal


def make_trace(folder, text=TEXT, name="x.trace"):
    (folder / "x.txt").write_text(text, encoding="latin-1")
    trace = folder / name
    done = run(SYSVM, "import", folder / "x.txt", "-o", trace)
    assert done.returncode == 0, done.stderr
    return trace
