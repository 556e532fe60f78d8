#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Boots the guest once, runs all its tests, and says for each whether it passed.

A boot costs seconds and a test milliseconds, so `boot` runs every test of the list in one guest and keeps the
report (written by init to a second serial port); `check NAME` then answers for one test from it. ctest runs
`boot` as the fixture of all the `check`s. A kernel that complains on its console fails `console`, whatever
the tests thought.

    run.py boot BUILD        exit status 0: init was reached; 77: the guest cannot run here, and why. Says how
                             each test ended as soon as it has.
    run.py check BUILD NAME  0: passed; 1: failed; 77: the guest did not run
    run.py console BUILD     0: every job was done and the kernel never complained
    run.py sparse BUILD      0: `make -C kmod check` finds nothing; 77: no sparse or no kernel headers here
    run.py all BUILD [RE]    boot, check of every test (whose name matches), and console: 0 if all are well
    run.py dkms BUILD        0: DKMS builds the module from kmod/ for the guest's kernel, in a tree of its own
                             With SYSVM_GUEST_KASAN=1 these work on the sanitizer kernel.
    run.py exec BUILD CMD    one command in a guest of its own: prints its output, exits with its status
    run.py shell BUILD       an interactive shell on this terminal

Tested by tests/qemu/guest_test.py.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.dont_write_bytecode = True
import guest  # noqa: E402

SKIP = 77
# Seconds for one boot with all tests, where each has its own limit besides; or for one long command.
BOOT_TIMEOUT = int(os.environ.get("SYSVM_GUEST_SECONDS", 1200 * guest.SLOW))
FUZZ_PARTS, FUZZ_PART = 20, 500  # random programs of the sanitizer kernel's run: 10,000

# eBPF programs need the kernel's type information; the entries of a whole grep take an hour, containers with
# one as long; no x32 there.
NOT_ON_KASAN = ("the_tracer_sees_every_call_on_this_kernel", "grep_makes_as_few_entries_as_the_shim_claims",
                "containers_use_the_module_where_it_asks_filters",
                "podman_uses_the_module_where_it_asks_filters", "an_x32_call_does_not_get_in",
                "a_filter_begins_as_the_module_thinks")

# Lines by which the kernel says that something is wrong; each of them fails the run.
COMPLAINT = re.compile(
    r"WARNING:|BUG:|kernel BUG|Oops|general protection fault|KASAN|KCSAN|UBSAN|kmemleak|lockdep|possible recursive locking"
    r"|circular locking|suspicious RCU|INFO: task .* blocked|rcu: INFO|soft lockup|hard LOCKUP|Kernel panic"
    r"|scheduling while atomic|sleeping function called|unable to handle|refcount_t|list_(add|del) corruption|Call Trace"
)

# What it thinks of the workarounds that it was booted with (guest.py, MITIGATIONS) says nothing about the
# module.
OF_THE_BOOT = re.compile(r"(Spectre V2 ?|RETBleed|ITS|SRSO|Speculative Return Stack Overflow): WARNING: ")


@dataclass
class Result:
    """How one test ended."""

    passed: bool
    how: str
    output: str
    ended: bool = False
    milliseconds: int = 0

    @property
    def skipped(self) -> bool:
        """It could not be made on this machine, and says why."""
        return self.how == f"exit status {SKIP}"


def parse_report(report: str) -> dict[str, Result]:
    """The tests in a report. One that began and did not end is there, as failed."""
    results: dict[str, Result] = {}
    name, output = None, []
    for line in report.splitlines():
        if line.startswith("| "):
            output.append(line[2:])
        elif line.startswith("begin "):
            name, output = line[6:], []
            results[name] = Result(False, "did not end: the guest stopped in this test", "")
        elif line.startswith("end ") and name is not None and line[4:].startswith(name + " "):
            how, *rest = line[4 + len(name) + 1 :].split(" ")
            value = rest[0] if rest else "?"
            text = {"exit": f"exit status {value}", "signal": f"killed by signal {value}",
                    "timeout": f"not finished after {value} ms"}.get(how, how)
            took = int(rest[-1]) if rest and rest[-1].isdigit() else 0
            results[name] = Result((how, value) == ("exit", "0"), text, "\n".join(output), True, took)
            name = None
    if name is not None:
        results[name].output = "\n".join(output)
    return results


