# SPDX-License-Identifier: MIT
"""sysvm record of what runs already - processes, control groups, everything - and its flight recorder."""
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recording import EACH_BACKEND, SYSVM, WORKLOAD, info, names, record, run, wait_for

pytestmark = EACH_BACKEND


def test_attaches_to_all_threads_until_interrupted(backend, tmp_path):
    program = ("import threading, os, time\n"
               "def work():\n  while True: os.getppid(); time.sleep(0.005)\n"
               "for _ in range(3): threading.Thread(target=work, daemon=True).start()\n"
               "print('ready', flush=True); time.sleep(60)\n")
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as target:
        assert target.stdout.readline() == b"ready\n"
        with subprocess.Popen([SYSVM, "record", "--backend", backend, "-o", tmp_path / "t.trace", "-p",
                               str(target.pid)],
                              stderr=subprocess.PIPE) as recorder:
            time.sleep(1.5)
            recorder.send_signal(signal.SIGINT)
            _, err = recorder.communicate(timeout=60)
        assert recorder.returncode == 0 and b"left running" in err
        assert target.poll() is None, "the process that was watched must go on"
        status = Path(f"/proc/{target.pid}/status").read_text()
        assert "TracerPid:\t0" in status and "T (stopped)" not in status
        target.kill()
    seen = info(tmp_path)
    assert seen["threads"] >= 3 and seen["processes"][0]["pid"] == target.pid
    assert {c["name"]: c["count"] for c in seen["by_call"]}["getppid"] > 30


def test_attaches_to_several_processes_and_follows_their_children(backend, tmp_path):
    waiting = [subprocess.Popen(["sh", "-c", f"read x; {WORKLOAD} forks {n}; read x"], stdin=subprocess.PIPE)
               for n in (5, 9)]
    first, second = (str(p.pid) for p in waiting)
    with subprocess.Popen([SYSVM, "record", "--backend", backend, "-o", tmp_path / "t.trace", "-p",
                           f"{first},{second}"],
                          stderr=subprocess.PIPE) as recorder:
        wait_for(lambda: (tmp_path / "t.trace").exists() and (tmp_path / "t.trace").stat().st_size > 0)
        time.sleep(0.5)
        for process in waiting:
            process.stdin.write(b"go\n\n")
            process.stdin.close()
        _, err = recorder.communicate(timeout=60)  # ends with the last of them
    assert recorder.returncode == 0, err
    assert [process.wait(timeout=60) for process in waiting] == [0, 0] or backend == "ptrace"
    assert names(tmp_path)["getppid"] == 14
    assert {int(first), int(second)} <= {p["pid"] for p in info(tmp_path)["processes"]}
    assert run(SYSVM, "info", "--verify", tmp_path / "t.trace").stdout.startswith(b"complete: ")


