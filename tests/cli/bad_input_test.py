# SPDX-License-Identifier: MIT
"""Bad input, at the command line: a message that says what, where and what was expected, the documented exit
status, and never a crash, a hang, or a changed result of the program that is run.

One table for what goes wrong before or around a command, one for files that are not what they should be, then
the programs that the shim must leave alone. Subcommands that do not exist are left out of the rows.
"""
import json
import os
import random
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from sysvm_program import BIN, SYSVM, commands, run
from tiny_elf import i386_program

RUNNERS = [c for c in ("record", "stat", "run", "try") if c in commands()]
READERS = [c for c in ("info", "dump", "mine", "compile", "explain", "disasm", "asm") if c in commands()]
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all",
          "--bounding-set=-all"]


def check(done, status, *says):
    """Ended by itself, with this status, and its message has these words."""
    text = done.stderr.decode(errors="replace")
    assert done.returncode == status, text
    for word in says:
        assert str(word) in text, text
    if says:
        assert text.startswith("sysvm: ") or "\nsysvm: " in text, text


@pytest.fixture
def folder(tmp_path, monkeypatch):
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents:  # others must be able to come here, as nobody does
        if parent.owner() == Path.home().owner() and parent != Path("/tmp") and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


# --- a command that cannot be run ---

def a_file(folder, name, content=b"", mode=0o755):
    path = folder / name
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


CANNOT_RUN = {
    # what: (CMD made in a folder, exit status, words of the message)
    "nowhere in PATH": (lambda folder: "no-such-command", 127, ["no-such-command", "not found"]),
    "a path that is not there": (lambda folder: str(folder / "absent"), 127, ["absent"]),
    "a file without the right to execute": (lambda folder: a_file(folder, "plain", b"#!/bin/sh\n", 0o644),
                                            126, ["plain"]),
    "a folder": (lambda folder: str(folder), 126, []),
    "a script of an interpreter that is not there": (lambda folder: a_file(folder, "script",
                                                                           b"#!/no/such/interpreter\n"), 127,
                                                     ["script"]),
}


@pytest.mark.parametrize("command", RUNNERS)
@pytest.mark.parametrize("what", CANNOT_RUN)
def test_command_that_cannot_be_run(folder, command, what):
    make, status, says = CANNOT_RUN[what]
    done = run(SYSVM, command, "--", make(folder), "word")
    check(done, status, *says)
    assert done.stdout == b""


@pytest.mark.parametrize("command", [c for c in RUNNERS if c != "try"])
def test_file_of_no_known_format_goes_to_the_shell_as_execvp_does(folder, command):
    garbage = a_file(folder, "garbage", b"\x7fELF" + bytes(100))
    plain, ours = run("env", garbage), run(SYSVM, command, "--", garbage)
    assert (ours.returncode, ours.stdout) == (plain.returncode, plain.stdout)
    assert plain.stderr in ours.stderr


USAGE = {
    "no command": [[c] for c in RUNNERS],
    "an unknown option": [[c, "--bogus", "--", "true"] for c in RUNNERS],
    "an option without its value": [["record", "-o"], ["run", "-P"], ["try", "--in-copy"]],
    "an engine that does not exist": [["run", "--engine", "warp", "--", "true"],
                                      ["try", "--engine", "warp", "--", "true"]],
    "a backend that does not exist": [["record", "--backend", "warp", "--", "true"],
                                      ["stat", "--backend", "warp", "--", "true"]],
    "a process and a command": [["record", "-p", "1", "--", "true"]],
    "a number that is none": [["record", "-p", "many"], ["run", "--age", "soon", "--", "true"]],
    "a user that does not exist": [["record", "-u", "no-such-user", "--", "true"],
                                   ["stat", "-u", "no-such-user", "--", "true"]],
    "no file": [[c] for c in READERS],
    "a word too many": [["doctor", "word"], ["bench", "word"]],
}


@pytest.mark.parametrize("words", [pytest.param(words, id=f"{what}: {' '.join(words)}") for what,
                                   rows in USAGE.items()
                                   for words in rows if words[0] in commands()])