def complaints(console: str) -> list[str]:
    """The lines of a console on which the kernel complains."""
    return [line for line in console.splitlines() if COMPLAINT.search(line) and not OF_THE_BOOT.search(line)]


def incomplete(report: str, jobs: str) -> list[str]:
    """What is missing in a report of these jobs, apart from the tests' own results."""
    lines = report.splitlines()
    wrong = [line for line in lines if line.startswith("fatal ")]
    wrong += [line for line in lines if line.startswith("module ") and not line.startswith("module ok ")]
    for job in jobs.splitlines():
        if job.startswith("module\t") and f"module ok {job.split(chr(9))[1]}" not in lines:
            wrong.append(f"not loaded: {job.split(chr(9))[1]}")
    if "done" not in lines:
        wrong.append("the guest ended before all jobs were done; last line: " +
                     (lines[-1] if lines else "none"))
    return wrong


class Progress:
    """Prints how each test of a report ended, once."""

    def __init__(self, jobs: str) -> None:
        self.of = sum(line.startswith("test\t") for line in jobs.splitlines())
        self.told: set[str] = set()

    def look(self, report: str) -> None:
        report = report[:report.rfind("\n") + 1]  # the last line may still be written
        for name, result in parse_report(report).items():
            if result.ended and name not in self.told:
                self.tell(name, result)

    def tell(self, name: str, result: Result) -> None:
        self.told.add(name)
        verdict = "ok  " if result.passed else "skip" if result.skipped else "FAIL"
        print(f"{verdict} {len(self.told)}/{self.of} {name}: {result.how}, "
              f"{result.milliseconds / 1000:.1f} s", flush=True)
        if not result.passed:
            print(result.output, flush=True)


def prepare(build: Path, guest_dir: Path) -> tuple[Path, Path, str]:
    """Kernel folder, init, and the job that loads the module. And what a test needs that the guest cannot
    fetch."""
    subprocess.run([guest.SOURCE / "scripts/fetch-seccomp-profiles", build / "seccomp"], stdout=sys.stderr,
                   check=False)
    kernel = guest.fetch_kernel(guest_dir)
    module = guest.build_module(guest_dir, kernel)
    return kernel, build / "bin/guest_init", f"module\t{module}\t{guest.MODULE_PARAMETERS}\n"


def run_dir(guest_dir: Path) -> Path:
    """Where a boot of this kernel leaves what it found."""
    return guest_dir / ("run-kasan" if guest.KASAN else "run")


def those_that_match(jobs: str, pattern: str) -> str:
    """The tests whose name matches."""
    return "".join(line + "\n" for line in jobs.splitlines() if re.search(pattern, line.split("\t")[1]))


def for_this_kernel(jobs: str, build: Path) -> str:
    """The tests as the sanitizer kernel can do them: slower, without its missing type information, and two
    more."""
    if not guest.KASAN:
        return jobs
    out = ""
    for line in jobs.splitlines():
        verb, name, seconds, command = line.split("\t", 3)
        if name not in NOT_ON_KASAN:
            out += f"{verb}\t{name}\t{int(seconds) * guest.SLOW}\t{command}\n"
    out += f"test\tevery_allocation_may_fail\t600\t{build}/bin/guest_faults\n"
    for part in range(1, FUZZ_PARTS + 1):
        out += (f"test\t{FUZZ_PART}_random_programs_are_the_same_{part}_of_{FUZZ_PARTS}\t1800\t"
                f"{build}/bin/engine_fuzz user kernel {FUZZ_PART}\n")
    # Twice: what is in a register or on a stack at the first look is not lost.
    scan = "echo scan >/sys/kernel/debug/kmemleak; sleep 6; "
    out += f"test\tkmemleak_finds_nothing\t300\t{scan * 2}! grep . /sys/kernel/debug/kmemleak\n"
    return out


