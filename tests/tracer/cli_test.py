# SPDX-License-Identifier: MIT
"""sysvm record, stat, info and dump as a user meets them: status, signals, streams, files, refusals."""
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time

import pytest

from recording import EACH_BACKEND, SYSVM, WORKLOAD, info, names, record, run

pytestmark = EACH_BACKEND


@pytest.mark.parametrize("status", [0, 7, 125])
def test_exit_status_is_the_commands(backend, tmp_path, status):
    assert record(backend, tmp_path, "sh", "-c", f"exit {status}").returncode == status


@pytest.mark.parametrize("name", ["SEGV", "KILL", "TERM", "INT"])
def test_a_signal_that_killed_the_command_kills_us(backend, tmp_path, name):
    number = getattr(signal, "SIG" + name)
    assert record(backend, tmp_path, "sh", "-c", f"kill -{name} $$").returncode == -number


def test_command_that_cannot_run(backend, tmp_path):
    missing = record(backend, tmp_path, "no-such-command-anywhere")
    assert missing.returncode == 127 and b"no-such-command-anywhere: command not found" in missing.stderr
    denied = record(backend, tmp_path, "/etc/passwd")
    assert denied.returncode == 126 and b"/etc/passwd: cannot be executed: Permission denied" in denied.stderr
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
    done = subprocess.run([SYSVM, "record", "-q", "--backend", backend, "-o", tmp_path / "t.trace", "--",
                           "tr", "a", "b"],
                          input=b"banana", capture_output=True, timeout=60)
    assert done.stdout == b"bbnbnb" and done.stderr == b""


def test_options_after_the_separator_are_the_commands(backend, tmp_path):
    assert record(backend, tmp_path, "echo", "--help", "-o").stdout.endswith(b"--help -o\n")
    bare = run(SYSVM, "record", "--backend", backend, "-o", tmp_path / "t.trace", "echo",
               "--version-of-nothing")
    assert bare.stdout == b"--version-of-nothing\n"


