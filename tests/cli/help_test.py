# SPDX-License-Identifier: MIT
"""Every subcommand explains itself, in the help, in its man page and to the shell, and the three agree."""
import os
import re
import shlex

import pytest

from sysvm_program import SOURCE, SYSVM, commands, run

OPTION = re.compile(r"(?<![\w-])--[a-z][-a-z]*")


def options_of_help(command):
    return set(OPTION.findall(run(SYSVM, command, "--help").stdout.decode()))


def man_page(command):
    return (SOURCE / "man" / f"sysvm-{command}.1.scd").read_text()


def completions(*words):
    """What bash offers for the last of these words."""
    script = (f"source {shlex.quote(str(SOURCE / 'completions' / 'sysvm.bash'))}\n"
              f"COMP_WORDS=({' '.join(shlex.quote(str(word)) for word in words)})\n"
              f"COMP_CWORD={len(words) - 1}\n_sysvm\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n")
    done = run("bash", "--norc", "-c", script)
    assert done.stderr == b""
    return set(done.stdout.decode().split())


@pytest.mark.parametrize("flag", ["--help", "-h", "help"])
def test_program_lists_its_commands_on_standard_output(flag):
    done = run(SYSVM, flag)
    assert done.returncode == 0 and done.stderr == b""
    for command in commands():
        assert re.search(rf"^  {command} ", done.stdout.decode(), re.M)


def test_program_without_a_command_is_a_usage_error():
    done = run(SYSVM)
    assert done.returncode == 2 and done.stdout == b"" and b"usage: sysvm" in done.stderr


@pytest.mark.parametrize("command", commands())
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_goes_to_standard_output_with_status_0(command, flag):
    done = run(SYSVM, command, flag)
    assert done.returncode == 0 and done.stderr == b""
    assert b"--help" in done.stdout


@pytest.mark.parametrize("command", commands())
def test_man_page_has_the_options_of_the_help_and_no_others(command):
    page = set(OPTION.findall(re.split(r"^# EXIT STATUS", man_page(command),
                                       flags=re.M)[0].split("# OPTIONS")[1]))
    assert page == options_of_help(command)


@pytest.mark.parametrize("command", commands())
def test_man_page_is_named_in_the_first_page(command):
    assert f"*sysvm-{command}*(1)" in (SOURCE / "man" / "sysvm.1.scd").read_text()
    for section in ("# NAME", "# SYNOPSIS", "# DESCRIPTION", "# OPTIONS", "# EXIT STATUS"):
        assert section in man_page(command)


@pytest.mark.parametrize("command", commands())
def test_unknown_option_is_a_usage_error(command):
    done = run(SYSVM, command, "--no-such-option")
    assert done.returncode == 2 and done.stdout == b""
    # Some say first which word is missing; all say where to read on.
    assert f"sysvm {command} --help".encode() in done.stderr


@pytest.mark.parametrize("command", commands())
def test_help_fits_80_columns(command):
    done = run(SYSVM, command, "--help", env=os.environ | {"COLUMNS": "80"})
    assert max(len(line) for line in done.stdout.decode().splitlines()) <= 80
    assert run(SYSVM, "help", command, env=os.environ | {"COLUMNS": "80"}).stdout == done.stdout


@pytest.mark.parametrize("words,meant", [(["recrod"], "record"), (["dump", "--colour", "x"], "--color"),
                                         (["dump", "-e", "opneat", "x"], "openat"),
                                         (["export", "strac", "x"], "strace"),
                                         (["dump", "--color", "nevr", "x"], "never")])
def test_a_mistyped_word_is_answered_with_the_nearest_known_one(words, meant):
    done = run(SYSVM, *words)
    assert done.returncode == 2 and f"did you mean '{meant}'?".encode() in done.stderr


def test_bash_offers_the_commands():
    assert set(commands()) <= completions(SYSVM, "")
    assert completions(SYSVM, "doc") == {"doctor"}


@pytest.mark.parametrize("command", commands())
def test_bash_offers_the_options_of_the_help(command):
    assert options_of_help(command) == {word for word in completions(SYSVM, command, "--")}


@pytest.mark.parametrize("words, values", [
    (("record", "--backend"), {"auto", "bpf", "ptrace"}), (("stat", "--backend"), {"auto", "bpf", "ptrace"}),
    (("dump", "--color"), {"auto", "always", "never"}), (("import", "--format"), {"auto", "strace", "perf"}),
    (("run", "--engine"), {"auto", "kernel", "user"}),
    (("export",), {"strace", "perfetto", "ndjson", "folded"})])
def test_bash_offers_the_values_that_an_option_takes(words, values):
    assert completions(SYSVM, *words, "") == values
    first = sorted(values)[0]
    assert completions(SYSVM, *words, first[:3]) == {value for value in values if value.startswith(first[:3])}


def test_bash_offers_users_and_processes():
    assert "root" in completions(SYSVM, "record", "-u", "")
    assert str(os.getpid()) in completions(SYSVM, "record", "-p", "")
    # An option without values is followed by options.
    assert "--output" in completions(SYSVM, "record", "-q", "--")


def test_bash_leaves_what_follows_the_separator_to_others():
    offered = completions(SYSVM, "try", "--", "ech")
    assert "echo" in offered and not any(word.startswith("-") for word in offered)
