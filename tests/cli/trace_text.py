# SPDX-License-Identifier: MIT
"""A trace made from text, for tests of the commands that read traces: needs no rights to record."""
from sysvm_program import SYSVM, run

TEXT = r"""100   1700000000.000001 execve("/bin/sh", ["sh", "-c", "<script>alert(1)</script>"], 0x7ffd /* 3 vars */) = 0 <0.000300>
100   1700000000.000400 openat(AT_FDCWD, "/tmp/<b>&\"\n\377", O_RDONLY|O_CLOEXEC) = 3 <0.000010>
100   1700000000.000500 read(3, "x"..., 4096) = 1 <0.000005>
100   1700000000.000600 close(3) = 0 <0.000002>
100   1700000000.000700 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD, child_tidptr=0x7f0) = 101 <0.000100>
101   1700000000.000900 openat(AT_FDCWD, "absent", O_RDONLY) = -1 ENOENT (No such file or directory) <0.000004>
100   1700000000.001000 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 101 <0.000500>
101   1700000000.001100 exit_group(0) = ?
101   1700000000.001200 +++ exited with 0 +++
100   1700000000.001600 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED} ---
100   1700000000.001700 exit_group(3) = ?
100   1700000000.001800 +++ exited with 3 +++
"""
EVENTS = 11  # with the child's return from clone
CALLS = 9    # without that, and without the signal


def make_trace(folder, text=TEXT, name="x.trace"):
    (folder / "x.txt").write_text(text, encoding="latin-1")
    trace = folder / name
    done = run(SYSVM, "import", folder / "x.txt", "-o", trace)
    assert done.returncode == 0, done.stderr
    return trace
