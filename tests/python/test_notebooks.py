# SPDX-License-Identifier: MIT
"""The notebooks run from top to bottom. Their cells are plain Python, so no Jupyter is needed here."""
import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "python" / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_all_cells_run(notebook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(notebook.parent)
    names: dict[str, object] = {}
    for cell in json.loads(notebook.read_text())["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None, \
                "commit notebooks without output"
            exec(compile("".join(cell["source"]), str(notebook), "exec"), names)


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS
