#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Takes the rules of mutations.py out one at a time and says whether their tests notice.

    mutate.py BUILD            all of them; exit status 0: every test failed that had to; 77: no guest here
    mutate.py BUILD PATTERN    those whose rule matches

The module is built once for each, a few seconds; all are tried in one boot of the guest, the unchanged one
first, on which every test must pass. A mutant that kills the guest, or holds on to the module, costs another
boot. Run by scripts/check-mutations.
"""

import os
import re
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.dont_write_bytecode = True
import guest  # noqa: E402
import run  # noqa: E402
from mutations import MUTATIONS, NOT_SEEN_HERE, Mutation  # noqa: E402

MUTANT_SH = Path(__file__).resolve().parent / "mutant.sh"
CANNOT_SWAP = "exit status 99"
# in a row: on a busy machine the emulator may not get as far as init, and an hour's results would be lost
BOOTS_IN_VAIN = 4
# a test that the unchanged module cannot pass: it is not asked to
OF_MUTANTS = "get_rid_of_the_device_in_mid_run"
HOW = {"exit status 96": "something is left that holds the module", "exit status 97": "the kernel complained",
       "exit status 98": "the module cannot be loaded"}


def changed_files(mutation: Mutation) -> dict[str, str]:
    """The files of kmod/ that the mutation changes, with their new text."""
    texts: dict[str, str] = {}
    for file, old, new in mutation.change:
        text = texts.get(file) or (guest.SOURCE / "kmod" / file).read_text()
        if text.count(old) != 1:
            raise guest.Broken(f"{mutation.rule}: {file} has {text.count(old)} times, expected once:\n{old}")
        texts[file] = text.replace(old, new)
    return texts


def build(work: Path, kernel: Path, mutations: list[Mutation]) -> list[Path]:
    """A module for each, the unchanged one first."""
    texts = [changed_files(mutation) for mutation in mutations]
    modules = []
    for number, changed in enumerate([{}, *texts]):
        built = guest.build_module(work, kernel, changed=changed)
        modules.append(work / f"{number}" / "sysvm.ko")
        modules[-1].parent.mkdir(exist_ok=True)
        shutil.copyfile(built, modules[-1])
        print(f"\rbuilt {number} of {len(texts)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return modules


def known_tests(build_dir: Path) -> dict[str, tuple[int, str]]:
    """Seconds and command of each guest test, and of those that are run by no other than us."""
    tests = {}
    for line in (build_dir / "guest/tests.list").read_text().splitlines():
        _, name, seconds, command = line.split("\t", 3)
        tests[name] = int(seconds), command
    tests[OF_MUTANTS] = 20, f"{build_dir}/bin/guest_test_rules {OF_MUTANTS}"
    return tests


def job(number: int, module: Path, name: str, tests: dict[str, tuple[int, str]]) -> str:
    seconds, command = tests[name]
    command = command.replace("'", "'\\''")
    return f"test\t{number}/{name}\t{seconds + 10}\tsh {MUTANT_SH} {module} '{command}'\n"


def look(report: str, told: set[str]) -> None:
    """Says how each test ended, once; what that means is said when all have. For whoever waits, or gives up
    waiting."""
    for key, result in run.parse_report(report).items():
        if result.ended and key not in told:
            told.add(key)
            print(f"{key}: {HOW.get(result.how, result.how)}", file=sys.stderr, flush=True)


def try_all(build_dir: Path, kernel: Path, work: Path, mutations: list[Mutation],
            modules: list[Path]) -> dict[str, run.Result]:
    """What became of each NUMBER/TEST; 0 is the unchanged module."""
    tests = known_tests(build_dir)
    left = [(0, name) for name in dict.fromkeys(name for m in mutations for name in m.tests)
            if name != OF_MUTANTS]
    left += [(number, name) for number, m in enumerate(mutations, 1) for name in m.tests]
    results: dict[str, run.Result] = {}
    in_vain = 0
    while left:
        jobs = f"module\t{modules[0]}\t{guest.MODULE_PARAMETERS}\n" + "".join(
            job(number, modules[number], name, tests) for number, name in left)
        timeout = sum(tests[name][0] + 10 for _, name in left) * guest.SLOW
        told: set[str] = set()
        got = guest.boot_with_retry(kernel, build_dir / "bin/guest_init", jobs, work / "run", timeout,
                                    lambda report: look(report, told))
        before = len(left)
        for key, result in run.parse_report(got.report).items():
            if result.how == CANNOT_SWAP:
                break
            results[key] = result
            left = [(number, name) for number, name in left if f"{number}/{name}" != key]
        print(f"one boot, {before - len(left)} tests, {len(left)} left", file=sys.stderr)
        in_vain = in_vain + 1 if len(left) == before else 0
        if in_vain == BOOTS_IN_VAIN:
            raise guest.Broken(f"the guest ended before its first test:\n{got.console[-3000:]}")
    return results


def judge(mutations: list[Mutation], results: dict[str, run.Result]) -> int:
    wrong = 0
    for key, result in results.items():
        if key.startswith("0/") and not result.passed:
            print(f"UNCHANGED FAILS  {key[2:]}: {result.how}\n{result.output}")
            wrong += 1
    for number, mutation in enumerate(mutations, 1):
        for name in mutation.tests:
            result = results[f"{number}/{name}"]
            how = HOW.get(result.how, result.how)
            if result.passed == mutation.passes:
                print(f"{'holds ' if mutation.passes else 'caught'}  {mutation.rule}: {name}: {how}")
            else:
                wrong += 1
                print(
                    f"{'BROKEN' if mutation.passes else 'MISSED'}  {mutation.rule}: {name}: {how}\n{result.output}"
                )
    for rule, reason in NOT_SEEN_HERE.items():
        print(f"unseen  {rule}: {reason}")
    print(f"{len(mutations)} mutations, {wrong} not as expected")
    return wrong


def main() -> int:
    build_dir, pattern = Path(sys.argv[1]).resolve(), sys.argv[2] if len(sys.argv) > 2 else ""
    mutations = [m for m in MUTATIONS if re.search(pattern, m.rule)]
    work = build_dir / "guest/mutants"
    work.mkdir(parents=True, exist_ok=True)
    try:
        with guest.Lock(work):
            kernel = guest.fetch_kernel(build_dir / "guest")
            modules = build(work, kernel, mutations)
            return 1 if judge(mutations, try_all(build_dir, kernel, work, mutations, modules)) else 0
    except guest.Unavailable as reason:
        print(f"SKIPPED: {reason}")
        return run.SKIP
    except guest.Broken as error:
        print(error, file=sys.stderr)
        return 125


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
