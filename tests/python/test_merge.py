# SPDX-License-Identifier: MIT
"""Many recordings, counted apart and merged: in one process, and on dask.distributed."""
from __future__ import annotations

import pickle
from pathlib import Path

import pytest

import sysvm


def test_parts_merge_to_what_one_process_mines(recorded: Path) -> None:
    t = sysvm.open(recorded)
    part = sysvm.mine_part(str(recorded), max_sequences=10)
    assert sysvm.merge([part, part, part]) == sysvm.merge([sysvm.merge([part, part]), part])
    twice = sysvm.merge([part, part]).mined()
    assert [(s.calls, s.count) for s in twice] == [(s.calls, s.count) for s in sysvm.mine(t, t)]
    assert twice.calls == 2 * sysvm.mine(t).calls
    assert pickle.loads(pickle.dumps(part)) == part


def test_dask_maps_and_merges(recorded: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="python3-distributed is not installed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1",
                                  dashboard_address=None,
                                  silence_logs=50) as cluster, distributed.Client(cluster) as client:
        parts = client.map(sysvm.mine_part, [str(recorded)] * 3, pure=False)
        merged = client.submit(sysvm.merge, parts).result()
    assert merged == sysvm.merge([sysvm.mine_part(str(recorded))] * 3)


def test_what_is_no_part_is_refused() -> None:
    with pytest.raises(sysvm.Error):
        sysvm.merge([sysvm.Part("{}")])
