#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_test.py CC NM: check.py finds includes and calls that run upwards, and circles, in trees for it."""
import os
import subprocess
import sys
import tempfile

CC, NM = sys.argv[1:3]
CHECK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "check.py")
LISTS = ".: root > other\nroot: top > low\ncircles root\n"
GOOD = {"top/a.h": "", "top/a.c": "int b(void); int a(void) { return b(); }",
        "low/b.c": "int b(void) { return 1; }", "low/c.c": "int c(void) { return 2; }"}
CASES = [  # what is changed, what is said
    ({}, None),
    ({"low/c.c": '#include "root/top/a.h"'}, "root/low/c.c includes root/top/a.h: upwards"),
    ({"low/c.c": "int a(void); int c(void) { return a(); }"}, "root/low/c.c uses a of root/top/a.c: upwards"),
    ({"low/b.c": "int c(void); int b(void) { return c(); }",
      "low/c.c": "int b(void); int c(void) { return b(); }"},
     "a circle of files: root/low/b.c, root/low/c.c"),
    ({"side/d.h": ""}, "root/side/d.h: its folder is not in directions.txt"),
    ({"../other/e.h": '#include "root/top/a.h"'}, "other/e.h includes root/top/a.h: upwards"),
]


def complaints(files):
    with tempfile.TemporaryDirectory() as tree:
        open(f"{tree}/lists", "w").write(LISTS)
        for name, text in files.items():
            source, made = f"{tree}/source/root/{name}", f"{tree}/build/root/CMakeFiles/t.dir/{name}.o"
            for path in (source, made):
                os.makedirs(os.path.dirname(path), exist_ok=True)
            open(source, "w").write(text + "\n")
            if name.endswith(".c"):
                subprocess.run([CC, "-I", f"{tree}/source", "-c", source, "-o", made], check=True)
        command = [sys.executable, CHECK, f"{tree}/source", f"{tree}/build", NM, f"{tree}/lists"]
        run = subprocess.run(command, capture_output=True, text=True)
        return run.returncode, run.stdout


for changes, said in CASES:
    status, out = complaints({**GOOD, **changes})
    assert status == (said is not None), (changes, status, out)
    assert said is None or said in out, (said, out)
print(f"{len(CASES)} trees: each fault is found")
