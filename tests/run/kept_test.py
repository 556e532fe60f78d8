# SPDX-License-Identifier: MIT
"""What `sysvm run` keeps for the next start: used when it is whole, ours and of today, else made anew."""
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time

import pytest

from wrapper import SYSVM, bundle, cache, home, one_line, procedures, run, starts, staying  # noqa: F401
from foreground import in_time, WAIT  # noqa: E402, F401


def test_a_damaged_start_or_bundle_is_made_anew(home):
    words = [SYSVM, "run", "-P", procedures(home), "--", "sh", "-c", "echo $0; exit 5"]
    run(home, *words)
    for path in [os.path.join(cache(home), "starts", starts(home)[0])]:
        with open(path, "rb") as f:
            good = f.read()
        for i in range(0, len(good), max(1, len(good) // 25)):
            with open(path, "wb") as f:
                f.write(good[:i] + bytes([good[i] ^ 4]) + good[i + 1:])
            done = run(home, *words)
            assert (done.returncode, done.stdout, done.stderr) == (5, b"sh\n", b""), i


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
@pytest.mark.parametrize("part", ["", "starts"])
def test_a_cache_that_others_can_write_is_not_used(home, part, mode):
    words = [SYSVM, "run", "-P", procedures(home), "--", "sh", "-c", "echo job"]
    run(home, *words)
    os.chmod(os.path.join(cache(home), part), mode)
    done = run(home, *words)
    assert (done.returncode, done.stdout) == (0, b"job\n")
    if mode & 0o022:
        one_line(done, cache(home), "others can write", "not kept")
    else:
        assert done.stderr == b""


def test_a_cache_of_another_user_or_behind_a_link_is_not_used(home):
    os.makedirs(os.path.join(home["HOME"], ".cache"))
    elsewhere = os.path.join(home["HOME"], "elsewhere")
    os.mkdir(elsewhere)
    os.symlink(elsewhere, cache(home))
    done = run(home, SYSVM, "run", "--engine", "user", "--", "echo", "job")
    assert (done.returncode, done.stdout) == (0, b"job\n")
    one_line(done, cache(home))
    assert os.listdir(elsewhere) == []
    if os.geteuid() == 0:
        os.unlink(cache(home))
        os.mkdir(cache(home), 0o700)
        os.chown(cache(home), 4711, 4711)
        done = run(home, SYSVM, "run", "--engine", "user", "--", "echo", "job")
        assert (done.returncode, done.stdout) == (0, b"job\n")
        one_line(done, "belongs to user 4711")


def test_files_that_others_can_write_or_that_are_links_are_not_used(home):
    words = [SYSVM, "run", "--engine", "user", "--", "echo", "job"]
    run(home, *words)
    path = os.path.join(cache(home), "starts", starts(home)[0])
    before = os.stat(path).st_ino
    os.chmod(path, 0o666)
    assert run(home, *words).stdout == b"job\n"
    assert os.stat(path).st_ino != before and stat.S_IMODE(os.stat(path).st_mode) == 0o600
    shutil.move(path, path + ".moved")
    os.symlink(path + ".moved", path)
    assert run(home, *words).stdout == b"job\n"
    assert not os.path.islink(path)


def test_a_damaged_analysis_is_made_anew(home):
    """Any byte of what is kept of the C library: never another patch, so the same calls are seen."""
    words = staying(home, "cat", "/etc/passwd")

    def seen():
        shutil.rmtree(os.path.join(cache(home), "starts"), ignore_errors=True)
        done = run(home, *words)
        assert done.returncode == 0 and done.stderr == b""
        with open(os.path.join(home["HOME"], "stats.json")) as f:
            counts = json.load(f)
        return done.stdout, counts["seen"], counts["off"], counts["unknown_objects"]
    expected = seen()
    assert expected[1] > 20
    sites = os.path.join(cache(home), "sites")
    name = max(os.listdir(sites), key=lambda n: os.path.getsize(os.path.join(sites, n)))  # the C library's
    with open(os.path.join(sites, name), "rb") as f:
        good = f.read()
    for i in [0, 9, 30, 60, 100, 150, *range(200, len(good), len(good) // 8)]:
        with open(os.path.join(sites, name), "wb") as f:
            f.write(good[:i] + bytes([good[i] ^ 0x10]) + good[i + 1:])
        assert seen() == expected, i


@pytest.mark.parametrize("size", ["4k", "24k", "160k"])
def test_a_full_disk(home, size):
    """A cache on a file system with room for nothing, for some of it, for almost all of it."""
    svp = procedures(home)
    os.mkdir(os.path.join(home["HOME"], ".cache"))
    script = ("mount -t tmpfs -o mode=700,size=%s none %s/.cache || exit 77; for i in 1 2; do %s run -P %s "
              "-- "
              "sh -c 'echo job; exit 5'; test $? = 5 || exit 6; done" % (size, home["HOME"], SYSVM, svp))
    done = run(home, "unshare", "-m", "sh", "-c", script)
    if done.returncode in (1, 77):
        pytest.skip("no file system can be mounted here: %r" % done.stderr)
    assert (done.returncode, done.stdout) == (0, b"job\njob\n"), done.stderr
    for line in done.stderr.decode().splitlines():
        assert line.startswith("sysvm: ") and "not kept" in line


def test_a_first_run_that_is_killed_leaves_a_usable_cache(home):
    for wait in (0.001, 0.01, 0.03, 0.06):
        process = subprocess.Popen([SYSVM, "run", "--engine", "user", "--", "true"], env=home,
                                   start_new_session=True)
        time.sleep(wait)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(WAIT)
    done = run(home, SYSVM, "run", "--engine", "user", "--", "sh", "-c", "echo job")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"job\n", b"")


def test_what_the_recording_saw_executed_is_known_in_the_first_run(home):
    """A program that only a shell starts is in no closure of the command."""
    trace, svp = os.path.join(home["HOME"], "t.trace"), os.path.join(home["HOME"], "t.svp")
    shell = ["sh", "-c",
             "/usr/bin/sort /dev/null; for i in 1 2 3 4 5 6; do /bin/cat /etc/passwd /etc/group; done"]
    recorded = run(home, SYSVM, "record", "-o", trace, "--", *shell)
    assert recorded.returncode == 0, recorded.stderr
    assert run(home, SYSVM, "compile", trace, "-o", svp).returncode == 0
    shutil.rmtree(cache(home), ignore_errors=True)
    stats = os.path.join(home["HOME"], "stats.json")
    done = run(home, SYSVM, "run", "--engine", "user", "-P", svp, "--stats", stats, "--", *shell)
    assert done.returncode == 0
    with open(stats) as f:
        counts = json.load(f)
    assert counts["processes"] == 8 and counts["unknown_objects"] == [] and "unseen" not in counts["off"]


def test_commands_share_a_bundle_and_old_ones_go(home):
    folder = os.path.join(cache(home), "starts")
    for _ in range(2):  # in the second round nothing new is met
        for command in ("true", "cat", "env"):
            assert run(home, SYSVM, "run", "--engine", "user", "--", command).returncode == 0
    named = set()
    for name in starts(home):
        with open(os.path.join(folder, name), "rb") as f:
            named |= set(re.findall(rb"[0-9a-f]{32}\.bundle", f.read().rpartition(folder.encode())[0]))
    assert len(starts(home)) == 3 and len(named) == 1
    for i in range(100):
        path = os.path.join(folder, "%032x.bundle" % i)
        with open(path, "wb") as f:
            f.write(b"old")
        os.utime(path, (i, i) if i % 2 else None)  # every other one is of 1970
    run(home, SYSVM, "run", "--engine", "user", "--", "sort", "/dev/null")
    left = bundle(home)
    assert not [b for b in left if os.stat(b).st_mtime < 1000] and len(left) <= 66
    assert len(starts(home)) == 1, "the others were made before sort was known"
    assert run(home, SYSVM, "run", "--engine", "user", "--", "cat", "/dev/null").returncode == 0


def test_many_first_runs_at_once(home):
    words = [SYSVM, "run", "-P", procedures(home), "--", "sh", "-c", "echo job; exit 5"]
    processes = [subprocess.Popen(words, env=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                 for _ in range(24)]
    for p in processes:
        out, err = p.communicate(timeout=WAIT)
        assert (p.returncode, out, err) == (5, b"job\n", b"")
    assert len(starts(home)) == 1 and len(bundle(home)) == 1
    assert not [n for n in os.listdir(os.path.join(cache(home), "starts")) if n.startswith(".new-")]


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, *sys.argv[1:]]))
