# SPDX-License-Identifier: MIT
"""The page in a real browser: it draws, it answers to mouse and keyboard, it complains of nothing and asks
for nothing."""
import pytest
from browser import PROGRAM, Browser
from reports import SAMPLES, empty_trace, hostile_trace, report

pytestmark = pytest.mark.skipif(not PROGRAM, reason="no Chromium here (Debian: chromium)")

COLOURS = """(() => { const c = document.querySelector("%s"), d = new
Uint32Array(c.getContext("2d").getImageData(0, 0, c.width, c.height).data.buffer);
return new Set(d).size; })()"""
VIEW = "(({from, to}) => to - from)(sysvmReport.timeline.view)"
SAID = 'document.querySelector("#pictured .said").textContent'
NO_WIDER = "document.documentElement.scrollWidth <= innerWidth"


@pytest.fixture(scope="module")
def browser():
    with Browser() as one:
        yield one


def page_of(trace, folder):
    page = folder / f"{trace.stem}.html"
    report(trace, "-o", str(page))
    return page


@pytest.fixture(scope="module")
def grep(tmp_path_factory):
    return page_of(next(path for path in SAMPLES if path.stem == "grep"), tmp_path_factory.mktemp("grep"))


def quiet(browser, page):
    assert browser.complaints == []
    assert [url for url in browser.requests if url != page.resolve().as_uri()] == []


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("sample", SAMPLES, ids=[path.stem for path in SAMPLES])
def test_samples_are_drawn(browser, sample, scheme, width, tmp_path):
    page = page_of(sample, tmp_path)
    browser.size(width, 900)
    browser.prefer(prefers_color_scheme=scheme)
    browser.open(page)
    assert browser.value(COLOURS % ".lanes") > 6
    assert browser.value(COLOURS % ".overview") > 1  # all of it may be one kind of call
    assert (
        browser.value(
            '[...document.querySelectorAll("#flow .branch")].filter((one) => !one.hidden && one.offsetWidth >'
            ' 20).length'
        )
        > 2
    )
    assert browser.value(NO_WIDER), "the page is wider than the screen"
    quiet(browser, page)


def test_the_keyboard_moves_zooms_and_steps(browser, grep):
    browser.size(1280, 900)
    browser.open(grep)
    browser.value('document.querySelector(".rows").focus()')
    whole = browser.value(VIEW)
    browser.key("+")
    assert browser.value(VIEW) == pytest.approx(whole / 2)
    browser.key("ArrowRight")
    assert browser.value("sysvmReport.timeline.view.from") > whole / 4
    browser.key(".")
    first = browser.value(SAID)
    browser.key(".")
    assert "grep" in first and browser.value(SAID) != first
    browser.key("Enter")
    assert browser.value(VIEW) < whole / 100
    browser.key("0")
    assert browser.value(VIEW) == pytest.approx(whole) and "shown" in browser.value(SAID)
    quiet(browser, grep)


def test_a_click_chooses_and_ctrl_with_the_wheel_zooms(browser, grep):
    browser.size(1280, 900)
    browser.open(grep)
    browser.value('document.querySelector(".rows").scrollIntoView()')
    x, y = browser.value(
        '(({x, y, width}) => [x + 150 + (width - 150) / 2, y + 20 +'
        ' 12])(document.querySelector(".lanes").getBoundingClientRect())'
    )
    before = browser.value(VIEW)
    for _ in range(20):
        browser.mouse("mouseWheel", x, y, deltaX=0, deltaY=-100, modifiers=2)
    browser.settle()
    assert browser.value(VIEW) < before / 100
    browser.value("sysvmReport.timeline.choose(0, 1000)")
    assert "grep" in browser.value(SAID)
    # A call drawn where it lies is the call that a click there chooses.
    browser.value("sysvmReport.timeline.zoomToChosen()")
    browser.key("Escape")
    browser.value("sysvmReport.timeline.chosen.span = -1")
    browser.click(x, y)
    assert browser.value("sysvmReport.timeline.chosen.span") == 1000


def test_a_stretch_drawn_in_the_overview_is_shown(browser, grep):
    browser.size(1280, 900)
    browser.open(grep)
    browser.value('document.querySelector(".overview").scrollIntoView({block: "center"})')
    x, y, width = browser.value(
        '(({x, y, width}) => [x, y + 20, width])(document.querySelector(".overview").getBoundingClientRect())'
    )
    whole = browser.value(VIEW)
    browser.mouse("mousePressed", x + width / 4, y, button="left", clickCount=1)
    browser.mouse("mouseMoved", x + width / 2, y, button="left")
    browser.mouse("mouseReleased", x + width / 2, y, button="left", clickCount=1)
    assert browser.value(VIEW) == pytest.approx(whole / 4, rel=0.01)


