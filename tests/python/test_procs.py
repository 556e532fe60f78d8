# SPDX-License-Identifier: MIT
import subprocess
from pathlib import Path

import pytest
from conftest import BIN

import sysvm


def test_a_real_recording_reads_as_the_calls_that_were_made(recorded: Path) -> None:
    df = sysvm.open(recorded).df()
    opened = df[(df.call == "openat") & df.path.astype(str).str.contains("/tree/f")]
    assert len(opened) + len(df[(df.call == "openat") & df.path.astype(str).str.fullmatch(r"f\d+")]) == 60
    assert (df.pid == df.tid).all() and df.dur_ns.max() < 10**10
    assert df.iloc[0].call == "execve" and df.iloc[-1].call == "exit_group"


def test_load_lists_the_procedures(recorded: Path) -> None:
    procs = sysvm.load(recorded.with_suffix(".svp"))
    assert len(procs) == len(list(procs)) >= 1
    modes = {p.mode for p in procs}
    assert "run_ahead" in modes
    ahead = next(p for p in procs if p.mode == "run_ahead" and p.seen >= 60)
    assert ahead.triggers[0].startswith("openat(")
    assert any("= read(" in f for f in ahead.followers)
    assert ahead.name in repr(procs) and repr(ahead.name)[1:-1] in repr(ahead)
    assert "run_ahead" in str(procs) and procs.notes["schema"] == 1


def test_disasm_is_what_the_disassembler_prints(recorded: Path) -> None:
    done = subprocess.run([BIN / "sysvm", "disasm", recorded.with_suffix(".svp")], capture_output=True,
                          text=True, check=True)
    printed = [line.strip() for line in done.stdout.splitlines()]
    for proc in sysvm.load(recorded.with_suffix(".svp")):
        assert proc.code and proc.disasm().strip().endswith("end")
        for line in proc.disasm().splitlines():
            assert line.strip() in printed


def test_a_flipped_byte_is_refused_with_the_files_name(recorded: Path, tmp_path: Path) -> None:
    data = bytearray(recorded.with_suffix(".svp").read_bytes())
    data[len(data) // 2] ^= 1
    bad = tmp_path / "bad.svp"
    bad.write_bytes(data)
    with pytest.raises(sysvm.Error, match="bad.svp"):
        sysvm.load(bad)


def test_mine_finds_the_loop_over_files_and_its_data_flow(recorded: Path) -> None:
    mined = sysvm.mine(sysvm.open(recorded))
    assert 0 < mined.known <= mined.covered <= mined.calls
    top = mined[0]
    assert top.count >= 50
    names = [call.split("(")[0] for call in top.calls]
    assert names.count("openat") == 1 and "read" in names and "close" in names
    opened = names.index("openat")
    assert any(f"(#{opened}" in call for call in top.calls)  # the descriptor flows from open to read
    assert "times" in repr(mined) and top.calls[0] in repr(mined)
    assert list(mined.df()["count"]) == [s.count for s in mined]


def test_mine_obeys_its_limits(recorded: Path) -> None:
    t = sysvm.open(recorded)
    assert len(sysvm.mine(t, max_sequences=1)) == 1
    assert len(sysvm.mine(t, min_count=10**6)) == 0
    assert all(len(s.calls) <= 3 for s in sysvm.mine(t, max_length=3))
