# SPDX-License-Identifier: MIT
"""Suites of GNU programs whose scripts begin with gnulib's init.sh, and others whose sources need no build.

Such a script prepends the folder where the build would have put the programs (`path_prepend_ ./src`): there
links to the installed ones are laid. What configure would have said is in the environment; a script that
needs a helper of the build skips or fails, plainly as well as under the shim. Tar needs a helper that is
built.
"""
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import verdicts
from sources import Sources, must
from suite import Finished, PATH, Suite, Unit, Verdicts


@dataclass(frozen=True)
class Scripts:
    package: str
    globs: tuple[str, ...]
    cwd: str  # where the scripts are started, below the source
    programs: dict[str, str]  # folder below the source -> programs that are linked there
    leave: str = "$^"  # scripts that are not run: minutes long, or about the machine


COREUTILS = (
    "[ b2sum base32 base64 basename basenc cat chcon chgrp chmod chown chroot cksum comm cp csplit cut date dd df dir dircolors "
    "dirname du echo env expand expr factor false fmt fold groups head hostid id install join link ln logname ls md5sum mkdir mkfifo "
    "mknod mktemp mv nice nl nohup nproc numfmt od paste pathchk pinky pr printenv printf ptx pwd readlink realpath rm rmdir runcon "
    "seq sha1sum sha224sum sha256sum sha384sum sha512sum shred shuf sleep sort split stat stdbuf stty sum sync tac tail tee test "
    "timeout touch tr true truncate tsort tty uname unexpand uniq unlink users vdir wc who whoami yes")

KINDS = {
    "coreutils": Scripts(
        "coreutils", ("tests/*/*.sh",), ".", {"src": COREUTILS},
        r"tail-2/|timeout|long|expensive|factor/t|cp-a-selinux|no-mtab|/sort-stale|sort-merge-fdlimit|dirs-vs"
    ),
    "sed": Scripts("sed", ("testsuite/*.sh",), ".", {"sed": "sed"}),
    "grep": Scripts("grep", ("tests/*",), "tests", {"src": "grep egrep fgrep"},
                    r"\.|init|Makefile|long|stress|big-"),
    "gzip": Scripts("gzip", ("tests/*",), "tests",
                    {".": "gzip gunzip zcat zcmp zdiff zegrep zfgrep zforce zgrep zmore znew gzexe"},
                    r"\.|Makefile"),
    "diffutils": Scripts("diffutils", ("tests/*",), "tests", {"src": "cmp diff diff3 sdiff"},
                         r"\.|Makefile|large"),
    "findutils": Scripts("findutils", ("tests/*/*.sh",), ".",
                         {"find": "find", "xargs": "xargs", "locate": "locate updatedb"}, r"OOM|gnulib"),
}


