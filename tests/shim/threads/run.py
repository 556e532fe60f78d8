#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs each case of a thread program three ways and compares what it says: plainly, under the shim with no
procedures, and with procedures that read ahead after every open.

usage: run.py [--seconds N] SYSVM PROGRAM SCRATCH_DIR PROCEDURES.txt     (the program: see lap.h)

A case repeats itself for N seconds (a tenth unless said otherwise) and has a minute more to end; one that
does not has hung: where its threads wait is printed, and it is killed. SYSVM_ENGINE names the engine. Exit
status: 0 when all are the same.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
import hang  # noqa: E402

GRACE = float(os.environ.get("SYSVM_THREAD_GRACE",
                             60))  # seconds that a case may take beyond what it was asked for
HANGS_MAX = 2  # more than these tell nothing new, and each costs a minute


class Hang(Exception):
    """The run did not end; the text says where it was."""


def run(words: list[str], scratch: Path, seconds: float, env: dict[str, str]) -> tuple[int, str, str]:
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    out, err = scratch / "stdout", scratch / "stderr"
    with open(out, "wb") as o, open(err, "wb") as e:
        child = subprocess.Popen([*words, str(scratch), str(seconds)], stdin=subprocess.DEVNULL, stdout=o,
                                 stderr=e, env=env, start_new_session=True)
        try:
            status = child.wait(seconds + GRACE)
        except subprocess.TimeoutExpired:
            where = hang.where_it_waits(child.pid)
            raise Hang(
                f"no end within {seconds + GRACE:g} s; its threads (state, system call and arguments):\n{where}"
            ) from None
        finally:
            hang.end(child)
    return status, out.read_text(errors="replace"), err.read_text(errors="replace")


def check(case: str, args: argparse.Namespace, svp: Path, env: dict[str, str]) -> tuple[list[str], str]:
    """What is wrong with a case, and a note on it."""
    scratch, stats = args.scratch / "work", args.scratch / "stats.json"
    words = [str(args.program), case]
    plain = run(words, scratch, args.seconds, env)
    wrong = [f"the plain run itself: {plain}"] if plain[0] or not plain[1] or plain[2] else []
    note = ""
    engine = os.environ.get("SYSVM_ENGINE", "user")
    ways = {"no procedures": [], "procedures": ["-P", str(svp), "--engine", engine]}
    if engine == "kernel":
        del ways["no procedures"]  # there is no engine in it, and the guest is slow
    for way, options in ways.items():
        stats.unlink(missing_ok=True)
        under = run(
            [args.sysvm, "run", "--stats", str(stats), *options, "--", *words], scratch, args.seconds, env)
        if under != plain:
            wrong.append(f"{way}: differs\nplain {plain}\nshim  {under}")
        counts = json.loads(stats.read_text()) if stats.exists() else {}
        if counts.get("seen", 0) < 20:
            wrong.append(
                f"{way}: the shim saw {counts.get('seen', 'no statistics')} calls, expected 20 at least")
        if options and not counts.get("answered"):
            wrong.append(f"{way}: no call was answered; statistics: {json.dumps(counts)[:300]}")
        note += f", {counts.get('seen')} calls, {counts.get('answered')} answered"
    return wrong, note


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sysvm")
    parser.add_argument("program", type=Path)
    parser.add_argument("scratch", type=Path)
    parser.add_argument("procedures")
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("SYSVM_THREAD_SECONDS", 0.1)))
    args = parser.parse_args()
    args.scratch = args.scratch.resolve()  # the cache below it must have an absolute name
    args.scratch.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, "XDG_CACHE_HOME": str(args.scratch.parent / "cache"), "LC_ALL": "C.UTF-8"}
    env.pop("LD_PRELOAD", None)
    svp = args.scratch / "procedures.svp"
    subprocess.run([args.sysvm, "asm", args.procedures, "-o", svp], check=True)
    cases = subprocess.run([args.program, "list"], check=True, capture_output=True,
                           text=True).stdout.splitlines()
    failed = hangs = 0
    for case in cases:
        if hangs == HANGS_MAX:
            print(f"FAILED {case}: not run after {hangs} hangs", flush=True)
            failed += 1
            continue
        try:
            wrong, note = check(case, args, svp, env)
        except Hang as what:
            wrong, note = [str(what)], ""
            hangs += 1
        print(f"{'FAILED' if wrong else 'ok    '} {case}{note}", flush=True)
        for text in wrong:
            print("     " + text.replace("\n", "\n     "), flush=True)
        failed += bool(wrong)
    print(f"{len(cases) - failed} of {len(cases)} cases are the same")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
