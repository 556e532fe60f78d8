# SPDX-License-Identifier: MIT
"""The guest that runs the kernel module: what it is made of, and one boot of it.

The parts are Debian's stock kernel (scripts/fetch-kernel), the module built against its headers, and an
initrd of a static init (init.c), the modules that reach the host's files, and the list of jobs. QEMU emulates
the processor, so no rights and no hardware support are needed; the flags are those that booted in 2 s and
without a hang when measured (docs/security.md says what the guest does not show). Everything lives below
build/guest.

For a look by hand: SYSVM_GUEST_SMP (processors), SYSVM_GUEST_CPU (model), SYSVM_GUEST_APPEND (kernel
parameters), SYSVM_GUEST_QEMU (QEMU's own: "-icount shift=0,sleep=off" makes the time stamp counter count
instructions), SYSVM_GUEST_SECONDS (how long a boot may last), SYSVM_GUEST_MITIGATIONS=amd or intel (below),
SYSVM_GUEST_KERNEL and SYSVM_GUEST_SUITE (another kernel, see scripts/fetch-kernel), SYSVM_GUEST_KASAN=1 (the
sanitizer kernel of scripts/kasan-kernel, where everything takes SLOW times as long).

Does not judge: run.py does. Tested by tests/qemu/guest_test.py and by every boot.
"""

import fcntl
import lzma
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
KASAN = os.environ.get("SYSVM_GUEST_KASAN") == "1"
SLOW = 10 if KASAN else 1
INIT_TIMEOUT = 60 * SLOW  # seconds until init must have spoken; 1.5-2.5 measured on an idle machine

# Both ways in, of which one is off by default: the tests enter by each in turn. On the sanitizer kernel a
# call takes as long as an entry may last, so each run would end as YIELD; and what is starved by the host
# looks like a stall.
MODULE_PARAMETERS = "fadvise=1 wide=1" + (" entry_ms=100" if KASAN else "")
KERNEL_PARAMETERS = "rcupdate.rcu_cpu_stall_suppress=1 " if KASAN else ""

# Kernels usually run with mitigations=off here, on a model that needs few: the guest works around faults that
# emulation does not have. With them the code is another: retpolines and untrained return thunks as on a Zen
# 2; on an Intel model with retpolines by LFENCE, where the kernel clears the branch history in software. No
# page-table isolation: each switch of it empties the emulator's own cache of translations.
MITIGATIONS = {
    "": ("Nehalem", "mitigations=off"),
    "amd": ("EPYC-Rome", "nopti spectre_v2=retpoline,generic retbleed=unret"),
    "intel": ("Skylake-Client", "nopti spectre_v2=retpoline,lfence spectre_bhi=on"),
}

# What the initrd loads before the host's files are there; what these need is found out from the files
# themselves.
WANTED_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")


class Unavailable(Exception):
    """The guest cannot run on this machine; the text is the reason."""


class Broken(Exception):
    """Something that should have worked did not."""


@dataclass
class Boot:
    """What one boot left behind."""

    report: str
    console: str
    timed_out: bool


