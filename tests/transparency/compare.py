# SPDX-License-Identifier: MIT
"""What a run did - output, status, and the file tree it left - as one value, and the differences of two such
values.

Times: a modification time that was set by the run itself is only "new" (its value differs from run to run);
one that lies before the run is compared exactly. Of access times only whether the run moved them. Inode
numbers, change times and allocated blocks are not compared. Tested by tests/transparency/compare_test.py.
"""
import hashlib
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

@dataclass
class Outcome:
    status: int
    stdout: bytes
    stderr: bytes
    tree: dict[str, dict[str, object]] = field(default_factory=dict)


def snapshot(top: Path, started_ns: int, ignore: tuple[str, ...] = ()) -> dict[str, dict[str, object]]:
    """Each path below top: type, mode, size, links, content hash or link target, times as described above."""
    out: dict[str, dict[str, object]] = {}
    pending = ["."]
    while pending:
        key = pending.pop()
        path = os.path.normpath(os.path.join(top, key))
        st = os.lstat(path)  # before its content is read, which may move its access time
        fact: dict[str, object] = {"mode": oct(st.st_mode), "links": st.st_nlink,
                                   "mtime": "new" if st.st_mtime_ns >= started_ns else st.st_mtime_ns,
                                   "atime": "new" if st.st_atime_ns >= started_ns else "old"}
        if stat.S_ISLNK(st.st_mode):
            fact["target"] = os.readlink(path)
        elif stat.S_ISREG(st.st_mode):
            fact["size"] = st.st_size
            fact["content"] = readable(path, st, content)
        elif stat.S_ISDIR(st.st_mode):
            pending += [os.path.normpath(os.path.join(key, name)) for name in readable(path, st, os.listdir)]
        out[key] = {"mode": fact["mode"]} if key in ignore else fact
        if stat.S_ISDIR(st.st_mode) and st.st_mode & 0o700 != 0o700:
            os.chmod(path, 0o700)  # the walk must get in; the fact is taken
    return out


def readable(path: str, st: os.stat_result, read):
    """read(path), with the owner's bits set for that long."""
    if st.st_mode & 0o500 == 0o500 or (stat.S_ISREG(st.st_mode) and st.st_mode & 0o400):
        return read(path)
    os.chmod(path, 0o700)
    try:
        return read(path)
    finally:
        os.chmod(path, stat.S_IMODE(st.st_mode))


def content(path: str) -> str:
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_NOATIME", 0))
    with os.fdopen(fd, "rb") as f:
        return hashlib.blake2b(f.read(), digest_size=12).hexdigest()


def first_difference(a: bytes, b: bytes) -> str:
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    return f"{len(a)} and {len(b)} bytes, first difference at byte {at}: {a[at:at + 60]!r} / {b[at:at + 60]!r}"


def differences(plain: Outcome, other: Outcome) -> list[str]:
    """One line for each difference, empty if there is none."""
    out = []
    if plain.status != other.status:
        out.append(f"exit status {plain.status} / {other.status}")
    for name in ("stdout", "stderr"):
        a, b = getattr(plain, name), getattr(other, name)
        if a != b:
            out.append(f"{name}: {first_difference(a, b)}")
    for path in sorted(plain.tree.keys() | other.tree.keys()):
        a, b = plain.tree.get(path), other.tree.get(path)
        if a is None or b is None:
            out.append(f"{path}: only {'after the plain run' if b is None else 'under sysvm'}")
        elif a != b:
            keys = [k for k in a.keys() | b.keys() if a.get(k) != b.get(k)]
            out.append(f"{path}: " + ", ".join(f"{k} {a.get(k)} / {b.get(k)}" for k in sorted(keys)))
    return out
