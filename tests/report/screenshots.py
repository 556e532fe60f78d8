#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""screenshots.py FOLDER [RECORDING...]: what people see, as pictures to look at.

Reports of recordings (the samples, if none is named), light and dark, 1280 and 400 pixels wide; `try` and
`stat` in a
terminal of 80 columns and 24 lines; the plots of the notebooks, if Jupyter is here."""

import fcntl
import html
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
from pathlib import Path

from browser import PROGRAM, Browser

SOURCE = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("SYSVM_BUILD", SOURCE / "build"))
SYSVM = BUILD / "bin" / "sysvm"
TERMINALS = {
    "try": ["try", "--", "ls", "-lR", "/usr/include"],
    "stat": ["stat", "--", "du", "-s", "/usr/include"],
}
WIDTHS, SCHEMES = (1280, 400), ("light", "dark")


def reports(browser: Browser, folder: Path, recordings: list[Path]) -> None:
    for recording in recordings:
        page = folder / f"{recording.stem}.html"
        subprocess.run([SYSVM, "report", recording, "-o", page], check=True)
        for width in WIDTHS:
            for scheme in SCHEMES:
                browser.size(width, 900)
                browser.prefer(prefers_color_scheme=scheme)
                browser.open(page)
                taken(browser, folder / f"report-{recording.stem}-{scheme}-{width}.png")


def taken(browser: Browser, picture: Path) -> None:
    browser.picture(picture)
    print(picture)


def in_terminal(words: list[str]) -> str:
    """What a command writes to a terminal of 80 columns and 24 lines."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(SYSVM, [str(SYSVM), *words], {**os.environ, "TERM": "xterm", "NO_COLOR": "1"})
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    out = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:
            break
        if not part:
            break
        out += part
    os.waitpid(pid, 0)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.decode("utf-8", "replace"))
    return "\n".join(line.rsplit("\r", 1)[-1] for line in text.replace("\r\n", "\n").split("\n"))


def terminals(browser: Browser, folder: Path) -> None:
    for name, words in TERMINALS.items():
        text = in_terminal(words)
        lines = [line[i : i + 80] for line in text.split("\n") for i in range(0, max(1, len(line)), 80)]
        page = folder / f"terminal-{name}.html"
        style = "background:#111;color:#ddd;font:14px/1.2 'DejaVu Sans Mono',monospace;margin:8px"
        border = "<hr>".join(html.escape("\n".join(lines[i : i + 24])) for i in range(0, len(lines), 24))
        page.write_text(f"<!doctype html><meta charset=utf-8><body style=\"{style}\"><pre>{border}</pre>")
        browser.size(720, 480)
        browser.open(page, ready="")
        taken(browser, folder / f"terminal-{name}.png")


def notebooks(browser: Browser, folder: Path) -> None:
    for page in sorted((BUILD / "notebooks").glob("*.html")):
        browser.size(1000, 900)
        browser.prefer(prefers_color_scheme="light")
        browser.open(page, ready="")
        taken(browser, folder / f"notebook-{page.stem}.png")


def main() -> None:
    if not PROGRAM:
        sys.exit("screenshots: no Chromium here (scripts/packages-pages.txt)")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    recordings = [Path(name) for name in sys.argv[2:]] or sorted(
        (SOURCE / "traces" / "samples").glob("*.trace")
    )
    with Browser() as browser:
        reports(browser, folder, recordings)
        if len(sys.argv) == 2:
            terminals(browser, folder)
            if shutil.which("jupyter-nbconvert"):
                notebooks(browser, folder)


main()