def do_boot(build: Path, guest_dir: Path, pattern: str = "") -> int:
    run = run_dir(guest_dir)
    for old in run.glob("*"):
        old.unlink()
    run.mkdir(parents=True, exist_ok=True)
    try:
        kernel, init, jobs = prepare(build, guest_dir)
        jobs += those_that_match(for_this_kernel((guest_dir / "tests.list").read_text(), build), pattern)
        (run / "jobs").write_text(jobs)
        progress = Progress(jobs)
        got = guest.boot_with_retry(kernel, init, jobs, run, BOOT_TIMEOUT, progress.look)
    except guest.Unavailable as reason:
        (run / "skipped").write_text(f"{reason}\n")
        print(f"SKIPPED: {reason}")
        return SKIP
    except guest.Broken as error:
        print(error)
        return 1
    for name, result in parse_report(got.report).items():
        if name not in progress.told:
            progress.tell(name, result)
    if not got.report:
        print(f"init was not reached, twice; the console's end:\n{got.console[-2000:]}")
        return 1
    return 0


def skipped(run: Path) -> bool:
    if (run / "skipped").exists():
        print(f"SKIPPED: {(run / 'skipped').read_text().strip()}")
        return True
    return False


def do_check(run: Path, name: str) -> int:
    if skipped(run):
        return SKIP
    result = parse_report(guest.read_report(run / "report")).get(name)
    if result is None:
        print(f"{name}: not in the guest's report: the guest ended before it")
        return 1
    print(result.output)
    print(f"{name}: {result.how}")
    return SKIP if result.skipped else 0 if result.passed else 1


def do_console(run: Path) -> int:
    if skipped(run):
        return SKIP
    console = guest.read_report(run / "console")
    wrong = incomplete(guest.read_report(run / "report"), (run / "jobs").read_text())
    wrong += complaints(console)
    if wrong:
        print("\n".join(wrong))
        print(f"--- the console's end ---\n{console[-8000:]}")
    return 1 if wrong else 0


def do_all(build: Path, guest_dir: Path, pattern: str = "") -> int:
    """Everything that a boot can say, judged."""
    start = time.monotonic()
    run = run_dir(guest_dir)
    status = do_boot(build, guest_dir, pattern)
    if status:
        return status
    results = parse_report(guest.read_report(run / "report"))
    skipped_tests = [name for name, result in results.items() if result.skipped]
    failed = [name for name, result in results.items() if not result.passed and not result.skipped]
    passed = len(results) - len(failed) - len(skipped_tests)
    clean = do_console(run) == 0
    if not pattern:
        note_for_matrix(guest_dir, passed, len(results), clean)
    print(
        f"{passed} of {len(results)} tests passed on {guest.read_report(run / 'report').splitlines()[0][6:]}, "
        f"the kernel {'said nothing' if clean else 'COMPLAINED'}; {(time.monotonic() - start) / 60:.0f} min")
    for name in skipped_tests:
        print(f"SKIPPED {name}: {results[name].output.strip().removeprefix('SKIPPED: ')}")
    for name in failed:
        print(f"FAIL {name}")
    return 0 if clean and results and not failed else 1


def note_for_matrix(guest_dir: Path, passed: int, of: int, clean: bool) -> None:
    """How this kernel did, for scripts/kernels."""
    notes = guest_dir / "results"
    notes.mkdir(exist_ok=True)
    kernel = guest.fetch_kernel(guest_dir)
    kind = "kasan" if guest.KASAN else os.environ.get("SYSVM_GUEST_MITIGATIONS", "") or "plain"
    said = "the kernel said nothing" if clean else "the kernel complained"
    (notes /
     f"{kernel.name}.{kind}").write_text(f"{passed} of {of} tests, {said}, {time.strftime('%Y-%m-%d')}\n")


def do_exec(build: Path, guest_dir: Path, command: str) -> int:
    with tempfile.TemporaryDirectory(dir=guest_dir) as work:
        with guest.Lock(guest_dir):
            kernel, init, jobs = prepare(build, guest_dir)
        jobs += f"test\texec\t{BOOT_TIMEOUT}\t{command}\n"
        got = guest.boot_with_retry(kernel, init, jobs, Path(work), BOOT_TIMEOUT)
    result = parse_report(got.report).get("exec")
    wrong = incomplete(got.report, jobs) + complaints(got.console)
    if wrong or result is None:
        print("\n".join(wrong) + f"\n--- the console's end ---\n{got.console[-8000:]}", file=sys.stderr)
        return 125
    if result.output:
        print(result.output)
    status = re.fullmatch(r"exit status (\d+)", result.how)
    if not status:
        print(result.how, file=sys.stderr)
    return int(status[1]) if status else 125


