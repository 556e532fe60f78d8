# SPDX-License-Identifier: MIT
"""The seven programs that look at every name of a tree and read no file: their command lines, the place
that they run in, and procedures from a recording of each. One list for what is counted (instructions),
composed, and measured on a host.

The place holds `tree`, made by bench_host_walk (bench/kernel/tree.h: some eleven names in a directory),
`repository`, a git repository of half as large a tree, `small`, one of one file, `mark`, a file newer than
the tree, and `empty`.
"""
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

BUILD = Path(os.environ.get("SYSVM_BUILD", Path(__file__).resolve().parents[2] / "build"))
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
               "GIT_CONFIG_NOSYSTEM": "1"}

# The same programs where there is nothing to look at: what starting them costs.
NOTHING = {"tree": "empty", "tree/": "empty/", "repository": "small"}

# name: words; run in the place
PROGRAMS = {
    "du -s": ["du", "-s", "tree"],
    "find -size": ["find", "tree", "-size", "+1"],
    "find -newer": ["find", "tree", "-newer", "mark"],
    "ls -lR": ["ls", "-lR", "tree"],
    "git status": ["git", "-c", "core.preloadIndex=false", "-C", "repository", "status", "--short"],
    "tar": ["tar", "cf", "/dev/null", "tree"],  # to /dev/null it reads no file
    "rsync -an": ["rsync", "-an", "tree/", "empty/"],
}


def file_name(name):
    return name.replace(" ", "")


def of_nothing(words):
    return [NOTHING.get(word, word) for word in words]


def installed():
    return {name: words for name, words in PROGRAMS.items() if shutil.which(words[0])}


def environment(home):
    return {**ENVIRONMENT, "HOME": str(home), "XDG_CACHE_HOME": str(Path(home) / "cache")}


def git(repository, *words):
    subprocess.run(["git", "-C", repository, "-c", "user.name=n", "-c", "user.email=e", *words], check=True,
                   env=environment(repository.parent), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_place(place, walker, directories):
    """`place` is there, and empty."""
    subprocess.run([walker, "grow", place / "tree", str(directories)], check=True)
    (place / "mark").touch()
    (place / "empty").mkdir()
    subprocess.run([walker, "grow", place / "repository", str(max(10, directories // 2))], check=True)
    (place / "small").mkdir()
    (place / "small/file").touch()
    for repository in (place / "repository", place / "small") if shutil.which("git") else ():
        git(repository, "init", "-q")
        git(repository, "add", "-A")
        git(repository, "commit", "-qm", "all")
        time.sleep(1.1)  # no entry of the index is as new as the index
        git(repository, "update-index", "--refresh")


def make_procedures(sysvm, place, folder, only=None):
    """{name: procedure file} for those that have procedures; recordings are made in the place."""
    found = {}
    for name, words in installed().items():
        if only and name not in only:
            continue
        trace, svp = folder / f"{file_name(name)}.trace", folder / f"{file_name(name)}.svp"
        with open(folder / "out", "wb") as out:
            subprocess.run([sysvm, "record", "-q", "-o", trace, "--", *words], cwd=place, stdout=out,
                           stderr=subprocess.DEVNULL, env=environment(folder), check=True)
        got = subprocess.run([sysvm, "compile", "--json", trace, "-o", svp], env=environment(folder),
                             text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        trace.unlink()
        if got.returncode == 0 and svp.exists():
            found[name] = svp
        else:
            print(f"{name}: no procedures: {got.stderr.strip()[-300:]}", file=sys.stderr)
    return found
