# SPDX-License-Identifier: MIT
"""Procedure files for the suites: a suite's own, and foreign ones.

A compiled procedure is bound to the executable it was seen in, and is off in every other program: as foreign
procedures such a file would test nothing. So the foreign file is made from recordings of other programs, as
text, without the line that binds (`exe`) and the places of calls (`site`, `caller`); every program may then
run it, and what it predicts is mostly wrong. Tested by tests/suites/harness_test.py.
"""
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import hang  # noqa: E402
from suite import ROOT, Suite, Unavailable, Unit, environment  # noqa: E402

BOUND = re.compile(r"^  exe [0-9a-f]+\n", re.M)
PLACES = re.compile(r" (?:site|caller) [0-9a-f]+\+0x[0-9a-f]+")
HEADER = re.compile(r"\A(?:;.*\n|\n)*")
SECONDS = 120  # for one recording, or one compilation

# Programs that nobody's suite tests here, over the tree of the transparency test.
FOREIGN = (
    ["ls", "-lR", "tree"],
    ["grep", "-rn", "define", "tree/src"],
    ["cat", "tree/edge/one", "tree/edge/large", "tree/edge/buffer", "tree/src/part1/f8.txt"],
    ["find", "tree", "-type", "f", "-size", "+1k", "-printf", "%p %s\n"],
    ["du", "-a", "tree"],
    ["md5sum", "tree/edge/large", "tree/edge/one"],
    ["git", "-C", "tree/repo", "status"],
    ["python3", "-c", "import json, email, unittest"],
    ["perl", "-MFile::Find", "-MPOSIX", "-e", "find(sub { lstat $_ }, 'tree')"],
)


def sysvm(program: str, *args: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Runs a subcommand of sysvm; what it says on standard output. All of it ends after SECONDS, a recorded
    command too."""
    mark = f"SYSVM_SUITE_STEP={os.getpid()}"
    name, value = mark.split("=")
    with tempfile.TemporaryFile("w+",
                                errors="replace") as out, tempfile.TemporaryFile("w+",
                                                                                 errors="replace") as err:
        child = subprocess.Popen([program, *args], stdout=out, stderr=err, cwd=cwd,
                                 env={**(env or os.environ), name: value}, stdin=subprocess.DEVNULL,
                                 start_new_session=True)
        try:
            status = child.wait(SECONDS)
        except subprocess.TimeoutExpired:
            raise Unavailable(f"sysvm {args[0]}: no end after {SECONDS} s") from None
        finally:
            hang.end(child, mark)
        out.seek(0)
        err.seek(0)
        if status and args[0] != "record":  # a recorded command has a status of its own
            raise Unavailable(f"sysvm {args[0]}: exit status {status}: {err.read().strip()[-300:]}")
        return out.read()


def unbind(text: str) -> str:
    """The text of procedures for any executable and any call site."""
    return PLACES.sub("", BOUND.sub("", text))


def foreign(program: str, folder: Path) -> Path:
    """The file of foreign procedures; made anew, as the compiler may have changed."""
    sys.path.insert(0, str(ROOT / "tests/transparency"))
    from corpus import copy_corpus, make_corpus

    folder.mkdir(parents=True, exist_ok=True)
    top = folder / "top"
    make_corpus(folder / "master", count=120) if not (folder / "master").exists() else None
    copy_corpus(folder / "master", top)
    texts = []
    for i, argv in enumerate(FOREIGN):
        trace, svp = folder / f"{i}.trace", folder / f"{i}.svp"
        sysvm(program, "record", "-q", "-o", str(trace), "--", *argv, cwd=top, env=environment(folder))
        sysvm(program, "compile", str(trace), "-o", str(svp))
        texts.append(HEADER.sub("", unbind(sysvm(program, "disasm", str(svp)))))
    (folder / "foreign.txt").write_text("\n".join(texts))
    sysvm(program, "asm", str(folder / "foreign.txt"), "-o", str(folder / "foreign.svp"))
    return folder / "foreign.svp"


def own(program: str, suite: Suite, units: list[Unit], folder: Path, env: dict[str, str]) -> Path:
    """Procedures compiled from recordings of some of the suite's units, spread over all; one that takes too
    long is left out."""
    folder.mkdir(parents=True, exist_ok=True)
    n = min(suite.recorded, len(units))
    traces, why = [], "no unit"
    for i in range(n):
        unit = units[i * len(units) // n]
        trace = folder / f"{i}.trace"
        trace.unlink(missing_ok=True)
        if unit.before:
            unit.before()
        try:
            sysvm(program, "record", "-q", "-o", str(trace), "--", *unit.argv, cwd=unit.cwd,
                  env={**env, **unit.env})
            traces.append(str(trace))
        except Unavailable as reason:
            why = f"{unit.name}: {reason}"
    if not traces:
        raise Unavailable(why)
    sysvm(program, "compile", *traces, "-o", str(folder / "own.svp"))
    return folder / "own.svp"