def test_search_finds_calls_rows_and_branches(browser, grep):
    browser.size(1280, 900)
    browser.open(grep)
    browser.key("/")
    assert browser.value("document.activeElement.id") == "search"
    browser.value('document.querySelector("#search").value = "d17/"')
    browser.value('document.querySelector("#search").dispatchEvent(new Event("input"))')
    browser.key("Enter")
    assert browser.value("sysvmReport.timeline.found.length") > 10 and "tree/d17/" in browser.value(SAID)
    rows = browser.value(
        '[...document.querySelectorAll("#files-table tbody tr")].filter((row) => row.offsetHeight).map((row)'
        ' => row.textContent)'
    )
    assert rows and all("d17/" in row for row in rows)
    browser.key("Escape")
    assert browser.value("sysvmReport.timeline.found") is None


def test_the_price_of_an_entry_changes_what_procedures_save(browser, grep):
    browser.size(1280, 900)
    browser.open(grep)

    def saves():
        return browser.value('Number(document.querySelector("#procedures-table .saves").dataset.v)')

    def set_price(ns):
        browser.value(
            '{ const c = document.querySelector("#crossing"); c.value = Math.round(100 * Math.log10(%s));'
            ' c.dispatchEvent(new Event("input")); }' % ns
        )

    here = saves()
    set_price(1000)
    assert saves() > 2 * here
    set_price(30)
    assert saves() < here
    assert browser.value('document.querySelectorAll(".bars > div").length') == 4
    plain = browser.value('document.querySelector(".bars .words").firstChild.textContent')
    browser.value(
        '{ const c = document.querySelector("#cold"); c.value = 200; c.dispatchEvent(new Event("input")); }'
    )
    assert browser.value('document.querySelector(".bars .words").firstChild.textContent') != plain
    browser.value('document.querySelector("[data-do=here]").click()')
    assert saves() == pytest.approx(here)


def test_tables_are_sorted_by_a_click(browser, grep):
    browser.size(1280, 900)
    browser.open(grep)
    column = (
        '[...document.querySelectorAll("#calls-table tbody tr")].map((row) =>'
        ' Number(row.cells[%d].dataset.v))'
    )
    browser.value('document.querySelectorAll("#calls-table thead button")[1].click()')
    down = browser.value(column % 1)
    assert down == sorted(down, reverse=True)
    browser.value('document.querySelectorAll("#calls-table thead button")[1].click()')
    assert browser.value(column % 1) == sorted(down)


def test_branches_answer_to_the_keyboard(browser, grep):
    browser.size(1280, 900)
    browser.open(grep)
    focused = "sysvmReport.flow.nodes.findIndex((node) => node.element === document.activeElement)"
    browser.value('document.querySelector("#flow .branch").focus()')
    browser.key("ArrowDown")
    child = browser.value(focused)
    assert child > 0 and browser.value(f"sysvmReport.flow.nodes[{child}].parent") == 0
    width = browser.value("document.activeElement.offsetWidth")
    browser.value("document.activeElement.click()")
    assert browser.value("document.activeElement.offsetWidth") > width
    browser.key("Escape")
    assert browser.value("sysvmReport.flow.focus") == 0


def test_without_colour_kinds_differ_in_pattern(browser, grep):
    browser.size(1280, 900)
    browser.open(grep)
    browser.value("sysvmReport.timeline.patterns(true)")
    browser.settle()
    used = browser.value(
        '[...document.querySelectorAll(".legend .swatch")].map((one) =>'
        ' getComputedStyle(one).backgroundImage)'
    )
    assert len(used) > 2 and len(set(used)) == len(used)


def test_dark_and_light_are_chosen(browser, grep):
    browser.size(1280, 900)
    browser.prefer(prefers_color_scheme="light")
    browser.open(grep)
    paper = "getComputedStyle(document.body).backgroundColor"
    light = browser.value(paper)
    browser.value('document.querySelector("#theme").click()')
    assert browser.value(paper) != light


@pytest.mark.parametrize("width", [1280, 400])
def test_hostile_names_do_nothing(browser, tmp_path, width):
    page = page_of(hostile_trace(tmp_path), tmp_path)
    browser.size(width, 900)
    browser.open(page)
    assert browser.value("document.querySelectorAll('script').length") == 3
    assert browser.value("document.querySelectorAll('img').length") == 0
    assert browser.value(NO_WIDER), "a name makes the page wider than the screen"
    for key in "+++..":
        browser.value('document.querySelector(".rows").focus()')
        browser.key(key)
    quiet(browser, page)


def test_a_recording_without_events_is_shown(browser, tmp_path):
    page = tmp_path / "empty.html"
    trace = empty_trace(tmp_path)
    from sysvm_program import SYSVM, run

    page.write_bytes(run(SYSVM, "report", trace).stdout)
    browser.open(page)
    assert "Nothing was recorded" in browser.value("document.body.innerText")
    quiet(browser, page)


def test_without_scripts_the_tables_are_there(browser, grep):
    browser.size(1280, 900)
    browser.scripts(False)
    try:
        browser.open(grep, ready="")
        text = browser.value("document.body.innerText")
        shown = browser.value(
            '[...document.querySelectorAll(".js-only")].filter((one) => one.offsetHeight).length'
        )
        rows = browser.value(
            '[...document.querySelectorAll("main table tbody tr")].every((row) => row.offsetHeight > 0)'
        )
    finally:
        browser.scripts(True)
    assert "Without JavaScript" in text and "newfstatat" in text and shown == 0 and rows
