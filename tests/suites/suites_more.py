# SPDX-License-Identifier: MIT
"""Perl's core tests against the installed perl, busybox's against the installed busybox, GLib's installed
tests."""
import re
import shutil
from pathlib import Path

import verdicts
from sources import Sources, must, text_of
from suite import Suite, Unavailable, Unit

# About the build tree, minutes long, or about what a terminal or a network says.
PERL_LEFT = re.compile(
    r"uniprops|re/pat_psycho|op/alarm|op/time|op/sselect|io/shm|op/getppid|porting|lib/commonsense|bigmem|op/sleep|re/speed|op/threads"
)


def prepare_perl(folder: Path) -> list[Unit]:
    """The tests look for ../lib and ./perl: a tree of links to what is installed."""
    source = Sources(folder.parent).unpack("perl")
    if not (folder / "made").exists():
        shutil.rmtree(folder / "t", ignore_errors=True)
        shutil.rmtree(folder / "lib", ignore_errors=True)
        shutil.copytree(source / "t", folder / "t", symlinks=True)
        (folder / "lib").mkdir()
        config = text_of("/usr/bin/perl", "-MConfig", "-e", 'print "@Config{qw(privlib archlib)}"').split()
        for installed in ("/usr/lib/x86_64-linux-gnu/perl-base", *config):
            if Path(installed).exists():
                must(["cp", "-rsf", f"{installed}/.", str(folder / "lib")], folder)
        (folder / "t/perl").symlink_to("/usr/bin/perl")
        (folder / "made").touch()
    t = folder / "t"
    scripts = sorted(
        str(s.relative_to(t)) for part in ("base", "cmd", "comp", "io", "op", "re", "run", "uni")
        for s in (t / part).glob("*.t"))
    return [
        Unit(s, ("./perl", s), t, verdicts.tap,
             {"PERL_CORE": "1", "PERL_SKIP_TTY_TEST": "1", "PERL_HASH_SEED": "0"}) for s in scripts
        if not PERL_LEFT.search(s)
    ]


# Servers and init systems; what counts processes or disks.
BUSYBOX_LEFT = {"mdev", "mount", "pidof", "start-stop-daemon", "ts", "sha3sum"}


def prepare_busybox(folder: Path) -> list[Unit]:
    source = Sources(folder.parent).unpack("busybox")
    program = shutil.which("busybox")
    config = source / "debian/config/pkg/deb"
    if not program or not config.exists():
        raise Unavailable(f"no busybox, or no {config}")
    tests = source / "testsuite"
    names = sorted({
        p.name.removesuffix(".tests")
        for p in tests.iterdir() if p.suffix == ".tests" or p.is_dir() and "runtest" not in p.name
    } - BUSYBOX_LEFT)
    units = []
    scripts = folder / "scripts"  # where the tests look for the sources of their helpers
    if not scripts.exists():
        shutil.copytree(source / "scripts", scripts)
    for name in names:
        bin_dir, place = folder / "bin" / name, folder / f"tests-{name}"
        bin_dir.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(config, bin_dir / ".config")
        if not (bin_dir / "busybox").exists():
            (bin_dir / "busybox").symlink_to(program)
        if not place.exists():
            shutil.copytree(tests, place, symlinks=True)  # runtest makes and removes folders in it
        units.append(
            Unit(name, ("sh", "./runtest", name), place, verdicts.dejagnu,
                 {"bindir": str(bin_dir), "tsdir": str(place)}))
    return units


GLIB_LEFT = re.compile(
    r"gdbus|slow|network|resolver|socket|proxy|monitor|timer|appinfo|desktop|mainloop|thread-pool-slow|credentials|portal"
)


def prepare_glib(folder: Path) -> list[Unit]:
    listed = sorted(Path("/usr/share/installed-tests/glib").glob("*.test"))
    if not listed:
        raise Unavailable("libglib2.0-tests is not installed: see scripts/packages-suites.txt")
    units = []
    # The one that only contends for locks takes the processors for a while: last, so that no recording is
    # made of it.
    for test in sorted(listed, key=lambda t: t.name.startswith("1bit-mutex")):
        command = re.search(r"^Exec=(.*)$", test.read_text(), re.M)
        if not command or GLIB_LEFT.search(test.name):
            continue
        place = folder / "work" / test.name
        place.mkdir(parents=True, exist_ok=True)
        units.append(
            Unit(test.name.removesuffix(".test"), ("sh", "-c", f"exec {command[1]}"), place, verdicts.tap,
                 {"XDG_RUNTIME_DIR": str(place)}))
    return units


SUITES = [
    Suite("perl", "perl", prepare_perl, recorded=8),
    Suite("busybox", "busybox", prepare_busybox, recorded=6),
    Suite("glib", "libglib2.0-tests", prepare_glib, recorded=6, timeout=60),
]
