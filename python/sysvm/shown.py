# SPDX-License-Identifier: MIT
"""How names of a traced program are shown. They may hold anything: control characters reach no terminal,
markup no page, and marks that turn the direction of text turn nothing. Tested by
tests/python/test_context.py."""
from __future__ import annotations

import html
import unicodedata
from typing import Any

import pandas as pd

_LONGEST = 200


def printable(text: str) -> str:
    """The text with what is not printable as escapes, cut to 200 characters."""
    out = []
    for c in text[:_LONGEST + 1]:
        if c == " " or (c.isprintable() and unicodedata.category(c) not in ("Cf", "Cs", "Co")):
            out.append(c)
        else:
            out.append(c.encode("unicode_escape", "backslashreplace").decode("ascii"))
    shown = "".join(out)
    return shown[:_LONGEST] + "..." if len(text) > _LONGEST else shown


def table_html(frame: pd.DataFrame) -> str:
    """A small table, everything escaped."""
    def cell(value: Any) -> str:
        if isinstance(value, float):
            return f"{value:,.3f}".rstrip("0").rstrip(".")
        return html.escape(printable(f"{value:,}" if isinstance(value, int) else str(value)))

    head = "".join(f"<th>{html.escape(str(name))}</th>" for name in frame.columns)
    rows = "".join("<tr>" + "".join(f"<td>{cell(value)}</td>" for value in row) + "</tr>"
                   for row in frame.astype(object).itertuples(index=False))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
