# SPDX-License-Identifier: MIT
"""The file tree that every program of the transparency test works on.

Problem: a shim that answers calls wrongly does so at edges - an empty file, a hole, a buffer's end, a name
that is no file. Idea: one small tree that has all of them, the same bytes each time, so that two runs can be
compared to the last byte. It does not have: devices, mounts, other owners. Tested by
tests/transparency/compare_test.py.

    tree/src/      a few hundred small text files in a few directories, C sources, headers
    tree/edge/     empty, one byte, exactly 4096 and 131072 bytes, larger, sparse, unreadable, odd names,
                   FIFO, links
    tree/twin/     a copy of part of src with differences, for diff and cmp
    tree/project/  a small C program with a Makefile
    tree/repo/     a git repository with three commits and local changes
    out/           empty: what a command makes goes here
"""
import os
import random
import subprocess
import time
from pathlib import Path

WORDS = (
    "define include static struct return inline const void page thread kernel entry open read close stat number "
    "table buffer offset size name path file error value index first last next").split()


def text(rng: random.Random, lines: int) -> str:
    return "".join(" ".join(rng.choice(WORDS) for _ in range(rng.randint(0, 12))) + "\n"
                   for _ in range(lines))


def make_sources(src: Path, rng: random.Random, count: int) -> None:
    for i in range(count):
        folder = src / f"part{i % 7}" / (f"sub{i % 3}" if i % 5 == 0 else "")
        folder.mkdir(parents=True, exist_ok=True)
        kind = ("c", "h", "txt", "csv")[i % 4]
        body = text(rng, rng.randint(1, 120))
        if kind == "csv":
            body = "".join(f"{n},{rng.choice(WORDS)},{rng.randint(0, 999)}\n"
                           for n in range(rng.randint(1, 60)))
        elif i % 3 == 0:
            body = f"#define NAME_{i} {i}\n" + body
        (folder / f"file{i:03}.{kind}").write_text(body)


def make_edges(edge: Path, rng: random.Random) -> None:
    edge.mkdir()
    (edge / "empty").write_bytes(b"")
    (edge / "one").write_bytes(b"x")
    (edge / "no-newline").write_bytes(b"define without an end of line")
    (edge / "page").write_bytes(rng.randbytes(4096))
    (edge / "buffer").write_text(text(rng, 9000)[:131072])
    (edge / "over-buffer").write_text(text(rng, 9000)[:131073])
    (edge / "large").write_text(text(rng, 12000))
    (edge / "binary").write_bytes(rng.randbytes(200_000))
    with open(edge / "sparse", "wb") as f:
        f.write(b"define at the start\n")
        f.seek(300_000)
        f.write(b"define at the end\n")
    (edge / "hole").write_bytes(b"")
    os.truncate(edge / "hole", 70_000)
    (edge / "unreadable").write_text("define nothing\n")
    (edge / "closed").mkdir()
    (edge / "closed" / "inside").write_text("define inside\n")
    (edge / "empty-dir").mkdir()
    (edge / "name with  spaces").write_text("define\n")
    (edge / "ünï-näme").write_text("define\n")
    (edge / ("long-" + "n" * 200)).write_text("define\n")
    os.mkfifo(edge / "fifo")
    (edge / "script.sh").write_text("#!/bin/sh\necho define\n")
    os.chmod(edge / "script.sh", 0o755)
    os.symlink("large", edge / "link-file")
    os.symlink("../src/part1", edge / "link-dir")
    os.symlink("nothing-there", edge / "link-dangling")
    os.symlink("link-loop", edge / "link-loop")
    os.link(edge / "large", edge / "hard-link")


def make_twin(src: Path, twin: Path) -> None:
    subprocess.run(["cp", "-a", src, twin], check=True)
    files = sorted(p for p in twin.rglob("*") if p.is_file())
    for i, path in enumerate(files):
        if i % 17 == 0:
            path.write_text(path.read_text() + "one more line\n")
        elif i % 23 == 0:
            path.unlink()
    (twin / "only-here").write_text("new\n")


