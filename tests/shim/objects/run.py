#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Which object files a process consists of: layouts, rights, and files that are not what their path or
build-id says.

usage: run.py SYSVM PROGRAMS_DIR SCRATCH_DIR PROCEDURES.txt [CASE]...

Each case runs a program plainly and under `sysvm run`, compares standard output, standard error and status,
and says whether the process may take part (`reason` None) or has to go plain, and `why`.
"""
import json
import os
import shutil
import struct
import subprocess
import sys

sysvm, programs, scratch, text = sys.argv[1:5]
only = sys.argv[5:]
svp = os.path.join(scratch, "read.svp")
stats_file = os.path.join(scratch, "stats.json")
environment = dict(os.environ, XDG_CACHE_HOME=os.path.join(scratch, "cache"), LC_ALL="C.UTF-8")
environment.pop("LD_PRELOAD", None)
results = {"passed": 0, "failed": 0, "skipped": 0}


def program(name):
    return os.path.join(programs, name)


def place(name):
    return os.path.join(scratch, name)


def run(words, library):
    done = subprocess.run(words, capture_output=True, timeout=60, stdin=subprocess.DEVNULL, cwd=scratch,
                          env=dict(environment, LD_LIBRARY_PATH=library + ":" + programs))
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def case(name, words, reason=None, seen=10, why=None, library=programs, before=(), prepare=lambda: None,
         processes=1):
    """Same behaviour both ways. before: words that both go through, outside of `sysvm run`."""
    if only and name not in only:
        return
    prepare()
    plain = run([*before, *words], library)
    prepare()
    shim = run([*before, sysvm, "run", "-P", svp, "--engine", "user", "--stats", stats_file, "--", *words],
               library)
    with open(stats_file) as f:
        counts = json.load(f)
    complaints = []
    if plain[0] or not plain[1]:
        complaints.append("the plain run itself: %d %s %s" % plain)
    if plain != shim:
        complaints.append("plain: %s\nshim:  %s" % (plain, shim))
    expected = {reason: 1} if reason else {}
    if counts["off"] != expected or counts["processes"] != processes:
        complaints.append(
            "%d of %d processes, plain for %s, expected %s; unknown: %s" %
            (counts["processes"], processes, counts["off"], expected, counts["unknown_objects"]))
    told = [u["why"] for u in counts["unseen_objects"]]
    if why and not any(why in t for t in told):
        complaints.append("said of what is unseen: %s, expected: %s" % (told, why))
    if not reason and counts["seen"] < seen:
        complaints.append("saw %d calls, expected %d" % (counts["seen"], seen))
    results["failed" if complaints else "passed"] += 1
    print("%s %s" % ("FAILED" if complaints else "ok    ", name))
    for c in complaints:
        print("     " + c.replace("\n", "\n     "))


def skip(name, why):
    results["skipped"] += 1
    print("skipped %s: %s" % (name, why))


NOPS = b"\x90" * 16
CALL = b"\x6a\x27\x58\x0f\x05"  # push $39; pop %rax; syscall: nothing there that a jump could replace


def library(folder, with_call):
    """A copy of the library, or one with other bytes and the same build-id."""
    os.makedirs(place(folder), exist_ok=True)
    data = open(program("libnumber.so"), "rb").read()
    assert data.count(NOPS) == 1
    if with_call:
        data = data.replace(NOPS, CALL + NOPS[len(CALL):])
    path = os.path.join(place(folder), "libnumber.so")
    with open(path, "wb") as f:
        f.write(data)
    return path


def data_offset(path):
    """Offsets in the file of the first executable and the first writable segment."""
    data = open(path, "rb").read()
    start, = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    loads = [struct.unpack_from("<IIQ", data, start + i * size) for i in range(count)]
    return tuple(
        next(o & ~4095 for kind, flags, o in loads if kind == 1 and flags & right) for right in (1, 2))


def layouts():
    case("data between two executable segments", [program("segments")], seen=200)
    case("messages in parts", [program("messages")], seen=8)
    case("text that is writable", [program("writable")], reason="unseen", why="its text can be written")
    case("a stack that is executable", [program("uses_stack")], reason="unseen")
    case("anonymous code with a name", [program("uses_named")], reason="unseen")
    case("text that was made writable", [program("uses_rights")], reason="unseen")
    code, data = data_offset(program("libnumber.so"))
    case("text mapped once more", [program("uses"), program("libnumber.so"), str(code)])
    case("data mapped as code", [program("uses"), program("libnumber.so"), str(data)], reason="unseen")


def identities():
    stock, changed = os.path.dirname(library("stock", False)), os.path.dirname(library("changed", True))
    case("a library without a call", [program("uses")], library=stock)
    case("its copy with a call and the same build-id", [program("uses")], library=changed, reason="unseen",
         why="1 of 1 system calls cannot be seen: no instruction that a jump could replace (1, at 0x")
    case("the library again", [program("uses")], library=stock)
    shutil.rmtree(place("cache"))
    case("first the copy", [program("uses")], library=changed, reason="unseen")
    case("then the library", [program("uses")], library=stock)
    path = library("written", False)
    before = os.stat(path)

    def write_anew():
        library("written", False)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        for words in [program("uses")], ["cat", "/dev/null"], ["touch", place("touched")]:
            subprocess.run([sysvm, "run", "--engine", "user", "--", *words], check=True, capture_output=True,
                           env=dict(environment, LD_LIBRARY_PATH=place("written") + ":" + programs))

    # The record is the one of the file as it was when the command began; a child meets it changed.
    script = "cat changed/libnumber.so >%s && touch -r stamp %s && %s" % (path, path, program("uses"))
    with open(place("stamp"), "w"):
        os.utime(place("stamp"), ns=(before.st_atime_ns, before.st_mtime_ns))
    case("written in place, its time put back", ["sh", "-c", script + "; true"], library=place("written"),
         reason="unseen", prepare=write_anew, processes=4)


def covered():
    """What is mapped has another file in its place by the time that the shim starts."""
    name = "another file mounted in its place"
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        return skip(name, "needs root and mount namespaces")
    shutil.rmtree(place("cache"))
    library("there", True)
    library("other", False)
    case("the file that will be mounted", [program("uses")], library=place("other"))
    # Each run mounts for itself: the namespace ends with it.
    case(name, [program("uses_mount")], library="there", reason="unseen", before=["unshare", "-m"])


def overlays():
    """File systems that show two devices for one file."""
    for name, mount in [
        ("on an overlay of one file system", "mount -t tmpfs t {0} && mkdir {0}/l {0}/u {0}/w {0}/m"),
        ("on an overlay of two file systems",
         "mount -t tmpfs t {0} && mkdir {0}/l {0}/u {0}/m && mount -t tmpfs t {0}/l && "
         "mount -t tmpfs t {0}/u && mkdir {0}/u/u && mkdir {0}/u/w && rmdir {0}/u/u && mkdir {0}/u/u")
    ]:
        folder = place("overlay")
        os.makedirs(folder, exist_ok=True)
        upper, work = ("u/u", "u/w") if "two" in name else ("u", "w")
        script = mount.format(folder) + (
            " && cp {1}/uses {1}/libnumber.so {0}/l && mount -t overlay o -o lowerdir={0}/l,upperdir={0}/{2},workdir={0}/{3} "
            "{0}/m && cd {0}/m && ").format(folder, programs, upper, work)
        before = ["unshare", "-m", "sh", "-c", script + 'exec "$@"', "sh"]
        tried = subprocess.run(before + ["true"], capture_output=True)
        if tried.returncode:
            skip(name, tried.stderr.decode().strip())
            continue
        case(name, ["./uses"], library=folder + "/m", before=before)
        known = "mkdir there other && cp %s/libnumber.so there && cp %s/libnumber.so other && (%s) && " % (
            place("changed"), place("stock"),
            "for l in other there; do LD_LIBRARY_PATH=$l:%s %s run -- ./uses; done >/dev/null" %
            (programs, sysvm))
        case(name + ", another file mounted in its place", [program("uses_mount")], library="there",
             reason="unseen", before=["unshare", "-m", "sh", "-c", script + known + 'exec "$@"', "sh"])
        written = ["unshare", "-m", "sh", "-c", script + 'touch uses libnumber.so && exec "$@"', "sh"]
        case(name + ", copied up", ["./uses"], library=folder + "/m", before=written)


def main():
    shutil.rmtree(scratch, ignore_errors=True)
    os.makedirs(scratch)
    subprocess.run([sysvm, "asm", text, "-o", svp], check=True)
    layouts()
    identities()
    covered()
    overlays()
    print("%(passed)d passed, %(failed)d failed, %(skipped)d skipped" % results)
    return 1 if results["failed"] or not results["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