def test_process_that_has_ended_is_not_waited_for(backend, tmp_path):
    with subprocess.Popen(["true"]) as ended:
        wait_for(lambda: Path(f"/proc/{ended.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z")
        done = subprocess.run([SYSVM, "record", "--backend", backend, "-o", tmp_path / "t.trace", "-p",
                               str(ended.pid)],
                              stderr=subprocess.PIPE, timeout=30)
    assert done.returncode == 125 and str(ended.pid).encode() in done.stderr


def test_process_that_is_not_there_leaves_no_file(backend, tmp_path):
    done = run(SYSVM, "record", "--backend", backend, "-o", tmp_path / "t.trace", "-p", "4194303")
    assert done.returncode == 125 and b"process 4194303: " in done.stderr
    assert not (tmp_path / "t.trace").exists()


def test_process_ids_are_those_of_our_own_pid_namespace(backend, tmp_path):
    if os.geteuid() != 0:
        return
    inner = run("unshare", "--pid", "--fork", "--mount-proc", SYSVM, "record", "-q", "--backend", backend,
                "-o",
                tmp_path / "t.trace", "--", "sh", "-c", "echo $$; exec " + WORKLOAD + " forks 3")
    if inner.returncode == 1 and b"unshare" in inner.stderr:
        pytest.skip(inner.stderr.decode())
    assert inner.returncode == 0, inner.stderr
    seen = info(tmp_path)
    pid = int(inner.stdout.split()[0])
    assert pid < 100 and {p["pid"] for p in seen["processes"]} >= {pid}
    assert sum(p["parent"] == pid for p in seen["processes"]) == 3
    assert seen["complete"]


def test_attaches_to_a_control_group(backend, tmp_path):
    if backend != "bpf":
        refused = run(SYSVM, "record", "--backend", "ptrace", "-o", tmp_path / "t.trace", "--cgroup", "/")
        assert refused.returncode == 125
        return
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()
              if " - cgroup" in line]
    place = next((Path(m) / f"sysvm-test-{os.getpid()}" for m in mounts if os.access(m, os.W_OK) and (
        "unified" in m or len(mounts) == 1 or "freezer" in m)), None)
    try:
        place.mkdir()
    except (OSError, AttributeError):
        pytest.skip("no control group can be made here")
    try:
        with subprocess.Popen(["sh", "-c",
                               f"echo $$ > {place}/cgroup.procs; echo in; read x; "
                               f"{WORKLOAD} forks 5; read x"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as inside:
            assert inside.stdout.readline() == b"in\n"
            with subprocess.Popen([SYSVM, "record", "-o", tmp_path / "t.trace", "--cgroup", place.name],
                                  stderr=subprocess.PIPE) as recorder:
                wait_for(lambda: (tmp_path / "t.trace").exists()
                         and (tmp_path / "t.trace").stat().st_size > 0)
                time.sleep(0.3)
                with subprocess.Popen(["sh", "-c",
                                       f"echo $$ > {place}/cgroup.procs; read x; {WORKLOAD} forks 3"],
                                      # who joins is found by the recorder's next look
                                      stdin=subprocess.PIPE) as later:
                    wait_for(lambda: str(later.pid) in (place / "cgroup.procs").read_text().split())
                    time.sleep(1)
                    later.communicate(b"go\n", timeout=60)
                inside.stdin.write(b"go\n\n")
                inside.stdin.close()
                _, err = recorder.communicate(timeout=60)  # ends with the last of them
            assert recorder.returncode == 0, err
            inside.wait(timeout=60)
    finally:
        place.rmdir()
    assert names(tmp_path)["getppid"] == 5 + 3 and info(tmp_path)["missing"] == 0


def test_attaches_to_everything_but_itself(backend, tmp_path):
    if backend != "bpf":
        return
    with subprocess.Popen([SYSVM, "record", "-o", tmp_path / "t.trace", "-a"],
                          stderr=subprocess.PIPE) as recorder:
        wait_for(lambda: (tmp_path / "t.trace").exists() and (tmp_path / "t.trace").stat().st_size > 0)
        time.sleep(0.3)
        with subprocess.Popen([WORKLOAD, "forks", "7"]) as stranger:
            stranger.wait(timeout=60)
        recorder.send_signal(signal.SIGINT)
        recorder.communicate(timeout=60)
    assert recorder.returncode == 0
    lines = [json.loads(line) for line in run(SYSVM, "dump", "--json",
                                              tmp_path / "t.trace").stdout.splitlines()][1:]
    # Its children are this test's doing as well, so they are recognised by who made them.
    assert sum(l.get("call") == "getppid" and l.get("ret") in (stranger.pid, str(stranger.pid))
               for l in lines) == 7
    assert not any(l.get("pid") == recorder.pid for l in lines)


def test_flight_recorder_keeps_the_end_and_writes_on_a_signal(backend, tmp_path):
    if backend != "bpf":
        refused = run(SYSVM, "record", "--backend", "ptrace", "--ring", "1s", "-o", tmp_path / "t.trace",
                      "--", "true")
        assert refused.returncode == 125 and b"needs eBPF" in refused.stderr
        return
    script = f"{WORKLOAD} calls 2000; sleep 4; {WORKLOAD} forks 10; echo here; read x; {WORKLOAD} forks 20"
    with subprocess.Popen([SYSVM, "record", "--ring", "3s", "-o", tmp_path / "t.trace", "--", "sh", "-c",
                           script],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as recorder:
        assert recorder.stdout.readline() == b"here\n"
        recorder.send_signal(signal.SIGUSR1)
        wait_for(lambda: (tmp_path / "t.trace.1").exists()
                 and b"closed" in run(SYSVM, "info", "--json", tmp_path / "t.trace.1").stdout
                 and json.loads(run(SYSVM, "info", "--json", tmp_path / "t.trace.1").stdout)["closed"])
        time.sleep(4)
        _, err = recorder.communicate(b"go\n", timeout=60)
    assert recorder.returncode == 0 and b"1 snapshot" in err
    first = json.loads(run(SYSVM, "info", "--json", tmp_path / "t.trace.1").stdout)
    count = {c["name"]: c["count"] for c in first["by_call"]}
    # On a machine that is busy enough, some of the ten are older than the window.
    assert 0 < count["getppid"] <= 10, "those of the last seconds, and not the 2000 before"
    assert any(p["exe"].endswith("sh") for p in first["processes"]), "who lived before the window is known"
    assert run(SYSVM, "info", "--verify", tmp_path / "t.trace.1").stdout.startswith(b"complete: ")
    assert 0 < names(tmp_path)["getppid"] <= 20
    assert run(SYSVM, "info", "--verify", tmp_path / "t.trace").stdout.startswith(b"complete: ")
