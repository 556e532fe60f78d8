#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What replay predicts is what `sysvm run` gets: five rows of bench/programs/table on smaller trees, counts
only.

Asserts that the times by which entries fall agree within 5 %, and that no replayed answer differs from the
kernel's. usage: replay_is_run_test.py SYSVM TABLE (exit status 77: recording is not possible here)
"""
import json
import subprocess
import sys
import tempfile

PROGRAMS = ["grep -r", "find -newer -ls", "ls -lR", "du -s", "tar (metadata)"]


def main():
    tool, table = sys.argv[1:]
    with tempfile.NamedTemporaryFile(suffix=".trace") as trace:
        probe = subprocess.run([tool, "record", "-o", trace.name, "--", "true"], capture_output=True,
                               check=False)
    if probe.returncode:
        print(f"skipped: cannot record here: {probe.stderr.decode().strip()}")
        return 77
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        done = subprocess.run(
            [table, "--sysvm", tool, "--only", ",".join(PROGRAMS), "--json", out.name, "--folders", "50"],
            capture_output=True, check=False)
        print(done.stdout.decode(), done.stderr.decode())
        rows = json.load(open(out.name))["rows"]
    wrong = [p for p in PROGRAMS if p not in [r["program"] for r in rows]]
    for row in rows:
        if row["off"] is None or abs(row["off"]) > 0.05 or row["wrong"]:
            wrong.append(f"{row['program']}: replay off by {row['off']}, {row['wrong']} wrong answers")
    print("\n".join(wrong) or "replay and run agree")
    return 1 if wrong else 0


sys.exit(main())
