# SPDX-License-Identifier: MIT
"""sysvm record, stat, info and dump as a user meets them: status, signals, streams, files, refusals."""
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from sysvm_program import BIN, SYSVM, run  # noqa: E402

WORKLOAD = str(BIN / "tracer_workload")
CAN_BPF = run(SYSVM, "stat", "--backend", "bpf", "--", "true").returncode == 0
# Without the rights for eBPF the same is asked of ptrace alone; tracer.bpf is what reports the lack.
BACKENDS = ["bpf", "ptrace"] if CAN_BPF else ["ptrace"]

pytestmark = pytest.mark.parametrize("backend", BACKENDS)


def record(backend, tmp_path, *command, options=()):
    return run(SYSVM, "record", "--backend", backend, "-o", tmp_path / "t.trace", *options, "--", *command)


def info(tmp_path):
    done = run(SYSVM, "info", "--json", tmp_path / "t.trace")
    return json.loads(done.stdout)


@pytest.mark.parametrize("status", [0, 7, 125])
def test_exit_status_is_the_commands(backend, tmp_path, status):
    assert record(backend, tmp_path, "sh", "-c", f"exit {status}").returncode == status


@pytest.mark.parametrize("name", ["SEGV", "KILL", "TERM", "INT"])
def test_a_signal_that_killed_the_command_kills_us(backend, tmp_path, name):
    assert record(backend, tmp_path, "sh", "-c", f"kill -{name} $$").returncode == -getattr(signal, "SIG" + name)


def test_command_that_cannot_run(backend, tmp_path):
    missing = record(backend, tmp_path, "no-such-command-anywhere")
    assert missing.returncode == 127 and b"no-such-command-anywhere: command not found" in missing.stderr
    denied = record(backend, tmp_path, "/etc/passwd")
    assert denied.returncode == 126 and b"/etc/passwd: Permission denied" in denied.stderr
    broken = tmp_path / "broken"
    broken.write_text("#!/no/such/interpreter\n")
    broken.chmod(0o755)
    assert record(backend, tmp_path, broken).returncode == 127
    assert not (tmp_path / "t.trace").exists()


def test_script_without_a_first_line_runs_as_execvp_runs_it(backend, tmp_path):
    script = tmp_path / "script"
    script.write_text("exit 9\n")
    script.chmod(0o755)
    assert record(backend, tmp_path, script).returncode == 9


def test_standard_output_is_the_commands(backend, tmp_path):
    data = os.urandom(200_000)
    (tmp_path / "data").write_bytes(data)
    done = record(backend, tmp_path, "cat", tmp_path / "data")
    assert done.stdout == data and b"0 lost" in done.stderr
    counted = run(SYSVM, "stat", "--backend", backend, "--", "cat", tmp_path / "data")
    assert counted.stdout == data and b" read" in counted.stderr


def test_standard_input_is_the_commands(backend, tmp_path):
    done = subprocess.run([SYSVM, "record", "-q", "--backend", backend, "-o", tmp_path / "t.trace", "--", "tr", "a", "b"],
                          input=b"banana", capture_output=True, timeout=60)
    assert done.stdout == b"bbnbnb" and done.stderr == b""


def test_options_behind_the_separator_are_the_commands(backend, tmp_path):
    assert record(backend, tmp_path, "echo", "--help", "-o").stdout.endswith(b"--help -o\n")
    bare = run(SYSVM, "record", "--backend", backend, "-o", tmp_path / "t.trace", "echo", "--version-of-nothing")
    assert bare.stdout == b"--version-of-nothing\n"