def test_usage_error(folder, words):
    done = run(SYSVM, *words)
    check(done, 2, "sysvm")
    assert done.stdout == b""
    assert list(folder.iterdir()) == []  # nothing was begun


@pytest.mark.parametrize("command", [c for c in RUNNERS if c != "try"])
def test_end_of_the_command_is_ours(folder, command):
    done = run(SYSVM, command, "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout) == (7, b"out\n") and b"err\n" in done.stderr
    assert run(SYSVM, command, "--", "sh", "-c", "kill -TERM $$").returncode == -signal.SIGTERM


# --- no rights, no module ---

def as_nobody(*words):
    return run(*(NOBODY if os.getuid() == 0 else []), *words)


@pytest.mark.parametrize("command", [c for c in ("record", "stat") if c in commands()])
def test_without_bpf_rights_ptrace_does_it_and_says_so(folder, command):
    done = as_nobody(SYSVM, command, "--", "echo", "hi")
    check(done, 0, "ptrace", "cap_bpf")
    assert done.stdout == b"hi\n"


@pytest.mark.parametrize("command", [c for c in ("record", "stat") if c in commands()])
def test_bpf_asked_for_without_rights_names_the_fix(folder, command):
    done = as_nobody(SYSVM, command, "--backend", "bpf", "--", "echo", "hi")
    check(done, 125, "cap_bpf")
    assert done.stdout == b""


def device_usable():
    try:
        os.close(os.open("/dev/sysvm", os.O_RDWR))
        return True
    except OSError:
        return False


@pytest.mark.parametrize("command", [c for c in ("run", "try") if c in commands()])
def test_kernel_engine_asked_for_without_the_module(folder, command):
    require = ["--require"] if command == "run" else []
    done = run(SYSVM, command, *require, "--engine", "kernel", "--", "echo", "hi")
    if device_usable():  # then it must work
        assert done.returncode == 0
    else:
        check(done, 125, "/dev/sysvm")
        assert done.stdout == b""


def test_recording_into_a_file_that_is_no_trace_leaves_it_alone(folder):
    a_file(folder, "letter", b"dear reader", 0o600)
    done = run(SYSVM, "record", "-o", "letter", "--", "echo", "hi")
    check(done, 125, "letter")
    assert done.stdout == b"" and (folder / "letter").read_bytes() == b"dear reader"


def test_recording_into_a_folder_that_is_not_there(folder):
    done = run(SYSVM, "record", "-o", "absent/x.trace", "--", "echo", "hi")
    check(done, 125, "absent/x.trace")
    assert done.stdout == b""


def test_process_that_does_not_exist(folder):
    ended = subprocess.Popen(["true"])
    ended.wait()
    check(run(SYSVM, "record", "-p", ended.pid), 125, ended.pid)


# --- files that are not what they should be ---

NOT_A_FILE = {
    "absent": lambda folder: "absent",
    "a folder": lambda folder: str(folder),
    "empty": lambda folder: a_file(folder, "empty"),
    "text": lambda folder: a_file(folder, "text", b"procedure without a name\n" * 40),
    "zeros": lambda folder: a_file(folder, "zeros", bytes(8192)),
    "random bytes": lambda folder: a_file(folder, "random", random.Random(1).randbytes(8192)),
    "a program": lambda folder: "/bin/true",
}
# A text of no procedures is one.
TAKEN = {("asm", "empty")}


@pytest.mark.parametrize("command", READERS)
@pytest.mark.parametrize("what", NOT_A_FILE)
def test_file_that_is_not_what_it_should_be(folder, command, what):
    path = NOT_A_FILE[what](folder)
    done = run(SYSVM, command, path, *(["-o", "out"] if command in ("asm", "compile") else []))
    if (command, what) in TAKEN:
        assert done.returncode == 0
    else:
        check(done, 2, Path(path).name)
        assert not (folder / "out").exists()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A small trace of a program that reads files, and procedures made from it."""
    folder = tmp_path_factory.mktemp("recorded")
    for i in range(12):
        (folder / f"{i}.txt").write_text(f"file {i}\n" * 40)
    words = ["cat"] + [str(folder / f"{i}.txt") for i in range(12)]
    done = run(SYSVM, "record", "-q", "-o", folder / "small.trace", "--", *words)
    assert done.returncode == 0, done.stderr
    made = run(SYSVM, "compile", folder / "small.trace", "-o", folder / "small.svp")
    assert made.returncode == 0, made.stderr
    return folder, words, done.stdout



def cuts(size):
    """Every byte of the start and the end, a sample between; tests/traces/damage_test.cc cuts at every byte
    of all."""
    return sorted(set(range(0, 64)) | set(range(64, size, size // 100)) | set(range(size - 64, size)))


def without_file(report):
    return [line for line in report.splitlines() if not line.startswith(b"file ")]


@pytest.mark.parametrize("command", [c for c in ("info", "dump") if c in commands()])
def test_trace_cut_at_any_byte(folder, recorded, command):
    whole = (recorded[0] / "small.trace").read_bytes()
    complete = run(SYSVM, command, recorded[0] / "small.trace").stdout
    cut = folder / "cut.trace"
    for size in cuts(len(whole)):
        cut.write_bytes(whole[:size])
        done = run(SYSVM, command, cut)
        assert done.returncode in (0, 2), (size, done.stderr)
        if done.returncode == 2:
            check(done, 2, "cut.trace")
        if command == "dump":  # what it prints is the start of the whole
            assert complete.startswith(done.stdout), size
        # cut between two chunks: nothing is damaged, but it says what is missing, if anything
        elif done.returncode == 0:
            assert b"complete   no" in done.stdout or without_file(done.stdout) == without_file(complete), \
                size


@pytest.mark.parametrize("command", [c for c in ("info", "dump", "compile") if c in commands()])
def test_trace_with_a_flipped_byte(folder, recorded, command):
    whole = (recorded[0] / "small.trace").read_bytes()
    bad = folder / "bad.trace"
    for at in random.Random(2).sample(range(len(whole)), 40):
        bad.write_bytes(whole[:at] + bytes([whole[at] ^ 0x40]) + whole[at + 1:])
        done = run(SYSVM, command, bad, *(["-o", "out.svp"] if command == "compile" else []))
        assert done.returncode in ((0, 2) if command == "compile" else (2,)), (at, done.stderr)
        assert b"bad.trace" in done.stderr, at


def test_procedure_file_with_a_flipped_byte_is_refused_and_nothing_runs(folder, recorded):
    whole = (recorded[0] / "small.svp").read_bytes()
    bad = folder / "bad.svp"
    for at in random.Random(3).sample(range(len(whole)), min(len(whole), 60)):
        bad.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1:])
        for words in (["run", "--require", "-P", bad, "--", "echo", "hi"], ["explain", bad]):
            if words[0] in commands():
                done = run(SYSVM, *words)
                check(done, 2, "bad.svp")
                assert done.stdout == b"", at


def test_procedure_file_cut_short_is_refused(folder, recorded):
    whole = (recorded[0] / "small.svp").read_bytes()
    bad = folder / "cut.svp"
    for size in sorted({0, 1, 7, 8, 39, 40, len(whole) // 2, len(whole) - 1}):
        bad.write_bytes(whole[:size])
        done = run(SYSVM, "run", "--require", "-P", bad, "--", "echo", "hi")
        check(done, 2, "cut.svp")
        assert done.stdout == b"", size
        done = run(SYSVM, "run", "-P", bad, "--", "echo", "hi")
        check(done, 0, "cut.svp", "echo runs plainly")
        assert done.stdout == b"hi\n", size


# --- programs that the shim must leave alone ---

def compiled(folder, name, text, *flags):
    (folder / f"{name}.c").write_text(text)
    done = run("gcc", "-O1", "-o", folder / name, folder / f"{name}.c", *flags)
    assert done.returncode == 0, done.stderr
    return str(folder / name)


def same_under(command, words, before=()):
    """Runs plainly and under our command: same output and status. Returns what our command said beside it."""
    plain, ours = run(*before, *words), run(*before, SYSVM, *command, "--", *words)
    assert (ours.returncode, ours.stdout) == (plain.returncode, plain.stdout), ours.stderr
    return ours.stderr.decode()


def under_shim(recorded, *more):
    return ["run", "--engine", "user", "-P", recorded[0] / "small.svp", *more]


PRINTS = "#include <stdio.h>\nint main(int n, char **w) { printf(\"%d %s\\n\", n, w[1]); return 7; }\n"


def test_static_program_runs_plainly(folder, recorded):
    program = compiled(folder, "fixed", PRINTS, "-static")
    assert "static" in same_under(under_shim(recorded), [program, "word"])


def test_32_bit_program_runs_plainly(folder, recorded):
    program = a_file(folder, "narrow", i386_program())
    try:
        plain = subprocess.run([program], capture_output=True, timeout=20)
    except OSError:  # this kernel has no 32-bit emulation: then we cannot either, and say so
        check(run(SYSVM, *under_shim(recorded), "--", program), 126, "narrow")
        return
    assert (plain.returncode, plain.stdout) == (7, b"hi\n")
    assert "32" in same_under(under_shim(recorded), [program])


def test_setuid_program_runs_plainly(folder, recorded):
    program = compiled(folder, "raised", "#include <stdio.h>\n#include <unistd.h>\n"
                       "int main(void) { printf(\"%d %d\\n\", getuid() == 0, geteuid() == 0); return 3; }\n")
    os.chmod(program, 0o4755)
    shutil.copy(recorded[0] / "small.svp", folder / "small.svp")
    (folder / "small.svp").chmod(0o644)
    said = same_under(["run", "--engine", "user", "-P", folder / "small.svp"], [program],
                      before=NOBODY if os.getuid() == 0 else [])
    assert "set" in said


def test_program_under_a_filter_runs_plainly(folder, recorded):
    _, words, output = recorded
    stats = folder / "stats.json"
    done = run(BIN / "under_filter", SYSVM, *under_shim(recorded, "--stats", stats), "--", *words)
    assert (done.returncode, done.stdout) == (0, output)
    counted = json.loads(stats.read_text())
    assert counted["answered"] == 0 and "seccomp" in json.dumps(counted["off"])


def test_filter_set_by_the_program_itself(folder, recorded):
    _, words, output = recorded
    done = run(SYSVM, *under_shim(recorded), "--", BIN / "under_filter", *words)
    assert (done.returncode, done.stdout) == (0, output)


def test_unknown_libc_changes_nothing(folder, recorded):
    libc = Path("/lib/x86_64-linux-gnu/libc.so.6").resolve().read_bytes()
    note = libc.index(b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0") + 16
    # a build-id that nobody knows
    (folder / "libc.so.6").write_bytes(libc[:note] + bytes(20) + libc[note + 20:])
    words = ["/lib64/ld-linux-x86-64.so.2", "--library-path", folder, "/bin/cat", *recorded[1][1:]]
    for _ in range(2):  # when it is met for the first time, and when it is known
        same_under(under_shim(recorded), words)


def test_patched_libc_with_garbage_where_calls_are_is_left_alone(folder, recorded):
    libc = bytearray(Path("/lib/x86_64-linux-gnu/libc.so.6").resolve().read_bytes())
    getppid = libc.index(b"\xb8\x6e\0\0\0\x0f\x05")  # mov $110, %eax; syscall
    libc[getppid:getppid + 5] = b"\x6a\x6e\x58\x90\x90"  # the same by other instructions: push $110; pop %rax
    (folder / "libc.so.6").write_bytes(libc)
    program = compiled(folder, "asks",
                       "#include <stdio.h>\n#include <unistd.h>\nint main(void) { return getppid() < 1; }\n")
    words = ["/lib64/ld-linux-x86-64.so.2", "--library-path", folder, program]
    assert run(*words).returncode == 0
    for _ in range(2):
        same_under(under_shim(recorded), words)


def test_disabled_by_the_environment(folder, recorded):
    _, words, output = recorded
    stats = folder / "stats.json"
    done = run(SYSVM, *under_shim(recorded, "--stats", stats), "--", *words,
               env={**os.environ, "SYSVM_DISABLE": "1"})
    assert (done.returncode, done.stdout) == (0, output)
    assert json.loads(stats.read_text())["answered"] == 0
