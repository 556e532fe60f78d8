# SPDX-License-Identifier: MIT
"""The notebooks run from top to bottom. Their cells are plain Python, so no Jupyter is needed here; `make
notebooks` runs them in it."""

import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "python" / "notebooks").glob("*.ipynb"))
QUESTIONS = {"what_does_my_job_do", "what_is_it_worth", "before_and_after"}


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_all_cells_run(notebook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    monkeypatch.chdir(notebook.parent)
    names: dict[str, object] = {}
    cells = json.loads(notebook.read_text())["cells"]
    for cell in cells:
        if cell["cell_type"] == "code":
            assert (
                cell["outputs"] == [] and cell["execution_count"] is None
            ), "commit notebooks without output"
            exec(compile("".join(cell["source"]), str(notebook), "exec"), names)
    from matplotlib import pyplot

    assert pyplot.get_fignums(), "nothing was drawn"
    pyplot.close("all")


def test_each_question_has_its_notebook() -> None:
    assert {path.stem for path in NOTEBOOKS} == QUESTIONS
