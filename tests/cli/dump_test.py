# SPDX-License-Identifier: MIT
"""sysvm dump: strace's habits, colour and pipes, and what all reading commands owe their caller."""
import json
import os
import pty
import signal
import subprocess

import pytest

from sysvm_program import SYSVM, run
from trace_text import CALLS, EVENTS, make_trace

READING = [["dump"], ["info"], ["report"], ["mine"], ["export", "strace"], ["export", "ndjson"],
           ["export", "perfetto"],
           ["export", "folded"]]


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    return make_trace(tmp_path_factory.mktemp("dump"))


def lines(*words):
    done = run(SYSVM, "dump", *words)
    assert done.returncode == 0 and done.stderr == b"", done.stderr
    return done.stdout.decode().splitlines()


def test_one_line_for_each_event_in_order_of_entry(trace):
    shown = lines(trace)
    assert len(shown) == EVENTS
    assert shown[1].split(None,
                          2)[2].startswith('openat(AT_FDCWD, "/tmp/<b>&\\"\\n\\377", O_RDONLY|O_CLOEXEC) = '
                                           '3 <0.000010>')
    assert shown[-1].endswith("exit_group(3) = ?")


def test_only_some_calls(trace):
    assert len(lines("-e", "openat", trace)) == 2
    assert len(lines("-e", "trace=openat,close", trace)) == 3
    assert len(lines("-e", "!openat,signal", trace)) == EVENTS - 3
    assert len(lines("-e", "signal", trace)) == 1
    assert len(lines("-Z", trace)) == 1 and "ENOENT" in lines("-Z", trace)[0]


def test_only_some_processes(trace):
    assert {line.split()[0] for line in lines("-f", "101", trace)} == {"101"}
    assert len(lines("-f", "100,101", trace)) == EVENTS


def test_times(trace):
    def second(*options):
        return lines(*options, trace)[2].split()[1]

    assert second() == "0.000499"
    assert second("-r") == "0.000100"
    assert second("-ttt") == "1700000000.000500"
    assert second("-t").endswith(".000500") and second("-t").count(":") == 2
    assert not any(line.endswith(">") for line in lines("-T", trace))
    assert run(SYSVM, "dump", "-r", "-t", trace).returncode == 2


def test_summary_is_strace_s_table(trace):
    table = lines("-c", trace)
    assert table[0].split() == ["%", "time", "seconds", "usecs/call", "calls", "errors", "syscall"]
    row = next(line for line in table if line.endswith(" openat"))
    assert row.split()[3:] == ["2", "1", "openat"]
    assert table[-1].split()[3:] == [str(CALLS), "1", "total"]


def test_json_has_the_schema_first(trace):
    objects = [json.loads(line) for line in lines("--json", trace)]
    assert objects[0]["schema"] == 1 and objects[0]["kind"] == "sysvm.dump"
    assert len(objects) == 1 + EVENTS
    assert objects[2]["path"].startswith('/tmp/<b>&"\n')


def on_terminal(words, stream="stdout", status=0, **environment):
    """Standard output, or error, as a terminal sees it."""
    main, child = pty.openpty()
    clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "CLICOLOR_FORCE")}
    process = subprocess.Popen([SYSVM, *map(str, words)], **{stream: child},
                               env=clean | {"TERM": "xterm"} | environment)
    os.close(child)
    text = b""
    while True:
        try:
            part = os.read(main, 65536)
        except OSError:
            break
        if not part:
            break
        text += part
    os.close(main)
    assert process.wait() == status or status is None
    return text


def test_colour_on_a_terminal_only_and_not_with_no_color(trace):
    assert b"\033[" in on_terminal(["dump", trace])
    assert b"\033[" not in on_terminal(["dump", trace], NO_COLOR="1")
    assert b"\033[" not in on_terminal(["dump", trace], TERM="dumb")
    assert b"\033[" not in on_terminal(["dump", "--color", "never", trace])
    assert b"\033[" not in run(SYSVM, "dump", trace).stdout
    assert b"\033[" in run(SYSVM, "dump", "--color", "always", trace).stdout


def test_doctor_and_messages_follow_no_color_too():
    assert b"\033[" in on_terminal(["doctor"], status=None)
    assert b"\033[" not in on_terminal(["doctor"], status=None, NO_COLOR="1")
    wrong = ["dump", "/no/such/file"]
    assert b"\033[" in on_terminal(wrong, stream="stderr", status=2)
    assert b"\033[" not in on_terminal(wrong, stream="stderr", status=2, NO_COLOR="1")
    assert b"\033[" not in on_terminal(wrong, stream="stderr", status=2, TERM="dumb")
    assert b"\033[" not in run(SYSVM, *wrong).stderr


@pytest.fixture(scope="module")
def long_trace(tmp_path_factory):
    text = "".join(f"100   1700000000.{i:06} close({i}) = 0 <0.000001>\n" for i in range(20000))
    return make_trace(tmp_path_factory.mktemp("long"), text)


@pytest.mark.parametrize("command", [["dump"], ["dump", "--json"], ["export", "strace"], ["export", "ndjson"],
                                     ["export", "perfetto"]])
def test_a_reader_that_goes_away_ends_it_without_a_word(long_trace, command):
    process = subprocess.Popen([SYSVM, *command, str(long_trace)], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    process.stdout.read(100)
    process.stdout.close()
    assert process.wait(60) == -signal.SIGPIPE
    assert process.stderr.read() == b""


@pytest.mark.parametrize("command", [c for c in READING if c[0] not in ("info", "mine")])
def test_a_full_disk_is_told(trace, command):
    with open("/dev/full", "w") as full:
        done = subprocess.run([SYSVM, *command, trace], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 125 and b"No space left" in done.stderr


@pytest.mark.parametrize("command", READING)
def test_what_is_no_trace_is_refused_by_name(tmp_path, command):
    bad = tmp_path / "bad.trace"
    bad.write_text("hello, this is no trace\n")
    for file in (bad, tmp_path / "missing.trace"):
        done = run(SYSVM, *command, file)
        assert done.returncode == 2 and file.name in done.stderr.decode()


@pytest.mark.parametrize("command", [c for c in READING if c[0] != "mine"])
def test_damage_is_told_and_what_stands_before_it_given(long_trace, tmp_path, command):
    cut = tmp_path / "cut.trace"
    cut.write_bytes(long_trace.read_bytes()[:-200])
    done = run(SYSVM, *command, cut)
    assert done.returncode == 2 and b"cut.trace: byte " in done.stderr
    assert len(done.stdout) > 100 or command[-1] == "folded"