def make_project(project: Path) -> None:
    project.mkdir()
    names = ["main", "list", "tree", "text"]
    for n in names[1:]:
        (project / f"{n}.h").write_text(f"#pragma once\nint {n}_size(int n);\n")
        (project / f"{n}.c").write_text(
            f'#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include "{n}.h"\n'
            f"int {n}_size(int n) {{ return n * {len(n)} + (int)strlen(\"{n}\"); }}\n")
    (project / "main.c").write_text("#include <stdio.h>\n" + "".join(f'#include "{n}.h"\n'
                                                                     for n in names[1:]) +
                                    "int main(void) { printf(\"%d\\n\", " +
                                    " + ".join(f"{n}_size(3)" for n in names[1:]) + "); return 0; }\n")
    objects = " ".join(f"{n}.o" for n in names)
    (project / "Makefile").write_text(
        f"prog: {objects}\n\tgcc -o $@ $^\n%.o: %.c\n\tgcc -O1 -c -o $@ $<\ntest: prog\n\t./prog\n")


def make_repo(repo: Path, rng: random.Random) -> None:
    repo.mkdir()
    env = {"PATH": os.environ["PATH"], "HOME": str(repo), "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C.UTF-8",
           "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org",
           "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.org"}

    def git(*args: str) -> None:
        subprocess.run(["git", *args], cwd=repo, env=env, check=True, stdout=subprocess.DEVNULL)

    git("init", "-q", "-b", "main")
    for commit in range(3):
        for i in range(30):
            folder = repo / f"d{i % 4}"
            folder.mkdir(exist_ok=True)
            (folder / f"f{i}").write_text(text(rng, 20))
        env["GIT_AUTHOR_DATE"] = env["GIT_COMMITTER_DATE"] = f"{1_600_000_000 + commit} +0000"
        git("add", "-A")
        git("commit", "-q", "-m", f"commit {commit}")
    (repo / "d0" / "f0").write_text("changed\n")
    (repo / "d1" / "new").write_text("untracked\n")
    (repo / "d2" / "f2").unlink()


def make_corpus(top: Path, count: int = 240) -> None:
    """Makes the tree below top, which must not exist. The same bytes, names and mtimes each time. The
    unreadable file and the closed directory are still open here; copy_corpus closes them."""
    rng = random.Random(20080110)
    tree = top / "tree"
    tree.mkdir(parents=True)
    (top / "out").mkdir()
    make_sources(tree / "src", rng, count)
    make_edges(tree / "edge", rng)
    make_twin(tree / "src", tree / "twin")
    make_project(tree / "project")
    make_repo(tree / "repo", rng)
    set_times(top)


def walk(top: Path):
    """Every path below top and top itself, deepest first, in a fixed order."""
    for folder, dirs, files in os.walk(top, topdown=False):
        for name in sorted(files) + sorted(d for d in dirs if os.path.islink(os.path.join(folder, d))):
            yield os.path.join(folder, name)
        yield folder


def set_times(top: Path) -> None:
    """Modification times in the past, the same for each path in every copy. Access times: newer than the
    modification for most (reading them changes nothing under relatime), older for every fifth (a reader marks
    them)."""
    now = int(time.time()) - 3600
    for path in walk(top):
        number = sum(os.path.relpath(path, top).encode())
        mtime = 1_700_000_000 + number % 1000
        atime = mtime - 50 if number % 5 == 0 else now
        os.utime(path, ns=(atime * 10**9, mtime * 10**9 + 123_456_789), follow_symlinks=False)


def copy_corpus(source: Path, to: Path) -> None:
    """A fresh copy at the path `to`, which is removed first."""
    remove(to)
    subprocess.run(["cp", "-a", "--sparse=always", source, to], check=True)
    set_times(to)
    os.chmod(to / "tree/edge/unreadable", 0)
    os.chmod(to / "tree/edge/closed", 0)


def remove(top: Path) -> None:
    if top.exists():
        subprocess.run(["chmod", "-R", "u+rwX", top], check=True)
        subprocess.run(["rm", "-rf", top], check=True)
