#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What surrounds a process: its environment, its limits, what judges it, how it runs other programs, the
stack that it has.

usage: around.py SYSVM NM LIBRARY SYMBOLS_LIBRARY PROGRAMS_DIR SCRATCH_DIR PROCEDURES.txt [CASE...]

Each case runs a program plainly and under `sysvm run`, with procedures and without, and compares output and
status.
"""
import json
import os
import shutil
import signal
import struct
import subprocess
import sys

sysvm, nm, library, symbols_library, programs, scratch, text = sys.argv[1:8]
only = sys.argv[8:]
os.makedirs(scratch, exist_ok=True)
work = os.path.join(scratch, "work")
svp = os.path.join(scratch, "read.svp")
environment = dict(os.environ, XDG_CACHE_HOME=os.path.join(scratch, "cache"), LC_ALL="C.UTF-8")
environment.pop("LD_PRELOAD", None)
environment.pop("_", None)
counts = {"passed": 0, "failed": 0, "skipped": 0}


def program(name):
    return os.path.join(programs, name)


def run(words, env):
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    # Signals as a shell leaves them; nothing inherited.
    done = subprocess.run(words, capture_output=True, timeout=120, stdin=subprocess.DEVNULL, env=env)
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def report(name, complaint):
    counts["failed" if complaint else "passed"] += 1
    print("%s %s" % ("FAILED" if complaint else "ok    ", name), flush=True)
    if complaint:
        print("     " + complaint.replace("\n", "\n     "), flush=True)


def skip(name, reason):
    counts["skipped"] += 1
    print("skipped %s: %s" % (name, reason))


def case(name, words, env=None, status=0, contains="", options=(["-P", svp], []), off=None, seen=0):
    """The same with and without us, and what `contains` says. off: the reason that a process must have gone
    plain for; seen: at least so many calls, but hardly more."""
    if only and name not in only:
        return
    env = environment if env is None else env
    plain = run(words, env)
    if plain[0] != status or contains not in plain[1]:
        return report(name, "the plain run itself: %d\n%s\n%s" % plain)
    for choice in options:
        stats = os.path.join(scratch, "stats.json")
        under = run([sysvm, "run", "--engine", "user", "--stats", stats, *choice, "--", *words], env)
        if under != plain:
            lines = [("%d\n%s\n%s" % r).splitlines() for r in (plain, under)]
            different = [(a, b) for a, b in zip(*lines) if a != b][:8]
            return report(name, "with %s: plain %d lines, under the shim %d; %s" %
                          (choice, len(lines[0]), len(lines[1]), different))
        with open(stats) as f:
            counted = json.load(f)
        if choice and off and not counted["off"].get(off):
            return report(name, "no process went plain for '%s': %s" % (off, counted["off"]))
        if seen and not seen <= counted["seen"] < seen + 1000:
            return report(name, "%d calls seen, expected %d" % (counted["seen"], seen))
    report(name, "")


def names():
    for path, allowed in (library, set()), (symbols_library, {"dlsym", "dladdr"}):
        listed = subprocess.run([nm, "-D", "--undefined-only", path], capture_output=True,
                                check=True).stdout.decode()
        found = {line.split()[-1].split("@")[0] for line in listed.splitlines()}
        report("%s imports %s" % (os.path.basename(path), sorted(allowed) or "no name"),
               "" if found == allowed else "it imports %s" % sorted(found))
    preload = "LD_PRELOAD=" + program("libinterposes.so")
    case("a library that interposes what we might call", ["env", preload, "/bin/echo", "there"],
         contains="there")
    case("and its program's children", ["env", preload, "sh", "-c", "/bin/echo one; sh -c '/bin/echo two'"],
         contains="two")


def environments():
    for what in ("nothing", "none", "empty", "spaces", "mixed", "last", "twice", "odd", "bundle", "disabled",
                 "one", "names"):
        case("given: " + what, [program("gives"), what, program("shows"), "word"], contains="type 25: 1")
        case("given to a shell's child: " + what,
             ["sh", "-c", "%s %s %s word" % (program("gives"), what, program("shows"))],
             contains="type 25: 1")
    case("what a program is given by run itself", [program("shows")],
         contains="is environ: 1, behind the words: 1")
    for value in ("", "libm.so.6 libdl.so.2", ":libm.so.6:", program("libplain_library.so")):
        case("LD_PRELOAD is '%s'" % value, [program("shows")], env=dict(environment, LD_PRELOAD=value),
             contains="LD_PRELOAD=%s|" % value)
    case("sysvm run in sysvm run",
         [sysvm, "run", "--engine", "user", "--", program("shows")], contains="behind the words: 1")
    case("the most that exec takes", [program("limited"), "words"], contains="words ")
    for how in "seize", "traceme":
        case("a tracer's child: " + how, [program("traces"), how, "/bin/true"], contains="1 words, ")
    case("a tracer that a shell runs", ["sh", "-c", "%s seize /bin/true" % program("traces")],
         contains="1 words, ")


def execs():
    case("every exec", [program("execs"), work], contains="execveat, a link, thread")
    case("programs started by threads at once", [program("spawns"), "8", "60"], contains="0 wrong",
         off="threads")
    case("calls of threads are counted, each once", [program("limited"), "calls"], contains="calls 0",
         off="threads", seen=80000)
    case("what happens around a vfork", [program("returns")], contains="handled 20")


def capabilities():
    """A program that gets capabilities with its file: the loader would leave us out, and the variables with
    it."""
    name = "a program with capabilities"
    path = os.path.join(scratch, "capable")
    shutil.copy("/usr/bin/env", path)
    try:
        os.setxattr(path, "security.capability", struct.pack("<5I", 0x02000000, 1 << 10, 0, 0, 0))
    except OSError as error:
        return skip(name, "%s cannot have any: %s" % (path, error.strerror))
    case(name, ["sh", "-c", path + "; " + path], contains="PATH=")


def judges():
    for how in "prctl", "seccomp", "vfork":
        case("a filter by " + how, [program("judged"), how, "/bin/echo", "hi"], contains="hi\n",
             off=None if how == "vfork" else "seccomp")
    case("a filter below a thread", ["sh", "-c", program("judged") + " seccomp /bin/echo hi"],
         contains="hi\n")
    case("born under a filter", [program("judged"), "born-prctl", "-"], contains="born")
    mdwe = [program("judged"), "born-mdwe", "-"]
    if run(mdwe, environment)[0] == 5:
        skip("born with text that must not be written", "this kernel has no PR_SET_MDWE")
    else:
        case("born with text that must not be written", mdwe, contains="born", off="libc")
    landlock = [program("judged"), "landlock", "/bin/echo", "hi"]
    if run(landlock, environment)[0] == 4:
        return skip("landlock", "this kernel has none")
    case("landlock", landlock, contains="hi\n")


def limits():
    for limit, what in (("-v 300000", "memory"), ("-d 100000", "memory"), ("-n 20", "descriptors"),
                        ("-n 8", "descriptors"), ("-s 256", "words"), ("-s 2000", "words")):
        case("ulimit %s, then %s" % (limit, what),
             ["bash", "-c",
              "ulimit %s; %s %s; exec %s %s" % ((limit,) + (program("limited"), what) * 2)], contains=what)


def stack():
    case("512 bytes of stack for every path", [program("room")], contains="a thread: 0")


def main():
    shutil.rmtree(os.path.join(scratch, "cache"), ignore_errors=True)
    subprocess.run([sysvm, "asm", text, "-o", svp], check=True)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # Objects that a first run meets are known from the second on.
    for warm in (["sh", "-c",
                  "env; echo; /bin/echo; true; bash -c true"], [program("limited"), "descriptors"]):
        run([sysvm, "run", "-P", svp, "--", *warm], environment)
    for part in names, environments, execs, capabilities, judges, limits, stack:
        part()
    print("%(passed)d passed, %(failed)d failed, %(skipped)d skipped" % counts)
    return 1 if counts["failed"] or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
