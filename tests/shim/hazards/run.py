#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs each hazard program plainly and under the shim, in a fresh directory each, and compares what it
prints.

usage: run.py SYSVM PROGRAMS_DIR SCRATCH_DIR PROCEDURES.txt...   (see hazard.h)

Each program is run with every procedure file. The statistics must show what the rule expects: results used
where the process stays closed, or the reason why it went plain.
"""
import json
import os
import shutil
import subprocess
import sys

# program -> (results are used, reason that some process of the run goes plain for, or None)
PROGRAMS = {
    "reads": (True, None),
    "closes": (True, None),
    "news": (True, None),
    "shared_flag": (False, "shared"),
    "memory": (True, None),
    "faults": (True, None),
    "atime": (True, None),
    "watch": (True, "watch"),
    "secret": (True, None),
    "seccomp_kill": (True, "seccomp"),
    "signals": (True, None),
    "handler_news": (True, None),
    "directories": (True, None),
    "entries": (True, None),
    "rows": (True, None),
    "threads": (True, "threads"),
    "limits": (True, None),
    "passing": (True, None),
    "lease": (True, None),
    "quick": (True, None),
}

# Procedures that answer only calls about the entries of directories, or about names in a row: the programs
# that make such.
ONLY = {"entries.svp": ("entries", "directories"), "rows.svp": ("rows",)}

# The kernel engine's descriptor has no place above those of a program that may have 40.
KERNEL = {"limits": (False, "engine")}


def run(words, scratch):
    shutil.rmtree(scratch, ignore_errors=True)
    os.makedirs(scratch)
    done = subprocess.run(words + [scratch], capture_output=True, timeout=120, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


def main():
    sysvm, programs, scratch, *texts = sys.argv[1:]
    engine = os.environ.get("SYSVM_ENGINE", "user")
    programs_here = {**PROGRAMS, **(KERNEL if engine == "kernel" else {})}
    passed = failed = 0
    os.makedirs(scratch, exist_ok=True)
    for text in texts:
        svp = os.path.join(scratch, os.path.basename(text)[: -len(".txt")])
        subprocess.run([sysvm, "asm", text, "-o", svp], check=True)
        for name, (used, reason) in programs_here.items():
            program = os.path.join(programs, name)
            stats = os.path.join(scratch, "stats.json")
            where = os.path.join(scratch, name)
            plain = run([program], where)
            shim = run([sysvm, "run", "-P", svp, "--engine", engine, "--stats", stats,
                        "--", program], where)
            with open(stats) as f:
                counts = json.load(f)
            complaints = []
            if plain != shim:
                complaints.append("plain %d %s %s\n     shim  %d %s %s" % (*plain, *shim))
            hits = sum(p["hits"] for p in counts["procedures"])
            if os.path.basename(svp) in ONLY:
                used = name in ONLY[os.path.basename(svp)]
                reason = PROGRAMS[name][
                    1]  # where they do not run there is no engine, nor a place for it to lack
            if used and not hits:
                complaints.append("no result was used")
            if reason and not counts["off"].get(reason):
                complaints.append("expected to go plain for '%s', got %s" % (reason, counts["off"]))
            if not reason and any(counts["off"].values()):
                complaints.append("went plain: %s" % counts["off"])
            label = "%s with %s" % (name, os.path.basename(svp))
            if complaints:
                failed += 1
                print("FAILED %s (%d hits)" % (label, hits))
                for c in complaints:
                    print("     " + c)
            else:
                passed += 1
                print("ok     %s (%d hits)" % (label, hits))
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