def fetch_kernel(guest_dir: Path) -> Path:
    """The folder of the guest's kernel; downloads it when it is not there yet."""
    fetch = [SOURCE / "scripts/fetch-kernel", guest_dir / "kernel"]
    script = [SOURCE / "scripts/kasan-kernel"] if KASAN else fetch
    got = subprocess.run(script, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    sys.stderr.write(got.stderr)
    if got.returncode == 77:
        raise Unavailable(got.stderr.strip().splitlines()[-1])
    if got.returncode != 0:
        raise Broken(f"{script[0]}: exit status {got.returncode}\n{got.stderr}")
    return Path(got.stdout.strip())


def build_module(guest_dir: Path, kernel: Path, target: str = "modules",
                 changed: dict[str, str] | None = None) -> Path:
    """The module, built in a copy of kmod/ so that the source stays clean and two kernels do not meet.

    `target` is one of kmod/Makefile: modules, or check (sparse). `changed` has other texts for some of the
    files (mutations.py): those may make the compiler warn.
    """
    work = guest_dir / f"kmod-{kernel.name}"
    work.mkdir(parents=True, exist_ok=True)
    here = set()
    for source in sorted((SOURCE / "kmod").rglob("*")):
        if source.is_dir() or source.name.startswith(".") or source.suffix in (".ko", ".o", ".mod"):
            continue
        copy = work / source.relative_to(SOURCE / "kmod")
        here.add(copy)
        copy.parent.mkdir(parents=True, exist_ok=True)
        text = (changed or {}).get(str(source.relative_to(SOURCE / "kmod")))
        content = source.read_bytes() if text is None else text.encode()
        if not copy.exists() or copy.read_bytes() != content:
            copy.write_bytes(content)
    for copy in work.rglob("*.[ch]"):
        if copy not in here and not copy.name.endswith(".mod.c"):
            copy.unlink()
    unchecked = ["UNCHECKED=1"] if changed else []
    got = subprocess.run(["make", "-C", work, f"KDIR={kernel / 'headers'}", *unchecked, target],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    # What newer kernels say of the tools; the module has no type information, for which pahole would be.
    of_the_tools = re.compile("warning: (the compiler|pahole version) differs")
    warned = "warning:" in of_the_tools.sub("", got.stdout.lower())
    if got.returncode != 0 or (warned and not changed):
        raise Broken(
            f"make -C kmod {target} KDIR={kernel / 'headers'}: exit status {got.returncode}, expected 0 and no "
            f"warnings\n{got.stdout}")
    return work / "sysvm.ko"


def module_order(modules: Path) -> list[Path]:
    """WANTED_MODULES and what they depend on, each behind what it needs."""
    found = {path.name.split(".ko")[0].replace("-", "_"): path for path in sorted(modules.rglob("*.ko*"))}
    order: list[Path] = []

    def add(name: str) -> None:
        path = found.get(name)
        if path is None or path in order:
            return  # Not there: part of the kernel itself.
        content = read_module(path)
        start = content.index(b"depends=") + len("depends=")
        for needed in content[start : content.index(b"\0", start)].decode().split(","):
            if needed:
                add(needed.replace("-", "_"))
        order.append(path)

    for name in WANTED_MODULES:
        add(name)
    return order


def read_module(path: Path) -> bytes:
    """A kernel module's ELF file."""
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def cpio(entries: list[tuple[str, int, bytes]]) -> bytes:
    """A newc archive of (name, mode, content); the kernel's
    Documentation/driver-api/early-userspace/buffer-format.rst."""
    out = bytearray()
    for number, (name, mode, content) in enumerate([*entries, ("TRAILER!!!", 0, b"")], start=1):
        path = name.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
        out += b"070701" + b"".join(b"%08x" % field for field in fields) + path
        out += bytes(-len(out) % 4) + content
        out += bytes(-len(out) % 4)
    return bytes(out)


def initrd(init: Path, modules: list[Path], jobs: str) -> bytes:
    """The first file system of the guest."""
    entries = [("dev", 0o040755, b""), ("modules", 0o040755, b""), ("init", 0o100755, init.read_bytes()),
               ("jobs", 0o100644, jobs.encode())]
    for number, path in enumerate(modules):
        entries.append((f"modules/{number:02}-{path.name.split('.ko')[0]}.ko", 0o100644, read_module(path)))
    return cpio(entries)


def command(kernel: Path, initrd_file: Path, report: Path, console: list[str]) -> list[str]:
    """QEMU's command line."""
    qemu = shutil.which("qemu-system-x86_64")
    if qemu is None:
        raise Unavailable("no qemu-system-x86_64 here: apt-get install qemu-system-x86")
    image = next(path for path in (kernel / "vmlinux", kernel / "bzImage") if path.exists())
    # Nehalem: with the flags of newer models the guest works around processor faults that emulation does not
    # have, which costs time. One processor: two of them hung 1 boot in 85. loglevel=5 shows warnings and
    # worse.
    model, mitigations = MITIGATIONS[os.environ.get("SYSVM_GUEST_MITIGATIONS", "")]
    return [qemu, "-accel", "tcg", "-cpu", os.environ.get("SYSVM_GUEST_CPU", model),
            "-smp", os.environ.get("SYSVM_GUEST_SMP", "1"), "-m", "2048" if KASAN else "1024",
            "-nodefaults", "-display", "none", "-no-reboot", "-kernel", str(image), "-initrd",
            str(initrd_file), *console, "-chardev", f"file,id=report,path={report}", "-serial", "chardev:report",
            "-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap",
            *os.environ.get("SYSVM_GUEST_QEMU", "").split(),
            "-append", "console=ttyS0 loglevel=5 oops=panic panic=-1 "
            f"{mitigations} cryptomgr.notests syscall.x32=y {KERNEL_PARAMETERS}"
            + os.environ.get("SYSVM_GUEST_APPEND", "")]


def read_report(path: Path) -> str:
    """What init has said so far."""
    return path.read_text(errors="replace").replace("\r", "")


def boot(kernel: Path, init: Path, jobs: str, work: Path, timeout: float,
         watch: Callable[[str], None] = lambda report: None) -> Boot:
    """Boots once; ends when the guest switches itself off, or when it has not in `timeout` seconds.

    `watch` is given the report again and again while it grows.
    """
    work.mkdir(parents=True, exist_ok=True)
    report, console, image = work / "report", work / "console", work / "initrd"
    report.write_bytes(b"")
    image.write_bytes(initrd(init, module_order(kernel / "modules"), jobs))
    arguments = command(kernel, image, report, ["-serial", f"file:{console}"])
    timed_out = False
    seen = 0
    start = time.monotonic()
    with subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True) as qemu:
        try:
            while qemu.poll() is None:
                took = time.monotonic() - start
                if took > timeout or (took > INIT_TIMEOUT and not report.stat().st_size):
                    timed_out = True
                    qemu.kill()
                if seen != (seen := report.stat().st_size):
                    watch(read_report(report))
                time.sleep(0.05)
        finally:
            qemu.kill()
        said = qemu.stdout.read()
    if qemu.returncode not in (0, -9):
        raise Broken(f"qemu-system-x86_64: exit status {qemu.returncode}: {said.strip()}")
    watch(read_report(report))
    return Boot(read_report(report), read_report(console), timed_out)


def boot_with_retry(kernel: Path, init: Path, jobs: str, work: Path, timeout: float,
                    watch: Callable[[str], None] = lambda report: None) -> Boot:
    """Boots; once more if init was never reached, which is the emulator's failure and says nothing about the
    module."""
    got = boot(kernel, init, jobs, work, timeout, watch)
    if not got.report:
        print("guest: init was not reached, trying once more", file=sys.stderr)
        got = boot(kernel, init, jobs, work, timeout, watch)
    return got


def shell(kernel: Path, init: Path, jobs: str, work: Path) -> int:
    """Boots with this terminal as the guest's console."""
    work.mkdir(parents=True, exist_ok=True)
    image = work / "initrd"
    image.write_bytes(initrd(init, module_order(kernel / "modules"), jobs))
    console = ["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"]
    return subprocess.run(command(kernel, image, work / "report", console)).returncode


class Lock:
    """One user of build/guest at a time; the sanitizer kernel, which takes an hour, shares nothing with the
    others."""

    def __init__(self, guest_dir: Path) -> None:
        guest_dir.mkdir(parents=True, exist_ok=True)
        self.file = open(guest_dir / ("lock-kasan" if KASAN else "lock"), "w")

    def __enter__(self) -> None:
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self.file.close()
