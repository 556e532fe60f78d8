# SPDX-License-Identifier: MIT
"""Whatever is wrong around a run - procedures, limits, folders, a helper - the command runs."""
import json
import os
import resource
import shutil
import subprocess
from pathlib import Path

import pytest

from wrapper import READ, SYSVM, cache, home, one_line, procedures, run, staying  # noqa: F401
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


def bound_to(home, program):
    """The procedures, for a program of another build-id; its path in the notes, or nothing."""
    with open(READ) as f:
        text = f.read()
    bound = os.path.join(home["HOME"], "bound.txt")
    with open(bound, "w") as f:
        for line in text.splitlines(True):
            f.write(line + ("  exe " + "ab" * 20 + "\n" if line.startswith("proc") else ""))
        if program:
            f.write("notes " + json.dumps(json.dumps({"programs": {"ab" * 20: program}})) + "\n")
    svp = os.path.join(home["HOME"], "bound.svp")
    subprocess.run([SYSVM, "asm", bound, "-o", svp], check=True)
    return svp


@pytest.mark.parametrize("program, says", [("/opt/bin/echo", "made for another build"), ("", "none of its")])
def test_procedures_of_another_build_say_so(home, program, says):
    svp = bound_to(home, program)
    for _ in range(2):
        done = run(home, SYSVM, "run", "-P", svp, "--", "echo", "job")
        assert (done.returncode, done.stdout) == (0, b"job\n")
        one_line(done, svp, says, "ab" * 20)
        assert ("another build" in says) == (b"another build" in done.stderr)
    required = run(home, SYSVM, "run", "--require", "-P", svp, "--", "echo", "job")
    assert (required.returncode, required.stdout) == (2, b"")


def test_procedures_of_another_program_are_no_fault(home):
    """The command may start that program; whether it does nobody knows at its start."""
    svp = bound_to(home, "/opt/bin/else\nwhere")
    for _ in range(2):
        done = run(home, SYSVM, "run", "-P", svp, "--", "echo", "job")
        assert (done.returncode, done.stdout, done.stderr) == (0, b"job\n", b"")
    required = run(home, SYSVM, "run", "--require", "-P", svp, "--", "echo", "job")
    assert (required.returncode, required.stdout) == (2, b"")
    one_line(required, svp, "made for /opt/bin/else?where")


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
    done = run(home, front, "run", "--engine", "user", "--", "sh", "-c", "echo job; exit 5")
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
        run(home, SYSVM, "run", "--engine", "user", "--", *words)
    what, value = LIMITS[limit]

    def lower():
        resource.setrlimit(what, (value, value))
    assert run(home, *words, preexec_fn=lower).returncode == 5, "the plain run itself"
    with_us = staying(home, *words) if "beside" in kept else [SYSVM, "run", "--engine", "user", "--", *words]
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
    for words in ([SYSVM, "run", "--engine", "user", "--", "/bin/echo", "job"],
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
    ours = [SYSVM, "run", "--engine", "user", "--"]
    run(home, *ours, "/bin/true")
    room = sum(len(word) + 1 + 8 for word in ours) + 8
    done = run(home, *ours, "/bin/true", *words(low - room - 64))
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.fixture
def recorded(home):
    """A program that opens, asks and reads, and procedures for it: only the module saves time with them."""
    (path := Path(home["HOME"]) / "files").mkdir()
    for i in range(300):
        (path / f"f{i}").write_text("line\n" * 20)
    words = ["md5sum", *map(str, sorted(path.iterdir()))]
    trace, svp = path.parent / "t.trace", path.parent / "t.svp"
    done = run(home, SYSVM, "record", "-o", trace, "--", *words)
    if done.returncode:
        pytest.skip(f"recording is not possible here: {done.stderr.decode()}")
    assert run(home, SYSVM, "compile", trace, "-o", svp).returncode == 0
    return svp, words


def test_an_engine_that_would_lose_is_not_used(home, recorded):
    if os.path.exists("/dev/sysvm"):
        pytest.skip("the module is loaded here")
    svp, words = recorded
    plain = run(home, *words)
    for _ in range(2):  # when it is judged, and when that is kept
        done = run(home, SYSVM, "run", "-P", svp, "--", "sh", "-c", "env; cat /proc/$$/maps")
        assert b"libsysvm" not in done.stdout and done.stderr == b""
        done = run(home, SYSVM, "run", "--json", "-P", svp, "--", *words)
        counts = json.loads(done.stderr)
        assert done.stdout == plain.stdout and counts["seen"] == 0
        assert "the user engine" in counts["plain"] and "--engine user" in counts["plain"]
    assert run(home, SYSVM, "run", "--require", "-P", svp, "--", *words).stdout == plain.stdout
    done = run(home, SYSVM, "run", "-v", "-P", svp, "--", *words)
    assert b"run plainly: the user engine" in done.stderr


def test_other_costs_are_another_answer(home, recorded):
    """A kept start goes when the machine's costs are measured anew."""
    if os.path.exists("/dev/sysvm"):
        pytest.skip("the module is loaded here")
    svp, words = recorded
    costs = Path(home["HOME"]) / ".cache" / "sysvm" / "costs.json"

    def plain(**changed):
        costs.parent.mkdir(parents=True, exist_ok=True)
        cost = dict(crossing_ns=100, shim_hit_ns=13, shim_watched_ns=20, user_run_ns=40, user_call_ns=8,
                    user_insn_ns=3, start_ns=3e5, launch_ns=1e6)
        costs.write_text(json.dumps({**cost, **changed}))
        return json.loads(run(home, SYSVM, "run", "--json", "-P", svp, "--", *words).stderr)["plain"]
    first, dear, again = plain(), plain(launch_ns=5e7), plain()
    assert "slower" in first and again == first
    assert "slower: about 5" in dear and " ms" in dear, "50 ms for starting it"


def test_predicted_stands_beside_measured(home, recorded):
    svp, words = recorded
    done = run(home, SYSVM, "run", "--json", "--engine", "user", "--age", "10000", "-P", svp, "--", *words)
    counts = json.loads(done.stderr)
    if any(counts["off"].values()):
        pytest.skip(f"the program ran plainly here: {counts['off']}")
    beside = counts["predicted"]
    assert beside["entries_measured"] == counts["forwarded"] + counts["runs"] + counts["own"]
    assert abs(beside["entries"] - beside["entries_measured"]) <= 0.05 * beside["entries_measured"]
    assert 0 < beside["recorded_ms"] and beside["wall_low_ms"] <= beside["wall_ms"] <= beside["wall_high_ms"]
    done = run(home, SYSVM, "run", "-v", "--engine", "user", "-P", svp, "--", *words)
    assert b"predicted of a run like the recorded one" in done.stderr and b"recorded plainly" in done.stderr


def test_without_procedures_there_is_nothing_to_load(home):
    done = run(home, SYSVM, "run", "--", "sh", "-c", "env; cat /proc/$$/maps")
    assert b"libsysvm" not in done.stdout and done.stderr == b""
    assert not os.path.exists(cache(home)), "nothing was analysed"
    done = run(home, *staying(home, "sh", "-c", "cat /proc/$$/maps"))
    assert b"libsysvm-preload.so" in done.stdout, "who counts sees what the shim sees"
