# SPDX-License-Identifier: MIT
"""The pages name files that are there: README, CONTRIBUTING and docs/, wherever they name a path."""
import re
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1]
PAGES = [SOURCE / "README.md", SOURCE / "CONTRIBUTING.md", *sorted((SOURCE / "docs").glob("*.md"))]
FOLDERS = {path.name for path in SOURCE.iterdir() if path.is_dir() and path.name != "build"}


def paths_of(page):
    """Words between backquotes that begin with a folder of the top, and the targets of links."""
    text = page.read_text()
    for word in re.findall(r"`([\w.+*-]+(?:/[\w.+*-]*)+)`", text):
        if word.split("/")[0] in FOLDERS:
            yield word, SOURCE
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        yield target, page.parent


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_files_that_a_page_names_are_there(page):
    named = list(paths_of(page))
    missing = sorted({word for word, folder in named if not list(folder.glob(word.rstrip("/")))
                      and not (folder / word).resolve().exists()})
    assert named and not missing


def test_each_walk_has_at_most_twelve_files():
    walks = (SOURCE / "docs" / "architecture.md").read_text().split("## Walks")[1].split("\n## ")[0]
    steps = [len(re.findall(r"^\d+\. `", walk, re.M)) for walk in walks.split("\n**From ")[1:]]
    assert len(steps) >= 2 and all(5 <= n <= 12 for n in steps if n)
