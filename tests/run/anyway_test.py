# SPDX-License-Identifier: MIT
"""Whatever is wrong around a run - procedures, limits, folders, a helper - the command runs."""
import os
import resource
import shutil
import subprocess

import pytest

from wrapper import READ, SYSVM, home, one_line, procedures, run, staying  # noqa: F401
from foreground import in_time  # noqa: E402, F401


@pytest.mark.parametrize("name, text, part", [("missing.svp", None, "No such file"),
                                              ("bad.svp", b"SYSVMSVPrubbish", "bad.svp"),
                                              ("empty.svp", b"", "empty.svp")])
def test_without_usable_procedures_the_command_runs(home, name, text, part):
    path = os.path.join(home["HOME"], name)
    if text is not None:
        with open(path, "wb") as f:
            f.write(text)
    done = run(home, SYSVM, "run", "-P", path, "--", "sh", "-c", "echo job; exit 5")
    assert (done.returncode, done.stdout) == (5, b"job\n")
    one_line(done, part, "plainly")
    required = run(home, SYSVM, "run", "--require", "-P", path, "--", "sh", "-c", "echo job; exit 5")
    assert (required.returncode, required.stdout) == (2, b"")
    one_line(required, part)


def test_procedures_of_another_build_say_so(home):
    with open(READ) as f:
        text = f.read()
    bound = os.path.join(home["HOME"], "bound.txt")
    with open(bound, "w") as f:
        for line in text.splitlines(True):
            f.write(line + ("  exe " + "ab" * 20 + "\n" if line.startswith("proc") else ""))
    svp = os.path.join(home["HOME"], "bound.svp")
    subprocess.run([SYSVM, "asm", bound, "-o", svp], check=True)
    for _ in range(2):
        done = run(home, SYSVM, "run", "-P", svp, "--", "echo", "job")
        assert (done.returncode, done.stdout) == (0, b"job\n")
        one_line(done, svp, "another build", "ab" * 20)
    required = run(home, SYSVM, "run", "--require", "-P", svp, "--", "echo", "job")
    assert (required.returncode, required.stdout) == (2, b"")


def test_an_engine_that_is_not_there(home):
    if os.path.exists("/dev/sysvm"):
        pytest.skip("the module is loaded here")
    done = run(home, SYSVM, "run", "--engine", "kernel", "--", "echo", "job")
    assert (done.returncode, done.stdout) == (0, b"job\n")
    one_line(done, "/dev/sysvm", "plainly")
    assert run(home, SYSVM, "run", "--require", "--engine", "kernel", "--", "echo", "job").returncode == 125


@pytest.mark.parametrize("text, part", [("exit 0", "ended early"), ("kill -9 $$", "ended early"),
                                        ("echo rubbish; echo more", "rubbish"),
                                        ("printf SYSVSTR1rubbish", "SYSVSTR1rubbish"),
                                        ("exec sleep 30", "longer than"), (None, "No such file")])
def test_a_helper_that_fails(home, text, part):
    """The front program in a tree of its own, where the program that analyses is something else."""
    tree = os.path.join(home["HOME"], "tree")
    os.makedirs(os.path.join(tree, "bin"))
    os.makedirs(os.path.join(tree, "libexec", "sysvm"))
    front, helper = os.path.join(tree, "bin", "sysvm"), os.path.join(tree, "libexec", "sysvm", "sysvm")
    shutil.copy(SYSVM, front)
    if text is not None:
        with open(helper, "w") as f:
            f.write("#!/bin/sh\n%s\n" % text)
        os.chmod(helper, 0o755)
    done = run(home, front, "run", "--", "sh", "-c", "echo job; exit 5")
    assert (done.returncode, done.stdout) == (5, b"job\n")
    one_line(done, part, "plainly")


LIMITS = {"descriptors": (resource.RLIMIT_NOFILE, 4), "five descriptors": (resource.RLIMIT_NOFILE, 5),
          "file size": (resource.RLIMIT_FSIZE, 1024), "no file at all": (resource.RLIMIT_FSIZE, 0),
          "stack": (resource.RLIMIT_STACK, 64 << 10), "memory": (resource.RLIMIT_AS, 12 << 20),
          "data": (resource.RLIMIT_DATA, 1 << 20)}


@pytest.mark.parametrize("kept", ["first", "second", "beside", "beside again"])
@pytest.mark.parametrize("limit", LIMITS)
def test_small_limits_do_not_cost_the_job(home, limit, kept):
    """dash under the limit; where it runs plainly, it runs."""
    words = ["/bin/sh", "-c", "echo job; exit 5"]
    if kept in ("second", "beside again"):
        run(home, SYSVM, "run", "--", *words)
    what, value = LIMITS[limit]

    def lower():
        resource.setrlimit(what, (value, value))
    assert run(home, *words, preexec_fn=lower).returncode == 5, "the plain run itself"
    with_us = staying(home, *words) if "beside" in kept else [SYSVM, "run", "--", *words]
    done = run(home, *with_us, preexec_fn=lower)
    assert (done.returncode, done.stdout) == (5, b"job\n"), done.stderr
    assert all(l.startswith(b"sysvm: ") for l in done.stderr.splitlines())
    assert len(done.stderr.splitlines()) <= 2
    assert os.listdir(home["TMPDIR"]) == []


@pytest.mark.parametrize("change", [{"HOME": None}, {"HOME": "relative"}, {"HOME": "/nonexistent/at/all"},
                                    {"HOME": "/proc"},
                                    {"TMPDIR": "/nonexistent"}, {"TMPDIR": ""}, {"TMPDIR": None}])
def test_odd_home_and_tmpdir(home, change):
    env = dict(home)
    for name, value in change.items():
        env.pop(name)
        if value is not None:
            env[name] = value
    done = run(env, SYSVM, "run", "-P", procedures(home), "--", "sh", "-c", "echo job; exit 5")
    assert (done.returncode, done.stdout) == (5, b"job\n")
    if "HOME" in change:
        one_line(done, "not kept")
    else:
        assert done.stderr == b""


def test_without_a_second_process(home):
    """RLIMIT_NPROC does not bind root; an ordinary user may be at the limit."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become another user")

    def lower():
        os.setgid(65534)
        os.setuid(65534)
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    env = dict(home, HOME="/nonexistent")
    for words in ([SYSVM, "run", "--", "/bin/echo", "job"],
                  [SYSVM, "run", "--json", "--", "/bin/echo", "job"]):
        try:
            done = run(env, *words, preexec_fn=lower)
        except PermissionError:
            pytest.skip("another user cannot execute the program where it was built")
        assert (done.returncode, done.stdout) == (0, b"job\n"), done.stderr


def test_arguments_that_only_just_fit(home):
    """E2BIG is never ours: the longest list of arguments that a plain run takes is taken."""
    low, high = 0, 1 << 22
    word = "x" * 100000

    def words(n):
        return [word] * (n // len(word)) + ["x" * (n % len(word))]
    while high - low > 1:  # the longest
        middle = (low + high) // 2
        try:
            ok = subprocess.run(["/bin/true", *words(middle)], env=home).returncode == 0
        except OSError:
            ok = False
        low, high = (middle, high) if ok else (low, middle)
    run(home, SYSVM, "run", "--", "/bin/true")
    ours = len(SYSVM) + len("run") + len("--") + 3 + 3 * 8 + 8
    done = run(home, SYSVM, "run", "--", "/bin/true", *words(low - ours - 64))
    assert (done.returncode, done.stderr) == (0, b"")