def test_signals_to_us_reach_the_command(backend, tmp_path):
    script = "trap 'echo got; exit 3' TERM; echo ready; while :; do sleep 0.05; done"
    with subprocess.Popen([SYSVM, "record", "--backend", backend, "-o", tmp_path / "t.trace", "--", "sh",
                           "-c", script],
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
    assert "exit_group(" in text and "--- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED} ---" in text
    lines = [json.loads(line) for line in run(SYSVM, "dump", "--json",
                                              tmp_path / "t.trace").stdout.splitlines()]
    assert lines[0]["schema"] == 1
    assert any(l.get("path") == "/no/such/file" and l["error"] == "ENOENT" for l in lines[1:])
    assert len(lines) == 1 + len(text.splitlines())


def test_dump_into_head_is_quiet(backend, tmp_path):
    record(backend, tmp_path, WORKLOAD, "calls", "20000")
    done = run("bash", "-c", f"set -o pipefail; {SYSVM} dump {tmp_path}/t.trace | head -1")
    assert done.stdout.count(b"\n") == 1 and done.stderr == b"" and done.returncode == 128 + signal.SIGPIPE


def test_stat_counts_without_a_file(backend, tmp_path):
    out = tmp_path / "stat.json"
    done = run(SYSVM, "stat", "--json", "-o", out, "--backend", backend, "--", WORKLOAD, "threads", "100",
               cwd=tmp_path)
    assert done.returncode == 0 and done.stdout == b"" and done.stderr == b""
    seen = json.loads(out.read_text())
    assert seen["schema"] == 1 and seen["lost"] == 0 and seen["threads"] == 9
    assert {c["name"]: c["entries"] for c in seen["calls"]}["getppid"] == 800
    assert seen["entries"] == sum(c["entries"] for c in seen["calls"])
    assert list(tmp_path.iterdir()) == [out]


def test_stat_knows_errors_latencies_and_sequences(backend, tmp_path):
    out = tmp_path / "stat.json"
    program = ("import os, time\n"
               "for _ in range(50):\n"
               "  os.getppid(); os.getpgid(0); os.getsid(0); os.getppid()\n"
               "for _ in range(30):\n"
               "  try: os.rmdir('/no/such/folder')\n"
               "  except OSError: pass\n"
               "os.getppid(); time.sleep(0.3)\n")
    run(SYSVM, "stat", "--json", "-o", out, "--backend", backend, "--", sys.executable, "-c", program)
    seen = json.loads(out.read_text())
    calls = {c["name"]: c for c in seen["calls"]}
    assert calls["rmdir"]["errors"] == 30 and calls["getpgid"]["errors"] == 0
    assert calls["getpgid"]["returned"] == 50 == sum(calls["getpgid"]["log2_ns"])
    sleep = calls.get("clock_nanosleep") or calls["select"]
    assert sleep["total_ns"] >= 300_000_000 and sleep["p50_ns"] >= 2**28
    assert calls["exit_group"]["returned"] == 0
    sequences = {tuple(s["calls"]): s["count"] for s in seen["sequences"]}
    assert sequences["getppid", "getpgid", "getsid", "getppid"] == 50
    assert sequences["getpgid", "getsid", "getppid", "getppid"] == 49
    assert sequences["rmdir", "rmdir", "rmdir", "rmdir"] == 27
    counts = [s["count"] for s in seen["sequences"]]
    assert counts == sorted(counts, reverse=True) and sum(counts) == seen["entries"] - 3 * seen["threads"]


def test_stat_is_broken_down_by_program_and_process(backend, tmp_path):
    out = tmp_path / "stat.json"
    (tmp_path / "data").write_text("x\n")
    script = "cat data; (:); cat data data; cat no_such; :"  # the subshell does not exec
    run(SYSVM, "stat", "--json", "-o", out, "--backend", backend, "--", "sh", "-c", script, cwd=tmp_path)
    seen = json.loads(out.read_text())
    programs = {p["path"].rpartition("/")[2]: p for p in seen["programs"]}
    assert set(programs) == {"sh", "cat"}
    # Each cat is the shell's child until it execs.
    assert programs["cat"]["processes"] == 3 and programs["sh"]["processes"] == 5
    assert sum(p["entries"] for p in seen["programs"]) == seen["entries"]
    assert not seen["entries_of_no_process"]
    assert sum(p["errors"] for p in seen["programs"]) == sum(c["errors"] for c in seen["calls"])
    assert sum(p["total_ns"] for p in seen["programs"]) == sum(c["total_ns"] for c in seen["calls"])
    assert [p["path"].rpartition("/")[2] for p in seen["processes"]].count("cat") == 3
    for key in ("entries", "errors"):
        assert programs["cat"][key] == sum(p[key] for p in seen["processes"] if p["path"].endswith("cat"))
    alone = run(SYSVM, "stat", "--json", "--backend", backend, "--", "cat", "data", cwd=tmp_path)
    one = next(p for p in seen["processes"] if p["path"].endswith("cat"))
    assert json.loads(alone.stderr)["processes"][0]["entries"] == one["entries"] + 1  # its execve
    table = run(SYSVM, "stat", "--backend", backend, "--", "sh", "-c", script, cwd=tmp_path).stderr.decode()
    assert re.search(r"\n +\d+ +[\d.]+ +\d+ +[\d.]+ +3  \S*cat\n", table), table
    assert re.search(r"\n +%d +100\.00 +8  all\n" % seen["entries"], table), table
    filtered = run(SYSVM, "stat", "-e", "read", "--backend", backend, "--", "sh", "-c", script, cwd=tmp_path)
    assert b"processes" not in filtered.stderr


def test_stat_has_a_line_on_a_terminal_only(backend, tmp_path):
    import pty
    leader, terminal = pty.openpty()
    env = dict(os.environ, TERM="xterm")
    with subprocess.Popen([SYSVM, "stat", "--backend", backend, "--", "sleep", "0.8"], stderr=terminal,
                          env=env) as process:
        process.wait(timeout=60)
    os.close(terminal)
    shown = os.read(leader, 100_000).decode()
    os.close(leader)
    assert "clock_nanosleep" in shown
    if backend == "bpf":
        assert "\r" in shown.split("entries")[0] and "calls" in shown.split("entries")[0]
    piped = run(SYSVM, "stat", "--backend", backend, "--", "sleep", "0.8").stderr.decode()
    assert "\r" not in piped and "\x1b" not in piped


@pytest.mark.parametrize("words", [
    [], ["-p", "1", "--", "true"], ["-a", "-p", "1"], ["-p", "0"], ["-p", "1,x"], ["-u", "nobody", "-p", "1"],
    ["-m", "3000", "--", "true"],
    ["-o", "-", "--", "true"], ["--backend", "magic", "--", "true"],
    ["-u", "nobody-of-that-name", "--", "true"],
    ["-e", "opnat", "--", "true"], ["--data", "all", "--", "true"],
    ["--data", "8", "--minimal", "--", "true"],
    ["--duration", "soon", "--", "true"], ["--ring", "16M", "--", "true"], ["--max-size", "0", "--", "true"],
    ["--drop", "--lossless", "--", "true"]])
def test_wrong_usage_is_2_and_runs_nothing(backend, tmp_path, words):
    done = run(SYSVM, "record", *words, cwd=tmp_path)
    assert done.returncode == 2 and b"record" in done.stderr and done.stdout == b""
    assert not list(tmp_path.iterdir())


def test_verify_proves_or_lists(backend, tmp_path):
    record(backend, tmp_path, WORKLOAD, "threads", "500")
    done = run(SYSVM, "info", "--verify", tmp_path / "t.trace")
    assert done.returncode == 0 and done.stdout.startswith(b"complete: ")
    assert b"in 9 threads, 0 gaps" in done.stdout
    whole = (tmp_path / "t.trace").read_bytes()
    (tmp_path / "t.trace").write_bytes(whole[:len(whole) * 2 // 3])
    cut = run(SYSVM, "info", "--verify", tmp_path / "t.trace")
    assert cut.returncode == 1 and cut.stdout.startswith(b"not complete: ") and b"damaged: " in cut.stdout


def test_one_line_at_the_end_and_nothing_else(backend, tmp_path):
    done = record(backend, tmp_path, WORKLOAD, "calls", "5000")
    text = done.stderr.decode()
    assert text.count("\n") == 1 and "\r" not in text and "\x1b" not in text, \
        "no libbpf warning, no progress, no colour"
    assert "recorded 5,0" in text and "1 thread, 1 process, 0 lost" in text and "B/event" in text
    assert "recorder " in text


def test_filter_keeps_only_what_was_asked_for_but_knows_call_sites(backend, tmp_path):
    done = record(backend, tmp_path, WORKLOAD, "vforks", "3",
                  options=["-e", "trace=getppid,execve", "-e", "wait4"])
    assert done.returncode == 0
    assert set(names(tmp_path)) == {"getppid", "execve", "wait4"} and names(tmp_path)["getppid"] == 3
    seen = info(tmp_path)
    assert seen["missing"] == 0 and seen["mappings"] > 3, "mappings are followed without their mmap calls"
    verified = run(SYSVM, "info", "--verify", tmp_path / "t.trace").stdout
    assert b"only the calls of -e trace=getppid,execve wait4" in verified and b"complete: " in verified
    # The C library's are among them, which are mapped after the exec, if the process lives until the
    # recorder looks.
    record(backend, tmp_path, "sh", "-c", "sleep 1; true", options=["-e", "getppid"])
    assert info(tmp_path)["mappings"] == 2 * 3


def test_minimal_has_numbers_and_times_only(backend, tmp_path):
    record(backend, tmp_path, WORKLOAD, "stats", "5", options=["--minimal"])
    lines = [json.loads(line) for line in run(SYSVM, "dump", "--json",
                                              tmp_path / "t.trace").stdout.splitlines()][1:]
    assert sum(l.get("call") == "statx" for l in lines) >= 5
    assert not any("stat" in l for l in lines)
    assert [l["path"] for l in lines if l.get("path")] in ([], [WORKLOAD]), "only the name of the first exec"


def test_duration_and_size_end_the_recording_but_not_the_command(backend, tmp_path):
    script = "sleep 0.6; echo alive; exit 5"
    timed = record(backend, tmp_path, "sh", "-c", script, options=["--duration", "150ms"])
    assert timed.returncode == 5
    assert timed.stdout == b"alive\n"
    assert info(tmp_path)["wall_ns"] < 500_000_000 and "exit_group" not in names(tmp_path)
    sized = record(backend, tmp_path, WORKLOAD, "calls", "400000", options=["--max-size", "40k"])
    assert sized.returncode == 0
    assert info(tmp_path)["calls"] < 390_000
    # What goes on may fork, and be killed.
    forks = record(backend, tmp_path, "sh", "-c", f"{WORKLOAD} forks 2000; kill -TERM $$",
                   options=["--duration", "50ms"])
    assert forks.returncode == -signal.SIGTERM


def test_data_is_kept_only_if_asked_for_and_as_a_hash(backend, tmp_path):
    (tmp_path / "secret").write_bytes(b"the password is swordfish")
    trace = tmp_path / "t.trace"

    def reads(*options):
        assert record(backend, tmp_path, "dd", f"if={tmp_path}/secret", "of=/dev/null", "bs=32",
                      options=options).returncode == 0

        return run(SYSVM, "dump", "--json", trace).stdout

    plain, whole, hashed = reads(), reads("--data", "12"), reads("--data", "hash")
    assert b"swordfish" not in plain + whole + hashed
    kinds = lambda out: {json.loads(l).get("data", {}).get("kind")
                         for l in out.splitlines()[1:]}  # noqa: E731
    assert "bytes" not in kinds(plain) and "hash" not in kinds(plain)
    if any(kinds(whole) - {None}):  # once dump shows it
        assert "bytes" in kinds(whole) and "hash" in kinds(hashed)


def test_interrupt_reaches_the_command_and_the_trace_is_whole(backend, tmp_path):
    script = "trap 'echo int; exit 4' INT; echo ready; while :; do sleep 0.05; done"
    with subprocess.Popen([SYSVM, "record", "--backend", backend, "-o", tmp_path / "t.trace", "--", "sh",
                           "-c", script],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout.readline() == b"ready\n"
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the whole group
        out, _ = process.communicate(timeout=60)
    assert out == b"int\n" and process.returncode == 4
    assert info(tmp_path)["closed"]


def test_output_into_a_closed_pipe_ends_the_command_as_without_us(backend, tmp_path):
    done = run("bash", "-c",
               f"{SYSVM} record -q --backend {backend} -o {tmp_path}/t.trace -- yes | head -1; "
               f"echo ${{PIPESTATUS[0]}}")
    assert done.stdout == b"y\n141\n" and info(tmp_path)["closed"]


def test_what_is_missing_after_a_threads_last_event_counts(backend, tmp_path):
    """The recorder sleeps while the command overfills its ring: the last events of its threads are among the
    lost."""
    if backend != "bpf":
        pytest.skip("a ptrace recorder that sleeps holds the command")
    lossy = f"kill -STOP $PPID; '{WORKLOAD}' calls 100000; kill -CONT $PPID"
    assert record(backend, tmp_path, "sh", "-c", lossy, options=["--drop", "-m", "256k"]).returncode == 0
    seen = info(tmp_path)
    assert seen["missing"] == seen["lost"] > 50000 and not seen["complete"]
    assert f" {seen['lost']} missing in " in run(SYSVM, "info", "--verify",
                                                 tmp_path / "t.trace").stdout.decode()
    page = run(SYSVM, "report", tmp_path / "t.trace").stdout.decode()
    assert f"{seen['lost']:,} lost, {seen['lost']:,} missing" in page