def test_signals_to_us_reach_the_command(backend, tmp_path):
    script = "trap 'echo got; exit 3' TERM; echo ready; while :; do sleep 0.05; done"
    with subprocess.Popen([SYSVM, "record", "--backend", backend, "-o", tmp_path / "t.trace", "--", "sh", "-c", script],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    assert out == b"got\n" and process.returncode == 3
    assert info(tmp_path)["complete"]


def test_command_has_the_signal_mask_and_no_descriptors_of_ours(backend, tmp_path):
    script = "grep -E 'Sig(Blk|Ign)' /proc/self/status; ls /proc/self/fd"
    plain = run("sh", "-c", script).stdout
    assert record(backend, tmp_path, "sh", "-c", script).stdout == plain


def test_file_is_private_and_only_a_trace_is_replaced(backend, tmp_path):
    trace = tmp_path / "t.trace"
    assert record(backend, tmp_path, "true").returncode == 0
    assert stat.S_IMODE(trace.stat().st_mode) == 0o600
    assert record(backend, tmp_path, "true").returncode == 0
    trace.write_text("letters to my grandmother")
    refused = record(backend, tmp_path, "touch", tmp_path / "ran")
    assert refused.returncode == 125 and b"is not a trace" in refused.stderr
    assert trace.read_text() == "letters to my grandmother" and not (tmp_path / "ran").exists()


def test_trace_is_readable_after_the_recorder_was_killed(backend, tmp_path):
    # Long enough for a chunk to be full, and for the flush of every second.
    with subprocess.Popen([SYSVM, "record", "--backend", backend, "-o", tmp_path / "t.trace", "--",
                           "sh", "-c", f"{WORKLOAD} calls 3000; sleep 1.5; {WORKLOAD} calls 1; sleep 30"],
                          start_new_session=True) as process:
        time.sleep(2.8)
        process.kill()
        process.wait()
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    seen = info(tmp_path)
    assert not seen["closed"] and not seen["complete"] and seen["damage"] is None
    assert {c["name"]: c["count"] for c in seen["by_call"]}["getppid"] >= 3000
    assert run(SYSVM, "dump", tmp_path / "t.trace").returncode == 0


def test_info_proves_completeness_and_counts(backend, tmp_path):
    record(backend, tmp_path, WORKLOAD, "forks", "20")
    seen = info(tmp_path)
    assert seen["schema"] == 1 and seen["complete"] and seen["lost"] == 0 and seen["missing"] == 0
    assert seen["backend"] == backend
    assert {c["name"]: c["count"] for c in seen["by_call"]}["getppid"] == 20
    assert len(seen["processes"]) == 21  # the image of the exec, and 20 forks
    text = run(SYSVM, "info", tmp_path / "t.trace").stdout.decode()
    assert "complete   yes" in text and "exit 1" in text


def test_info_and_dump_name_the_damage(backend, tmp_path):
    record(backend, tmp_path, WORKLOAD, "calls", "30000")
    trace = tmp_path / "t.trace"
    whole = trace.read_bytes()
    trace.write_bytes(whole[:-len(whole) // 3])
    for command in ("info", "dump"):
        done = run(SYSVM, command, trace)
        assert done.returncode == 2 and b"is cut after" in done.stderr and b"getppid" in done.stdout
    trace.write_bytes(b"#!/bin/sh\n")
    for command in ("info", "dump"):
        done = run(SYSVM, command, trace)
        assert done.returncode == 2 and b"not a trace" in done.stderr and done.stdout == b""


def test_dump_decodes_as_strace_does(backend, tmp_path):
    record(backend, tmp_path, "sh", "-c", "cat /etc/hostname /no/such/file; ls -l /etc/hostname >/dev/null")
    text = run(SYSVM, "dump", tmp_path / "t.trace").stdout.decode()
    assert 'execve("/usr/bin/sh", ' in text or 'execve("/bin/sh", ' in text
    assert 'openat(AT_FDCWD, "/no/such/file", O_RDONLY) = -1 ENOENT (No such file or directory)' in text
    assert "st_mode=S_IFREG|0644" in text
    assert "exit_group(" in text and "--- SIGCHLD {si_code=1} ---" in text
    lines = [json.loads(line) for line in run(SYSVM, "dump", "--json", tmp_path / "t.trace").stdout.splitlines()]
    assert lines[0]["schema"] == 1
    assert any(l.get("path") == "/no/such/file" and l["error"] == "ENOENT" for l in lines[1:])
    assert len(lines) == 1 + len(text.splitlines())


def test_dump_into_head_is_quiet(backend, tmp_path):
    record(backend, tmp_path, WORKLOAD, "calls", "20000")
    done = run("bash", "-c", f"set -o pipefail; {SYSVM} dump {tmp_path}/t.trace | head -1")
    assert done.stdout.count(b"\n") == 1 and done.stderr == b"" and done.returncode == 128 + signal.SIGPIPE


def test_stat_counts_without_a_file(backend, tmp_path):
    out = tmp_path / "stat.json"
    done = run(SYSVM, "stat", "--json", "-o", out, "--backend", backend, "--", WORKLOAD, "threads", "100", cwd=tmp_path)
    assert done.returncode == 0 and done.stdout == b"" and done.stderr == b""
    seen = json.loads(out.read_text())
    assert seen["schema"] == 1 and seen["lost"] == 0 and seen["threads"] == 9
    assert {c["name"]: c["entries"] for c in seen["calls"]}["getppid"] == 800
    assert seen["entries"] == sum(c["entries"] for c in seen["calls"])
    assert list(tmp_path.iterdir()) == [out]


def test_attaches_to_all_threads_until_interrupted(backend, tmp_path):
    program = ("import threading, os, time\n"
               "def work():\n  while True: os.getppid(); time.sleep(0.005)\n"
               "for _ in range(3): threading.Thread(target=work, daemon=True).start()\n"
               "print('ready', flush=True); time.sleep(60)\n")
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as target:
        assert target.stdout.readline() == b"ready\n"
        with subprocess.Popen([SYSVM, "record", "--backend", backend, "-o", tmp_path / "t.trace", "-p", str(target.pid)],
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


def test_process_that_is_not_there_leaves_no_file(backend, tmp_path):
    done = run(SYSVM, "record", "--backend", backend, "-o", tmp_path / "t.trace", "-p", "4194303")
    assert done.returncode == 125 and b"process 4194303: " in done.stderr
    assert not (tmp_path / "t.trace").exists()


@pytest.mark.parametrize("words", [[], ["-p", "1", "--", "true"], ["-m", "3000", "--", "true"], ["-o", "-", "--", "true"],
                                   ["--backend", "magic", "--", "true"], ["-u", "nobody-of-that-name", "--", "true"]])
def test_wrong_usage_is_2_and_runs_nothing(backend, tmp_path, words):
    done = run(SYSVM, "record", *words, cwd=tmp_path)
    assert done.returncode == 2 and b"record" in done.stderr and done.stdout == b""
    assert not list(tmp_path.iterdir())


def test_runs_as_another_user(backend, tmp_path):
    if os.geteuid() != 0:
        assert record(backend, tmp_path, "true", options=["-u", "root"]).returncode == 126
        return
    done = record(backend, tmp_path, "sh", "-c", "id -un; echo $HOME", options=["-u", "nobody"])
    assert done.stdout.split() == [b"nobody", b"/nonexistent"]


def test_without_rights_it_says_the_fix(backend, tmp_path):
    if os.geteuid() != 0 or backend == "ptrace":
        return
    drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    if run(*drop, SYSVM, "--version").returncode:
        pytest.fail(f"{SYSVM} cannot be run by another user; build where others may look")
    with tempfile.TemporaryDirectory() as place:  # pytest's own cannot be entered by others
        os.chmod(place, 0o777)
        refused = run(*drop, SYSVM, "record", "--backend", "bpf", "-o", f"{place}/u.trace", "--", "true")
        assert refused.returncode == 125 and b"setcap" in refused.stderr and b"--backend ptrace" in refused.stderr
        fallback = run(*drop, SYSVM, "record", "-o", f"{place}/u.trace", "--", "true")
        assert fallback.returncode == 0 and b"the ptrace backend was used" in fallback.stderr
