# SPDX-License-Identifier: MIT
"""sysvm report: a page that stands alone, whatever the traced program called itself."""
import html.parser

import pytest

from sysvm_program import SOURCE, SYSVM, run
from trace_text import make_trace


class Page(html.parser.HTMLParser):
    """Tags, attributes that could load something, and text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.loads, self.text = set(), [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.loads += [value for name, value in attributes
                       if name in ("src", "href", "srcset", "data", "action") or name.startswith("on")]

    def handle_data(self, data):
        self.text += data


def report(trace, *options):
    done = run(SYSVM, "report", trace, *options)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode("ascii")


def test_hostile_names_are_text(tmp_path):
    page = Page(report(make_trace(tmp_path)))
    assert "<script>alert(1)</script>" in page.text
    assert page.tags <= {"html", "head", "meta", "title", "style", "body", "h1", "h2", "code", "table", "tr",
                         "th", "td", "span", "p",
                         "pre"}
    assert page.loads == []


def test_it_says_what_was_recorded(tmp_path):
    page = Page(report(make_trace(tmp_path)))
    for words in ("openat", "errors", "exit 3", "complete", "Threads", "Sequences"):
        assert words in page.text
    assert "Sequences" not in Page(report(make_trace(tmp_path), "--no-sequences")).text


SAMPLES = sorted((SOURCE / "traces" / "samples").glob("*.trace"))


@pytest.mark.parametrize("sample", SAMPLES, ids=[path.stem for path in SAMPLES])
def test_samples_have_a_page(sample, tmp_path):
    out = tmp_path / "page.html"
    assert report(sample, "-o", out) == ""
    assert Page(out.read_text()).loads == []
