#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Record four programs over small files, compile, run them under the shim with what was compiled.

Asserts that the output is the same, that the entries fall by the factor that the project promises, and that
the shim knows no sequence by itself: with one follower taken out of the text of a procedure the hits fall,
with an empty procedure file nothing is answered.

usage: end_to_end_test.py SYSVM   (exit status 77: recording is not possible here, the reason is printed)
"""
import json
import os
import re
import subprocess
import sys
import tempfile

SYSVM = os.path.abspath(sys.argv[1])
FILES = 240


def run(*words, **more):
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, **more)


def sysvm(*words):
    done = run(SYSVM, *words)
    if done.returncode:
        sys.exit(f"sysvm {' '.join(words[:6])}: status {done.returncode}\n{done.stderr.decode()}")
    return done.stdout


def make_tree():
    os.makedirs("tree")
    for i in range(FILES):
        folder = f"tree/d{i % 24}"
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/f{i}.h", "w") as f:
            f.writelines(f"#define N{k} {k}\n" for k in range(3 + i * 7 % 250))
    # Read everything once, so that reading ahead leaves every atime alone (relatime).
    run("sh", "-c", "sleep 1.1; cat tree/*/*; ls -R tree")


def shim_run(procedures, command):
    """Standard output, counters."""
    done = run(SYSVM, "run", "--engine", "user", "-P", procedures, "--stats", "stats.json", "--", *command)
    if done.returncode:
        sys.exit(f"{command[0]} under the shim: status {done.returncode}\n{done.stderr.decode()}")
    with open("stats.json") as f:
        return done.stdout, json.load(f)


def hits(stats):
    return sum(p["hits"] for p in stats["procedures"])


def entries(stats):
    return stats["forwarded"] + stats["runs"] + stats["own"]


def check(name, command, factor):
    with open(f"{name}.plain", "wb") as out:  # programs behave differently on /dev/null
        subprocess.run([SYSVM, "record", "-o", f"{name}.trace", "--", *command], stdout=out,
                       stderr=subprocess.PIPE, check=True)
    with open(f"{name}.plain", "rb") as f:
        plain = f.read()
    compiled = json.loads(sysvm("compile", "--json", f"{name}.trace", "-o", f"{name}.svp"))
    output, stats = shim_run(f"{name}.svp", command)
    got = stats["seen"] / max(1, entries(stats))
    replayed = json.loads(sysvm("replay", "--json", "-P", f"{name}.svp", f"{name}.trace"))
    promised = replayed["entries"] - replayed["unseen"] - replayed["plain"]
    assert abs(promised - entries(stats)
               ) <= 0.05 * entries(stats), f"{name}: replay said {promised}, {entries(stats)} made"
    print(
        f"{name}: {stats['seen']} calls seen, {entries(stats)} entries ({got:.2f} times fewer, {factor} promised), "
        f"{hits(stats)} hits; replay said {compiled['calls']} -> {compiled['predicted_entries']}")
    assert output == plain, f"{name}: the output differs"
    assert got >= factor, f"{name}: {got:.2f} times fewer entries, expected {factor}; {stats}"
    return hits(stats)


def check_text(name, command, full_hits):
    text = sysvm("disasm", f"{name}.svp").decode()
    less = re.sub(r"  follower r\d+ = newfstatat\(r7.*\n", "", text)
    assert less != text
    with open("less.txt", "w") as f:
        f.write(less)
    sysvm("asm", "less.txt", "-o", "less.svp")
    _, stats = shim_run("less.svp", command)
    print(f"{name} without its fstat: {hits(stats)} hits instead of {full_hits}")
    assert hits(stats) <= full_hits - FILES, "the shim answers what no procedure names"

    sysvm("compile", "--empty", f"{name}.trace", "-o", "empty.svp")
    _, stats = shim_run("empty.svp", command)
    assert hits(stats) == 0 and stats["answered"] == 0, stats


def main():
    with tempfile.TemporaryDirectory(prefix="sysvm-e2e-") as folder:
        os.chdir(folder)
        make_tree()
        files = sorted(os.path.join(d, f) for d, _, fs in os.walk("tree") for f in fs)
        probe = run(SYSVM, "record", "-o", "probe.trace", "--", "true")
        if probe.returncode:
            print(f"skipped: recording is not possible here: {probe.stderr.decode().strip()}")
            sys.exit(77)
        grep = ["grep", "-r", "--include=*.h", "define", "tree"]
        grep_hits = check("grep", grep, 2.5)
        check("md5sum", ["md5sum", *files], 3)
        check("awk", ["awk", "/9/{n++} END{print n}", *files], 3)
        check("sed", ["sed", "-n", "/99/p", *files], 3)
        check_text("grep", grep, grep_hits)


main()
