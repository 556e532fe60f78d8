#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The entry half of the shim: programs that try to tell whether they run under it.

usage: run.py SYSVM PROGRAMS_DIR SCRATCH_DIR PROCEDURES.txt

Each case runs a program plainly and under `sysvm run`, in fresh folders, and compares standard output,
standard error and status. The procedures keep the shim on; a case may also say what the statistics must show.
"""
import difflib
import json
import os
import re
import shutil
import subprocess
import sys

sysvm, programs, scratch, text = sys.argv[1:5]
only = sys.argv[5:]
os.makedirs(scratch, exist_ok=True)
svp = os.path.join(scratch, "read.svp")
stats_file = os.path.join(scratch, "stats.json")
work = os.path.join(scratch, "work")
environment = dict(os.environ, XDG_CACHE_HOME=os.path.join(scratch, "cache"), LC_ALL="C.UTF-8")
environment.pop("LD_PRELOAD", None)
results = {"passed": 0, "failed": 0, "skipped": 0}


def program(name):
    return os.path.join(programs, name)


def run(words, env=None):
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    done = subprocess.run(words, capture_output=True, timeout=120, stdin=subprocess.DEVNULL, env=env
                          or environment)
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def under(words, env=None, options=()):
    result = run([sysvm, "run", "-P", svp, "--engine", "user", "--stats", stats_file, *options, "--", *words],
                 env)
    with open(stats_file) as f:
        return result, json.load(f)


def difference(plain, shim):
    lines = [("status %d\n%s\n%s" % r).splitlines() for r in (plain, shim)]
    return list(difflib.unified_diff(*lines, "plain", "shim", n=0, lineterm=""))[:30]


def report(name, complaints):
    results["failed" if complaints else "passed"] += 1
    print("%s %s" % ("FAILED" if complaints else "ok    ", name))
    for c in complaints:
        print("     " + str(c).replace("\n", "\n     "))


def case(name, words, reason=None, warns=False, check=None, env=None, options=(), status=0):
    """Same behaviour both ways. reason: some process goes plain for it, for nothing else; None: no process
    does."""
    if only and name not in only:
        return
    plain = run(words, env)
    shim, counts = under(words, env, options)
    complaints = []
    if warns:
        shim = (shim[0], shim[1], "".join(l for l in shim[2].splitlines(True) if not l.startswith("sysvm: ")))
    if plain[0] != status or not plain[1]:
        complaints.append("the plain run itself: %d %s %s" % plain)
    if plain != shim:
        complaints.append("\n".join(difference(plain, shim)))
    off = dict(counts["off"])
    if reason and not off.pop(reason, None):
        complaints.append("expected a process to go plain for '%s', got %s" % (reason, counts["off"]))
    if off:
        complaints.append("went plain: %s" % off)
    if check:
        complaints += check(plain, counts)
    report(name, complaints)


def at_least(key, n):
    return lambda plain, counts: [] if counts[key] >= n else ["%s is %d, expected %d" % (key, counts[key], n)]


def programs_of_c():
    case("every wrapper of the C library", [program("calls"), work], check=at_least("seen", 150))
    case("registers, flags, vectors and red zone", [program("registers")], check=at_least("seen", 24))
    case("fork, vfork, posix_spawn, clone", [program("tasks")], reason="threads", status=5,
         check=at_least("processes", 30))
    case("signal handlers", [program("handlers")], check=at_least("seen", 3000))
    case("a handler that changes the handler that is being changed", [program("reaction")], reason="faults",
         check=lambda plain, counts: [] if plain[1] == "0 wrong\n" else [plain])
    case("unwinding at every instruction", [program("unwind")], check=at_least("seen", 5))
    case("cancellation and backtraces", [program("cancel")], reason="threads")
    hit = "getppid 1, breakpoint hit 1\ngetpgrp is getppid 1"
    case("breakpoint on a site, before and after; other bytes than were analysed", [program("breakpoint")],
         reason="unseen", check=lambda plain, counts: [] if hit in plain[1] else [plain])


def reasons():
    table = {
        "nothing": None,
        "filter": "seccomp",
        "seccomp": "seccomp",
        "thread": "threads",
        "files": "threads",
        "handlers": "threads",
        "left": "threads",
        "unshare": "threads",
        "io_uring": "rings",
        "aio": "rings",
        "perf": "rings",
        "userfaultfd": "faults",
        "pkey": "faults",
        "segv": None,
        "bus": None,
        "shared": "shared",
        "shared_file": "shared",
        "shared_read": "shared",
        "shm": "shared",
        "code": "unseen",
        "make_code": "unseen",
        "personality": "unseen",
        "ldt": "unseen",
        "traced": "traced",
        "inotify": "watch",
        "fanotify": "watch",
        "dnotify": "watch",
        "dlopen_own": "unseen",
        "dlmopen": "unseen",
    }
    for what, reason in table.items():
        case("stops: " + what, [program("stops"), what, programs], reason=reason)
    # The first run meets the library and notes it; from the second on it is known to be clean.
    under([program("stops"), "dlopen_clean", programs])
    case("a clean library stays on", [program("stops"), "dlopen_clean", programs], check=at_least("seen", 10))


def environments():
    case("env", ["env"])
    case("env below a shell", ["sh", "-c", "env; exec env -u PATH /usr/bin/env"],
         check=at_least("processes", 2))
    with_other = dict(environment, LD_PRELOAD=program("libplain_library.so"))
    case("env with another preload", ["sh", "-c", "env | sort; sh -c env | sort"], env=with_other,
         check=at_least("processes", 3))
    case("an empty environment", ["env", "-i", "/usr/bin/env", "A=b", "/bin/sh", "-c", "/usr/bin/env"],
         check=at_least("processes", 3))
    many = dict(environment, **{"V%d" % i: "x" * (i % 50) for i in range(1500)})
    case("a very long environment", ["sh", "-c", "env | sort | cksum"], env=many)
    disabled = dict(environment, SYSVM_DISABLE="1")
    case("SYSVM_DISABLE=1", ["sh", "-c", "env; " + program("stops") + " nothing"], env=disabled,
         check=lambda plain, counts: [] if counts["seen"] == 0 else [counts])
    case("SYSVM_DISABLE=1 for a child", ["sh", "-c", "SYSVM_DISABLE=1 env"])
    case("static child", ["sh", "-c", program("static") + "; true"])
    case("static program", [program("static")], warns=True, status=4)
    case("script child", ["sh", "-c", write_script()], check=at_least("processes", 2))
    case("daemon that closes everything",
         ["sh", "-c", "%s daemon %s/out; cat %s/out" % (program("environment"), work, work)],
         check=at_least("processes", 5))
    if os.geteuid() == 0:
        case("setuid child",
             ["sh", "-c", "cp /usr/bin/env %s/e && chmod u+s %s/e && %s/e" % (work, work, work)])
        case("chroot child", ["sh", "-c", chroot_script()])
    else:
        results["skipped"] += 2
        print("skipped setuid child, chroot child: need root")
    plain = run([program("environment"), "mdwe", "-", "/bin/true"])
    if plain[0] == 4:
        results["skipped"] += 1
        print("skipped text that must not be written: this kernel has no PR_SET_MDWE")
    else:
        case("what runs under PR_SET_MDWE is left alone",
             [program("environment"), "mdwe", "-",
              program("stops"), "nothing"])


def symbols():
    """The fallback: the same behaviour, calls counted, nothing answered; behind another library it does not
    count."""
    options = ["--symbols"]
    case("symbols: every wrapper", [program("calls"), work], reason="libc", options=options,
         check=at_least("seen", 20))
    case("symbols: env", ["sh", "-c", "env; /usr/bin/env"], reason="libc", options=options)
    case("symbols: cat", ["cat", "/etc/passwd"], reason="libc", options=options, check=at_least("seen", 4))
    case(
        "symbols: behind a library like fakeroot", [program("behind")], reason="libc", options=options,
        check=lambda plain, counts: []
        if plain[1] == "100\n" and counts["seen"] < 50 else [plain, counts["seen"]])


def accounts():
    """Counted from outside the process: recorded = forwarded + inner + own + what no site sees, exactly."""
    trace = os.path.join(scratch, "accounts.trace")
    for name, words in [("every entry is accounted for: registers", [program("registers")]),
                        ("every entry is accounted for: cat", ["cat", "/etc/passwd", "/etc/group"]),
                        ("every entry is accounted for: md5sum",
                         ["md5sum", "/etc/passwd", "/etc/group", "/etc/hosts"])]:
        if only and name not in only:
            continue
        status, _, err = run([
            sysvm, "record", "-o", trace, "--backend", "bpf", "--", sysvm, "run", "-P", svp, "--engine",
            "user", "--stats", stats_file, "--", *words
        ])
        if status:
            results["skipped"] += 1
            print("skipped %s: %s" % (name, err.strip()))
            continue
        with open(stats_file) as f:
            counts = json.load(f)
        lines = run([sysvm, "dump", trace])[1].splitlines()
        start = [i for i, l in enumerate(lines) if re.search(r'"/proc/\d+/fd/\d+", O_RDONLY', l)]
        if len(start) != 1:
            report(name, ["%d processes opened the bundle, expected 1" % len(start)])
            continue
        process = lines[start[0]].split()[0]
        first = max(i for i, l in enumerate(lines[:start[0]])
                    if l.split()[0] == process and '"/proc/self/status", O_RDONLY|O_CLOEXEC' in l)
        calls = [l.split()[2].split("(")[0] for l in lines[first:] if l.split()[0] == process]
        unseen = calls.count("futex") + calls.count("rt_sigreturn")  # sites that are left on purpose
        engine = 1 if counts["runs"] else 0  # the user engine asks for its process number once
        ours = counts["forwarded"] + counts["inner"] + counts["own"] + unseen + engine
        report(name, [] if len(calls) == ours and counts["processes"] == 1 else
               ["recorded %d, accounted for %d: %s" % (len(calls), ours, counts)])


def write_script():
    path = os.path.join(scratch, "script")
    with open(path, "w") as f:
        f.write("#!/usr/bin/env sh\necho script $LD_PRELOAD $SYSVM_BUNDLE \"$@\"\n")
    os.chmod(path, 0o755)
    return path + " with words"


def chroot_script():
    files = "/bin/sh /usr/bin/env /lib64/ld-linux-x86-64.so.2 /lib/x86_64-linux-gnu/libc.so.6"
    return ("for f in %s; do mkdir -p %s/root/$(dirname $f); cp -L $f %s/root/$f; done; "
            "%s chroot %s/root /bin/sh -c env" % (files, work, work, program("environment"), work))


def failures():
    for name, words, expected, message in [
        ("a command that does not exist", ["run", "--", "/nonexistent/x"], 127, "command not found"),
        ("a command that is not executable", ["run", "--", "/etc/passwd"], 126, "cannot be executed"),
        ("a folder as a command", ["run", "--", "/etc"], 126, "cannot be executed"),
        ("no command", ["run"], 2, "no command"),
        ("an unknown option", ["run", "--nonsense", "--", "true"], 2, "unknown option"),
        ("an unknown engine", ["run", "--engine", "warp", "--", "true"], 2, "expected auto, kernel or user"),
        ("procedures that are not there", ["run", "--require", "-P", "/nonexistent.svp", "--",
                                           "true"], 2, "/nonexistent.svp"),
        ("procedures that are something else", ["run", "--require", "-P", "/etc/passwd", "--",
                                                "true"], 2, "/etc/passwd: "),
    ]:
        if only and name not in only:
            continue
        status, out, err = run([sysvm, *words])
        report(name, [] if status == expected and message in err and not out else [(status, out, err)])
    for name, words, expected in [("exit status", ["sh", "-c", "exit 41"], 41),
                                  ("death by a signal", ["sh", "-c", "kill -KILL $$"], -9)]:
        if not only or name in only:
            result, _ = under(words)
            report(name, [] if result == (expected, "", "") else [result])
    data = bytearray(open(svp, "rb").read())
    wrong = []
    for i in range(0, len(data), max(1, len(data) // 40)):
        flipped = bytearray(data)
        flipped[i] ^= 0x40
        path = os.path.join(scratch, "flipped.svp")
        with open(path, "wb") as f:
            f.write(flipped)
        status, out, err = run([sysvm, "run", "-P", path, "--", "sh", "-c", "exit 3"])
        if status != 3 or path not in err:
            wrong.append("byte %d: %d %s" % (i, status, err))
    report("a procedure file with a byte flipped", wrong)


def main():
    shutil.rmtree(os.path.join(scratch, "cache"), ignore_errors=True)
    subprocess.run([sysvm, "asm", text, "-o", svp], check=True)
    # Twice: programs that a first run meets unprepared are known in the second.
    under([
        "sh", "-c",
        "env; cat /dev/null; sort /dev/null; cksum /dev/null; grep x /dev/null; cp /dev/null /dev/null; "
        "chmod 700 . ; mkdir -p .; dirname .; echo; /bin/echo; true; %s nothing; %s; %s chroot /; %s -c true"
        % (program("stops"), program("tasks"), program("environment"), "/bin/bash")
    ])
    programs_of_c()
    reasons()
    environments()
    symbols()
    accounts()
    failures()
    print("%(passed)d passed, %(failed)d failed, %(skipped)d skipped" % results)
    return 1 if results["failed"] or not results["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
