# SPDX-License-Identifier: MIT
"""The built program, for tests that run it as a user would."""
import os
import subprocess
from pathlib import Path

BIN = Path(os.environ.get("SYSVM_BIN", Path(__file__).resolve().parents[2] / "build" / "bin"))
SYSVM = str(BIN / "sysvm")
SOURCE = Path(__file__).resolve().parents[2]

# A message never needs longer; what takes longer hangs.
TIMEOUT = 60


def run(*command, **options):
    """Runs a command; its output as bytes. A command that does not end in time fails the test."""
    options.setdefault("stdin", subprocess.DEVNULL)
    if "input" in options:
        del options["stdin"]
    return subprocess.run([str(word) for word in command], capture_output=True, timeout=TIMEOUT, **options)


def commands():
    """The names of the subcommands, from the one table."""
    text = (SOURCE / "cli" / "commands.inc").read_text()
    return [line.split("(")[1].split(",")[0] for line in text.splitlines()
            if line.startswith("SYSVM_COMMAND(")]
