# SPDX-License-Identifier: MIT
"""What a row's numbers stand for, parts of a recording, and two recordings side by side."""
import re
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sysvm
from conftest import BIN
from sysvm.shown import printable, table_html

TEXT = """\
10 1700000000.000001 execve("/bin/cat", ["cat"], 0x7f /* 1 var */) = 0 <0.000001>
10 1700000000.000010 openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 3 <0.000002>
10 1700000000.000020 read(3, "root", 4096) = 4 <0.000003>
10 1700000000.000030 fcntl(3, F_GETFD) = 0 <0.000001>
10 1700000000.000040 close(3) = 0 <0.000001>
10 1700000000.000050 close(3) = -1 EBADF (Bad file descriptor) <0.000001>
10 1700000000.000060 openat(AT_FDCWD, "/absent", O_RDONLY) = -1 ENOENT (No such file or directory) <0.000002>
10 1700000000.000070 exit_group(0) = ?
"""


def imported(folder: Path, text: str, name: str) -> Path:
    (folder / f"{name}.txt").write_text(text)
    subprocess.run([BIN / "sysvm", "import", "-q", folder / f"{name}.txt", "-o", folder / f"{name}.trace"],
                   check=True)
    return folder / f"{name}.trace"


@pytest.fixture(scope="module")
def cat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return imported(tmp_path_factory.mktemp("context"), TEXT, "cat")


def test_a_descriptor_has_a_path(cat: Path) -> None:
    df = sysvm.open(cat).df(["call", "path", "fd_path", "errno", "exe", "comm"])
    assert list(df.fd_path.astype(object).where(df.fd_path.notna(), None)) == [
        None, "/etc/passwd", "/etc/passwd", "/etc/passwd", "/etc/passwd", None, None, None]
    assert list(df.errno) == [0, 0, 0, 0, 0, 9, 2, 0] and df.errno.dtype == np.int16
    assert set(df.exe.dropna()) == {"/bin/cat"} and set(df.comm.dropna()) == {"cat"}


def test_what_imported_text_lacks_is_named_in_the_flags(cat: Path) -> None:
    names = sysvm.open(cat).df(["flag_names"]).flag_names
    assert "UNKNOWN_ARG1" in names[2] and names[3] == ""


def test_the_names_of_flags_are_those_of_the_schema() -> None:
    schema = (Path(__file__).parents[2] / "traces" / "trace.proto").read_text()
    body = re.search(r"enum EventFlag {(.*?)}", schema, re.S).group(1)
    assert {int(n): name for name, n in re.findall(r"(\w+) = (\d+);", body) if n != "0"} == sysvm.FLAGS


def test_parts_of_a_recording(cat: Path) -> None:
    t = sysvm.open(cat)
    assert list(t.filter(calls="close").df().a0) == [3, 3]
    assert len(sysvm.open(cat, calls=["read", "close"])) == 3
    assert list(sysvm.open(cat, path="/etc/*").df().call) == ["openat", "read", "fcntl", "close"]
    assert len(t.filter(between=(0, 25e-6))) == 3
    assert len(t.filter(pid=10)) == len(t) and len(t.filter(pid=[11])) == 0
    assert "3 of 8 events" in repr(t.filter(calls=["read", "close"]))
    assert len(t.filter(calls="close").filter(pid=10)) == 2
    with pytest.raises(KeyError, match="telepathy"):
        t.filter(calls="telepathy")


def test_time_is_an_index_on_request(cat: Path) -> None:
    index = sysvm.open(cat).df(time_index=True).index
    assert isinstance(index, pd.DatetimeIndex)
    assert index[0] == pd.Timestamp("2023-11-14 22:13:20.000001", tz="UTC")


def test_two_recordings_side_by_side(cat: Path, tmp_path: Path) -> None:
    other = imported(tmp_path, TEXT.replace("fcntl(3, F_GETFD)",
                                            "lseek(3, 0, SEEK_SET)").replace("<0.000003>", "<0.000500>"),
                                            "other")
    diff = sysvm.diff(cat, other)
    calls = diff.df().set_index("call")
    assert calls.state["fcntl"] == "gone" and calls.state["lseek"] == "added"
    assert calls.state["close"] == "same"
    assert diff.df().call[0] == "read" and calls.slower_ms["read"] == pytest.approx(0.497)
    paths = diff.df("path").set_index("path")
    assert paths.before["/etc/passwd"] == 4 and paths.slower_ms["/etc/passwd"] == pytest.approx(0.497)
    assert "1 added, 1 gone" in repr(diff) and "<table>" in diff._repr_html_()
    with pytest.raises(KeyError, match="colour"):
        diff.df("colour")


def test_a_trace_without_any_chosen_event_is_shown(cat: Path) -> None:
    none = sysvm.open(cat).filter(pid=11)
    assert "0 of 8 events" in none._repr_html_() and len(none.df()) == 0
    assert len(sysvm.diff(none, none).df()) == 0


@pytest.mark.parametrize("text", ["a\nb", "\x1b[31m", "\u202egnp", "\x7f", "\ud800"])
def test_what_is_not_printable_is_escaped(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable() and "\u202e" not in shown


def test_markup_is_text() -> None:
    shown = table_html(pd.DataFrame({"<b>": ["<script>alert(1)</script>", "x" * 4096]}))
    assert "<script>" not in shown and "<b>" not in shown and len(shown) < 1000
