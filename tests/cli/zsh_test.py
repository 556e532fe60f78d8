# SPDX-License-Identifier: MIT
"""zsh completes sysvm's commands, options and values: asked in a real zsh on a terminal of its own."""
import fcntl
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import termios
import time

import pytest

from sysvm_program import BIN, SOURCE, TIMEOUT, commands
from help_test import options_of_help

pytestmark = pytest.mark.skipif(not shutil.which("zsh"), reason="no zsh")

# Nothing is printed between a list and DONE but the list: no prompt, no bell, no pages.
SETUP = r"""PS1= PS2= LISTMAX=0
unsetopt prompt_sp prompt_cr beep list_beep list_ambiguous zle_bracketed_paste; unset zle_bracketed_paste
fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -D
done-now() {{ local line=$BUFFER; BUFFER=; zle -I; print -r -- "DONE<$line>"; }}; zle -N done-now
bindkey '^Xd' done-now
print -r -- "SET""UP"
"""


class Zsh:
    def __init__(self):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 2000, 200, 0, 0))
        environment = {**os.environ, "TERM": "dumb", "PATH": f"{BIN}:{os.environ['PATH']}"}
        self.process = subprocess.Popen(["zsh", "-f", "-i"], stdin=theirs, stdout=theirs, stderr=theirs,
                                        env=environment,
                                        start_new_session=True)
        os.close(theirs)
        self.terminal = ours
        os.write(ours, SETUP.format(folder=SOURCE / "completions").encode())
        self.errors = self.read_until(r"SETUP\r?\n")

    def read_until(self, pattern):
        seen, end = "", time.monotonic() + TIMEOUT
        while not re.search(pattern, seen):
            assert time.monotonic() < end and select.select([self.terminal], [], [], TIMEOUT)[0], seen
            seen += os.read(self.terminal, 65536).decode(errors="replace")
        return seen

    def complete(self, line):
        """(the line after a tab, the words of the list that was shown)"""
        os.write(self.terminal, line.encode() + b"\t\x18d")
        seen = self.read_until(r"DONE<[^\r\n]*>\r?\n")
        after = re.search(r"DONE<(.*)>", seen)[1]
        return after, set(seen[:seen.index("DONE<")].replace("\r", "\n").partition("\n")[2].split())

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.terminal)


@pytest.fixture(scope="module")
def zsh():
    shell = Zsh()
    yield shell
    shell.close()


def test_it_loads_without_a_word(zsh):
    assert "_sysvm" not in zsh.errors.replace("_sysvm=", "") and "not found" not in zsh.errors
    assert "error" not in zsh.errors


@pytest.mark.parametrize("begun, whole", [("sysvm rec", "sysvm record "), ("sysvm doc", "sysvm doctor "),
                                          ("sysvm expo", "sysvm export "),
                                          ("sysvm record --backend b", "sysvm record --backend bpf "),
                                          ("sysvm run --engine k", "sysvm run --engine kernel "),
                                          ("sysvm export perf", "sysvm export perfetto "),
                                          ("sysvm record -u roo", "sysvm record -u root "),
                                          ("sysvm record --stri", "sysvm record --strict ")])
def test_what_is_unambiguous_is_completed(zsh, begun, whole):
    assert zsh.complete(begun)[0] == whole


def test_it_offers_the_commands(zsh):
    assert set(commands()) <= zsh.complete("sysvm ")[1]


@pytest.mark.parametrize("command", commands())
def test_it_offers_the_options_of_the_help(zsh, command):
    after, offered = zsh.complete(f"sysvm {command} --")
    names = {word for word in offered if re.fullmatch("--[a-z][-a-z]*", word)}
    assert names | set(re.findall(r" (--[a-z][-a-z]*) ", after)) == options_of_help(command)


def test_what_follows_the_separator_is_a_command_of_its_own(zsh):
    assert zsh.complete("sysvm try -- mkdi")[0].startswith("sysvm try -- mkdir")


def test_a_file_is_offered_where_nothing_else_is(zsh, tmp_path):
    (tmp_path / "only.trace").touch()
    assert zsh.complete(f"sysvm info {tmp_path}/onl")[0] == f"sysvm info {tmp_path}/only.trace "