def do_sparse(guest_dir: Path) -> int:
    if shutil.which("sparse") is None:
        raise guest.Unavailable("no sparse here: apt-get install sparse")
    guest.build_module(guest_dir, guest.fetch_kernel(guest_dir), "check")
    return 0


def do_dkms(guest_dir: Path) -> int:
    """As an administrator's `dkms build` would, but with nothing of this machine's: source, results and
    headers lie below."""
    if shutil.which("dkms") is None:
        raise guest.Unavailable("no dkms here: apt-get install dkms")
    kernel = guest.fetch_kernel(guest_dir)
    settings = dict(
        line.split("=", 1) for line in (guest.SOURCE / "kmod/dkms.conf").read_text().splitlines()
        if "=" in line)
    name, version = (settings[f"PACKAGE_{what}"].strip('"') for what in ("NAME", "VERSION"))
    release = (kernel / "release").read_text().strip()
    trees = guest_dir / "dkms"
    shutil.rmtree(trees, ignore_errors=True)
    (trees / "tree").mkdir(parents=True)
    shutil.copytree(guest.SOURCE / "kmod", trees / f"source/{name}-{version}")
    got = subprocess.run([
        "dkms", "build", "-m", name, "-v", version, "-k", release, "-a", "x86_64", "--dkmstree",
        trees / "tree", "--sourcetree", trees / "source", "--kernelsourcedir", kernel / "headers"
    ], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    log = trees / f"tree/{name}/{version}/{release}/x86_64/log/make.log"
    said = got.stdout + (log.read_text() if log.exists() else "")
    built = trees / f"tree/{name}/{version}/{release}/x86_64/module/sysvm.ko"
    if got.returncode or not built.exists():
        raise guest.Broken(f"dkms build: exit status {got.returncode}, expected 0 and {built}\n{said}")
    if f"vermagic={release} ".encode() not in built.read_bytes() or f"version={version}\0".encode(
    ) not in built.read_bytes():
        raise guest.Broken(f"{built}: not version {version} for {release}\n{said}")
    print(f"{name} {version} built for {release}")
    return 0


def do_shell(build: Path, guest_dir: Path) -> int:
    with guest.Lock(guest_dir):
        kernel, init, jobs = prepare(build, guest_dir)
    print("The host's files are here, read-only below; the module is loaded. `exit` ends the guest.",
          file=sys.stderr)
    return guest.shell(kernel, init, jobs + "shell\n", guest_dir / "shell")


def main() -> int:
    verb, build, *rest = sys.argv[1:] if len(sys.argv) >= 3 else ("", "")
    build = Path(build).resolve()
    guest_dir = build / "guest"
    try:
        if verb == "boot" and not rest:
            with guest.Lock(guest_dir):
                return do_boot(build, guest_dir)
        if verb == "all" and len(rest) <= 1:
            with guest.Lock(guest_dir):
                return do_all(build, guest_dir, *rest)
        if verb == "sparse" and not rest:
            with guest.Lock(guest_dir):
                return do_sparse(guest_dir)
        if verb == "dkms" and not rest:
            with guest.Lock(guest_dir):
                return do_dkms(guest_dir)
        if verb == "check" and len(rest) == 1:
            return do_check(run_dir(guest_dir), rest[0])
        if verb == "console" and not rest:
            return do_console(run_dir(guest_dir))
        if verb == "exec" and rest:
            return do_exec(build, guest_dir, " ".join(rest))
        if verb == "shell" and not rest:
            return do_shell(build, guest_dir)
    except guest.Unavailable as reason:
        print(f"SKIPPED: {reason}")
        return SKIP
    except guest.Broken as error:
        print(error, file=sys.stderr)
        return 125
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    os.umask(0o022)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # not without the guest
    sys.exit(main())
