# SPDX-License-Identifier: MIT
"""commands_test.py PAGE.md: runs the fenced blocks of a page, in order, in a folder of their own; each must
end well.

```sh blocks are run by sh -eu in one shell's environment after the other's files, ```python blocks by one
Python that
remembers. A block of another language is not run, and a page may have none that looks like a command. Exit
status: 77
where nothing can be recorded."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

BIN = Path(os.environ["SYSVM_BIN"])
# Commands need a fence that is run: an indented block, or one without a language, would be forgotten here.
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)


def blocks(page: Path) -> list[tuple[str, str]]:
    text = page.read_text(encoding="utf-8")
    found = FENCE.findall(text)
    rest = FENCE.sub("", text)
    assert found and all(language in ("sh", "python") for language, _ in found), "a block that no test runs"
    assert not re.search(r"^(    |\t)\S", rest, re.M), "an indented block, which no test runs"
    return found


def may_record() -> str:
    """ "" or why nothing can be recorded."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [BIN / "sysvm", "record", "-q", "--backend", "bpf", "-o", f"{folder}/x.trace", "--", "true"],
            capture_output=True,
            text=True,
        )
    return "" if done.returncode == 0 else done.stderr.strip() or f"exit status {done.returncode}"


def main() -> int:
    page = Path(sys.argv[1])
    if why := may_record():
        print(f"skipped: {why}")
        return 77
    folder = Path(tempfile.mkdtemp(prefix="sysvm-docs."))
    env = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "HOME": str(folder),
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": str(folder / ".matplotlib"),
    }
    python = ""
    try:
        for language, text in blocks(page):
            if language == "sh":
                command = ["bash", "-eu", "-c", text]
            else:  # what came before is done again, so that names are known
                python += text
                command = [sys.executable, "-c", python]
            done = subprocess.run(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, timeout=300)
            if done.returncode:
                print(f"{page}: exit status {done.returncode} of\n{text}")
                return 1
        return 0
    finally:
        shutil.rmtree(folder)


sys.exit(main())