def link_programs(folder: Path, programs: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in programs.split():
        found = shutil.which(name, path=PATH)
        if found and not (folder / name).exists():
            (folder / name).symlink_to(found)


def prepare_scripts(kind: Scripts, folder: Path) -> list[Unit]:
    top = Sources(folder.parent).unpack(kind.package)
    for where, programs in kind.programs.items():
        link_programs(top / where, programs)
    (top / "config-empty.h").touch()
    cwd = top / kind.cwd
    version = re.search(r"(\d+[\d.]*\d)", top.name)[1]
    env = {
        "srcdir": ".", "top_srcdir": str(top), "abs_top_builddir": str(top), "abs_top_srcdir": str(top),
        "abs_srcdir": str(cwd), "VERSION": version, "PACKAGE_VERSION": version, "LOCALE_FR": "none",
        "LOCALE_FR_UTF8": "none", "LOCALE_JA": "none", "built_programs": " ".join(kind.programs.values()),
        "host_os": "linux-gnu", "host_triplet": "x86_64-pc-linux-gnu", "CONFIG_HEADER": str(
            top / "config-empty.h"), "CC": "cc", "AWK": "awk", "EGREP": "grep -E", "EXEEXT": "",
        "MAKE": "make", "PERL": "perl", "SHELL": "/bin/sh", "TMPDIR": "/tmp"
    }
    units = []
    for script in sorted(s for pattern in kind.globs for s in top.glob(pattern)):
        name = str(script.relative_to(cwd))
        if not script.is_file() or re.search(
                kind.leave, name) or "init.sh" not in script.read_text(errors="replace")[:3000]:
            continue
        units.append(Unit(name, ("sh", "-c", 'exec 9>&2; exec sh "$0"', name), cwd, verdicts.automake(name),
                          {**env, "CU_TEST_NAME": name.replace("/", "-")}))
    return units


GAWK_LEFT = {
    "diffout", "test-clean", "clean", "inetecht", "inetechu", "inetdayt", "inetdayu", "pty1", "pty2",
    "localenl"
}


def prepare_gawk(folder: Path) -> list[Unit]:
    there = Sources(folder.parent).unpack("gawk") / "test"
    text = (there / "Makefile.in").read_text()
    targets = sorted({
        word
        for name in ("BASIC_TESTS", "UNIX_TESTS", "GAWK_EXT_TESTS", "LOCALE_CHARSET_TESTS")
        for word in re.search(rf"^{name} = (.*?[^\\])\n", text, re.M | re.S)[1].replace("\\\n", " ").split()
    } - GAWK_LEFT)
    (there / "Makefile.sysvm").write_text(
        re.sub(r"^@SET_MAKE@$", "", text,
               flags=re.M).replace("@srcdir@", ".").replace("@top_srcdir@",
                                                            "..").replace("@SHELL@", "/bin/sh"))
    units = []
    for i in range(0, len(targets), 16):
        some = targets[i:i + 16]

        def read(done: Finished, some=some) -> Verdicts:
            # A test compares what it wrote (_NAME), and removes that if it is right.
            return {
                t: "FAIL" if (there / f"_{t}").exists() else
                "PASS" if re.search(rf"^{re.escape(t)}\b", done.output, re.M) else "not run"
                for t in some
            }

        def before(some=some) -> None:
            for t in some:
                (there / f"_{t}").unlink(missing_ok=True)

        units.append(
            Unit(f"{some[0]}..{some[-1]}", ("make", "-k", "-f", "Makefile.sysvm", "AWKPROG=/usr/bin/gawk",
                                            "CMP=cmp", "abs_srcdir=" + str(there), *some), there, read,
                 before=before))
    return units


MAKE = re.compile(r"^(?=(\S+/\S+) \.+ )\S+ \.+ (ok|FAILED|N/A)")


def prepare_make(folder: Path) -> list[Unit]:
    source = Sources(folder.parent).unpack("make") / "tests"
    units = []
    for category in sorted(p for p in (source / "scripts").iterdir() if p.is_dir()):
        place = folder / category.name
        if not place.exists():
            shutil.copytree(source, place)
            (place / "config-flags.pm").write_text(
                re.sub(r"@\w+@", "", (source / "config-flags.pm.in").read_text()))
        names = sorted(f"{category.name}/{p.name}" for p in (place / "scripts" / category.name).iterdir())

        def read(done: Finished) -> Verdicts:
            return {m[1]: m[2]
                    for m in map(MAKE.match, done.output.splitlines())
                    if m} | {"exit status": str(done.status)}

        units.append(
            Unit(category.name, ("perl", "run_make_tests.pl", "-make", "/usr/bin/make", *names), place, read))
    return units


def prepare_tar(folder: Path) -> list[Unit]:
    top = Sources(folder.parent).unpack("tar")
    if not (folder / "made").exists():
        log = folder / "prepare.log"
        must([
            "sh", "-c",
            "FORCE_UNSAFE_CONFIGURE=1 ./configure -q --disable-nls CFLAGS='-O0 -w' && make -s -C gnu && make -s -C tests genfile checkseekhole ckmtime"
        ], top, log=log)
        must(["sh", "-c", "test -x tests/testsuite || make -s -C tests testsuite"], top, log=log)
        link_programs(folder / "bin", "tar")
        (folder / "made").touch()
    listed = subprocess.run(["sh", "./testsuite", "--list"], cwd=top / "tests", capture_output=True,
                            text=True).stdout
    count = max((int(n) for n in re.findall(r"^\s*(\d+): ", listed, re.M)), default=0)
    units = []
    for first in range(1, count + 1, 12):
        place = folder / "work" / str(first)
        place.mkdir(parents=True, exist_ok=True)
        units.append(
            Unit(f"{first}-{min(first + 11, count)}",
                 ("sh", "../../../src/" + str(top.relative_to(folder.parent / "src")) + "/tests/testsuite",
                  f"AUTOTEST_PATH={folder}/bin:{top}/tests", f"{first}-{min(first + 11, count)}"), place,
                 verdicts.autotest, {"TAR_OPTIONS": "", "abs_builddir": str(top / 'tests')},
                 before=lambda p=place: shutil.rmtree(p / "testsuite.dir", ignore_errors=True)))
    return units


SUITES = [
    Suite(name, kind.package, lambda folder, kind=kind: prepare_scripts(kind, folder), recorded=12)
    for name, kind in KINDS.items()
] + [
    Suite("gawk", "gawk", prepare_gawk),
    Suite("make", "make", prepare_make, recorded=1),
    Suite("tar", "tar", prepare_tar),
]
